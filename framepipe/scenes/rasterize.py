"""Turns a Figure into pixels by matplotlib's own ``savefig``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from framepipe.core.shape import Shape
from framepipe.errors import FrameSizeError, RenderError
from framepipe.job.canvas import Canvas
from framepipe.scenes.picture import Box, FrameGeometry, Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ALPHA = 3  # the byte of alpha among the four of a pixel, on any machine


class _Target:
    """The file that ``savefig(format="rgba")`` writes to: keeps the buffer and its size."""

    def __init__(self, figure: Figure) -> None:
        self._figure = figure

    def seek(self, *_: int) -> None:
        """Do nothing: matplotlib only checks that a file has this method."""

    def write(self, buffer: Any) -> None:
        self.dpi = float(self._figure.dpi)
        # Agg's own, until it draws again; it knows its shape: (height, width, 4)
        self.rgba = np.asarray(buffer, np.uint8)


def rasterise(
    figure: Figure, canvas: Canvas, geometry: FrameGeometry | None = None, **savefig: Any
) -> Picture:
    """Return the pixels that ``figure.savefig(…, dpi=canvas.dpi, transparent=…)`` would write.

    Parameters
    ----------
    figure : Figure
    canvas : Canvas
    geometry : FrameGeometry, optional
        The geometry of earlier frames; None for the first frame.
    **savefig
        Further keywords of ``savefig``.

    Raises
    ------
    FrameSizeError
        The frame has another size than ``geometry``, or transparent pixels in an opaque movie.
    """
    options: dict[str, Any] = {**canvas.savefig, **savefig, "format": "rgba"}
    if canvas.dpi is not None:
        options["dpi"] = canvas.dpi
    if canvas.transparent is not None:
        options["transparent"] = canvas.transparent
    box = geometry.box_in if geometry else None
    if canvas.tight:
        from matplotlib.transforms import Bbox

        box = box or _tight_box(figure, canvas.dpi)
        options |= {"bbox_inches": Bbox.from_extents(*box), "pad_inches": 0}
    target = _Target(figure)
    figure.savefig(target, **options)  # type: ignore[arg-type]
    picture = picture_of(target.rgba, geometry)
    is_copied = picture.pixels is not target.rgba
    return replace(
        picture,
        pixels=picture.pixels if is_copied else picture.pixels.copy(),
        geometry=FrameGeometry(picture.geometry.shape, box),
        dpi=target.dpi,
        background=_background(figure),
    )


def picture_of(pixels: npt.NDArray[np.uint8], geometry: FrameGeometry | None) -> Picture:
    """Make a frame of pixels: RGB if all are opaque; its shape must match that of earlier frames.

    Raises
    ------
    FrameSizeError
        See `rasterise`.
    """
    if pixels.shape[2] == 4 and not _is_transparent(pixels, geometry):
        pixels = _without_alpha(pixels)  # once, for its digest and its PNG
    elif pixels.shape[2] == 3 and geometry and geometry.shape.mode == "RGBA":
        pixels = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    height, width, channels = pixels.shape
    shape = Shape(width, height, "RGBA" if channels == 4 else "RGB")
    if geometry and shape != geometry.shape:
        raise FrameSizeError(geometry_mismatch(shape, geometry.shape))
    return Picture(pixels, FrameGeometry(shape))


def is_picture(thing: Any) -> bool:
    """True for an array of pixels and for a Pillow image."""
    return isinstance(thing, np.ndarray) or (hasattr(thing, "__array_interface__") and hasattr(thing, "mode"))


def pixels_of(thing: Any) -> npt.NDArray[np.uint8]:
    """Copy the pixels of an array or a Pillow image, of shape (height, width, 3 or 4).

    Raises
    ------
    RenderError
        The array is not of that shape, or not of uint8.
    """
    if hasattr(thing, "convert") and thing.mode not in ("RGB", "RGBA"):  # a Pillow image
        thing = thing.convert("RGBA" if "A" in thing.getbands() or "transparency" in thing.info else "RGB")
    pixels = np.array(thing)  # a copy: the program may change its own
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4) or not pixels.size:
        raise RenderError(
            f"a picture is uint8 of shape (height, width, 3 or 4); got {pixels.dtype} {pixels.shape}"
        )
    return pixels


def _is_transparent(rgba: npt.NDArray[np.uint8], geometry: FrameGeometry | None) -> bool:
    if geometry and geometry.shape.mode == "RGBA":
        return True
    if rgba.flags.c_contiguous and rgba.ctypes.data % 4 == 0:  # four bytes at once: nine times as fast
        return bool(np.bitwise_and.reduce(rgba.view(np.uint32), axis=None).tobytes()[_ALPHA] != 255)
    return not bool((rgba[..., 3] == 255).all())


def _without_alpha(rgba: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Copy the colours, by Pillow: three times as fast as numpy plane by plane."""
    from PIL import Image

    height, width, _ = rgba.shape
    image = Image.frombuffer("RGBA", (width, height), np.ascontiguousarray(rgba), "raw", "RGBA", 0, 1)
    return np.frombuffer(image.tobytes("raw", "RGB"), np.uint8).reshape(height, width, 3)


def geometry_mismatch(shape: Shape, first: Shape) -> str:
    """Return why a frame does not match the first one."""
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
    """Return the tight box in inches, padded as ``savefig`` pads it, widened to whole pixels."""
    from matplotlib import rcParams
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    dots = dpi or (figure.dpi if rcParams["savefig.dpi"] == "figure" else rcParams["savefig.dpi"])
    with _at_dpi(figure, dots):
        agg: Any = FigureCanvasAgg(figure)
        agg.draw()
        box = figure.get_tightbbox(agg.get_renderer())
    pad = rcParams["savefig.pad_inches"]
    x0, y0 = (np.floor((low - pad) * dots + 1e-6) for low in (box.x0, box.y0))
    x1, y1 = (np.ceil((high + pad) * dots - 1e-6) for high in (box.x1, box.y1))
    half = 0.25  # savefig truncates to whole pixels: stay clear of the edge
    return (x0 / dots, y0 / dots, (x1 + half) / dots, (y1 + half) / dots)


@contextmanager
def _at_dpi(figure: Figure, dots: float) -> Iterator[None]:
    previous, canvas = figure.dpi, figure.canvas
    figure.dpi = dots
    try:
        yield
    finally:
        figure.dpi = previous
        figure.set_canvas(canvas)


def warm_up() -> None:
    """Load Agg, the default font and our own drawing, which each worker would load for its first frame."""
    if "matplotlib.figure" not in sys.modules:
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    import framepipe.scenes.tapes  # noqa: F401

    figure = Figure(figsize=(1, 1), dpi=10)  # not registered with pyplot
    figure.text(0, 0, "0")
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
