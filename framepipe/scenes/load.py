"""From ``SCRIPT.py:NAME`` or ``package.module:NAME`` to the object that the user wrote."""

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
from typing import Any

import cloudpickle

from framepipe.errors import FramepipeError, UsageError
from framepipe.fingerprint import local_sources
from framepipe.scenes.style import apply_rcparams, changed_since, rcparams_now

#: What matplotlib warns of that a script may do when framepipe loads it: a number of frames that is not
#: known, and plt.show() without a screen.
_NO_MATTER = (".*which we can infer the length of", ".*is non-interactive, and thus cannot be shown")
#: What loading a script changed in rcParams, by its module: it does so only once, but counts each time.
_styles: dict[str, dict[str, Any]] = {}
_loading: ContextVar[str] = ContextVar("framepipe_loading", default="")


@dataclass(frozen=True)
class Loaded:
    """A named object of a script or module.

    Attributes
    ----------
    thing : object
    name : str
        ``NAME``.
    module : ModuleType
        Where it stands; other names of the script are looked up here.
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
        """Another object of the same script, for ``--frames history``."""
        try:
            return getattr(self.module, name)
        except AttributeError:
            raise UsageError(
                f"frames {name!r} is neither a frame range nor a name in {self.ref.rpartition(':')[0]}"
            ) from None


def load(ref: str) -> Loaded:
    """Load what an address names.

    The script's folder is put in front of ``sys.path``, as ``python SCRIPT.py`` would, and stays
    there: code that it imports while it draws is found too. The script does not run as
    ``__main__``, so what stands under ``if __name__ == "__main__":`` does not run.

    Parameters
    ----------
    ref : str
        ``SCRIPT.py:NAME`` or ``package.module:NAME``; of a script that has one matplotlib animation
        at its top, ``SCRIPT.py`` is enough.

    Raises
    ------
    UsageError
        No such file, module or name, or the script raised while it was loaded.
    """
    place, _, name = ref.rpartition(":")
    path = Path(place or ref)
    if not place or (not name.isidentifier() and Path(ref).exists()):
        return _only_animation(Path(ref))
    if path.suffix == ".py" or path.is_file() or os.sep in place:
        script = Path(os.path.abspath(path))
        if not script.is_file():
            raise UsageError(f"no such script: {place}")
        module, address = _load_script(script), f"{script}:{name}"
    else:
        script, address = None, ref
        module = _load_module(place)
    if not hasattr(module, name):
        raise UsageError(f"{place} has no {name!r}. It defines: {_defined(module) or 'no functions'}")
    return Loaded(getattr(module, name), name, module, address, script)


def is_animation(thing: object) -> bool:
    """True for a matplotlib animation; imports nothing."""
    module = sys.modules.get("matplotlib.animation")
    return module is not None and isinstance(thing, module.Animation)


def _only_animation(path: Path) -> Loaded:
    """The animation of a script that was named without one."""
    if path.suffix != ".py" or not path.is_file() or b"nimation" not in path.read_bytes():
        raise UsageError(_name_missing(path))
    script = Path(os.path.abspath(path))
    module = _load_script(script)
    found = {id(thing): name for name, thing in vars(module).items() if is_animation(thing)}
    names = list(found.values())
    if len(names) > 1:
        each = " or ".join(f"{path.name}:{name}" for name in names)
        raise UsageError(f"{path.name} has {len(names)} animations: name one, as in {each}")
    if not names:
        raise UsageError(_name_missing(path))
    return Loaded(vars(module)[names[0]], names[0], module, f"{script}:{names[0]}", script)


def _name_missing(path: Path) -> str:
    names: list[str] = []
    if path.is_file():
        with contextlib.suppress(SyntaxError, ValueError):
            tree = ast.parse(path.read_text(encoding="utf-8", errors="replace"))
            names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    have = f" (it defines: {', '.join(names)})" if names else ""
    return f"name what draws a frame, as in {path.name or 'scene.py'}:{names[0] if names else 'draw'}{have}"


def _defined(module: ModuleType) -> str:
    here = [
        name
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == module.__name__
    ]
    return ", ".join(here)


def _load_script(script: Path) -> ModuleType:
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
        raise UsageError(f"{script} is no Python script")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        before = rcparams_now()
        with _marked_as_loading(script.name), _no_bytecode():
            spec.loader.exec_module(module)
        _styles[name] = changed_since(before)
    except BaseException as error:
        del sys.modules[name]
        _explain(error, str(script))
    for thing in vars(module).values():
        if is_animation(thing):
            thing._draw_was_started = True  # else it warns at its end that it was not shown
    return module


def _load_module(place: str) -> ModuleType:
    try:
        with _marked_as_loading(place):
            return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and place.startswith(error.name):
            raise UsageError(f"no such module or script: {place}") from None
        _explain(error, place)
    except BaseException as error:
        _explain(error, place)
    raise AssertionError("unreachable")


def _explain(error: BaseException, place: str) -> None:
    if isinstance(error, (KeyboardInterrupt, FramepipeError)):
        raise error
    text = "".join(traceback.format_exception(error)).rstrip()
    raise UsageError(f"{place} cannot be loaded: {type(error).__name__}: {error}\n{text}") from None


@contextlib.contextmanager
def _marked_as_loading(name: str) -> Iterator[None]:
    token = _loading.set(name)
    try:
        with warnings.catch_warnings():
            for text in _NO_MATTER:
                warnings.filterwarnings("ignore", message=text)
            yield
    finally:
        _loading.reset(token)


@contextlib.contextmanager
def _no_bytecode() -> Iterator[None]:
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


@contextlib.contextmanager
def by_value(sources: Sequence[Path]) -> Iterator[None]:
    """Functions and classes of these files are pickled whole: what is edited meanwhile is not used."""
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
    """Stop a script that renders while it is being loaded to be rendered.

    Raises
    ------
    UsageError
        Called from a script that `load` is loading.
    """
    if name := _loading.get():
        raise UsageError(
            f"{name} calls framepipe.{verb} while it is loaded: "
            'put that call under  if __name__ == "__main__":'
        )


@dataclass(frozen=True)
class Origin:
    """Where a scene comes from.

    Attributes
    ----------
    name : str
    sources : tuple of Path
        Its script, and the files beside it that this imports.
    stem : str
        The script's or the module's own name.
    ref : str or None
        Its address, if it stands at the top of a file.
    """

    name: str
    sources: tuple[Path, ...]
    stem: str
    ref: str | None


def origin_of(thing: Any, loaded: Loaded | None, written: Any = None) -> Origin:
    """Where a function or object comes from; ``written`` is the function of it, if it is none."""
    written = thing if written is None else written
    held = "" if loaded else _name_in_main(thing)
    name = loaded.name if loaded else held or name_of(written)
    script = (loaded.script if loaded else None) or (_file_of_main() if held else _file_of(written))
    stem = script.stem if script else loaded.module.__name__.rpartition(".")[2] if loaded else "notebook"
    ref = loaded.ref if loaded else _address_of(thing, name, script)
    return Origin(name, local_sources(script) if script else (), stem, ref)


def name_of(thing: Any) -> str:
    """The name that a function was given, or its class's."""
    return str(getattr(_bare(thing), "__name__", type(thing).__name__))


def _name_in_main(thing: Any) -> str:
    """The name under which the running program holds an object that is no function."""
    if callable(thing):
        return ""
    names = vars(sys.modules["__main__"]).items()
    return next((name for name, value in names if value is thing and not name.startswith("_")), "")


def _file_of_main() -> Path | None:
    """The script that is running; None in a notebook."""
    path = Path(getattr(sys.modules["__main__"], "__file__", None) or "")
    return path.resolve() if path.is_file() else None


def _file_of(thing: Any) -> Path | None:
    """The file that a function or class was written in; None for a notebook or a typed one."""
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
    """The address of what stands at the top of its file, None for anything else."""
    name = getattr(thing, "__qualname__", name)
    module = getattr(thing, "__module__", "") if callable(thing) else "__main__"
    if not name.isidentifier() or getattr(sys.modules.get(module), name, None) is not thing:
        return None
    if module == "__main__" and script is None:  # a notebook
        return None
    return f"{script}:{name}" if script and module in ("__main__", script.stem) else f"{module}:{name}"


def check_call(function: Any, name: str, arguments: tuple[object, ...], params: Mapping[str, Any]) -> None:
    """See that a function can be called with these arguments and parameters.

    Raises
    ------
    UsageError
        It cannot; lists the function's parameters.
    """
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        return
    try:
        signature.bind(*arguments, **params)
    except TypeError as error:
        given = ["a frame's value"] * len(arguments) + list(params)
        raise UsageError(
            f"{name}{signature} cannot be called with {', '.join(given) or 'nothing'}: {error}. "
            f"Its parameters: {', '.join(signature.parameters) or 'none'}"
        ) from None


def _bare(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.unwrap(getattr(function, "__func__", function))
