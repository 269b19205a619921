"""Make a store of pictures that something else drew, without copying where a hard link will do."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from framepipe import files, foreign, png
from framepipe.errors import FrameSizeError, StoreError, UsageError
from framepipe.fingerprint import combine, digest_file
from framepipe.frames import format_range
from framepipe.job import Canvas, JobRecord, passport, read_passport
from framepipe.store import ADOPTED, Shape, Store, adopted_parts

_NAME = "adopt"
PathLike = str | os.PathLike[str]
How = Literal["linked", "copied", "decoded", "kept"]


@dataclass(frozen=True)
class AdoptReport:
    """What `adopt` did.

    Attributes
    ----------
    store : Path
    numbers : tuple of int
        All frames of the store's job, in the order of the movie.
    linked, copied, decoded : int
        New frames: hard links to the pictures, copies of them, and PNGs written of their pixels.
    kept : int
        Frames that were there before.
    shape : Shape
        Of all frames.
    """

    store: Path
    numbers: tuple[int, ...]
    linked: int
    copied: int
    decoded: int
    kept: int
    shape: Shape

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "store": str(self.store),
            "frames": format_range(self.numbers),
            "total": len(self.numbers),
            "linked": self.linked,
            "copied": self.copied,
            "decoded": self.decoded,
            "kept": self.kept,
            "width_px": self.shape.width,
            "height_px": self.shape.height,
            "mode": self.shape.mode,
        }


@dataclass(frozen=True)
class _Looked:
    """A picture that was looked at.

    ``plain``: it can be a frame as it is; ``stamped``: it bears a passport of another store.
    """

    path: Path
    digest: str
    shape: Shape
    plain: bool
    stamped: bool

    def vouched(self, mode: str) -> bool:
        """True if its own bytes become the frame, for which ``job.json`` vouches."""
        return self.plain and not self.stamped and self.shape.mode == mode


def adopt(
    pictures: PathLike | Sequence[PathLike],
    store: PathLike,
    *,
    numbers: Literal["order", "names"] = "order",
) -> AdoptReport:
    """Make a store of pictures that something else drew. They are never changed or deleted.

    An 8-bit RGB or RGBA PNG that is not interlaced becomes a frame by a hard link, or by a copy
    where there is none (another file system); anything else is decoded and written as a PNG.
    Doing it again does what is left to do, and more pictures of the same kind can be added.

    Parameters
    ----------
    pictures : str or sequence of path-like
        A glob pattern (``"old/img_*.png"``; ``**`` for any folders), or files. Either way they are
        put in natural order: ``img_2`` before ``img_10``.
    store : path-like
        The folder of the store: a new one, or one that was adopted before.
    numbers : {"order", "names"}
        Number the frames from 0 in their order, or by the last digits in their names.

    Returns
    -------
    AdoptReport

    Raises
    ------
    UsageError
        No pictures, one that cannot be read, or two with the same number.
    FrameSizeError
        They are not all of one size.
    StoreError
        The store is of another job, holds other frames, or cannot be written.
    """
    where = Store(store)
    paths = foreign.number(foreign.find(pictures), numbers)
    _refuse_own_folder(paths, where)
    looked = {number: _look(path) for number, path in paths.items()}
    shape = _common_shape(list(looked.values()))
    record = _record(looked)
    kept = _kept(where, record, looked, shape)
    _prepare(where, record)
    done: Counter[How] = Counter({"kept": len(kept)})
    for number, each in looked.items():
        if number not in kept:
            done[_take(where, record, number, each, shape)] += 1
    files.sync_folder(where.path)
    return AdoptReport(
        where.path, tuple(looked), done["linked"], done["copied"], done["decoded"], done["kept"], shape
    )


def _refuse_own_folder(paths: Mapping[int, Path], store: Store) -> None:
    """Frames beside the pictures would be found by the same pattern the next time."""
    for number, path in paths.items():
        if path.parent == store.path and path != store.frame_path(number):
            raise UsageError(f"the store {store.path} is the folder of {path.name}: choose another --store")


def _look(path: Path) -> _Looked:
    """Read a whole picture, so that what cannot be used is found before anything is written."""
    data = _bytes_of(path)
    digest = hashlib.sha256(data).hexdigest()
    if info := foreign.plain_png(data):
        return _Looked(path, digest, Shape(info.width, info.height, info.mode), True, bool(info.passport))
    height, width, channels = _decoded(path, data).pixels.shape
    return _Looked(path, digest, Shape(width, height, "RGBA" if channels == 4 else "RGB"), False, False)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def _decoded(path: Path, data: bytes) -> foreign.Decoded:
    try:
        return foreign.decode(data)
    except foreign.BadPicture as error:
        raise UsageError(f"{path} is {error}: mend it or leave it out. Nothing was written") from None


def _common_shape(looked: Sequence[_Looked]) -> Shape:
    """The size of all, and RGBA if any of them is."""
    first = looked[0]
    size = (first.shape.width, first.shape.height)
    for each in looked:
        if (each.shape.width, each.shape.height) != size:
            raise FrameSizeError(
                f"{first.path} is {first.shape.width}x{first.shape.height} px, {each.path} "
                f"{each.shape.width}x{each.shape.height}: all frames of a movie have one size. "
                "Nothing was written"
            )
    mode = "RGBA" if any(each.shape.mode == "RGBA" for each in looked) else "RGB"
    return Shape(*size, mode)


def _record(looked: Mapping[int, _Looked]) -> JobRecord:
    details: dict[str, Mapping[str, str]] = {name: {} for name in ("source", "inputs", "data", "style")}
    details["scene"] = {_NAME: "adopted"}
    details[ADOPTED] = {str(number): each.digest for number, each in looked.items()}
    record = JobRecord(
        name=_NAME,
        ref=None,
        params={},
        numbers=tuple(looked),
        spec=None,
        values_are_numbers=False,
        canvas=Canvas(),
        inputs=(),
        cwd=os.getcwd(),
        parts={},
        details=details,
    )
    return record.refreshed()  # fills in the parts, as whoever looks at the store will


def _kept(store: Store, record: JobRecord, looked: Mapping[int, _Looked], shape: Shape) -> set[int]:
    """Frames that are there already; nothing is written if others are in the place of any.

    Raises
    ------
    StoreError
    """
    if store.job_file.exists():
        before, _ = store.read_job()
        if ADOPTED not in before.details:
            raise StoreError(f"{store.path} is the store of {before.name}: choose another --store")
        if gone := set(before.numbers) - set(record.numbers):
            raise StoreError(
                f"{store.path} has frames {format_range(gone)} of pictures that are not among these: "
                "adopt all in one go, or choose another --store"
            )
    there = set(store.numbers())
    kept = {number for number in looked if number in there and _same(store, record, number, looked, shape)}
    if others := [number for number in looked if number in there - kept]:
        raise StoreError(
            f"{store.frame_path(others[0])} is there already and is not {looked[others[0]].path} "
            f"(so are {len(others)} in all). Nothing was written over: choose another --store"
        )
    return kept


def _same(store: Store, record: JobRecord, number: int, looked: Mapping[int, _Looked], shape: Shape) -> bool:
    path = store.frame_path(number)
    info = png.inspect(path, deep=True)
    if info is None or info.damage:
        return False
    if looked[number].vouched(shape.mode):
        return digest_file(path) == looked[number].digest
    borne = read_passport(info.passport)
    return borne is not None and borne[:2] == (number, combine(adopted_parts(record, number)))


def _prepare(store: Store, record: JobRecord) -> None:
    """``job.json`` first: it says what is missing, should we not come to the end."""
    if not store.numbers() or store.job_file.exists():
        store.create()
    store.write_job(record)
    store.sweep()


def _take(store: Store, record: JobRecord, number: int, looked: _Looked, shape: Shape) -> How:
    """Make one picture a frame."""
    if looked.vouched(shape.mode):
        if _link(looked.path, store.frame_path(number)):
            return "linked"
        store.commit(number, _unchanged(looked))
        return "copied"
    text, data = passport(number, adopted_parts(record, number)), _unchanged(looked)
    if looked.plain and looked.shape.mode == shape.mode:
        store.commit(number, png.with_passport(data, text))
        return "copied"
    found = _decoded(looked.path, data)
    pixels = found.pixels
    if shape.mode == "RGBA" and pixels.shape[2] == 3:
        pixels = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    store.commit(number, png.encode(pixels, text, dpi=found.dpi))
    return "decoded"


def _link(picture: Path, frame: Path) -> bool:
    """Hard link; False where that cannot be done: file systems, mounts and kernels refuse it."""
    with contextlib.suppress(OSError):
        os.link(os.path.realpath(picture), frame)  # not to the link, if it is one
        return True
    return False


def _unchanged(looked: _Looked) -> bytes:
    data = _bytes_of(looked.path)
    if hashlib.sha256(data).hexdigest() != looked.digest:
        raise StoreError(f"{looked.path} changed while it was adopted: do it again when it is finished")
    return data
