"""What a frame's part of the data is, and what each kind of file is opened as."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np

from framepipe.errors import FramepipeError, ToolMissing, UsageError
from framepipe.fingerprint import digest_value
from framepipe.frames import Digested

#: Reads a part; small and picklable where it travels.
Read = Callable[[], Any]

_OBJECTS = {
    "h5py": ("Dataset",),
    "zarr": ("Array",),
    "xarray": ("DataArray", "Dataset"),
    "numpy": ("memmap",),
}


@dataclass(frozen=True)
class Slice(Digested):
    """One frame's part of the data, not read yet: small and picklable."""

    index: int
    read: Read = field(repr=False)

    def load(self) -> Any:
        """Read this frame's part, and no other's.

        Of a member of a compressed ``.npz`` all is read, once per process: it cannot be read in parts.

        Returns
        -------
        ndarray, numpy scalar, xarray object or element of a pickled sequence
            An xarray object is in memory and has its coordinates. Text, in HDF5 too, is `str`.

        Raises
        ------
        UsageError
            The file is gone, damaged or shorter than it was.
        """
        with reading(f"part {self.index} of the data"):
            return self.read()

    def digest(self) -> str:
        """SHA-256, in hex, of what is read: a changed file makes only the changed frames stale."""
        content = self.load()
        labelled = library_of(content) == "xarray"  # whose encoding says where it was read
        return digest_value(content.to_dict(data="array") if labelled else content)


class DataFrames(Sequence[Slice]):
    """The slices of an array along one dimension; as long as that dimension.

    Attributes
    ----------
    path : Path or None
        The file, absolute; None for an object in memory.
    """

    def __init__(self, part: Callable[[int], Read], indices: range, path: Path | None) -> None:
        self._part, self._indices, self.path = part, indices, path

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> Slice: ...
    @overload
    def __getitem__(self, index: slice) -> DataFrames: ...
    def __getitem__(self, index: int | slice) -> Slice | DataFrames:
        if isinstance(index, slice):
            return DataFrames(self._part, self._indices[index], self.path)
        return Slice(self._indices[index], self._part(self._indices[index]))


@dataclass(frozen=True)
class Array:
    """One array that is open: its dimensions, and ``part(axis, index)``, which reads a part when called.

    Where ``held``, no other process can open the array: the parts themselves travel there.
    """

    shape: tuple[int, ...]
    part: Callable[[int, int], Read]
    names: tuple[str | None, ...] = ()
    held: bool = False


@dataclass(frozen=True)
class Arrays:
    """A file that is open: the names of its arrays, and each by its name (None: there is none)."""

    names: Callable[[], Iterable[str]]
    get: Callable[[str], Array | None]


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Whatever a library raises for damage becomes one line."""
    try:
        yield
    except FramepipeError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0]
        raise UsageError(
            f"cannot read {what} ({type(error).__name__}: {reason}). "
            "Is it complete, of that kind, and yours to read?"
        ) from error


def library_of(thing: Any) -> str | None:
    """The library of an object that stands for data (a numpy.memmap: of a file); imports none."""
    for kind in type(thing).__mro__:
        library = kind.__module__.partition(".")[0]
        if kind.__name__ in _OBJECTS.get(library, ()):
            return library if library != "numpy" or thing.filename is not None else None
    return None


def library(name: str, path: Path) -> Any:
    """The module that reads the file."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ToolMissing(f"{path.name} needs {name}, which is not installed: pip install {name}") from None


def parts_of(array: Any) -> Callable[[int, int], Read]:
    """The parts of anything that is indexed like an array, each of its own."""
    return lambda axis, index: itself(plain(array[(slice(None),) * axis + (index,)]))


def itself(part: Any) -> Read:
    """A part that is in memory."""
    return functools.partial(_same, part)


def _same(part: Any) -> Any:
    return part


def plain(part: Any) -> Any:
    """A part as numpy's own indexing gives it: an array of its own, or a scalar; text is `str`."""
    found = np.array(part)[()]
    return str(found) if isinstance(found, str) else found


def require_pickle(allowed: bool, what: str) -> None:
    """Raise UsageError unless the user trusts ``what``."""
    if not allowed:
        raise UsageError(
            f"{what}, which can run any code when it is read. "
            "If you trust it: --allow-pickle, in Python allow_pickle=True"
        )
