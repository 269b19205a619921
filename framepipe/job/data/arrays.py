"""Files of numpy: ``.npy``, members of ``.npz``, and numpy.memmap objects."""

from __future__ import annotations

import functools
import itertools
import math
import mmap
import operator
import os
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from framepipe.errors import UsageError
from framepipe.job.data.base import Array, Arrays, Read, parts_of, plain, require_pickle
from framepipe.job.data.pickles import sequence


@contextmanager
def open_npy(path: Path, allow_pickle: bool) -> Iterator[Arrays]:
    """Open the only array of a ``.npy``, which has no name."""

    def get(key: str) -> Array | None:
        if key:
            return None
        with path.open("rb") as file:
            return _array_at(file, path, 0, path.stat().st_size, path.name, allow_pickle)

    yield Arrays(lambda: [""], get)


@contextmanager
def open_npz(path: Path, allow_pickle: bool) -> Iterator[Arrays]:
    """Open the members of a ``.npz``; from an uncompressed member only the part is read."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}

        def get(key: str) -> Array | None:
            info = members.get(key.removesuffix(".npy"))
            if info is None:
                return None
            is_stored = info.compress_type == zipfile.ZIP_STORED
            start = _start_of(path, info) if is_stored else 0
            what = f"{info.filename} in {path.name}"
            with archive.open(info) as member:
                array = _array_at(member, path, start, start + info.file_size, what, allow_pickle)
            if is_stored or array.in_memory:
                return array
            stat = path.stat()
            whole = functools.partial(_read_member, path, info.filename, stat.st_mtime_ns, stat.st_size)
            return Array(array.shape, lambda axis, index: parts_of(whole())(axis, index))

        yield Arrays(lambda: members, get)


def _start_of(path: Path, info: zipfile.ZipInfo) -> int:
    """Return the offset of a member's bytes: after its local header (PKZIP APPNOTE 4.3.7) of varying size."""
    with path.open("rb") as file:
        file.seek(info.header_offset + 26)
        name_size, extra_size = struct.unpack("<2H", file.read(4))
    return int(info.header_offset + 30 + name_size + extra_size)


@functools.lru_cache(maxsize=1)  # one: it may be as large as memory
def _read_member(path: Path, name: str, mtime_ns: int, size_bytes: int) -> Any:
    with zipfile.ZipFile(path) as archive, archive.open(name) as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _array_at(file: Any, path: Path, start: int, end: int, what: str, allow_pickle: bool) -> Array:
    """Return the array that a ``.npy`` header describes (numpy.lib.format).

    ``file`` is at the header, which is at ``start`` in the file ``path``; the array may reach up to ``end``.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if dtype.hasobject:
        require_pickle(allow_pickle, f"{what} holds Python objects, as a pickle")
        file.seek(0)
        return sequence(np.lib.format.read_array(file, allow_pickle=True), path.name)
    if version >= (3, 0) and dtype.names:  # as 2.0, but names of fields are in UTF-8
        dtype.names = tuple(name.encode("latin1").decode() for name in dtype.names)
    offset = start + file.tell()
    if (needed := offset + math.prod(shape) * dtype.itemsize) > end:
        raise UsageError(
            f"{path} is shorter than its header says ({end} of {needed} bytes): "
            "it is damaged or still being written; write it again or wait"
        )
    sizes = shape if fortran else shape[::-1]  # the fastest first
    steps = tuple(itertools.accumulate(sizes[:-1], operator.mul, initial=dtype.itemsize))
    return Array(shape, _Bytes(path, dtype, shape, steps if fortran else steps[::-1], offset).part)


def array_of(mapped: Any) -> Array:
    """Return the array of a numpy.memmap, or of a view of one, whose ``offset`` is that of the whole."""
    if mapped.mode == "c":  # copy-on-write: its changes are in this process only
        return Array(mapped.shape, parts_of(mapped), in_memory=True)
    base = np.frombuffer(mapped._mmap, np.uint8).__array_interface__["data"][0]
    page = mapped.offset - mapped.offset % mmap.ALLOCATIONGRANULARITY
    offset = page + mapped.__array_interface__["data"][0] - base
    path = Path(os.path.abspath(mapped.filename))
    elements = _Bytes(path, mapped.dtype, mapped.shape, mapped.strides, offset)
    return Array(mapped.shape, elements.part, in_memory=True)


@dataclass(frozen=True)
class _Bytes:
    """Elements of an array in a file: the first one's ``offset`` and the ``strides``, in bytes."""

    path: Path
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int

    def part(self, axis: int, index: int) -> Read:
        shape = self.shape[:axis] + self.shape[axis + 1 :]
        strides = self.strides[:axis] + self.strides[axis + 1 :]
        offset = self.offset + index * self.strides[axis]
        return _Bytes(self.path, self.dtype, shape, strides, offset).read

    def read(self) -> Any:
        """Read the elements: a compact block is read, scattered elements are mapped."""
        count = math.prod(self.shape)
        if count == 0:
            return np.empty(self.shape, self.dtype)
        reaches = [stride * (size - 1) for stride, size in zip(self.strides, self.shape)]
        first = self.offset + sum(min(0, reach) for reach in reaches)
        span = self.dtype.itemsize + sum(map(abs, reaches))
        buffer: Any = (
            np.fromfile(self.path, np.uint8, span, offset=first)
            if span <= 2 * count * self.dtype.itemsize  # a limit on address space (ulimit -v) counts maps
            else np.memmap(self.path, np.uint8, "r", first, (span,))
        )
        return plain(np.ndarray(self.shape, self.dtype, buffer, self.offset - first, self.strides))
