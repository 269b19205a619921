"""The colours of a GIF, where they are given (a picture, a colormap) or few enough to be all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from framepipe.errors import UsageError
from framepipe.pictures import read_png
from framepipe.recipes import PALETTES, Options, Palette
from framepipe.scenes.colormap import colours_of
from framepipe.store import Shape

_MOST = 256
_OPAQUE = 128  # alpha from which GIF shows a pixel


def settle(options: Options, frames: Sequence[Path], shape: Shape) -> Palette | None:
    """The palette to use; None if the encoder is to choose one.

    Parameters
    ----------
    options : Options
    frames : sequence of Path
        All that are shown; read until there are too many colours, which is usually in the first.
    shape : Shape

    Raises
    ------
    UsageError
        A palette was named that there is not, or that has too many colours.
    """
    room = min(options.colors, _MOST - (shape.mode != "RGB"))
    if options.palette not in PALETTES:
        return Palette(tuple(given(options.palette, room)), exact=False)
    if options.palette == "per-frame":
        return None
    colours = all_colours(dict.fromkeys(frames), room)
    return Palette(tuple(colours), exact=True) if colours else None


def given(name: str, room: int = _MOST) -> list[tuple[int, int, int]]:
    """The colours of a picture or a colormap.

    Parameters
    ----------
    name : str
        A picture's file, whose colours are taken as they are; or a colormap of matplotlib's, whose
        colours are joined by greys, for text and axes.
    room : int
        At most so many.

    Raises
    ------
    UsageError
    """
    path = Path(name)
    if not path.is_file():
        if (colours := colours_of(name, room)) is None:
            raise UsageError(
                f"palette {name!r} is none of {', '.join(PALETTES)}, no picture that is there and no "
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
    """All colours of all frames, if they are at most ``room``; else none."""
    known = np.zeros(1 << 24, np.bool_)
    count = 0
    for path in frames:
        codes = _codes(read_png(path))
        new = np.unique(codes[~known[codes]])
        known[new] = True
        count += len(new)
        if count > room:
            return []
    return _triples(np.flatnonzero(known)) or [(0, 0, 0)]


def _codes(rgba: npt.NDArray[np.uint8]) -> npt.NDArray[np.integer]:
    """Each pixel that is seen as one number."""
    pixels = rgba[rgba[..., 3] >= _OPAQUE].astype(np.uint32)
    return pixels[:, 0] << 16 | pixels[:, 1] << 8 | pixels[:, 2]


def _triples(codes: npt.NDArray[np.integer]) -> list[tuple[int, int, int]]:
    return [(int(code) >> 16, int(code) >> 8 & 255, int(code) & 255) for code in codes]
