"""The pictures of an animated file, read with Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from framepipe.core.control import Control
from framepipe.core.images import open_frames

if TYPE_CHECKING:
    from PIL.Image import Image


def each_picture(movie: Path, positions: range | list[int], control: Control) -> Iterator[Image]:
    """Yield the pictures at some positions of a file that Pillow reads, in turn.

    Raises
    ------
    Interrupted
    """
    with open_frames(movie) as image:
        for position in positions:
            control.check(f"verifying {movie.name}")
            image.seek(position)
            image.load()
            yield image
