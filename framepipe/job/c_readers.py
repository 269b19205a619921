"""Libraries that open files in C, where Python's hook sees nothing: the paths passed to them are noted.

Their readers are wrapped while files are recorded, and are themselves again afterwards.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import importlib.machinery
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from framepipe.job.read_hook import Log, listener, unrecorded

#: Keywords of the readers' first argument.
_PATH_NAMES = ("name", "filename", "filename_or_obj", "paths", "files", "source", "where")


def watch() -> None:
    """Wrap the readers that are loaded now, and the others when they are loaded."""
    for name in _READERS:
        if name in sys.modules:
            _wrap_readers(name)
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def unwatch() -> None:
    """Let all readers be what they were."""
    with contextlib.suppress(ValueError):
        sys.meta_path.remove(_finder)
    while _wrapped:
        owner, name, reader = _wrapped.pop()
        setattr(owner, name, reader)


#: What was wrapped: its owner, its name there, and the reader itself.
_wrapped: list[tuple[Any, str, Any]] = []


def _wrap_readers(name: str) -> None:
    """Replace the readers of a loaded module, once."""
    for address, wrap in _READERS[name]:
        *way, last = address.split(".")
        owner: Any = sys.modules[name]
        for part in way:
            owner = getattr(owner, part, None)
        reader = getattr(owner, last, None)
        if reader is None or any((owner, last) == each[:2] for each in _wrapped):
            continue
        with contextlib.suppress(Exception):  # a version of that library that cannot be wrapped
            setattr(owner, last, wrap(reader))
            _wrapped.append((owner, last, reader))


class _Finder:
    """Finds modules by Python's own finders, and wraps a reader's module after its execution."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        if name not in _READERS:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            if find is None or finder is self:
                continue
            spec: importlib.machinery.ModuleSpec | None = find(name, path, target)
            if spec is not None:
                _wrap_after_loading(spec, name)
                return spec
        return None


_finder = _Finder()


def _wrap_after_loading(spec: importlib.machinery.ModuleSpec, name: str) -> None:
    loader: Any = spec.loader
    execute = getattr(loader, "exec_module", None)
    if execute is None:
        return

    def exec_module(module: types.ModuleType) -> None:
        del loader.exec_module  # the instance's; the class's own is visible again
        execute(module)
        if _finder in sys.meta_path:
            _wrap_readers(name)

    with contextlib.suppress(AttributeError, TypeError):  # a loader that takes no attributes
        loader.exec_module = exec_module


# how a reader is wrapped


def _function(reader: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(reader)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        _note_path(*_path_of(args, kwargs))
        return reader(*args, **kwargs)

    return wrapper


def _subclass(reader: Any) -> type:
    """Wrap a class written in C, whose ``__init__`` cannot be replaced."""

    def initialise(self: Any, *args: Any, **kwargs: Any) -> None:
        _note_path(*_path_of(args, kwargs))
        reader.__init__(self, *args, **kwargs)

    names = {"__init__": initialise, "__doc__": reader.__doc__, "__module__": reader.__module__}
    return type(reader.__name__, (reader,), names)


def _initialiser(reader: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(reader)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        _note_path(*_path_of(args, kwargs))
        return reader(self, *args, **kwargs)

    return wrapper


def _path_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    """Return path and mode: the first argument of all these readers, and the second of some."""
    path = args[0] if args else next((kwargs[name] for name in _PATH_NAMES if name in kwargs), None)
    second = args[1] if len(args) > 1 else None
    return path, kwargs.get("mode", second if isinstance(second, str) and len(second) <= 3 else "r")


def _note_path(path: Any, mode: Any = "r") -> None:
    """Record the argument of a reader in C: a path, a pattern, a list of them, an address."""
    if (log := listener()) is None:
        return
    with unrecorded(), contextlib.suppress(Exception):  # as in the hook
        for each in path if isinstance(path, (list, tuple)) else [path]:
            _note_one(log, each, mode if isinstance(mode, str) else "r")


def _note_one(log: Log, path: Any, mode: str) -> None:
    if not isinstance(path, (str, bytes, os.PathLike)):  # a file that Python opened, an array
        return
    text = os.fsdecode(path)
    scheme, separator, rest = text.partition("://")
    if separator and scheme != "file":
        log.note_use("network", rest.partition("/")[0])
    elif mode[:1] in ("w", "x") or (mode[:1] == "a" and not Path(text).exists()):
        log.note_written(text)
    else:
        text = rest if separator else text
        is_pattern = glob.has_magic(text) and not Path(text).exists()
        for each in glob.glob(text) if is_pattern else [text]:  # noqa: PTH207
            log.note_file(each)


_TABLES = ("csv", "parquet", "ipc", "ndjson", "json")
#: By module: the readers, and how each is wrapped.
_READERS: dict[str, tuple[tuple[str, Callable[[Any], Any]], ...]] = {
    "h5py": (("File.__init__", _initialiser),),
    "netCDF4": (("Dataset", _subclass), ("MFDataset", _subclass)),
    "xarray": tuple(
        (name, _function)
        for name in ("open_dataset", "open_dataarray", "open_mfdataset", "load_dataset", "load_dataarray")
    ),
    "cv2": (("imread", _function),),
    "tables": (("open_file", _function),),
    "polars": tuple((f"{verb}_{kind}", _function) for verb in ("read", "scan") for kind in _TABLES),
}
