"""A scene of the frames that a running script shows or saves by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framepipe.errors import UsageError
from framepipe.job.frames import MAX_FRAMES, Frames, Unknowns
from framepipe.job.source_code import digest_source, local_sources
from framepipe.scenes.base import BaseScene, FrameRequest, Player, RunOn
from framepipe.scenes.incremental import Incremental
from framepipe.scenes.picture import FrameGeometry, Picture
from framepipe.scenes.rcparams import keep_rcparams
from framepipe.scenes.scripts.moments import Moment, Series

if TYPE_CHECKING:
    from framepipe.job.canvas import Canvas

#: Keywords of ``savefig`` that say how a file is written, not what is in the picture.
_OF_THE_FILE = ("format", "metadata", "pil_kwargs", "backend", "papertype", "orientation", "bbox_inches")


class CapturedScene(BaseScene):
    """A loop with ``plt.pause``, ``writer.grab_frame``, or ``savefig`` under numbered names.

    Parameters
    ----------
    path : str
        The script.
    series : Series
        Its frames so far.
    moment : Moment
        The first frame, at which this process is.
    count : int or None
        Number of frames; None if the script has not ended yet.
    """

    keeps_state = False  # irrelevant: it always runs in order
    runs_updates = streams = True

    def __init__(self, path: str, series: Series, moment: Moment, count: int | None) -> None:
        script = Path(path).resolve()
        self.name, self.stem, self.ref = series.name, script.stem, str(script)
        self.params: Mapping[str, Any] = {}
        self.sources = local_sources(script)
        self.moment, self._series, self._count = moment, series, count
        rate = series.fps or (1 / series.interval_s if series.interval_s else None)
        self.fps = Fraction(str(rate)).limit_denominator(1001) if rate else None

    def frames(self, selection: Any = None) -> Frames:
        """Return the plan: all frames, or a selection by index, from 0."""
        if selection is None:
            if self._count is None:
                return Frames(range(MAX_FRAMES), Unknowns(MAX_FRAMES), "", extent="growing")
            return Frames(range(self._count), Unknowns(self._count), "")
        plan = Frames.of(selection)
        if not plan.are_numbers or list(plan.numbers) != sorted(plan.numbers) or plan.numbers[0] < 0:
            raise UsageError(
                f"frames of {self.name} are selected by index, rising from 0: give a count or a range"
            )
        return Frames(plan.numbers, Unknowns(len(plan)), plan.spec, indices=plan.numbers)

    def code_digest(self) -> str:
        """Return the digest of the whole script, since all of it runs."""
        return digest_source(Path(self.ref).read_text(encoding="utf-8", errors="replace"))

    def data(self) -> Mapping[str, str]:
        """Return nothing: files that the script reads and its seed are recorded elsewhere."""
        return {}

    style = state = data

    def player(self, earlier: Mapping[int, Any] | Sequence[Any] = ()) -> Player:
        """See `Scene`."""
        return _CapturedPlayer(self)


class _CapturedPlayer:
    """Draws the frame that the script has reached."""

    stands_in_script = True

    def __init__(self, scene: CapturedScene) -> None:
        self._scene = scene
        self._incremental = Incremental()
        self.update_s = 0.0

    def advance(self, index: int) -> None:
        """See `Player`."""
        if self._scene.moment.index < index:
            raise RunOn

    def picture(self, request: FrameRequest, canvas: Canvas, geometry: FrameGeometry | None) -> Picture:
        """See `Player`."""
        self.advance(request.index)
        moment = self._scene.moment
        savefig = {name: value for name, value in moment.savefig.items() if name not in _OF_THE_FILE}
        with keep_rcparams():
            return self._incremental.rasterise(moment.figure, canvas, geometry, request.redraw, **savefig)
