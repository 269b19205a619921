"""Make a store from pictures of another program, without copying where a hard link will do."""

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

from framepipe.core import files, image_files, png
from framepipe.core.files import PathLike
from framepipe.core.shape import Shape
from framepipe.core.summary import Summary, short_path
from framepipe.errors import FrameSizeError, StoreError, UsageError
from framepipe.job.canvas import Canvas
from framepipe.job.fingerprint import combine, digest_file
from framepipe.job.frames import format_range
from framepipe.job.record import JobRecord
from framepipe.job.stamp import read_stamp, stamp
from framepipe.store.scan import ADOPTED, adopted_parts
from framepipe.store.store import Store

_NAME = "adopt"
_MAX_PICTURE_BYTES = 2 << 30  # of any format: more than Pillow's pixel limit at 32 bits each
How = Literal["linked", "copied", "decoded", "kept"]


@dataclass(frozen=True, repr=False)
class AdoptReport(Summary):
    """The result of `adopt`.

    Attributes
    ----------
    store : Path
    numbers : tuple of int
        All frames of the store's job, in the order of the movie.
    linked, copied, decoded : int
        New frames: hard links to the pictures, copies of them, and PNGs encoded from their pixels.
    kept : int
        Frames that existed before.
    shape : Shape
        The shape of all frames.
    """

    store: Path
    numbers: tuple[int, ...]
    linked: int
    copied: int
    decoded: int
    kept: int
    shape: Shape

    def summary(self) -> str:
        """See `Summary`."""
        ways = {
            "linked": self.linked,
            "copied": self.copied,
            "decoded": self.decoded,
            "there before": self.kept,
        }
        counts = ", ".join(f"{count} {way}" for way, count in ways.items() if count)
        return (
            f"{short_path(self.store)}: {len(self.numbers)} frames, {format_range(self.numbers)}, "
            f"{self.shape} ({counts})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Convert for JSON."""
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
class _Picture:
    """A picture to adopt.

    ``plain``: it can be a frame as it is; ``stamped``: it has the stamp of another store.
    """

    path: Path
    digest: str
    shape: Shape
    plain: bool
    stamped: bool

    def is_used_unchanged(self, mode: str) -> bool:
        """True if its own bytes become the frame, whose digest is in ``job.json``."""
        return self.plain and not self.stamped and self.shape.mode == mode


def adopt(
    pictures: PathLike | Sequence[PathLike],
    store: PathLike,
    *,
    numbers: Literal["order", "names"] = "order",
) -> AdoptReport:
    """Make a store from pictures that another program drew. They are never changed or deleted.

    An 8-bit RGB or RGBA PNG that is not interlaced becomes a frame by a hard link, or by a copy
    where there is none (another file system); anything else is decoded and written as a PNG.
    A second call completes an interrupted one, and can add more pictures of the same kind.

    Parameters
    ----------
    pictures : str or sequence of path-like
        A glob pattern (``"old/img_*.png"``; ``**`` for any folders), or files. Either way they are
        put in natural order: ``img_2`` before ``img_10``.
    store : path-like
        The folder of the store: a new one, or one of an earlier `adopt`.
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
        The pictures have different sizes.
    StoreError
        The store belongs to another job, holds other frames, or cannot be written.
    """
    where = Store(store)
    paths = image_files.number(image_files.find(pictures), numbers)
    _refuse_own_folder(paths, where)
    by_number = {number: _inspect(path) for number, path in paths.items()}
    shape = _common_shape(list(by_number.values()))
    record = _record(by_number)
    kept_numbers = _existing_frames(where, record, by_number, shape)
    _prepare(where, record)
    counts: Counter[How] = Counter({"kept": len(kept_numbers)})
    for number, picture in by_number.items():
        if number not in kept_numbers:
            counts[_adopt_one(where, record, number, picture, shape)] += 1
    files.sync_folder(where.path)
    return AdoptReport(
        where.path,
        tuple(by_number),
        counts["linked"],
        counts["copied"],
        counts["decoded"],
        counts["kept"],
        shape,
    )


def _refuse_own_folder(paths: Mapping[int, Path], store: Store) -> None:
    """Refuse the pictures' own folder: the same pattern would match the frames the next time."""
    for number, path in paths.items():
        if path.parent == store.path and path != store.frame_path(number):
            raise UsageError(f"the store {store.path} is the folder of {path.name}: choose another --store")


def _inspect(path: Path) -> _Picture:
    """Read a whole picture, so that an unusable one is detected before anything is written."""
    data = _bytes_of(path)
    digest = hashlib.sha256(data).hexdigest()
    if info := image_files.plain_png(data):
        return _Picture(path, digest, Shape(info.width, info.height, info.mode), True, bool(info.stamp))
    height, width, channels = _decoded(path, data).pixels.shape
    return _Picture(path, digest, Shape(width, height, "RGBA" if channels == 4 else "RGB"), False, False)


def _bytes_of(path: Path) -> bytes:
    try:
        return files.read_file(path, _MAX_PICTURE_BYTES)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def _decoded(path: Path, data: bytes) -> image_files.Decoded:
    try:
        return image_files.decode(data)
    except image_files.InvalidImage as error:
        raise UsageError(f"{path} is {error}: repair it or leave it out. Nothing was written") from None


def _common_shape(pictures: Sequence[_Picture]) -> Shape:
    """Return the size of all pictures, and RGBA if any of them has that mode."""
    first = pictures[0]
    size = (first.shape.width, first.shape.height)
    for picture in pictures:
        if (picture.shape.width, picture.shape.height) != size:
            raise FrameSizeError(
                f"{first.path} is {first.shape.width}x{first.shape.height} px, {picture.path} "
                f"{picture.shape.width}x{picture.shape.height}: all frames of a movie have one size. "
                "Nothing was written"
            )
    mode = "RGBA" if any(picture.shape.mode == "RGBA" for picture in pictures) else "RGB"
    return Shape(*size, mode)


def _record(by_number: Mapping[int, _Picture]) -> JobRecord:
    details: dict[str, Mapping[str, str]] = {name: {} for name in ("source", "inputs", "data", "style")}
    details["scene"] = {_NAME: "adopted"}
    details[ADOPTED] = {str(number): picture.digest for number, picture in by_number.items()}
    record = JobRecord(
        name=_NAME,
        ref=None,
        params={},
        numbers=tuple(by_number),
        spec=None,
        values_are_numbers=False,
        canvas=Canvas(),
        inputs=(),
        cwd=os.getcwd(),
        parts={},
        details=details,
        goal=None,
    )
    return record.refreshed()  # computes the parts, as every scan of the store will


def _existing_frames(
    store: Store, record: JobRecord, by_number: Mapping[int, _Picture], shape: Shape
) -> set[int]:
    """Return the numbers of frames that exist already; raise if any is of another picture.

    Raises
    ------
    StoreError
    """
    if store.job_file.exists():
        before, _ = store.read_job()
        if ADOPTED not in before.details:
            raise StoreError(f"{store.path} is the store of {before.name}: choose another --store")
        if absent := set(before.numbers) - set(record.numbers):
            raise StoreError(
                f"{store.path} has frames {format_range(absent)} of pictures that are not among these: "
                "adopt all in one go, or choose another --store"
            )
    present = set(store.numbers())
    same = {
        number for number in by_number if number in present and _same(store, record, number, by_number, shape)
    }
    if different := [number for number in by_number if number in present - same]:
        raise StoreError(
            f"{store.frame_path(different[0])} exists already and is not {by_number[different[0]].path} "
            f"(so are {len(different)} in all). Nothing was written over: choose another --store"
        )
    return same


def _same(
    store: Store, record: JobRecord, number: int, by_number: Mapping[int, _Picture], shape: Shape
) -> bool:
    path = store.frame_path(number)
    info = png.inspect(path, deep=True)
    if info is None or info.damage:
        return False
    if by_number[number].is_used_unchanged(shape.mode):
        return digest_file(path) == by_number[number].digest
    actual = read_stamp(info.stamp)
    return actual is not None and actual[:2] == (number, combine(adopted_parts(record, number)))


def _prepare(store: Store, record: JobRecord) -> None:
    """Write ``job.json`` first: it says what is missing if we are interrupted."""
    if not store.numbers() or store.job_file.exists():
        store.create()
    store.write_job(record)
    store.sweep()


def _adopt_one(store: Store, record: JobRecord, number: int, picture: _Picture, shape: Shape) -> How:
    """Turn one picture into a frame."""
    if picture.is_used_unchanged(shape.mode):
        if _link(picture.path, store.frame_path(number)):
            return "linked"
        store.commit(number, _unchanged(picture))
        return "copied"
    text, data = stamp(number, adopted_parts(record, number)), _unchanged(picture)
    if picture.plain and picture.shape.mode == shape.mode:
        store.commit(number, png.with_stamp(data, text))
        return "copied"
    decoded = _decoded(picture.path, data)
    pixels = decoded.pixels
    if shape.mode == "RGBA" and pixels.shape[2] == 3:
        pixels = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    store.commit(number, png.encode(pixels, text, dpi=decoded.dpi))
    return "decoded"


def _link(picture: Path, frame: Path) -> bool:
    """Make a hard link; False if the file system, the mount or the kernel refuses it."""
    with contextlib.suppress(OSError):
        os.link(os.path.realpath(picture), frame)  # not to the link, if it is one
        return True
    return False


def _unchanged(picture: _Picture) -> bytes:
    data = _bytes_of(picture.path)
    if hashlib.sha256(data).hexdigest() != picture.digest:
        raise StoreError(f"{picture.path} changed while it was adopted: do it again when it is finished")
    return data
