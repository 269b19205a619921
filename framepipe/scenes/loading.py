"""Loads the object that ``SCRIPT.py:NAME`` or ``package.module:NAME`` names."""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import cloudpickle

from framepipe.errors import FramepipeError, UsageError
from framepipe.job.source_code import local_sources
from framepipe.scenes import matplotlib_private
from framepipe.scenes.address import split_address
from framepipe.scenes.rcparams import apply_rcparams, changed_since, rcparams_now

#: Warnings of matplotlib about what a script may do when framepipe loads it: an unknown number of frames,
#: and plt.show() without a screen.
_EXPECTED_WARNINGS = (".*which we can infer the length of", ".*is non-interactive, and thus cannot be shown")
#: rcParams that loading a script changed, by its module: it is executed once, but may be loaded again.
_styles: dict[str, dict[str, Any]] = {}
#: The script that is being loaded, and the advice if it calls framepipe itself.
_loading: ContextVar[tuple[str, str]] = ContextVar("framepipe_loading", default=("", ""))


@dataclass(frozen=True)
class LoadedObject:
    """A named object of a script or module.

    Attributes
    ----------
    thing : object
    name : str
        ``NAME``.
    module : ModuleType
        The module that defines it; other names of the script are looked up here.
    ref : str
        The address with an absolute path.
    script : Path or None
        The script's file; None for a module's object.
    """

    thing: Any
    name: str
    module: ModuleType
    ref: str
    script: Path | None

    def lookup(self, name: str) -> Any:
        """Return another object of the same script, for ``--frames history``."""
        try:
            return getattr(self.module, name)
        except AttributeError:
            raise UsageError(
                f"frames {name!r} is neither a frame range nor a name in {self.ref.rpartition(':')[0]}"
            ) from None


def load(ref: str) -> LoadedObject:
    """Load the object that an address names.

    The script's folder is put in front of ``sys.path``, as ``python SCRIPT.py`` would, and stays
    there, so that imports while drawing work too. The script does not run as ``__main__``, so code under
    ``if __name__ == "__main__":`` does not run.

    Parameters
    ----------
    ref : str
        ``SCRIPT.py:NAME`` or ``package.module:NAME``; ``SCRIPT.py`` is enough for a script with one
        matplotlib animation among its global variables.

    Raises
    ------
    UsageError
        No such file, module or name, or the script raised while it was loaded.
    """
    place, name = split_address(ref)
    path = Path(place)
    if not name:
        return _only_animation(path)
    if path.suffix == ".py" or path.is_file() or os.sep in place:
        script = Path(os.path.abspath(path))
        if not script.is_file():
            raise UsageError(f"no such script: {place}")
        module, address = load_script(script), f"{script}:{name}"
    else:
        script, address = None, ref
        module = _load_module(place)
    if not hasattr(module, name):
        raise UsageError(f"{place} has no {name!r}. It defines: {_defined(module) or 'no functions'}")
    return LoadedObject(getattr(module, name), name, module, address, script)


def is_animation(thing: object) -> bool:
    """True for a matplotlib animation; imports nothing."""
    module = sys.modules.get("matplotlib.animation")
    return module is not None and isinstance(thing, module.Animation)


def _only_animation(path: Path) -> LoadedObject:
    """Load the only animation of a script."""
    if path.suffix != ".py" or not path.is_file() or b"nimation" not in path.read_bytes():
        raise UsageError(_name_missing(path))
    script = Path(os.path.abspath(path))
    module = load_script(script)
    names_by_id = {id(thing): name for name, thing in vars(module).items() if is_animation(thing)}
    names = list(names_by_id.values())
    if len(names) > 1:
        each = " or ".join(f"{path.name}:{name}" for name in names)
        raise UsageError(f"{path.name} has {len(names)} animations: name one, as in {each}")
    if not names:
        raise UsageError(_name_missing(path))
    return LoadedObject(vars(module)[names[0]], names[0], module, f"{script}:{names[0]}", script)


def _name_missing(path: Path) -> str:
    names: list[str] = []
    if path.is_file():
        with contextlib.suppress(SyntaxError, ValueError):
            tree = ast.parse(path.read_text(encoding="utf-8", errors="replace"))
            names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    have = f" (it defines: {', '.join(names)})" if names else ""
    return f"name what draws a frame, as in {path.name or 'scene.py'}:{names[0] if names else 'draw'}{have}"


def _defined(module: ModuleType) -> str:
    names = [
        name
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == module.__name__
    ]
    return ", ".join(names)


def load_script(script: Path) -> ModuleType:
    """Import a script, by its absolute path, under a module name with a digest of its contents."""
    text = script.read_bytes()
    version = hashlib.sha256(os.fsencode(script) + b"\0" + text).hexdigest()[:8]
    name = f"{script.stem}_{version}"  # an edited script is another module
    if name in sys.modules:
        apply_rcparams(_styles.get(name, {}))
        return sys.modules[name]
    folder = str(script.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(name, script)
    if spec is None or spec.loader is None:
        raise UsageError(f"{script} is not a Python script")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        previous = rcparams_now()
        with marked_as_loading(script.name), no_bytecode():
            _execute(spec.loader, module)
        _styles[name] = changed_since(previous)
    except BaseException as error:
        del sys.modules[name]
        _explain(error, str(script))
    for thing in vars(module).values():
        if is_animation(thing):
            matplotlib_private.mark_as_drawn(thing)
    return module


def _execute(loader: Any, module: ModuleType) -> None:
    try:
        loader.exec_module(module)
    except SystemExit as end:  # the script ended itself; its definitions remain
        if end.code not in (None, 0):
            raise


def _load_module(place: str) -> ModuleType:
    try:
        with marked_as_loading(place):
            return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and place.startswith(error.name):
            raise UsageError(f"no such module or script: {place}") from None
        _explain(error, place)
    except BaseException as error:
        _explain(error, place)


def _explain(error: BaseException, place: str) -> NoReturn:
    if isinstance(error, (KeyboardInterrupt, FramepipeError)):
        raise error
    text = "".join(traceback.format_exception(error)).rstrip()
    raise UsageError(f"{place} cannot be loaded: {type(error).__name__}: {error}\n{text}") from None


@contextlib.contextmanager
def marked_as_loading(name: str, advice: str = "") -> Iterator[None]:
    """Mark a script as being loaded, so that `refuse_while_loading` stops it, with this advice."""
    token = _loading.set((name, advice or 'put that call under  if __name__ == "__main__":'))
    try:
        with warnings.catch_warnings():
            for text in _EXPECTED_WARNINGS:
                warnings.filterwarnings("ignore", message=text)
            yield
    finally:
        _loading.reset(token)


@contextlib.contextmanager
def no_bytecode() -> Iterator[None]:
    """Import in this block without writing ``__pycache__``."""
    previous, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = previous


@contextlib.contextmanager
def by_value(sources: Sequence[Path]) -> Iterator[None]:
    """Pickle functions and classes of these files by value: later edits of the files have no effect."""
    files = {str(path) for path in sources}
    modules = [
        module
        for name, module in list(sys.modules.items())
        if getattr(module, "__file__", None) in files and getattr(module, "__name__", None) == name
    ]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


def refuse_while_loading(verb: str) -> None:
    """Stop a script that calls framepipe while framepipe loads it.

    Raises
    ------
    UsageError
        A script is being loaded.
    """
    name, advice = _loading.get()
    if name:
        raise UsageError(f"{name} calls framepipe.{verb} while it is loaded: {advice}")


@dataclass(frozen=True)
class Origin:
    """The source of a scene.

    Attributes
    ----------
    name : str
    sources : tuple of Path
        Its script, and the local files that the script imports.
    stem : str
        The name of the script or module, without suffix and package.
    ref : str or None
        Its address, if it is a global variable of a file.
    """

    name: str
    sources: tuple[Path, ...]
    stem: str
    ref: str | None


def origin_of(thing: Any, loaded: LoadedObject | None, update_function: Any = None) -> Origin:
    """Locate the source of a callable or animation; ``update_function`` is the animation's."""
    update_function = thing if update_function is None else update_function
    name_in_main = "" if loaded else _name_in_main(thing)
    name = loaded.name if loaded else name_in_main or name_of(update_function)
    script = (loaded.script if loaded else None) or (
        _file_of_main() if name_in_main else _file_of(update_function)
    )
    stem = script.stem if script else loaded.module.__name__.rpartition(".")[2] if loaded else "notebook"
    ref = loaded.ref if loaded else _address_of(thing, name, script)
    return Origin(name, local_sources(script) if script else (), stem, ref)


def name_of(thing: Any) -> str:
    """Return the name of a function, or of an object's class."""
    return str(getattr(_bare(thing), "__name__", type(thing).__name__))


def _name_in_main(thing: Any) -> str:
    """Return the global name of an object in the running program; "" for a callable or without a name."""
    if callable(thing):
        return ""
    names = vars(sys.modules["__main__"]).items()
    return next((name for name, value in names if value is thing and not name.startswith("_")), "")


def _file_of_main() -> Path | None:
    """Return the path of the running script; None in a notebook."""
    path = Path(getattr(sys.modules["__main__"], "__file__", None) or "")
    return path.resolve() if path.is_file() else None


def _file_of(thing: Any) -> Path | None:
    """Return the file that defines a function or class; None in a notebook or an interactive session."""
    bare = _bare(thing)
    bare = bare if hasattr(bare, "__code__") or isinstance(bare, type) else type(bare)
    try:
        path = Path(inspect.getsourcefile(bare) or "")
    except TypeError:
        return None
    module = getattr(bare, "__module__", "")
    in_notebook = getattr(sys.modules.get(module), "__file__", None) is None
    not_the_users = module.startswith("matplotlib.")  # as the class of an animation may be
    return None if in_notebook or not_the_users or not path.is_file() else path.resolve()


def _address_of(thing: Any, name: str, script: Path | None) -> str | None:
    """Return the address of a global variable of a file, None for anything else."""
    name = getattr(thing, "__qualname__", name)
    module = getattr(thing, "__module__", "") if callable(thing) else "__main__"
    if not name.isidentifier() or getattr(sys.modules.get(module), name, None) is not thing:
        return None
    if module == "__main__" and script is None:  # a notebook
        return None
    return f"{script}:{name}" if script and module in ("__main__", script.stem) else f"{module}:{name}"


def check_call(function: Any, name: str, arguments: tuple[object, ...], params: Mapping[str, Any]) -> None:
    """Check that a function can be called with these arguments and parameters.

    Raises
    ------
    UsageError
        It cannot; the message lists the function's parameters.
    """
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        return
    try:
        signature.bind(*arguments, **params)
    except TypeError as error:
        arguments_text = ["a frame's value"] * len(arguments) + list(params)
        raise UsageError(
            f"{name}{signature} cannot be called with {', '.join(arguments_text) or 'nothing'}: {error}. "
            f"Its parameters: {', '.join(signature.parameters) or 'none'}"
        ) from None


def _bare(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.unwrap(getattr(function, "__func__", function))
