"""Compare pictures: how close two are, and where they differ most.

A picture here is a list of planes: one of shape (height, width, 3) for RGB, three of shape
(height, width) for Y'CbCr (chroma of half the sides in 4:2:0), a fourth for alpha. Samples are 0 to
255, as float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from framepipe.errors import IncompleteStore

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

Pixels = npt.NDArray[Any]
Picture = list[Pixels]
PERFECT_DB = 99.0
PATCH_PX = 8
_MAX_COLOURS = 1 << 12  # enough for most paletted pictures; Pillow allocates room for this number


def read_png(path: Any) -> Pixels:
    """Read a PNG's pixels with Pillow: uint8, (height, width, 4), straight alpha.

    Raises
    ------
    IncompleteStore
        They cannot be decoded, although all checksums may be right: then another program wrote the file, and
        no scan of the store detects it.
    """
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG",)) as image:
            return np.asarray(image.convert("RGBA"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise IncompleteStore(
            f"the pixels of {path} cannot be decoded ({error}): delete it, and draw that frame again"
        ) from None


@contextmanager
def open_frames(movie: Path) -> Iterator[Image]:
    """Open an animated file with Pillow, to read its frames in order.

    If the first frame of a GIF is in grey levels, Pillow (13.0) does not lay later frames over it and reads
    them with a wrong palette, so the first frame is converted to colour.
    """
    from PIL import Image as Images

    with Images.open(movie) as image:
        is_animated = getattr(image, "n_frames", 1) > 1  # counting rewinds
        image.load()
        if is_animated and image.format == "GIF" and image.mode == "L":
            colour = "RGBA" if "transparency" in image.info else "RGB"
            image.im, image._mode = image.convert(colour).im, colour
        yield image


def yuv(
    rgba: Pixels, background: Sequence[int], *, half: bool = True, alpha: bool = False, even: bool = True
) -> Picture:
    """Convert to Y'CbCr as video stores it: BT.709 limited range (ITU-R BT.709-6, 3).

    If pictures are compared in this form, the loss inherent in 4:2:0 does not count as an error.

    Parameters
    ----------
    rgba : ndarray of uint8, shape (height, width, 4)
    background : sequence of int
        (red, green, blue) to lay transparent pixels over, and to pad with.
    half : bool
        Chroma at half the resolution (4:2:0); this needs even sides.
    alpha : bool
        Keep transparency as a fourth plane, and the colours under it unchanged.
    even : bool
        Pad to even sides.
    """
    opacity = rgba[..., 3]
    colours: list[Pixels] = [rgba[..., band].astype(np.float32) for band in range(3)]
    if not alpha and opacity.min() < 255:
        coverage = opacity.astype(np.float32) / 255
        colours = [each * coverage + ground * (1 - coverage) for each, ground in zip(colours, background)]
    padding = [(0, side % 2 if even else 0) for side in opacity.shape]
    if any(after for _, after in padding):
        colours = [np.pad(each, padding, constant_values=ground) for each, ground in zip(colours, background)]
    red, green, blue = colours
    luma = (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255
    # halved before they are combined: the same, as all is linear
    red, blue, dark = (_halved(each) if half else each for each in (red / 255, blue / 255, luma))
    planes: Picture = [16 + 219 * luma, 128 + 224 / 1.8556 * (blue - dark), 128 + 224 / 1.5748 * (red - dark)]
    return [*planes, np.pad(opacity.astype(np.float32), padding)] if alpha else planes


def _halved(plane: Pixels) -> Pixels:
    """Return the means of 2x2 samples."""
    halved: Pixels = (plane[::2, ::2] + plane[1::2, ::2] + plane[::2, 1::2] + plane[1::2, 1::2]) / 4
    return halved


def split_yuv(raw: bytes, width: int, height: int, *, half: bool = True, alpha: bool = False) -> Picture:
    """Split a raw frame into planes: ffmpeg's ``yuv420p``, ``yuv444p``, ``yuva420p``, ``yuva444p``."""
    samples = np.frombuffer(raw, np.uint8).astype(np.float32)
    chroma_shape = (height // 2, width // 2) if half else (height, width)
    shapes = [(height, width), chroma_shape, chroma_shape, *([(height, width)] if alpha else [])]
    planes, offset = [], 0
    for rows, columns in shapes:
        planes.append(samples[offset : offset + rows * columns].reshape(rows, columns))
        offset += rows * columns
    return planes


def worst_patch(one: Picture, other: Picture) -> float:
    """Return the greatest difference between the means of any 8x8 patch, 0 to 255.

    What an encoder loses averages out within a patch; another digit or a moved line does not.
    Measured on plots, images and dots: at most 6 at crf 18 and 8 in a GIF of 256 colours (13 for
    coloured noise), where a neighbouring frame, even with little more than its title changed, is
    off by 16 or more.
    """
    return worst_difference([*map(patch_means, one)], [*map(patch_means, other)])


def worst_difference(one: Picture, other: Picture) -> float:
    """Return the greatest difference of any sample."""
    return max(float(np.max(np.abs(a - b))) for a, b in zip(one, other))


def worst_patch_in_palette(paletted: Pixels, source: Pixels, limit: float = 0.0) -> float:
    """Return `worst_patch` of a paletted picture, not counting what its own colours cannot show.

    A patch is right if it has the mean of the source (dithered), or if each of its pixels has the colour of
    the palette that is nearest to the source (not dithered). Pixels count by how much further they are than
    the nearest colour, on average: two colours may be equally near.

    Parameters
    ----------
    paletted, source : ndarray of uint8, shape (height, width, 3)
    limit : float
        Patches whose means differ by no more are not examined pixel by pixel.
    """
    from PIL import Image

    images = Image.fromarray(paletted), Image.fromarray(source)
    means = [np.asarray(image.reduce(PATCH_PX), np.float32) for image in images]
    errors = np.abs(means[0] - means[1]).max(2)
    palette = colours_of(paletted)
    for row, column in np.argwhere(errors > limit):
        box = (slice(row * PATCH_PX, (row + 1) * PATCH_PX), slice(column * PATCH_PX, (column + 1) * PATCH_PX))
        expected, actual = (each[box].reshape(-1, 3).astype(np.float32) for each in (source, paletted))
        excess = np.linalg.norm(actual - expected, axis=1) - distances(expected, palette)
        errors[row, column] = min(errors[row, column], float(np.mean(excess)))
    return float(errors.max())


def colours_of(pixels: Pixels) -> Pixels:
    """List the colours of a picture: float32, (count, 3)."""
    from PIL import Image

    image = Image.fromarray(pixels)
    counts = image.getcolors(_MAX_COLOURS) or image.getcolors(pixels.shape[0] * pixels.shape[1]) or []
    return np.array([colour for _, colour in counts], np.float32)


def distances(pixels: Pixels, palette: Pixels) -> Pixels:
    """Measure how far each of some pixels, (count, 3), is from the nearest colour of a palette."""
    least = np.sum(pixels**2, 1) + np.min(np.sum(palette**2, 1) - 2 * pixels @ palette.T, 1)
    nearest: Pixels = np.sqrt(np.maximum(0, least))
    return nearest


def patch_means(plane: Pixels) -> Pixels:
    """Return the means of 8x8 patches; patches at the right and lower edges may be smaller."""
    height, width, *bands = plane.shape
    down, across = -(-height // PATCH_PX), -(-width // PATCH_PX)
    missing = [(0, down * PATCH_PX - height), (0, across * PATCH_PX - width), *((0, 0) for _ in bands)]
    if any(after for _, after in missing):
        plane = np.pad(plane, missing)
    rows = plane.reshape(down, PATCH_PX, across * PATCH_PX, *bands).sum(1)
    sums = rows.reshape(down, across, PATCH_PX, *bands).sum(2)
    heights, widths = (np.full(count, PATCH_PX) for count in (down, across))
    heights[-1] -= missing[0][1]
    widths[-1] -= missing[1][1]
    counts = np.outer(heights, widths).astype(np.float32)
    means: Pixels = sums / counts.reshape(counts.shape + (1,) * (plane.ndim - 2))
    return means
