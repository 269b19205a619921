"""From ``SCRIPT.py:NAME`` or ``package.module:NAME`` to the object that the user wrote."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle

from framepipe.errors import FramepipeError, UsageError

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
        ``SCRIPT.py:NAME`` or ``package.module:NAME``.

    Raises
    ------
    UsageError
        No such file, module or name, or the script raised while it was loaded.
    """
    place, _, name = ref.rpartition(":")
    path = Path(place or ref)
    if not place or (not name.isidentifier() and Path(ref).exists()):
        raise UsageError(_name_missing(Path(ref)))
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
        with _marked_as_loading(script.name), _no_bytecode():
            spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        _explain(error, str(script))
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
