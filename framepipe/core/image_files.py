"""Pictures that other programs wrote: recognised by their content, whatever their name says."""

from __future__ import annotations

import glob
import io
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framepipe.core import png
from framepipe.core.files import PathLike
from framepipe.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

#: What Pillow may try. Not EPS, for which it starts Ghostscript, and no format that it only guesses.
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF", "PPM", "JPEG2000", "AVIF", "SGI")
_DEPTH, _INTERLACE = 24, 28  # bytes of a PNG file's header
_NOT_PLAIN_CHUNKS = {b"tRNS", b"acTL"}  # a transparent colour; an animation
NUMBERS = ("order", "names")
_MAX_DIGITS = 18


class InvalidImage(ValueError):
    """The bytes are no picture, or a damaged one; the message is a noun phrase: "a damaged JPEG (…)"."""


@dataclass(frozen=True)
class Decoded:
    """A picture's pixels.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (height, width, 3 or 4)
        RGB, or RGBA with straight alpha where the file has transparency of any kind.
    dpi : float or None
        None if the file does not say.
    """

    pixels: npt.NDArray[np.uint8]
    dpi: float | None


def plain_png(data: bytes) -> png.PngInfo | None:
    """Inspect a PNG; None unless it can be a frame as it is: whole, 8 bits, RGB or RGBA, not interlaced."""
    info = png.inspect_bytes(data)
    if info.damage or info.mode not in ("RGB", "RGBA") or data[_INTERLACE]:
        return None
    kinds = {kind for kind, _, _ in png.chunks(data)}
    return None if kinds & _NOT_PLAIN_CHUNKS else info


def decode(data: bytes) -> Decoded:
    """Decode a picture; the first one if the file has several.

    Palettes, grey, CMYK and so on become RGB, or RGBA if anything in them is transparent. 16-bit
    samples keep their upper 8 bits (W3C PNG, 13.12: off by one level at most). A photograph is rotated
    as its EXIF says. Colour profiles are not applied.

    Parameters
    ----------
    data : bytes
        The whole file.

    Raises
    ------
    InvalidImage
    """
    if data.startswith(png.SIGNATURE):
        _check_png(data)
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=_known_formats()) as image:
            format_ = image.format or "picture"
            image.load()
            if format_ != "PNG":
                ImageOps.exif_transpose(image, in_place=True)
            return Decoded(_pixels(image, format_), _dpi(image))
    except UnidentifiedImageError:
        raise InvalidImage(_describe_other(data)) from None
    except InvalidImage:
        raise
    except Exception as error:  # whatever a decoder raises on damage
        raise InvalidImage(f"a damaged picture ({error or type(error).__name__})") from None


def _check_png(data: bytes) -> None:
    """Check what Pillow does not: it accepts a PNG whose end is missing."""
    if damage := png.inspect_bytes(data).damage:
        raise InvalidImage(f"a damaged PNG ({damage})")
    if data[_DEPTH] == 16 and b"tRNS" in {kind for kind, _, _ in png.chunks(data)}:
        raise InvalidImage("a PNG of 16 bits with a transparent colour: write an alpha channel instead")


def _known_formats() -> list[str]:
    from PIL import Image

    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def _describe_other(data: bytes) -> str:
    return f"something that is no picture (first bytes {data[:16]!r})" if data else "an empty file (0 bytes)"


def _pixels(image: Image.Image, format_: str) -> npt.NDArray[np.uint8]:
    import numpy as np

    if image.mode.startswith("I;16") or (image.mode == "I" and format_ == "PNG"):  # "I": Pillow 10
        grey = (np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise InvalidImage(f"a {format_} of 32 bits, whose white is not known: write 8 or 16 bits")
    converted = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return np.asarray(converted)


def _dpi(image: Image.Image) -> float | None:
    dpi_pair: Any = image.info.get("dpi")
    try:
        dpi = float(dpi_pair[0])
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
    return dpi if 1 <= dpi <= 100_000 else None


def find(pictures: PathLike | Sequence[PathLike]) -> list[Path]:
    """List files by a glob pattern or by their names, in natural order: ``img_2`` before ``img_10``.

    Raises
    ------
    UsageError
        There are none, or one is no file.
    """
    if isinstance(pictures, (str, os.PathLike)):
        text = os.fspath(pictures)
        candidates: Iterable[PathLike] = [text]
        if not os.path.lexists(text):
            matches = map(Path, glob.glob(text, recursive=True))  # noqa: PTH207 (patterns from / too)
            candidates = (path for path in matches if not path.is_dir())
    else:
        candidates = pictures
    paths = {Path(os.path.abspath(path)): None for path in candidates}
    if not paths:
        raise UsageError(f"no file matches {pictures!r}: give a pattern as in 'old/img_*.png', quoted")
    for path in paths:
        if not path.is_file():
            is_what = "is a folder: name its pictures" if path.is_dir() else "is no file"
            raise UsageError(f"{path} {is_what}, as in 'old/img_*.png'")
    return sorted(paths, key=_natural)


def _natural(path: Path) -> tuple[Any, ...]:
    """Return a sort key in which digits count as numbers; ties are sorted by their text."""
    parts = [re.split(r"([0-9]+)", part) for part in path.parts]
    keys = [[int(text) if place % 2 else text for place, text in enumerate(part)] for part in parts]
    return keys, path.parts


def number(paths: Sequence[Path], numbers: str) -> dict[int, Path]:
    """Number pictures: by their position in the list, or with "names" by the last digits of their names.

    Raises
    ------
    UsageError
        Neither "order" nor "names"; or a name without a number, or two with the same.
    """
    if numbers not in NUMBERS:
        raise UsageError(f"numbers is {numbers!r}; give one of {', '.join(NUMBERS)}")
    if numbers == "order":
        return dict(enumerate(paths))
    by_number: dict[int, Path] = {}
    for path in paths:
        frame_number = _number_in(path)
        if frame_number in by_number:
            raise UsageError(
                f"{by_number[frame_number]} and {path} both have the number {frame_number}: "
                "leave one out, or number them in their order (--numbers order)"
            )
        by_number[frame_number] = path
    return dict(sorted(by_number.items()))


def _number_in(path: Path) -> int:
    digits = re.findall(r"[0-9]+", path.stem)
    if not digits or len(digits[-1]) > _MAX_DIGITS:
        raise UsageError(
            f"{path.name} has no number of 1 to {_MAX_DIGITS} digits in its name: "
            "leave it out, or number all in their order (--numbers order)"
        )
    return int(digits[-1])
