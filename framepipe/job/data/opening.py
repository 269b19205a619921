"""Parse addresses of data (``run.npz:w``), and open the data as frames."""

from __future__ import annotations

import functools
import operator
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path, PurePath
from typing import Any

from framepipe.errors import UsageError
from framepipe.job.data.base import Array, Arrays, DataFrames, library_of, reading

#: What opens a kind of file: a module of this package, loaded when it is needed, and its function.
_OPENERS = {
    ".npy": "arrays.open_npy",
    ".npz": "arrays.open_npz",
    ".h5": "hdf5.open_hdf5",
    ".hdf5": "hdf5.open_hdf5",
    ".he5": "hdf5.open_hdf5",
    ".nc": "labelled.open_netcdf",
    ".zarr": "zarrs.open_zarr",
    ".pkl": "pickles.open_pickle",
    ".pickle": "pickles.open_pickle",
}


def is_data_address(text: str) -> bool:
    """True for ``weights.npy``, ``run.npz:w``, ``sim.h5:/fields/u`` …, whether the file exists or not.

    >>> is_data_address("run.npz:w"), is_data_address("0-299x5"), is_data_address("history")
    (True, False, False)
    """
    return _split(text) is not None


def _split(text: str) -> tuple[str, str, str | None] | None:
    """Split an address into path, kind and key; paths and keys may contain colons.

    It is split at the last colon if a known suffix precedes it, else not at all, else at an earlier one.
    """
    *earlier, last = [-1, *(match.start() for match in re.finditer(":", text))]
    for cut in [last, len(text), *reversed(earlier)]:
        kind = PurePath(text[: max(cut, 0)]).suffix.lower()
        if kind in _OPENERS:
            return text[:cut], kind, text[cut + 1 :].strip("/") or None
    return None


def is_data_object(thing: Any) -> bool:
    """True for an h5py.Dataset, zarr.Array, xarray object or numpy.memmap of a file; imports none of them."""
    return library_of(thing) is not None


def open_data(
    source: str | os.PathLike[str] | object, *, dim: str | int | None = None, allow_pickle: bool = False
) -> DataFrames:
    """Open data on disk, or an object that stands for it, as frames along one dimension.

    Parameters
    ----------
    source : str, path-like or object
        An address: a path, with ``:key`` for files of several arrays. Or an h5py.Dataset,
        zarr.Array of a local folder, numpy.memmap, xarray.DataArray or xarray.Dataset.
    dim : str or int, optional
        The dimension that is time: its position, or its name where the data has names (xarray,
        NetCDF, Zarr, HDF5 dimension scales or labels). Default: the first.
    allow_pickle : bool, default: False
        Allow data that can run any code when read: ``.pkl``, arrays of Python objects.

    Raises
    ------
    UsageError
        No such file, key or dimension; damaged; no frames; a pickle without ``allow_pickle``.
    ToolMissing
        The library that reads this kind is not installed.
    """
    if not isinstance(source, (str, os.PathLike)):
        return _open_object(source, dim, allow_pickle)
    text = os.fspath(source)
    if (address := _split(text)) is None:
        raise UsageError(
            f"{text!r} is no data file by its suffix. Known: {' '.join(_OPENERS)}, "
            "with :key for files of several arrays (run.npz:w)"
        )
    path, kind, key = address
    return _open_file(kind, path, key, dim, allow_pickle)


def _open_object(thing: Any, dim: str | int | None, allow_pickle: bool) -> DataFrames:
    """Open an object by its file, never by its handle, which another process cannot use."""
    from framepipe.job.data import arrays, hdf5, labelled, zarrs

    library = library_of(thing)
    if library == "h5py":
        return _open_file(".h5", *hdf5.address_of(thing), dim, allow_pickle)
    if library == "zarr":
        return _open_file(".zarr", *zarrs.address_of(thing), dim, allow_pickle)
    if library == "numpy":
        array, file = arrays.array_of(thing), thing.filename
    elif library == "xarray":
        array, file = labelled.array_of(thing), thing.encoding.get("source")
    else:
        raise UsageError(
            f"a {type(thing).__name__} is not data that can be read by slices; give a file's address, "
            "an h5py.Dataset, zarr.Array, xarray object or numpy.memmap"
        )
    path = Path(os.path.abspath(file)) if file else None
    axis = _axis_of(array, dim, f"the {type(thing).__name__}")
    part = functools.partial(array.part, axis)
    return DataFrames(part, range(array.shape[axis]), path if path and path.exists() else None)


def _open_file(
    kind: str, name: str, key: str | None, dim: str | int | None, allow_pickle: bool
) -> DataFrames:
    path = Path(os.path.abspath(name))  # a worker may have another working folder
    with _opened(kind, path, allow_pickle) as file_arrays:
        key, array = _pick(file_arrays, key, path)
        axis = _axis_of(array, dim, f"{path.name}:{key}" if key else path.name)
        reopen = functools.partial(functools.partial, _read, kind, path, allow_pickle, key, axis)
        part = functools.partial(array.part, axis) if array.in_memory else reopen
        return DataFrames(part, range(array.shape[axis]), path)


def _read(kind: str, path: Path, allow_pickle: bool, key: str, axis: int, index: int) -> Any:
    """Read the part at ``index``, in a process that has not opened the file."""
    with _opened(kind, path, allow_pickle) as file_arrays:
        array = file_arrays.get(key)
        if array is None or index >= array.shape[axis]:
            raise UsageError(
                f"{path} no longer has part {index} of {key or 'its array'}: "
                "it changed since it was opened; run the command again"
            )
        return array.part(axis, index)()


@contextmanager
def _opened(kind: str, path: Path, allow_pickle: bool) -> Iterator[Arrays]:
    if not path.exists():
        raise UsageError(f"{path} does not exist; check its name and folder")
    with reading(f"{path} as {kind}"), _opener(kind)(path, allow_pickle) as file_arrays:
        yield file_arrays


def _opener(kind: str) -> Callable[[Path, bool], AbstractContextManager[Arrays]]:
    module, _, function = _OPENERS[kind].partition(".")
    opener: Callable[[Path, bool], AbstractContextManager[Arrays]]
    opener = getattr(import_module(f"framepipe.job.data.{module}"), function)
    return opener


def _pick(file_arrays: Arrays, key: str | None, path: Path) -> tuple[str, Array]:
    """Return the array with that key and its key; without a key, the only array."""
    names = [key] if key is not None else list(file_arrays.names())
    array = file_arrays.get(names[0]) if len(names) == 1 else None
    if array is not None:
        return names[0], array
    names = list(file_arrays.names())
    if names == [""]:
        raise UsageError(f"{path.name} holds one array, without a name: leave out :{key}")
    if not names:
        raise UsageError(f"{path.name} holds no array; check that it is the right file")
    problem = f"has no array {key!r}" if key else f"holds {len(names)} arrays; name one"
    addresses = [f"{path.name}:{name}" for name in names[:20]]
    raise UsageError(f"{path.name} {problem}: {', '.join(addresses)}{' …' if len(names) > 20 else ''}")


def _axis_of(array: Array, dim: str | int | None, what: str) -> int:
    """Return the position of dimension ``dim``, which must have at least one frame."""
    if not array.shape:
        raise UsageError(f"{what} is a single value, without a dimension to run over; name another array")
    names = [at if name is None else name for at, name in enumerate(array.names or [None] * len(array.shape))]
    sizes = ", ".join(f"{name} ({size})" for name, size in zip(names, array.shape))
    axis = _position(names, 0 if dim is None else dim)
    if axis is None:
        raise UsageError(f"{what} has no dimension {dim!r}; it has {sizes}")
    if array.shape[axis] == 0:
        raise UsageError(
            f"{what} has no frames: the size of dimension {dim or names[axis]} is 0; it has {sizes}"
        )
    return axis


def _position(names: Sequence[str | int], dim: str | int) -> int | None:
    if isinstance(dim, str) and dim in names:
        return names.index(dim)
    if isinstance(dim, bool):
        return None
    try:
        return range(len(names))[int(dim) if isinstance(dim, str) else operator.index(dim)]
    except (ValueError, TypeError, IndexError):
        return None
