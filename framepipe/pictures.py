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
_BLOCK = 4096


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


def worst_patch_given_colours(seen: Picture, source: Picture) -> float:
    """`worst_patch` of a paletted picture, not counting what its own colours cannot show.

    A patch is right if it has the mean of the source (dithered) or of the source in the nearest
    of the picture's colours (not dithered).
    """
    nearest = [_in_colours_of(a, b) for a, b in zip(seen, source)]
    return max(
        float(
            np.max(
                np.minimum(np.abs(patch_means(a) - patch_means(b)), np.abs(patch_means(a) - patch_means(n)))
            )
        )
        for a, b, n in zip(seen, source, nearest)
    )


def patch_means(plane: Pixels) -> Pixels:
    """Means of 8x8 patches; those at the right and lower edge may be smaller."""
    rows = np.arange(0, plane.shape[0], PATCH_PX)
    columns = np.arange(0, plane.shape[1], PATCH_PX)
    sums = np.add.reduceat(np.add.reduceat(plane, rows, 0), columns, 1)
    heights = np.diff(np.append(rows, plane.shape[0]))
    widths = np.diff(np.append(columns, plane.shape[1]))
    counts = np.outer(heights, widths).astype(np.float32)
    return sums / counts.reshape(counts.shape + (1,) * (plane.ndim - 2))


def _codes(plane: Pixels) -> Pixels:
    """Each pixel as one number: sorting numbers is many times faster than sorting triples."""
    return plane.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)


def _colours(codes: Pixels) -> Pixels:
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], 1).astype(np.float32)


def _in_colours_of(palette_of: Pixels, plane: Pixels) -> Pixels:
    palette = _colours(np.unique(_codes(palette_of)))
    unique, where = np.unique(_codes(plane), return_inverse=True)
    colours = _colours(unique)
    nearest = np.empty(len(colours), np.intp)
    lengths = np.sum(palette**2, 1)
    for start in range(0, len(colours), _BLOCK):
        block = colours[start : start + _BLOCK]
        nearest[start : start + _BLOCK] = np.argmin(lengths - 2 * block @ palette.T, 1)
    return palette[nearest[where]].reshape(plane.shape)
