"""The palette of a GIF, if it is given (a picture, a colormap) or if the frames have few enough colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from framepipe.core.images import read_png
from framepipe.core.shape import Shape
from framepipe.errors import UsageError
from framepipe.formats.gif.colormap import colours_of
from framepipe.formats.recipe import Palette
from framepipe.options import PALETTES, EncodeOptions

_MAX_COLOURS = 256
_OPAQUE = 128  # minimum alpha of an opaque pixel in GIF


def resolve_palette(options: EncodeOptions, frames: Sequence[Path], shape: Shape) -> Palette | None:
    """Return the palette to use; None if the encoder chooses one.

    Parameters
    ----------
    options : EncodeOptions
    frames : sequence of Path
        All shown frames; read until there are too many colours, usually in the first.
    shape : Shape

    Raises
    ------
    UsageError
        A named palette does not exist, or has too many colours.
    """
    room = min(options.colors, _MAX_COLOURS - (shape.mode != "RGB"))
    if options.palette not in PALETTES:
        return Palette(tuple(named_palette(options.palette, room)), exact=False)
    if options.palette == "per-frame":
        return None
    colours = all_colours(dict.fromkeys(frames), room)
    return Palette(tuple(colours), exact=True) if colours else None


def named_palette(name: str, room: int = _MAX_COLOURS) -> list[tuple[int, int, int]]:
    """Return the colours of a picture or a colormap.

    Parameters
    ----------
    name : str
        A picture's file, whose colours are used unchanged; or a colormap of matplotlib, to which
        greys are added, for text and axes.
    room : int
        Maximum number of colours.

    Raises
    ------
    UsageError
    """
    path = Path(name)
    if not path.is_file():
        if (colours := colours_of(name, room)) is None:
            raise UsageError(
                f"palette {name!r} is none of {', '.join(PALETTES)}, no existing picture and no "
                "colormap of matplotlib's"
            )
        return colours
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            rgba = np.asarray(image.convert("RGBA"))
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise UsageError(f"palette {name} is no picture: {error}") from None
    codes = np.unique(_codes(rgba))
    if not 1 <= len(codes) <= room:
        raise UsageError(f"palette {name} has {len(codes)} colours; give a picture of 1 to {room}")
    return _triples(codes)


def all_colours(frames: Sequence[Path] | dict[Path, None], room: int) -> list[tuple[int, int, int]]:
    """Return all colours of all frames if they are at most ``room``, else none."""
    is_used = np.zeros(1 << 24, np.bool_)
    count = 0
    for path in frames:
        codes = _codes(read_png(path))
        new = np.unique(codes[~is_used[codes]])
        is_used[new] = True
        count += len(new)
        if count > room:
            return []
    return _triples(np.flatnonzero(is_used)) or [(0, 0, 0)]


def _codes(rgba: npt.NDArray[np.uint8]) -> npt.NDArray[np.integer]:
    """Encode each opaque pixel as one number."""
    pixels = rgba[rgba[..., 3] >= _OPAQUE].astype(np.uint32)
    return pixels[:, 0] << 16 | pixels[:, 1] << 8 | pixels[:, 2]


def _triples(codes: npt.NDArray[np.integer]) -> list[tuple[int, int, int]]:
    return [(int(code) >> 16, int(code) >> 8 & 255, int(code) & 255) for code in codes]
