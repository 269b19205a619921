"""The colours of a video, which must be BT.709, limited range: by its container's tags, and by its samples.

Tags are read from the container's bytes: ``colr`` of ISO/IEC 14496-12 (QuickTime: ``nclc``), ``Colour`` of
Matroska (RFC 9559).

Another matrix or range changes all colours slightly, in a predictable way: no patch differs much, but the
whole picture shifts. So the conversion is found to which all samples together are nearest.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import BinaryIO

import numpy as np

from framepipe.core.images import Picture, Pixels

#: Shares of red and blue in luma: ITU-R BT.709-6 and BT.601-7, 3.2 and 2.5.1.
_MATRICES = {"BT.709": (0.2126, 0.0722), "BT.601": (0.299, 0.114)}
#: The level of black, and the ranges of luma and chroma.
_RANGES = {"limited range": (16, 219, 224), "full range": (0, 255, 255)}
_DUE = ("BT.709", "limited range")
DUE_COLOURS = ", ".join(_DUE)
#: Bytes in which the tags are: from the file's beginning, or from that of its box ``moov``.
_HEAD = 1 << 20
_MAX_BOXES = 1000
_BT709 = (b"colrnclx\0\1\0\1\0\1\0", b"colrnclc\0\1\0\1\0\1")
#: Elements of Matroska's Colour: matrix, primaries, transfer are BT.709, range is limited.
_BT709_MATROSKA = (b"\x55\xb1\x81\x01", b"\x55\xbb\x81\x01", b"\x55\xba\x81\x01", b"\x55\xb9\x81\x01")
#: Maximum ratio of the residuals if samples are of another conversion: right ones had 0.97 or more, wrong
#: ones 0.2 or less.
_MAX_RATIO = 0.5


def tags(movie: Path) -> str:
    """Return what the tags of a container say: `DUE_COLOURS`, or that they do not say so."""
    with movie.open("rb") as file:
        file.seek(_start_of_moov(file))
        head = file.read(_HEAD)
    is_tagged = any(tag in head for tag in _BT709) or all(element in head for element in _BT709_MATROSKA)
    return DUE_COLOURS if is_tagged else "not tagged so"


def _start_of_moov(file: BinaryIO) -> int:
    """Return where the box ``moov`` begins, which may come after all pictures; 0 if there is none."""
    start, end = 0, file.seek(0, os.SEEK_END)
    for _ in range(_MAX_BOXES):
        if start >= end:
            break
        file.seek(start)
        size, kind = struct.unpack(">I4s", head) if len(head := file.read(8)) == 8 else (0, b"")
        if kind == b"moov":
            return start
        if size == 1 and len(head := file.read(8)) == 8:
            (size,) = struct.unpack(">Q", head)
        if size < 8:
            break
        start += size
    return 0


def conversion(pairs: Iterable[tuple[Picture, Picture]], min_squares: float) -> str:
    """Return the conversion of the samples of some frames, as ``BT.709, limited range``.

    Parameters
    ----------
    pairs : iterable of (Picture, Picture)
        Planes as decoded, and as expected; see `framepipe.core.images.yuv`.
    min_squares : float
        A sum of squares; conversions that differ by less on these frames are not distinguished.
    """
    moments = np.zeros((7, 7))  # of errors, of the samples due, and of 1: all sums of squares follow
    for decoded, source in pairs:
        own = _even(source).reshape(3, -1).astype(np.float64)
        rows = np.vstack([_even(decoded).reshape(3, -1) - own, own, np.ones((1, own.shape[1]))])
        moments += rows @ rows.T
    own_residual = nearest = float(np.trace(moments[:3, :3]))
    name = _DUE
    for other in product(_MATRICES, _RANGES):
        step = _step(*other)
        shift = float(np.trace(step @ moments[3:, 3:] @ step.T))
        residual = own_residual - 2 * float(np.trace(step @ moments[3:, :3])) + shift
        if other != _DUE and shift > min_squares and residual < nearest:
            nearest, name = residual, other
    return ", ".join(name if nearest < _MAX_RATIO * own_residual else _DUE)


def _step(matrix: str, range_: str) -> Pixels:
    """Return what another conversion adds to samples of BT.709, limited range: shape (3, 4), times (…, 1)."""
    corners = np.concatenate([np.eye(3), np.zeros((3, 1))], axis=1)
    steps: Pixels = _converted(corners, matrix, range_) - corners
    steps[:, :3] -= steps[:, 3:]
    return steps


def _even(picture: Picture) -> Pixels:
    """Return luma, blue and red at chroma's resolution: shape (3, height, width)."""
    luma, blue, red = picture[:3]
    if luma.shape != blue.shape:
        luma = (luma[::2, ::2] + luma[1::2, ::2] + luma[::2, 1::2] + luma[1::2, 1::2]) / 4
    return np.stack([luma, blue, red])


def _converted(planes: Pixels, matrix: str, range_: str) -> Pixels:
    """Convert planes from BT.709, limited range, to another conversion."""
    of_red, of_blue = _MATRICES["BT.709"]
    black, luma_reach, chroma_reach = _RANGES["limited range"]
    luma, blue, red = (planes[0] - black) / luma_reach, *((planes[1:] - 128) / chroma_reach)
    r, b = luma + 2 * (1 - of_red) * red, luma + 2 * (1 - of_blue) * blue
    g = (luma - of_red * r - of_blue * b) / (1 - of_red - of_blue)
    of_red, of_blue = _MATRICES[matrix]
    black, luma_reach, chroma_reach = _RANGES[range_]
    luma = of_red * r + (1 - of_red - of_blue) * g + of_blue * b
    blue, red = (b - luma) / (2 * (1 - of_blue)), (r - luma) / (2 * (1 - of_red))
    return np.stack([black + luma_reach * luma, 128 + chroma_reach * blue, 128 + chroma_reach * red])
