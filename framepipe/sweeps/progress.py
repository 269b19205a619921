"""The progress of a sweep as one: frames of all points together, and which points are under way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from framepipe.core.control import Progress, ProgressCallback

#: Characters of the names of points beside a bar.
_NAMES_WIDTH = 40


class SweepProgress:
    """Tells the caller how far all points are.

    Parameters
    ----------
    callback : callable
    label : str
        The sweep's name.
    names : sequence of str
        Those of the points.
    """

    def __init__(self, callback: ProgressCallback, label: str, names: Sequence[str]) -> None:
        self._callback, self._label, self._names = callback, label, names
        self._last: dict[int, Progress] = {}  # of drawing, by position
        self._under_way: list[int] = []
        self._shown: Progress | None = None

    def begin(self, at: int) -> None:
        """Note that a point is under way."""
        self._under_way.append(at)

    def note(self, at: int, progress: Progress) -> None:
        """Tell a step of a point; encoding and the like only while no other point is under way."""
        if progress.stage != "draw":
            if self._under_way == [at]:
                self._tell(progress)
            return
        self._last[at] = progress
        self._tell(self._of_all(progress.news))

    def end(self, at: int, text: str) -> None:
        """Note that a point has ended, and tell what became of it."""
        self._under_way.remove(at)
        if (last := self._last.get(at)) is not None:
            self._last[at] = Progress("draw", last.done, last.done, last.failed)
        shown = self._shown
        self._tell(replace(shown, news=text) if shown and shown.stage != "draw" else self._of_all(text))

    def _tell(self, progress: Progress) -> None:
        self._shown = progress
        self._callback(progress)

    def _of_all(self, news: str) -> Progress:
        totals = [each.total for each in self._last.values()]
        known = [total for total in totals if total is not None]
        unknown = len(self._names) - len(totals)
        total = None
        if known and len(known) == len(totals):  # the others are taken to be as long
            total = sum(known) + unknown * max(known)
        stores = [self._last[at].store for at in self._under_way if at in self._last]
        return Progress(
            "draw",
            sum(each.done for each in self._last.values()),
            total,
            failed=sum(each.failed for each in self._last.values()),
            label=self._label,
            news=news,
            store=stores[0] if stores else "",
            part=self._part(),
        )

    def _part(self) -> str:
        """Say which points are under way: "2-3 of 6 points: amplitude=0.5, amplitude=1"."""
        if not self._under_way:
            return ""
        first, last = min(self._under_way) + 1, max(self._under_way) + 1
        which = f"{first}" if first == last else f"{first}-{last}"
        names = ", ".join(self._names[at] for at in self._under_way)
        names = names if len(names) <= _NAMES_WIDTH else f"{self._names[first - 1]} …"
        return f"{which} of {len(self._names)} points: {names}"
