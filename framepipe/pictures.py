"""Compare pictures: how close two are, and where they differ most.

A picture here is a list of planes: one of shape (height, width, 3) for RGB, three of shape
(height, width) for Y'CbCr (chroma of half the sides in 4:2:0), a fourth for alpha. Samples are 0 to
255, as float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]
Picture = list[Pixels]
PERFECT_DB = 99.0
PATCH_PX = 8
_MOST_COLOURS = 1 << 12  # of a paletted picture, usually; Pillow makes room for so many


def read_png(path: Any) -> Pixels:
    """A PNG's pixels by Pillow: uint8, (height, width, 4), straight alpha."""
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("RGBA"))


def yuv(
    rgba: Pixels, ground: Sequence[int], *, half: bool = True, alpha: bool = False, even: bool = True
) -> Picture:
    """As video keeps it: BT.709 limited range (ITU-R BT.709-6, 3).

    Compared there, what 4:2:0 loses by its nature does not count as an error.

    Parameters
    ----------
    rgba : ndarray of uint8, shape (height, width, 4)
    ground : sequence of int
        (red, green, blue) to lay transparent pixels over, and to pad with.
    half : bool
        Chroma at half the resolution (4:2:0); the sides are then to be even.
    alpha : bool
        Keep transparency as a fourth plane, and the colours as they are under it.
    even : bool
        Pad to even sides.
    """
    opacity = rgba[..., 3].astype(np.float32)
    rgb: Pixels = rgba[..., :3].astype(np.float32)
    if not alpha:
        share = opacity[..., None] / 255
        rgb = rgb * share + np.array(ground, np.float32) * (1 - share)
    odd = [(0, side % 2 if even else 0) for side in opacity.shape]
    red, green, blue = (np.pad(rgb[..., k], odd, constant_values=ground[k]) / 255 for k in range(3))
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    chroma = [(blue - luma) / 1.8556, (red - luma) / 1.5748]
    if half:
        chroma = [(c[::2, ::2] + c[1::2, ::2] + c[::2, 1::2] + c[1::2, 1::2]) / 4 for c in chroma]
    planes = [16 + 219 * luma, *(128 + 224 * c for c in chroma)]
    return [*planes, np.pad(opacity, odd)] if alpha else planes


def split_yuv(raw: bytes, width: int, height: int, *, half: bool = True, alpha: bool = False) -> Picture:
    """The planes of one raw frame, as ffmpeg writes ``yuv420p``, ``yuv444p``, ``yuva420p``, ``yuva444p``."""
    samples = np.frombuffer(raw, np.uint8).astype(np.float32)
    small = (height // 2, width // 2) if half else (height, width)
    shapes = [(height, width), small, small, *([(height, width)] if alpha else [])]
    planes, at = [], 0
    for rows, columns in shapes:
        planes.append(samples[at : at + rows * columns].reshape(rows, columns))
        at += rows * columns
    return planes


def worst_patch(one: Picture, other: Picture) -> float:
    """Greatest difference between the means of any 8x8 patch, 0 to 255.

    What an encoder loses averages out within a patch; another digit or a moved line does not.
    Measured on plots, images and dots: at most 6 at crf 18 and 8 in a GIF of 256 colours (13 for
    coloured noise), where a neighbouring frame, even with little more than its title changed, is
    off by 16 or more.
    """
    return max(float(np.max(np.abs(patch_means(a) - patch_means(b)))) for a, b in zip(one, other))


def worst_patch_given_colours(seen: Pixels, source: Pixels, limit: float = 0.0) -> float:
    """`worst_patch` of a paletted picture, not counting what its own colours cannot show.

    A patch is right if it has the mean of the source (dithered), or if its pixels have colours of the
    picture's as near to the source as there are (not dithered): what counts is how much further they are, in
    the mean. Two colours may be equally near.

    Parameters
    ----------
    seen, source : ndarray of uint8, shape (height, width, 3)
    limit : float
        Patches whose means differ by no more are not looked at closer.
    """
    from PIL import Image

    images = Image.fromarray(seen), Image.fromarray(source)
    means = [np.asarray(image.reduce(PATCH_PX), np.float32) for image in images]
    off = np.abs(means[0] - means[1]).max(2)
    told = images[0].getcolors(_MOST_COLOURS) or images[0].getcolors(seen.shape[0] * seen.shape[1]) or []
    palette = np.array([colour for _, colour in told], np.float32)
    lengths = np.sum(palette**2, 1)
    for row, column in np.argwhere(off > limit):
        box = (slice(row * PATCH_PX, (row + 1) * PATCH_PX), slice(column * PATCH_PX, (column + 1) * PATCH_PX))
        due, got = (each[box].reshape(-1, 3).astype(np.float32) for each in (source, seen))
        least = np.sum(due**2, 1) + np.min(lengths - 2 * due @ palette.T, 1)
        further = np.linalg.norm(got - due, axis=1) - np.sqrt(np.maximum(0, least))
        off[row, column] = min(off[row, column], float(np.mean(further)))
    return float(off.max())


def patch_means(plane: Pixels) -> Pixels:
    """Means of 8x8 patches; those at the right and lower edge may be smaller."""
    rows = np.arange(0, plane.shape[0], PATCH_PX)
    columns = np.arange(0, plane.shape[1], PATCH_PX)
    sums = np.add.reduceat(np.add.reduceat(plane, rows, 0), columns, 1)
    heights = np.diff(np.append(rows, plane.shape[0]))
    widths = np.diff(np.append(columns, plane.shape[1]))
    counts = np.outer(heights, widths).astype(np.float32)
    return sums / counts.reshape(counts.shape + (1,) * (plane.ndim - 2))
