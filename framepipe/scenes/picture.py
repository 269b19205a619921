"""A frame's picture and its geometry, as scenes give them; known without loading numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from framepipe.core import png
from framepipe.core.shape import Shape

try:
    from isal.isal_zlib import adler32, crc32
except ImportError:
    from zlib import adler32, crc32

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class FrameGeometry:
    """The geometry that the first frame fixes: the shape, and for a tight canvas the box in inches."""

    shape: Shape
    box_in: Box | None = None


@dataclass(frozen=True)
class Picture:
    """Pixels of one frame.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (height, width, 3 or 4)
        RGB if the movie's first frame was opaque, else RGBA with straight alpha.
    geometry : FrameGeometry
    dpi : float
    background : tuple of int or None
        The figure's face colour, (red, green, blue) of 0-255.
    png : bytes or None
        The file of these pixels, if a program wrote it: it is kept as it is.
    redraw : {"full", "learning", "reused", "useless", "same", "differs"}
        All of it was drawn; this took long, to make the next frames faster; parts were taken from earlier
        frames, which was faster or not; and were found the same as drawn in full; or differed, and this is
        what was drawn in full.
    """

    pixels: npt.NDArray[np.uint8]
    geometry: FrameGeometry
    dpi: float | None = None
    background: tuple[int, int, int] | None = None
    png: bytes | None = None
    redraw: str = "full"

    def encoded(self, stamp: str) -> bytes:
        """The frame's PNG file."""
        if self.png is not None:
            return png.with_stamp(self.png, stamp)
        return png.encode(self.pixels, stamp, dpi=self.dpi, background=self.background)

    def digest(self) -> str:
        """Equal for equal pixels, and hardly ever for others: two checksums, much faster than a hash."""
        import numpy as np

        data = np.ascontiguousarray(self.pixels)
        return f"{data.shape}-{crc32(data):08x}{adler32(data):08x}"
