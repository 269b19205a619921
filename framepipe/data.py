"""Data scenes: frames from arrays on disk (``.npy``, ``.npz``, HDF5, Zarr, NetCDF) by one dimension.

What travels to a worker is a `Slice`: where one frame's part lies. The worker reads that part and
nothing else, and closes the file again, so that a simulation may go on writing it. h5py, zarr and
xarray are imported only when data of theirs is opened.
"""

from __future__ import annotations

import functools
import importlib
import json
import math
import mmap
import operator
import os
import pickle
import re
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import Any, Protocol, overload

import numpy as np

from framepipe.errors import FramepipeError, ToolMissing, UsageError
from framepipe.fingerprint import digest_value
from framepipe.frames import Digested


class _Reader(Protocol):
    """Where the parts of one array are; small and picklable."""

    def read(self, index: int) -> Any:
        """The part at ``index``, in memory."""


@dataclass(frozen=True)
class Slice(Digested):
    """One frame's part of the data, not read yet: small and picklable."""

    reader: _Reader
    index: int

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
        return self.reader.read(self.index)

    def digest(self) -> str:
        """SHA-256, in hex, of what is read: a changed file makes only the changed frames stale."""
        content = self.load()
        labelled = _library_of(content) == "xarray"  # which digest_value takes for arrays without attributes
        return digest_value(content.to_dict(data="array") if labelled else content)


class DataFrames(Sequence[Slice]):
    """The slices of an array along one dimension; as long as that dimension.

    Attributes
    ----------
    path : Path or None
        The file, absolute; None for an object in memory.
    """

    def __init__(self, slice_of: Callable[[int], Slice], indices: range, path: Path | None) -> None:
        self._slice_of, self._indices, self.path = slice_of, indices, path

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> Slice: ...
    @overload
    def __getitem__(self, index: slice) -> DataFrames: ...
    def __getitem__(self, index: int | slice) -> Slice | DataFrames:
        if isinstance(index, slice):
            return DataFrames(self._slice_of, self._indices[index], self.path)
        return self._slice_of(self._indices[index])


def is_data_address(text: str) -> bool:
    """True for ``weights.npy``, ``run.npz:w``, ``sim.h5:/fields/u`` …, whether there is such a file or not.

    >>> is_data_address("run.npz:w"), is_data_address("0-299x5"), is_data_address("history")
    (True, False, False)
    """
    return _split(text) is not None


def _split(text: str) -> tuple[str, str, str | None] | None:
    """Path, kind and key of an address: paths and keys may contain colons.

    It is cut at its last colon if that follows a suffix of ours, else not at all, else at an earlier one.
    """
    *earlier, last = [-1, *(match.start() for match in re.finditer(":", text))]
    for cut in [last, len(text), *reversed(earlier)]:
        kind = PurePath(text[: max(cut, 0)]).suffix.lower()
        if kind in _OPENERS:
            return text[:cut], kind, text[cut + 1 :].strip("/") or None
    return None


def is_data_object(thing: Any) -> bool:
    """True for an h5py.Dataset, zarr.Array, xarray object or numpy.memmap of a file; imports none of them."""
    library = _library_of(thing)
    return library is not None and (library != "numpy" or thing.filename is not None)


def _library_of(thing: Any) -> str | None:
    for kind in type(thing).__mro__:
        library = kind.__module__.partition(".")[0]
        if kind.__name__ in _OBJECTS.get(library, ()):
            return library
    return None


def open_data(
    source: str | os.PathLike[str] | object, *, dim: str | int | None = None, allow_pickle: bool = False
) -> DataFrames:
    """Frames from data on disk, or from an object that stands for it, by one dimension.

    Parameters
    ----------
    source : str, path-like or object
        An address: a path, for files of several arrays with ``:key``. Or an h5py.Dataset,
        zarr.Array of a local folder, numpy.memmap, xarray.DataArray or xarray.Dataset.
    dim : str or int, optional
        The dimension that is time: its position, or its name where the data has names (xarray,
        NetCDF, Zarr, HDF5 dimension scales or labels). Default: the first.
    allow_pickle : bool, default: False
        Allow what can run any code when read: ``.pkl``, arrays of Python objects.

    Raises
    ------
    UsageError
        No such file, key or dimension; damaged; nothing to run over; a pickle without ``allow_pickle``.
    ToolMissing
        The library that reads this kind is not installed.
    """
    if isinstance(source, (str, os.PathLike)):
        found = _split(os.fspath(source))
        if found is None:
            raise UsageError(
                f"{os.fspath(source)!r} is no data file by its suffix. Known: {' '.join(_OPENERS)}, "
                "with :key for files of several arrays (run.npz:w)"
            )
        path, kind, key = found
        return _open_file(kind, path, key, dim, allow_pickle)
    return _open_object(source, dim, allow_pickle)


def _open_file(
    kind: str, name: str | os.PathLike[str], key: str | None, dim: str | int | None, allow_pickle: bool
) -> DataFrames:
    path = Path(os.path.abspath(name))  # a worker may have another working folder
    with _opened(kind, path, allow_pickle) as arrays:
        key, array = _pick(arrays, key, path)
        axis = _axis_of(array, dim, f"{path.name}:{key}" if key else path.name)
        if array.held:
            return _held(array, axis, path)
        reader = _InFile(kind, path, key, axis, allow_pickle)
        return DataFrames(functools.partial(Slice, reader), range(array.shape[axis]), path)


def _held(array: _Array, axis: int, path: Path | None) -> DataFrames:
    """Frames of an array that only this process can take apart: its parts travel."""
    return DataFrames(
        lambda index: Slice(_Part(array.part(axis, index)), index), range(array.shape[axis]), path
    )


def _open_object(thing: Any, dim: str | int | None, allow_pickle: bool) -> DataFrames:
    """By the file that it stands for, never by its handle, which another process cannot use."""
    library = _library_of(thing)
    if library is None or not is_data_object(thing):
        raise UsageError(
            f"a {type(thing).__name__} is not data that can be read by slices; give a file's address, "
            "an h5py.Dataset, zarr.Array, xarray object or numpy.memmap"
        )
    if library == "h5py":
        if not thing:
            raise UsageError("the h5py.Dataset is closed; give the address of its file: sim.h5:/fields/u")
        with _reading("the h5py.Dataset"):
            file, key = thing.file.filename, (thing.name or "").strip("/")
            if thing.file.mode != "r":
                thing.file.flush()  # workers read the file, not this process's buffers
        return _open_file(".h5", file, key, dim, allow_pickle)
    if library == "zarr":
        return _open_file(".zarr", _folder_of(thing), thing.path.strip("/"), dim, allow_pickle)
    array = _mapped(thing) if library == "numpy" else _labelled(thing)
    axis = _axis_of(array, dim, f"the {type(thing).__name__}")
    file = thing.filename if library == "numpy" else thing.encoding.get("source")
    path = Path(os.path.abspath(file)) if file else None
    return _held(array, axis, path if path and path.exists() else None)


def _folder_of(array: Any) -> str:
    """The folder of a zarr.Array's store: ``root`` in zarr 3, ``path`` in zarr 2."""
    store = getattr(array, "chunk_store", None)
    store = array.store if store is None else store
    if type(store).__name__ not in ("LocalStore", "DirectoryStore", "NestedDirectoryStore"):
        raise UsageError(
            f"the zarr array is in a {type(store).__name__}, which workers cannot open; "
            "save it to a local folder, or give its values: array[:]"
        )
    return str(store.root if hasattr(store, "root") else store.path)


@dataclass(frozen=True)
class _Array:
    """One array that is open: its dimensions, and how a part of it is read.

    ``part(axis, index)`` reads; where ``held``, this process keeps the array and the parts travel.
    """

    shape: tuple[int, ...]
    part: Callable[[int, int], Any]
    names: tuple[str | None, ...] = ()
    held: bool = False


@dataclass(frozen=True)
class _Arrays:
    """A file that is open: the names of its arrays, and each by its name (None: there is none)."""

    names: Callable[[], Iterable[str]]
    get: Callable[[str], _Array | None]


@dataclass(frozen=True)
class _InFile:
    """The parts of an array that each worker opens for itself."""

    kind: str
    path: Path
    key: str
    axis: int
    allow_pickle: bool

    def read(self, index: int) -> Any:
        with _opened(self.kind, self.path, self.allow_pickle) as arrays:
            array = arrays.get(self.key)
            if array is None or index >= array.shape[self.axis]:
                raise UsageError(
                    f"{self.path} no longer has part {index} of {self.key or 'its array'}: "
                    "it changed since it was opened; run the command again"
                )
            return array.part(self.axis, index)


@dataclass(frozen=True, eq=False)
class _Part:
    """One part that travels itself; of xarray and numpy.memmap it is where to read it."""

    content: Any = field(repr=False)

    def read(self, index: int) -> Any:
        lazy = isinstance(self.content, _Bytes) or _library_of(self.content) == "xarray"
        if not lazy:
            return self.content
        with _reading(f"part {index} of the data"):
            return self.content.compute()


@contextmanager
def _opened(kind: str, path: Path, allow_pickle: bool) -> Iterator[_Arrays]:
    if not path.exists():
        raise UsageError(f"{path} does not exist; check its name and folder")
    with _reading(f"{path} as {kind}"), _OPENERS[kind](path, allow_pickle) as arrays:
        yield arrays


@contextmanager
def _reading(what: str) -> Iterator[None]:
    try:
        yield
    except FramepipeError:
        raise
    except Exception as error:  # whatever a library raises for damage
        reason = (str(error).splitlines() or [""])[0]
        raise UsageError(
            f"cannot read {what} ({type(error).__name__}: {reason}). "
            "Is it complete, of that kind, and yours to read?"
        ) from error


def _pick(arrays: _Arrays, key: str | None, path: Path) -> tuple[str, _Array]:
    """The array with that key; without one, the only array."""
    array = None if key is None else arrays.get(key)
    if key is not None and array is not None:
        return key, array
    names = list(arrays.names())
    only = arrays.get(names[0]) if len(names) == 1 and key is None else None
    if only is not None:
        return names[0], only
    if names == [""]:
        raise UsageError(f"{path.name} holds one array, without a name: leave out :{key}")
    if not names:
        raise UsageError(f"{path.name} holds no array; check that it is the right file")
    seen = f"has no array {key!r}" if key else f"holds {len(names)} arrays; name one"
    some = [f"{path.name}:{name}" for name in names[:20]]
    raise UsageError(f"{path.name} {seen}: {', '.join(some)}{' …' if len(names) > 20 else ''}")


def _axis_of(array: _Array, dim: str | int | None, what: str) -> int:
    """The position of dimension ``dim``, which has at least one frame."""
    if not array.shape:
        raise UsageError(f"{what} is a single value, without a dimension to run over; name another array")
    names = array.names or (None,) * len(array.shape)
    axis = _position(names, 0 if dim is None else dim)
    sizes = ", ".join(
        f"{at if name is None else name} ({size})" for at, (name, size) in enumerate(zip(names, array.shape))
    )
    if axis is None:
        raise UsageError(f"{what} has no dimension {dim!r}; it has {sizes}")
    if array.shape[axis] == 0:
        raise UsageError(
            f"{what} has no frames: the size of dimension {dim or names[axis] or axis} is 0; it has {sizes}"
        )
    return axis


def _position(names: Sequence[str | None], dim: str | int) -> int | None:
    if isinstance(dim, str) and dim in names:
        return names.index(dim)
    if isinstance(dim, bool):
        return None
    try:
        return range(len(names))[int(dim) if isinstance(dim, str) else operator.index(dim)]
    except (ValueError, TypeError, IndexError):
        return None


def _library(name: str, path: Path) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ToolMissing(f"{path.name} needs {name}, which is not installed: pip install {name}") from None


@contextmanager
def _npy(path: Path, allow_pickle: bool) -> Iterator[_Arrays]:
    def get(key: str) -> _Array | None:
        if key:
            return None
        with path.open("rb") as file:
            raw = _raw(file, path, path.stat().st_size)
        if raw.dtype.hasobject:
            _require_pickle(allow_pickle, f"{path.name} holds Python objects, as a pickle")
            return _sequence(np.load(path, allow_pickle=True), path.name)
        return _Array(raw.shape, lambda axis, index: raw.part(axis, index).compute())

    yield _Arrays(lambda: [""], get)


@contextmanager
def _npz(path: Path, allow_pickle: bool) -> Iterator[_Arrays]:
    with zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}

        def get(key: str) -> _Array | None:
            info = members.get(key.removesuffix(".npy"))
            return None if info is None else _npz_member(archive, info, path, allow_pickle)

        yield _Arrays(lambda: members, get)


def _npz_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, allow_pickle: bool) -> _Array:
    stored = info.compress_type == zipfile.ZIP_STORED
    with archive.open(info) as member:
        start = _start_of(path, info) if stored else 0
        raw = _raw(member, path, start + info.file_size, start)
    if raw.dtype.hasobject:
        _require_pickle(allow_pickle, f"{info.filename} in {path.name} holds Python objects, as a pickle")
        with np.load(path, allow_pickle=True) as arrays:
            return _sequence(arrays[info.filename.removesuffix(".npy")], path.name)
    if stored:
        return _Array(raw.shape, lambda axis, index: raw.part(axis, index).compute())
    stat = path.stat()
    whole = functools.partial(_unpacked, path, info.filename, stat.st_mtime_ns, stat.st_size)
    return _Array(raw.shape, lambda axis, index: _plain(whole()[_at(axis, index)]))


def _start_of(path: Path, info: zipfile.ZipInfo) -> int:
    """Offset of a member's bytes: after its local header (PKZIP APPNOTE 4.3.7), whose size may vary."""
    with path.open("rb") as file:
        file.seek(info.header_offset + 26)
        name_size, extra_size = struct.unpack("<2H", file.read(4))
    return int(info.header_offset + 30 + name_size + extra_size)


@functools.lru_cache(maxsize=1)  # one: it may be as large as memory
def _unpacked(path: Path, name: str, mtime_ns: int, size_bytes: int) -> Any:
    with np.load(path, allow_pickle=False) as arrays:
        return arrays[name.removesuffix(".npy")]


def _raw(file: Any, path: Path, end: int, start: int = 0) -> _Bytes:
    """Where the elements lie that the ``.npy`` header at ``file`` announces (numpy.lib.format).

    ``file`` is at its begin, which is at ``start`` in the file ``path``; the array may go up to ``end``.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if version >= (3, 0) and dtype.names:  # as 2.0, but names of fields are in UTF-8
        dtype.names = tuple(name.encode("latin1").decode() for name in dtype.names)
    raw = _Bytes(path, dtype, shape, _strides(shape, dtype.itemsize, fortran), start + file.tell())
    needed = raw.offset + math.prod(shape) * dtype.itemsize
    if needed > end and not dtype.hasobject:
        raise UsageError(
            f"{path} is shorter than its header says ({end} of {needed} bytes): "
            "it is damaged or still being written; write it again or wait"
        )
    return raw


def _strides(shape: tuple[int, ...], itemsize: int, fortran: bool) -> tuple[int, ...]:
    strides, step = [0] * len(shape), itemsize
    for axis in range(len(shape)) if fortran else reversed(range(len(shape))):
        strides[axis], step = step, step * max(shape[axis], 1)
    return tuple(strides)


@dataclass(frozen=True)
class _Bytes:
    """Elements of an array in a file: the first one's ``offset`` and the ``strides``, in bytes."""

    path: Path
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int

    def part(self, axis: int, index: int) -> _Bytes:
        shape = self.shape[:axis] + self.shape[axis + 1 :]
        strides = self.strides[:axis] + self.strides[axis + 1 :]
        return _Bytes(self.path, self.dtype, shape, strides, self.offset + index * self.strides[axis])

    def compute(self) -> Any:
        """The elements, in memory: a block is read, elements far apart are mapped."""
        count = math.prod(self.shape)
        if count == 0:
            return np.empty(self.shape, self.dtype)
        reaches = [stride * (size - 1) for stride, size in zip(self.strides, self.shape)]
        first = self.offset + sum(min(0, reach) for reach in reaches)
        span = self.dtype.itemsize + sum(map(abs, reaches))
        near = span <= 2 * count * self.dtype.itemsize
        buffer: Any = (
            np.fromfile(self.path, np.uint8, span, offset=first)
            if near  # not mapped: a limit on address space (ulimit -v) counts maps
            else np.memmap(self.path, np.uint8, "r", first, (span,))
        )
        found = np.ndarray(self.shape, self.dtype, buffer, self.offset - first, self.strides)
        return _plain(found if near else found.copy())


def _mapped(thing: Any) -> _Array:
    """A numpy.memmap or a view of one, whose ``offset`` is that of the whole: ask the addresses."""
    if thing.mode == "c":  # its changes are in this process only
        return _Array(thing.shape, lambda axis, index: _plain(thing[_at(axis, index)]), held=True)
    base = np.frombuffer(thing._mmap, np.uint8).__array_interface__["data"][0]
    page = thing.offset - thing.offset % mmap.ALLOCATIONGRANULARITY
    offset = page + thing.__array_interface__["data"][0] - base
    path = Path(os.path.abspath(thing.filename))
    return _Array(thing.shape, _Bytes(path, thing.dtype, thing.shape, thing.strides, offset).part, held=True)


@contextmanager
def _hdf5(path: Path, allow_pickle: bool) -> Iterator[_Arrays]:
    h5py = _library("h5py", path)

    def names() -> list[str]:
        found: list[Any] = []
        file.visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
        plain = [item for item in found if not h5py.h5ds.is_scale(item.id)]
        return [item.name.strip("/") for item in plain or found]

    def get(key: str) -> _Array | None:
        item = file.get(key)
        if not isinstance(item, h5py.Dataset):
            return None
        text = h5py.check_string_dtype(item.dtype) is not None
        shown = item.asstr(errors="surrogateescape") if text else item
        labels = [each.label or next(iter(each.keys()), None) for each in item.dims] if item.shape else []
        return _Array(item.shape or (), lambda axis, index: _plain(shown[_at(axis, index)]), tuple(labels))

    with _open_hdf5(h5py, path) as file:
        yield _Arrays(names, get)


def _open_hdf5(h5py: Any, path: Path) -> Any:
    """Without a lock, so that a simulation may open the file for writing meanwhile.

    With HDF5's default where this process has the file open with a lock: they must agree.
    """
    errors = []
    for options in ({"locking": False}, {"locking": False, "swmr": True}, {}):
        try:
            return h5py.File(path, "r", **options)
        except (OSError, ValueError) as error:
            errors.append(error)
    raise errors[0]


@contextmanager
def _zarr(path: Path, allow_pickle: bool) -> Iterator[_Arrays]:
    zarr = _library("zarr", path)

    def get(key: str) -> _Array | None:
        metadata = _zarr_metadata(path / key)
        if metadata is None:
            return None
        if re.search(r'"(id|name)":\s*"(numcodecs\.)?pickle"', json.dumps(metadata)):
            _require_pickle(allow_pickle, f"{path.name}:{key} holds Python objects, as pickles")
        array = zarr.open(os.fspath(path / key), mode="r")
        names = metadata.get("dimension_names") or array.attrs.get("_ARRAY_DIMENSIONS") or ()
        return _Array(array.shape, lambda axis, index: _plain(array[_at(axis, index)]), tuple(names))

    yield _Arrays(lambda: _zarr_names(path, path), get)


def _zarr_metadata(folder: Path) -> dict[str, Any] | None:
    """What the folder says of itself if it is an array; zarr itself decodes pickles on opening it."""
    for name in (".zarray", "zarr.json"):
        if (folder / name).is_file():
            metadata: dict[str, Any] = json.loads((folder / name).read_bytes())
            return metadata if metadata.get("node_type", "array") == "array" else None
    return None


def _zarr_names(folder: Path, root: Path) -> Iterator[str]:
    if _zarr_metadata(folder) is not None:
        yield "" if folder == root else folder.relative_to(root).as_posix()
        return
    for below in sorted(each for each in folder.iterdir() if each.is_dir()):
        yield from _zarr_names(below, root)


@contextmanager
def _netcdf(path: Path, allow_pickle: bool) -> Iterator[_Arrays]:
    xarray = _library("xarray", path)
    _require_netcdf_reader(path)
    with xarray.open_dataset(path) as dataset:

        def get(key: str) -> _Array | None:
            if key not in dataset.variables:
                return None
            found = dataset[key]
            return _Array(
                found.shape, lambda axis, index: found.isel({found.dims[axis]: index}).load(), found.dims
            )

        yield _Arrays(lambda: list(dataset.data_vars), get)


def _require_netcdf_reader(path: Path) -> None:
    """Said here, because xarray's own message does not say what to install for which file."""
    with path.open("rb") as file:
        magic = file.read(3)
    reader = {b"\x89HD": "h5netcdf", b"CDF": "scipy"}.get(magic)
    if reader and not find_spec(reader) and not find_spec("netCDF4"):
        raise ToolMissing(f"{path.name} needs {reader}, which is not installed: pip install {reader}")


def _labelled(thing: Any) -> _Array:
    """An xarray object: its parts are lazy where it is, and pickle as a reference to the file."""
    names = tuple(thing.sizes)

    def part(axis: int, index: int) -> Any:
        return thing.isel({names[axis]: index})

    def in_memory(axis: int, index: int) -> Any:
        return part(axis, index).compute()

    shape = tuple(thing.sizes.values())
    return _Array(shape, part if 0 in shape or _travels(part, shape) else in_memory, names, held=True)


def _travels(part: Callable[[int, int], Any], shape: tuple[int, ...]) -> bool:
    """False if parts cannot be pickled (opened from a handle), or would take the whole along."""
    try:
        return not shape or len(pickle.dumps(part(0, 0))) < part(0, 0).nbytes + _REFERENCE_BYTES
    except Exception:  # of whatever library holds the handle
        return False


@contextmanager
def _pickled(path: Path, allow_pickle: bool) -> Iterator[_Arrays]:
    _require_pickle(allow_pickle, f"{path.name} is a pickle")
    with path.open("rb") as file:
        thing = pickle.load(file)
    if not isinstance(thing, Mapping):
        yield _Arrays(lambda: [""], lambda key: None if key else _sequence(thing, path.name))
        return
    named = {str(key): value for key, value in thing.items()}
    yield _Arrays(
        lambda: named, lambda key: _sequence(named[key], f"{path.name}:{key}") if key in named else None
    )


def _require_pickle(allowed: bool, what: str) -> None:
    if not allowed:
        raise UsageError(
            f"{what}, which can run any code when it is read. "
            "If you trust it: --allow-pickle, in Python allow_pickle=True"
        )


def _sequence(thing: Any, what: str) -> _Array:
    """A sequence that this process holds: its elements travel."""
    if _library_of(thing) == "xarray":
        return _labelled(thing)
    if isinstance(thing, np.ndarray):
        return _Array(thing.shape, lambda axis, index: thing[_at(axis, index)], held=True)
    refused = isinstance(thing, (str, bytes, Mapping)) or hasattr(thing, "columns")
    if refused or not (hasattr(thing, "__len__") and hasattr(thing, "__getitem__")):
        raise UsageError(
            f"{what} holds a {type(thing).__name__}, not a sequence of frames; save a list or an array"
        )
    rows = getattr(thing, "iloc", thing)  # a pandas.Series: by position, not by label
    return _Array((len(rows),), lambda axis, index: rows[index], held=True)


def _at(axis: int, index: int) -> tuple[Any, ...]:
    return (slice(None),) * axis + (index,)


def _plain(part: Any) -> Any:
    """A part as numpy's own indexing gives it: an array of its own, or a scalar; text is `str`."""
    found = np.array(part)[()]
    return str(found) if isinstance(found, str) else found


_REFERENCE_BYTES = 1 << 16  # of names, coordinates, a reference to a file
_OPENERS: dict[str, Callable[[Path, bool], AbstractContextManager[_Arrays]]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".h5": _hdf5,
    ".hdf5": _hdf5,
    ".he5": _hdf5,
    ".nc": _netcdf,
    ".zarr": _zarr,
    ".pkl": _pickled,
    ".pickle": _pickled,
}
_OBJECTS = {
    "h5py": ("Dataset",),
    "zarr": ("Array",),
    "xarray": ("DataArray", "Dataset"),
    "numpy": ("memmap",),
}
