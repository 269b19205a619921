"""Read small pictures of a movie and of its sources from a running ffmpeg.

The pictures of a tick are stacked, scaled to half their sides, and sent through a named pipe while ffmpeg
works: nothing is stored, however long the movie is. At full size the pipe alone would take as long as
decoding.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np

from framepipe.core.images import Pixels
from framepipe.formats.frame_input import SAME
from framepipe.verification.cells import BLOCK_PX, CELL_PX, SIDE

_PIPE = "pictures.raw"
_PIPE_BYTES = 1 << 20


@dataclass(frozen=True)
class Planes:
    """The planes of a raw picture of half the sides, one after the other.

    Attributes
    ----------
    pixels : str
        ffmpeg's pixel format.
    whole : tuple of int
        Width and height before scaling: whole blocks of each plane.
    sizes : tuple of tuple of int
        Width and height of each plane.
    halves_evenly : bool
        Each plane has even sides before it is filled up to whole blocks.
    """

    pixels: str
    whole: tuple[int, int]
    sizes: tuple[tuple[int, int], ...]
    halves_evenly: bool

    @classmethod
    def of(cls, pixels: str, width: int, height: int) -> Planes:
        """Return the planes of ``gray``, ``yuv420p``, ``yuv444p``, or one of these with alpha."""
        step = 2 * BLOCK_PX if "420" in pixels else BLOCK_PX
        whole = (-(-width // step) * step, -(-height // step) * step)
        luma = (whole[0] // CELL_PX, whole[1] // CELL_PX)
        evenly = not (width % (step // SIDE) or height % (step // SIDE))
        if pixels == "gray":
            return cls(pixels, whole, (luma,), evenly)
        small = (luma[0] // 2, luma[1] // 2) if "420" in pixels else luma
        return cls(
            pixels, whole, (luma, small, small, *((luma,) if pixels.startswith("yuva") else ())), evenly
        )

    def split(self, data: bytearray, count: int) -> list[list[Pixels]]:
        """Split ``count`` stacked pictures into planes."""
        pictures: list[list[Pixels]] = [[] for _ in range(count)]
        offset = 0
        for width, height in self.sizes:
            for picture in pictures:
                picture.append(np.frombuffer(data, np.uint8, width * height, offset).reshape(height, width))
                offset += width * height
        return pictures

    def samples_of(self, width: int, height: int) -> int:
        """Return the number of samples of a picture of this size, without those that fill up blocks."""
        share = width * height / (self.whole[0] * self.whole[1])
        return round(self.samples * share)

    @property
    def samples(self) -> int:
        """The number of samples of one picture."""
        return sum(width * height for width, height in self.sizes)


def small(pictures: Any, planes: Planes) -> Any:
    """Return a stream of pictures, which have the pixel format of ``planes``, at half their sides."""
    half = (f"iw/{CELL_PX}", f"ih/{CELL_PX}")
    if planes.halves_evenly:  # filling up a small picture costs less
        luma = planes.sizes[0]
        return pictures.filter("scale", *half, flags="area").filter("pad", *luma)
    return pictures.filter("pad", *planes.whole).filter("scale", *half, flags="area")


def piped(streams: Sequence[Any], planes: Planes) -> Any:
    """Return an output in which the pictures of some streams, from `small`, are stacked."""
    whole = ffmpeg.filter(streams, "vstack", inputs=len(streams)) if len(streams) > 1 else streams[0]
    return whole.output(_PIPE, format="rawvideo", pix_fmt=planes.pixels, **SAME)


@contextlib.contextmanager
def tapped(folder: Path, planes: Planes, count: int, on_tick: Callable[..., None]) -> Iterator[None]:
    """Read the output of `piped` while ffmpeg runs in this context.

    Parameters
    ----------
    folder : Path
        The folder in which ffmpeg runs.
    planes : Planes
    count : int
        Pictures of a tick.
    on_tick : callable
        Called with the tick and its pictures, in a thread; its exception is raised when ffmpeg has ended.
    """
    path = folder / _PIPE
    with contextlib.suppress(OSError):  # without named pipes it is a file, read afterwards
        os.mkfifo(path)
    errors: list[Exception] = []
    reader = threading.Thread(target=_drain, args=(path, planes, count, on_tick, errors), daemon=True)
    if is_pipe := path.exists():
        reader.start()
    try:
        yield
    finally:
        while is_pipe and reader.is_alive():
            with contextlib.suppress(OSError):  # ffmpeg may never have opened its end
                os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
            reader.join(0.05)
    if not is_pipe:
        _drain(path, planes, count, on_tick, errors)
    path.unlink()
    if errors:
        raise errors[0]


def _drain(
    path: Path, planes: Planes, count: int, on_tick: Callable[..., None], errors: list[Exception]
) -> None:
    """Read to the end, even after an error, or ffmpeg would wait for ever."""
    try:
        with path.open("rb", buffering=0) as stream:
            _widen(stream)
            for tick, data in enumerate(_ticks(stream, count * planes.samples)):
                if not errors:
                    _call(tick, planes.split(data, count), on_tick, errors)
    except OSError as error:
        errors.append(error)


def _call(
    tick: int, pictures: list[list[Pixels]], on_tick: Callable[..., None], errors: list[Exception]
) -> None:
    try:
        on_tick(tick, *pictures)
    except Exception as error:
        errors.append(error)


def _widen(stream: FileIO) -> None:
    """Enlarge the pipe's buffer as far as Linux allows, so that ffmpeg waits less."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):  # no pipe, or less is allowed here
            fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _ticks(stream: FileIO, size: int) -> Iterator[bytearray]:
    while True:
        data = bytearray(size)
        view = memoryview(data)
        while view and (count := stream.readinto(view)):
            view = view[count:]
        if view:
            return
        yield data
