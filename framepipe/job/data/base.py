"""The types of data on disk: one frame's slice, an open array, an open file."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

from framepipe.errors import FramepipeError, ToolMissing, UsageError
from framepipe.job.fingerprint import digest_value
from framepipe.job.frames import Digested

#: Reads a part; small and picklable if it is sent to a worker.
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

        A member of a compressed ``.npz`` is read whole, once per process: it cannot be read in parts.

        Returns
        -------
        ndarray, numpy scalar, xarray object or element of a pickled sequence
            An xarray object is in memory and has its coordinates. Text, in HDF5 too, is `str`.

        Raises
        ------
        UsageError
            The file is missing, damaged or shorter than it was.
        """
        with reading(f"part {self.index} of the data"):
            return self.read()

    def digest(self) -> str:
        """Digest the part (SHA-256, in hex): a changed file makes only the changed frames stale."""
        content = self.load()
        is_labelled = library_of(content) == "xarray"  # whose encoding says where it was read
        return digest_value(content.to_dict(data="array") if is_labelled else content)


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
    """An open array: its dimensions, and ``part(axis, index)``, which reads a part when called.

    If ``in_memory``, no other process can open the array: the parts themselves are sent there.
    """

    shape: tuple[int, ...]
    part: Callable[[int, int], Read]
    names: tuple[str | None, ...] = ()
    in_memory: bool = False


@dataclass(frozen=True)
class Arrays:
    """An open file: the names of its arrays, and each array by its name (None if there is none)."""

    names: Callable[[], Iterable[str]]
    get: Callable[[str], Array | None]


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn any error that a library raises for damage into one line."""
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
    """Return the library of a data object (a numpy.memmap only if it has a file); imports none."""
    for kind in type(thing).__mro__:
        library = kind.__module__.partition(".")[0]
        if kind.__name__ in _OBJECTS.get(library, ()):
            return library if library != "numpy" or thing.filename is not None else None
    return None


def library(name: str, path: Path) -> Any:
    """Import the library that reads the file."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ToolMissing(f"{path.name} needs {name}, which is not installed: pip install {name}") from None


def parts_of(array: Any) -> Callable[[int, int], Read]:
    """Return a reader of the parts of anything that is indexed like an array, each a copy."""
    return lambda axis, index: itself(plain(array[(slice(None),) * axis + (index,)]))


def itself(part: Any) -> Read:
    """Return a reader of a part that is in memory."""
    return functools.partial(_same, part)


def _same(part: Any) -> Any:
    return part


def plain(part: Any) -> Any:
    """Return a part as numpy's own indexing gives it: a copied array, or a scalar; text is `str`."""
    import numpy as np

    copy = np.array(part)[()]
    return str(copy) if isinstance(copy, str) else copy


def require_pickle(allowed: bool, what: str) -> None:
    """Raise UsageError unless the user trusts ``what``."""
    if not allowed:
        raise UsageError(
            f"{what}, which can run any code when it is read. "
            "If you trust it: --allow-pickle, in Python allow_pickle=True"
        )
