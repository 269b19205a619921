"""Runs a user's script as ``python SCRIPT.py`` would, to find the film in it.

The script runs as ``__main__``, with its own ``sys.argv``, and remains ``__main__``: its module's
dictionary is the globals of its functions. matplotlib's screen and files are replaced (`capture`). So call
these functions only in a process of framepipe's own.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import importlib.machinery
import inspect
import os
import re
import sys
import traceback
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from framepipe.errors import FramepipeError, UsageError
from framepipe.scenes.loading import load_script, marked_as_loading, no_bytecode
from framepipe.scenes.scripts.capture import Capture
from framepipe.scenes.scripts.discover import NamedAnimation, find_animations
from framepipe.scenes.scripts.moments import EnoughFrames, FrameSink, Series
from framepipe.scenes.scripts.stand_ins import capturing, install
from framepipe.scenes.scripts.user_lines import Place, chain_of, is_library

_DRAWS = re.compile("draw|plot|frame|render|update|animate|step", re.IGNORECASE)
_ARGUMENTS = "Put the script's own arguments after --:  framepipe make {name} -o film.mp4 -- …"


@dataclass(frozen=True)
class ScriptRun:
    """The result of running a script.

    Attributes
    ----------
    path : str
        The script's path as the user wrote it.
    module : ModuleType
        Its globals.
    animations : tuple of NamedAnimation
        All animations, in order of creation, without those that are only ``extra_anim`` of another.
    series : tuple of Series
        The frames that it showed or saved by itself; empty if it made an animation. The film is the first
        one, unless `choose` says otherwise.
    notes : tuple of str
        Notes for the user: calls that did nothing, and effects outside framepipe.
    capture : Capture
        The record of the run.
    """

    path: str
    module: types.ModuleType
    animations: tuple[NamedAnimation, ...]
    series: tuple[Series, ...]
    notes: tuple[str, ...]
    capture: Capture = field(repr=False)

    @property
    def name(self) -> str:
        """The script's file name."""
        return Path(self.path).name

    @property
    def frames(self) -> int:
        """Number of frames that the script's own loop made."""
        return self.series[0].frames if self.series else 0


def run_script(path: str | os.PathLike[str], argv: Sequence[str], sink: FrameSink) -> ScriptRun:
    """Run ``python path argv…`` in this process, which is framepipe's own.

    Parameters
    ----------
    path : path-like
        ``sys.argv[0]`` as given; ``__file__`` is absolute, as Python has it.
    argv : sequence of str
        ``sys.argv[1:]``.
    sink : FrameSink
        Receives the figures that the script shows or saves while it runs, if it makes no animation.

    Raises
    ------
    UsageError
        No such script; it raised, or ended with an exit code other than 0. The message has the traceback
        of the user's code.
    """
    script_path = os.fspath(path)
    script = _script_at(script_path)
    install()  # first: a module beside the script must not replace one that matplotlib imports
    sys.argv = [script_path, *argv]
    sys.path.insert(0, str(script.parent))
    module = _main_module(script)
    sys.modules["__main__"] = module
    with capturing(sink) as capture, _refusing_renders(script_path):
        trouble = _run(lambda: exec(_compiled(script), vars(module)), script_path, capture)  # noqa: S102
    return _outcome(script_path, module, capture, trouble)


def import_script(path: str | os.PathLike[str], sink: FrameSink) -> ScriptRun:
    """Import a script as a module, as for ``SCRIPT.py:NAME``: code under a ``__main__`` guard does not run.

    Parameters and errors are those of `run_script`.
    """
    script_path = os.fspath(path)
    script = _script_at(script_path)
    modules: list[types.ModuleType] = []
    with capturing(sink) as capture:
        trouble = _run(lambda: modules.append(load_script(script)), script_path, capture)
    if not modules:  # it ended early, and is not in sys.modules
        modules.append(types.ModuleType(script.stem))
    return _outcome(script_path, modules[0], capture, trouble)


def _script_at(script_path: str) -> Path:
    script = Path(os.path.abspath(script_path))
    if script.is_dir():
        raise UsageError(f"{script_path} is a folder: name the script in it")
    if not script.is_file():
        raise UsageError(f"no such script: {script_path}")
    return script


def _main_module(script: Path) -> types.ModuleType:
    module = types.ModuleType("__main__")
    loader = importlib.machinery.SourceFileLoader("__main__", str(script))
    vars(module).update(
        __file__=str(script),
        __builtins__=builtins,
        __loader__=loader,
        __cached__=None,
        __annotations__={},
    )
    return module


def _compiled(script: Path) -> types.CodeType:
    """Compile the script from its bytes, which declare their encoding."""
    return compile(script.read_bytes(), str(script), "exec", dont_inherit=True)


@contextlib.contextmanager
def _refusing_renders(script_path: str) -> Iterator[None]:
    """Refuse calls of framepipe by the script, with the advice to run it with Python; write no bytecode."""
    name = Path(script_path).name
    with (
        marked_as_loading(name, f"it makes its movie itself, run it as:  python {script_path}"),
        no_bytecode(),
    ):
        yield


def _run(run: Any, script_path: str, capture: Capture) -> str:
    """Run a script; return the error that ended it after all its frames, "" if there was none."""
    try:
        with _arguments_refused() as refusal:
            run()
    except EnoughFrames:
        return ""
    except (KeyboardInterrupt, FramepipeError):
        raise
    except SystemExit as end:
        if end.code is None or (isinstance(end.code, int) and end.code == 0):
            return ""
        raise _ended_by(end, script_path, refusal) from None
    except BaseException as error:
        if _frames_are_complete(error, capture):
            place = chain_of(error.__traceback__)[-1]
            return f"it stopped in line {place.line}: {_line_of(error)}"
        raise _failed(error, script_path, capture) from None
    finally:
        capture.moments.end()
    return ""


@contextlib.contextmanager
def _arguments_refused() -> Iterator[list[str]]:
    """Collect the messages of ``argparse`` about arguments that it refuses, instead of printing them."""
    import argparse

    messages: list[str] = []
    original = argparse.ArgumentParser.error

    def error(parser: argparse.ArgumentParser, message: str) -> None:
        messages.append(f"{parser.format_usage()}{parser.prog}: error: {message}")
        raise SystemExit(2)

    argparse.ArgumentParser.error = error  # type: ignore[assignment,method-assign]
    try:
        yield messages
    finally:
        argparse.ArgumentParser.error = original  # type: ignore[method-assign]


def _ended_by(end: SystemExit, script_path: str, refusal: list[str]) -> UsageError:
    name = Path(script_path).name
    if refusal:
        return UsageError(
            f"{name} refuses its arguments:\n{refusal[-1]}\n{_ARGUMENTS.format(name=script_path)}"
        )
    lines = chain_of(end.__traceback__)
    line_text = f" in line {lines[-1].line}" if lines else ""
    if isinstance(end.code, int):
        hint = "\n" + _ARGUMENTS.format(name=script_path) if end.code == 2 else ""
        return UsageError(f"{name} ended with exit code {end.code}{line_text}{hint}")
    return UsageError(f"{name} ended{line_text}: {end.code}")


def _failed(error: BaseException, script_path: str, capture: Capture) -> UsageError:
    text = [f"{script_path} cannot be loaded: {_line_of(error)}", _users_traceback(error)]
    if isinstance(error, OSError) and isinstance(error.filename, (str, bytes)):
        text.append(_missing_path(os.fsdecode(error.filename), script_path))
    if capture.not_written:
        some = sorted(Path(path).name for path in capture.not_written)
        text.append(
            f"framepipe did not write {_shorten(some)}: it builds the movie. If the script goes on to read "
            "them, end it after its frames are saved"
        )
    return UsageError("\n".join(filter(None, text)))


def _line_of(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _users_traceback(error: BaseException) -> str:
    """Format a traceback as Python does, without the lines of framepipe and of libraries."""
    exception = traceback.TracebackException.from_exception(error)
    link: traceback.TracebackException | None = exception
    while link is not None:
        user_lines = [line for line in link.stack if not is_library(line.filename)]
        link.stack = traceback.StackSummary.from_list(user_lines)
        link = link.__cause__ or link.__context__
    return "".join(exception.format()).rstrip()


def _missing_path(path: str, script_path: str) -> str:
    if Path(path).is_absolute() or Path(path).exists():
        return ""
    working_folder, folder = Path.cwd(), Path(os.path.abspath(script_path)).parent
    text = f"{path!r} was looked for in the working folder, {working_folder}"
    if (folder / path).exists() and folder != working_folder:
        return f"{text}. It exists beside the script: run framepipe from {folder}"
    return text


def _frames_are_complete(error: BaseException, capture: Capture) -> bool:
    """True if the script failed after the loop that made its frames, or after its save.

    Then it needed a file that framepipe did not write, or fails without framepipe too; all frames exist.
    """
    failed = chain_of(error.__traceback__)
    chains = [
        chain
        for chain, suppressed in capture.suppressed_calls.items()
        if not suppressed.series or suppressed.series.frames
    ]
    return bool(failed and chains) and all(_is_over(chain, failed) for chain in chains)


def _is_over(chain: tuple[Place, ...], failed: tuple[Place, ...]) -> bool:
    """True if no loop around ``chain`` was still running at ``failed``."""
    for place, failed_place in zip(chain, failed):
        same = (place.file, place.function, place.first_line) == (
            failed_place.file,
            failed_place.function,
            failed_place.first_line,
        )
        if not same:
            return False
        loops = [loop for loop in _loops(place.file) if place.line in loop]
        if place.line != failed_place.line:
            return failed_place.line > place.line and not any(failed_place.line in loop for loop in loops)
        if any(place.first_line <= loop.start for loop in loops):
            return False
    return False


def _loops(file: str) -> list[range]:
    """Return the line ranges of all loops in a file."""
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []
    kinds = (ast.For, ast.While, ast.AsyncFor, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    return [
        range(node.lineno, (node.end_lineno or node.lineno) + 1)
        for node in ast.walk(tree)
        if isinstance(node, kinds)
    ]


def _outcome(script_path: str, module: types.ModuleType, capture: Capture, trouble: str) -> ScriptRun:
    animations = find_animations(module, capture)
    films = capture.moments.films()
    series = () if animations else tuple(films)
    notes = tuple(_notes(capture, films, bool(animations), trouble))
    return ScriptRun(script_path, module, animations, series, notes, capture)


def _notes(capture: Capture, films: list[Series], animated: bool, trouble: str) -> Iterator[str]:
    calls = [f"anim.{save}" for _, save in capture.saves]
    if calls:
        yield f"{_shorten(calls)} {'was' if len(calls) == 1 else 'were'} not run: framepipe builds the movie"
    if any(save.method != "save" for _, save in capture.saves):
        yield "the HTML of an animation was not rendered: files that the script writes with it have no movie"
    for film in films:
        yield from _notes_of(film, animated)
    for command in dict.fromkeys(capture.commands):
        consequence = "the movie and the pictures that framepipe did not write were missing for it"
        yield f"{command!r} was run as the script asked; {consequence}"
    if trouble:
        yield f"{trouble} (after its frames, which framepipe did not write for it)"


def _notes_of(film: Series, animated: bool) -> Iterator[str]:
    if animated and film.frames > 1:
        yield f"the {film.frames} frames of {film.name} are left out: the animation is the film"
    if film.kind == "files":
        yield f"{film.name}: {film.frames} pictures were not written: they are frames"
        if jump := film.out_of_order():
            yield f"{film.name}: the numbers do not rise ({jump}); frames come as they were saved"
    elif film.kind == "writer":
        yield f"{film.filename} was not written: framepipe builds the movie"


def _shorten(names: Sequence[str]) -> str:
    """Join up to three names, with the number of the others."""
    names = list(dict.fromkeys(names))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def no_film_message(run: ScriptRun) -> str:
    """Explain why a script has no film: what it made, and what to change."""
    capture = run.capture
    count = capture.figures
    figures = {0: "no figure", 1: "one figure"}.get(count, f"{count} figures")
    names = _functions(run.module)
    text = (
        f"{run.name} made {figures} and no animation, and no frame loop was seen\n"
        "(with plt.pause, savefig under numbered names, or writer.grab_frame)\n"
    )
    if names:
        text += f"It defines {', '.join(f'{name}{signature}' for name, signature in names)}\n"
    return f"{text}{_hint(run, names)}".rstrip()


def _hint(run: ScriptRun, functions: list[tuple[str, str]]) -> str:
    capture = run.capture
    name, times = next(iter(capture.overwritten.most_common(1)), ("", 0))
    if times > 1:
        numbered = f"{Path(name).stem}{{i:04d}}{Path(name).suffix}"
        return (
            f"{name} was saved {times} times, each time over the last: number the names, as in "
            f"f'{numbered}', and they are frames"
        )
    call, times = next(iter(capture.draws.most_common(1)), ("", 0))
    if times > 1:
        position = "before" if call == "plt.show()" else "after"
        return f"{call} was called {times} times: put plt.pause(0.04) {position} it, and each is a frame"
    for function, _ in sorted(functions, key=lambda each: not _DRAWS.search(each[0])):
        thing = vars(run.module)[function]
        if inspect.isgeneratorfunction(thing):
            return f"If {function} yields figures:  framepipe make {run.path}:{function} -o film.mp4"
        if len(_required_parameters(thing)) == 1:
            address = f"{run.path}:{function}"
            return f"If {function} draws one frame:  framepipe make {address} --frames 100 -o film.mp4"
    return "Write a function of one frame that returns a Figure:  def draw(i): …"


def _required_parameters(function: Any) -> list[str]:
    """Return the parameters that a function cannot be called without."""
    parameters = inspect.signature(function).parameters.values()
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [each.name for each in parameters if each.default is each.empty and each.kind not in kinds]


def _functions(module: types.ModuleType) -> list[tuple[str, str]]:
    """Return the functions that the script itself defines, with their parameters."""
    functions = [
        (name, thing)
        for name, thing in vars(module).items()
        if isinstance(thing, types.FunctionType) and thing.__globals__ is vars(module)
    ]
    return [(name, f"({', '.join(inspect.signature(thing).parameters)})") for name, thing in functions]


def choose(run: ScriptRun, selection: str | None = None) -> NamedAnimation | Series:
    """Choose the film of a script: its only animation or frame loop, or the one of this name or number.

    Parameters
    ----------
    run : ScriptRun
    selection : str, optional
        A name, or a number from 1, as the message lists them.

    Raises
    ------
    UsageError
        There is no film, none of this name, or several and no selection.
    """
    films: tuple[NamedAnimation | Series, ...] = run.animations or run.series
    if not films:
        raise UsageError(no_film_message(run))
    if selection is not None:
        return _film_by_name(run, films, selection)
    if run.animations and len(films) > 1:
        raise UsageError(f"{run.name} has {len(films)} animations:\n{_listed(films)}\n{_how(run, films[0])}")
    if run.series and (rivals := _rivals(run.series)):
        candidates = (run.series[0], *rivals)
        raise UsageError(
            f"{run.name} makes frames in several ways:\n{_listed(films)}\n{_how(run, candidates[-1])}"
        )
    return films[0]


def _film_by_name(
    run: ScriptRun, films: Sequence[NamedAnimation | Series], selection: str
) -> NamedAnimation | Series:
    for film in films:
        if film.name and film.name == selection:
            return film
    if selection.isdecimal() and 1 <= int(selection) <= len(films):
        return films[int(selection) - 1]
    raise UsageError(f"{run.name} has no {selection!r}. It has:\n{_listed(films)}")


def _rivals(series: Sequence[Series]) -> list[Series]:
    """Return other series that could be the film too: of the same kind, or much longer."""
    first = series[0]
    return [each for each in series[1:] if each.kind == first.kind or each.frames > 2 * first.frames]


def _listed(films: Sequence[NamedAnimation | Series]) -> str:
    return "\n".join(f"  {number}  {film}" for number, film in enumerate(films, 1))


def _how(run: ScriptRun, film: NamedAnimation | Series) -> str:
    name = film.name if film.name.isidentifier() else "1"
    return (
        f"Choose one: --animation {name} (or its number); or make each of them: --all -o 'film-{{name}}.mp4'"
    )
