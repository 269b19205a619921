"""Frames of which only what does not look as before is drawn; and the proof that this shows the same.

A frame that is due for it is also drawn in full, by plain ``savefig``, and compared byte for byte. The first
difference ends it for this process; `framepipe.rendering.session` deals with the frames before.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from framepipe.job.canvas import Canvas
from framepipe.scenes import matplotlib_private
from framepipe.scenes.picture import FrameGeometry, Picture
from framepipe.scenes.rasterize import rasterise

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from framepipe.scenes.tapes import Tapes, TappedCanvas

#: Frames after which is known whether it is faster: the first ones only record. Fewer if they take long.
_SOME_FRAMES, _FEW_FRAMES, _SLOW_S = 6, 2, 0.3
_USELESS = 0.95
#: Part of a slow frame that artists which have changed may take: from there on it is drawn in full at once.
_IN_VAIN = 0.9


class Incremental:
    """Draws the frames of one process, from memory where it may.

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
        self._gain = _Gain()

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
        redraw : {"full", "auto", "reuse", "compare"}
            Draw all; draw what has changed, and compare the first such frame of this process with all of it
            drawn; do not; compare this one.
        **savefig
        """
        if redraw == "full" or self._is_off or not _is_plain(figure):
            return rasterise(figure, canvas, geometry, **savefig)
        if self._tapes is not None and self._tapes.is_in_vain(figure, _SLOW_S, _IN_VAIN):
            self._is_off, self._tapes, self._canvas = True, None, None
            return replace(rasterise(figure, canvas, geometry, **savefig), redraw="useless")
        try:
            is_timed = self._gain.is_open and (redraw != "reuse" or self._gain.full_s is not None)
            began = time.process_time() if is_timed else 0.0  # asking the system takes time
            with self._drawing(figure) as tapes:
                picture = rasterise(figure, canvas, geometry, **savefig)
            drawn_s = time.process_time() - began if is_timed else None
        except Exception:  # the figure's own failure comes again
            self._is_off = True
            full = rasterise(figure, canvas, geometry, **savefig)
            return replace(full, redraw="differs" if self._tapes and self._tapes.reused else "full")
        if tapes.refused:
            self._is_off = True
            return picture
        is_due = redraw == "compare" or (redraw == "auto" and not (self._is_compared or tapes.is_first))
        if tapes.reused and is_due:
            return self._compared(picture, figure, canvas, geometry, savefig, drawn_s)
        if tapes.is_learning:
            return replace(picture, redraw="learning")
        return replace(picture, redraw=self._gain.verdict(drawn_s)) if tapes.reused else picture

    @contextmanager
    def _drawing(self, figure: Figure) -> Iterator[Tapes]:
        """Let ``savefig`` draw on our canvas."""
        from framepipe.scenes.tapes import Tapes, TappedCanvas

        if self._tapes is None:
            self._tapes = Tapes(self._figure)
        if self._canvas is None or self._canvas.figure is not figure:
            self._canvas = TappedCanvas(figure, self._tapes)
        before = figure.canvas
        figure.canvas = self._canvas
        try:
            yield self._tapes
        finally:
            figure.canvas = before

    def _compared(
        self,
        picture: Picture,
        figure: Figure,
        canvas: Canvas,
        geometry: FrameGeometry | None,
        savefig: Any,
        drawn_s: float | None,
    ) -> Picture:
        """The picture if it is what plain ``savefig`` gives, else that."""
        began = time.process_time()
        with matplotlib_private.without_layout(figure):  # it has come to where the picture has it
            full = rasterise(figure, canvas, geometry, **savefig)
        if np.array_equal(full.pixels, picture.pixels):
            self._is_compared = True
            self._gain.full_s = time.process_time() - began
            self._gain.verdict(drawn_s)
            return replace(picture, redraw="same")
        self._is_off = True
        return replace(full, redraw="differs")


class _Gain:
    """Whether drawing what has changed is faster than drawing all.

    Attributes
    ----------
    full_s : float or None
        Seconds that a frame took in full, when one was compared.
    is_open : bool
        True until that is known.
    """

    def __init__(self) -> None:
        self.full_s: float | None = None
        self.is_open = True
        self._least_s, self._count = float("inf"), 0

    def verdict(self, drawn_s: float | None) -> str:
        """Note what a frame took, if that was measured; return "reused", or "useless" once that is known."""
        if not self.is_open or drawn_s is None:
            return "reused"
        self._count, self._least_s = self._count + 1, min(self._least_s, drawn_s)
        if self.full_s is None or self._count < (_FEW_FRAMES if self.full_s > _SLOW_S else _SOME_FRAMES):
            return "reused"
        self.is_open = self._least_s > _USELESS * self.full_s
        return "useless" if self.is_open else "reused"


def _is_plain(figure: Figure) -> bool:
    """Drawn by matplotlib's Agg alone, and nobody else is called while it is drawn."""
    return matplotlib_private.is_drawn_by_agg(figure) and not matplotlib_private.calls_while_drawing(figure)
