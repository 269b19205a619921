"""Frames of one figure, of which only what has changed is drawn; and the proof that this shows the same.

A frame that is due for it is also drawn in full, by plain ``savefig``, and compared byte for byte. The first
difference ends it for this process; `framepipe.rendering.session` deals with the frames before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from framepipe.job.canvas import Canvas
from framepipe.scenes import matplotlib_private
from framepipe.scenes.rasterize import FrameGeometry, Picture, rasterise

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from framepipe.scenes.tapes import Tapes, TappedCanvas


class Incremental:
    """Draws frames of a figure that stays, in one process.

    Parameters
    ----------
    figure : Figure, optional
        The figure of all frames, if it is known. Otherwise one that comes twice in a row is taken for it.
    """

    def __init__(self, figure: Figure | None = None) -> None:
        self._figure: Any = figure
        self._tapes: Tapes | None = None
        self._canvas: TappedCanvas | None = None
        self._is_off = self._is_compared = False

    @property
    def size_bytes(self) -> int:
        """Memory that is taken by what is on tape, about."""
        return self._tapes.size_bytes if self._tapes else 0

    def rasterise(
        self, figure: Figure, canvas: Canvas, geometry: FrameGeometry | None, redraw: str, **savefig: Any
    ) -> Picture:
        """The pixels of a frame, see `framepipe.scenes.rasterize.rasterise`.

        Parameters
        ----------
        figure : Figure
        canvas : Canvas
        geometry : FrameGeometry or None
        redraw : {"full", "auto", "compare"}
            Draw all; draw what has changed; do both and compare.
        **savefig
        """
        if redraw == "full" or self._is_off or not self._knows(figure) or not _is_plain(figure):
            return rasterise(figure, canvas, geometry, **savefig)
        try:
            with self._drawing(figure) as tapes:
                picture = rasterise(figure, canvas, geometry, **savefig)
        except Exception:  # the figure's own failure comes again
            self._is_off = True
            full = rasterise(figure, canvas, geometry, **savefig)
            return replace(full, redraw="differs" if self._tapes and self._tapes.replayed else "full")
        if tapes.refused:
            self._is_off = True
            return picture
        if not tapes.replayed:
            return picture
        if redraw == "auto" and self._is_compared:
            return replace(picture, redraw="reused")
        return self._compared(picture, figure, canvas, geometry, savefig)

    def _knows(self, figure: Figure) -> bool:
        if figure is not self._figure:
            self._figure, self._tapes, self._canvas = figure, None, None
            return False
        return True

    @contextmanager
    def _drawing(self, figure: Figure) -> Iterator[Tapes]:
        """Let ``savefig`` draw on our canvas."""
        if self._tapes is None or self._canvas is None:
            from framepipe.scenes.tapes import Tapes, TappedCanvas

            self._tapes = Tapes()
            self._canvas = TappedCanvas(figure, self._tapes)
        before = figure.canvas
        figure.canvas = self._canvas
        try:
            yield self._tapes
        finally:
            figure.canvas = before

    def _compared(
        self, picture: Picture, figure: Figure, canvas: Canvas, geometry: FrameGeometry | None, savefig: Any
    ) -> Picture:
        """The picture if it is what plain ``savefig`` gives, else that."""
        with matplotlib_private.without_layout(figure):  # it has come to where the picture has it
            full = rasterise(figure, canvas, geometry, **savefig)
        if np.array_equal(full.pixels, picture.pixels):
            self._is_compared = True
            return replace(picture, redraw="same")
        self._is_off = True
        return replace(full, redraw="differs")


def _is_plain(figure: Figure) -> bool:
    """Drawn by matplotlib's Agg alone, and nobody else is called while it is drawn."""
    return matplotlib_private.is_drawn_by_agg(figure) and not matplotlib_private.calls_while_drawing(figure)
