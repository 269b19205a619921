"""From a Figure to pixels, by matplotlib's own ``savefig``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from framepipe import png
from framepipe.errors import FrameSizeError
from framepipe.job import Canvas
from framepipe.store import Shape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Fit:
    """What the first frame fixes for all: the shape, and for a tight canvas the box in inches."""

    shape: Shape
    box_in: Box | None = None


@dataclass(frozen=True)
class Picture:
    """Pixels of one frame.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (height, width, 3 or 4)
        RGB if the movie's first frame was opaque, else RGBA with straight alpha.
    fit : Fit
    dpi : float
    background : tuple of int or None
        The figure's face colour, (red, green, blue) of 0-255.
    png : bytes or None
        The file of these pixels, if a program wrote it: it is kept as it is.
    """

    pixels: npt.NDArray[np.uint8]
    fit: Fit
    dpi: float | None = None
    background: tuple[int, int, int] | None = None
    png: bytes | None = None

    def encoded(self, passport: str) -> bytes:
        """The frame's PNG file."""
        if self.png is not None:
            return png.with_passport(self.png, passport)
        return png.encode(self.pixels, passport, dpi=self.dpi, background=self.background)

    def digest(self) -> str:
        """Equal for equal pixels, and hardly ever for others."""
        return hashlib.blake2b(np.ascontiguousarray(self.pixels).data, digest_size=16).hexdigest()


class _Target:
    """The file that ``savefig(format="rgba")`` writes to: keeps the buffer and its size."""

    def __init__(self, figure: Figure) -> None:
        self._figure = figure

    def seek(self, *_: int) -> None:
        """There to look like a file: matplotlib asks only whether it exists."""

    def write(self, buffer: Any) -> None:
        self.dpi = float(self._figure.dpi)
        self.rgba = np.array(buffer, np.uint8)  # Agg's buffer knows its shape: (height, width, 4)


def rasterise(figure: Figure, canvas: Canvas, fit: Fit | None = None, **savefig: Any) -> Picture:
    """The pixels that ``figure.savefig(…, dpi=canvas.dpi, transparent=…)`` would give.

    Parameters
    ----------
    figure : Figure
    canvas : Canvas
    fit : Fit, optional
        What an earlier frame fixed; without it this frame is the first.
    **savefig
        Further keywords of ``savefig``.

    Raises
    ------
    FrameSizeError
        The frame has another size than ``fit``, or transparent pixels in an opaque movie.
    """
    options: dict[str, Any] = {**savefig, "format": "rgba"}
    if canvas.dpi is not None:
        options["dpi"] = canvas.dpi
    if canvas.transparent is not None:
        options["transparent"] = canvas.transparent
    box = fit.box_in if fit else None
    if canvas.tight:
        from matplotlib.transforms import Bbox

        box = box or _tight_box(figure, canvas.dpi)
        options |= {"bbox_inches": Bbox.from_extents(*box), "pad_inches": 0}
    target = _Target(figure)
    figure.savefig(target, **options)  # type: ignore[arg-type]
    picture = picture_of(target.rgba, fit)
    return replace(picture, fit=Fit(picture.fit.shape, box), dpi=target.dpi, background=_background(figure))


def picture_of(pixels: npt.NDArray[np.uint8], fit: Fit | None) -> Picture:
    """Pixels as a frame: RGB where all are opaque, and held against what an earlier frame fixed.

    Raises
    ------
    FrameSizeError
        See `rasterise`.
    """
    if pixels.shape[2] == 4 and not _see_through(pixels, fit):
        pixels = pixels[..., :3]
    elif pixels.shape[2] == 3 and fit and fit.shape.mode == "RGBA":
        pixels = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    height, width, channels = pixels.shape
    shape = Shape(width, height, "RGBA" if channels == 4 else "RGB")
    if fit and shape != fit.shape:
        raise FrameSizeError(misfit(shape, fit.shape))
    return Picture(pixels, Fit(shape))


def _see_through(rgba: npt.NDArray[np.uint8], fit: Fit | None) -> bool:
    if fit and fit.shape.mode == "RGBA":
        return True
    return not bool((rgba[..., 3] == 255).all())


def misfit(shape: Shape, first: Shape) -> str:
    """Why a frame does not go with the first one."""
    if shape.mode != first.mode:
        return (
            "the frame has transparent pixels, the first frame has none: use --transparent, "
            "or give every figure the same opaque face colour"
        )
    return (
        f"the frame is {shape.width}x{shape.height} px, the first frame {first.width}x{first.height}. "
        "Usual cause: bbox_inches='tight' (or savefig.bbox: tight), or another figsize or dpi: "
        "use --tight, which cuts all frames alike"
    )


def _background(figure: Figure) -> tuple[int, int, int]:
    from matplotlib.colors import to_rgba

    red, green, blue, alpha = to_rgba(figure.get_facecolor())
    if alpha == 0:
        return (255, 255, 255)
    return (round(red * 255), round(green * 255), round(blue * 255))


def _tight_box(figure: Figure, dpi: float | None) -> Box:
    """The tight box in inches, padded as ``savefig`` pads it, widened to whole pixels."""
    from matplotlib import rcParams
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    dots = dpi or (figure.dpi if rcParams["savefig.dpi"] == "figure" else rcParams["savefig.dpi"])
    with _drawn_at(figure, dots):
        agg: Any = FigureCanvasAgg(figure)
        agg.draw()
        box = figure.get_tightbbox(agg.get_renderer())
    pad = rcParams["savefig.pad_inches"]
    x0, y0 = (np.floor((low - pad) * dots + 1e-6) for low in (box.x0, box.y0))
    x1, y1 = (np.ceil((high + pad) * dots - 1e-6) for high in (box.x1, box.y1))
    half = 0.25  # savefig truncates to whole pixels: stay clear of the edge
    return (x0 / dots, y0 / dots, (x1 + half) / dots, (y1 + half) / dots)


@contextmanager
def _drawn_at(figure: Figure, dots: float) -> Iterator[None]:
    before, canvas = figure.dpi, figure.canvas
    figure.dpi = dots
    try:
        yield
    finally:
        figure.dpi = before
        figure.set_canvas(canvas)
