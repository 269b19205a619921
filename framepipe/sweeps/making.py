"""Makes the points of a sweep: one after the other, or a few at once that share the workers.

Points are under way in threads of their own: a scene that is given by its address is loaded and drawn in
other processes, so that these only wait, hand out frames, and measure movies.
"""

from __future__ import annotations

import contextvars
import functools
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from framepipe.core.control import Control, Progress, ProgressCallback, Stop
from framepipe.errors import FramepipeError, Interrupted, UsageError
from framepipe.pipeline import MakeReport
from framepipe.sweeps.points import Point
from framepipe.sweeps.progress import SweepProgress
from framepipe.sweeps.report import SweepPoint

#: Points under way at once: one encodes, one draws, and the next loads its scene. Each has it in memory.
_AT_ONCE = 3
_TICK_S = 0.1
_END_S = 5.0

#: Makes a point: its position, its progress, its stop.
Make = Callable[[int, ProgressCallback, Stop], MakeReport]


def make_in_a_row(
    points: Sequence[Point], make: Make, control: Control, progress: SweepProgress
) -> list[SweepPoint]:
    """Make points one after the other, in this thread.

    Raises
    ------
    Interrupted
    UsageError
        The first one cannot be made as it is asked.
    """
    done: list[SweepPoint] = []
    for at in range(len(points)):
        began = time.perf_counter()
        progress.begin(at)
        outcome = _outcome(make, at, functools.partial(progress.note, at), control.stop)
        result = _result(points, at, outcome, began)
        progress.end(at, _news(at, result, len(points)))
        done.append(result)
    return done


def _outcome(make: Make, at: int, note: ProgressCallback, stop: Stop) -> MakeReport | Exception:
    try:
        return make(at, note, stop)
    except Exception as error:
        return error


def _result(
    points: Sequence[Point], at: int, outcome: MakeReport | BaseException, began: float
) -> SweepPoint:
    """Return what became of a point; raise what ends the sweep."""
    point = points[at]
    if isinstance(outcome, Interrupted):
        raise Interrupted(
            f"{point.name}, {at + 1} of {len(points)} points: {outcome}", signal_name=outcome.signal_name
        )
    if isinstance(outcome, BaseException):
        is_same_for_all = isinstance(outcome, UsageError) and at == 0
        if is_same_for_all or not isinstance(outcome, FramepipeError):
            raise outcome
    report, error = (None, outcome) if isinstance(outcome, FramepipeError) else (outcome, None)
    return SweepPoint(point.values, point.store, report, error, time.perf_counter() - began)


def _news(at: int, result: SweepPoint, count: int) -> str:
    return f"{at + 1} of {count} points: {result.summary()}"


def make_side_by_side(
    points: Sequence[Point], make: Make, control: Control, progress: SweepProgress
) -> list[SweepPoint]:
    """Make points in order, a few at once.

    Raises
    ------
    Interrupted, UsageError
        See `make_in_a_row`; the others have ended too.
    """
    return _SideBySide(points, make, control, progress).run()


class _SideBySide:
    """Some points under way in threads; this one starts them, tells their progress, and passes a stop on."""

    def __init__(
        self, points: Sequence[Point], make: Make, control: Control, progress: SweepProgress
    ) -> None:
        self._points, self._make, self._stop, self._progress = points, make, control.stop, progress
        self._messages: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        self._under_way: dict[int, _Way] = {}
        self._done: dict[int, SweepPoint] = {}
        self._interruptions: dict[int, Interrupted] = {}
        self._next = 0

    def run(self) -> list[SweepPoint]:
        """Make all points."""
        try:
            while self._may_begin() or self._under_way:
                if self._may_begin() and all(each.has_begun for each in self._under_way.values()):
                    self._begin()
                self._listen()
                for each in self._under_way.values():
                    self._stop.pass_on(each.stop)
        except BaseException:
            self._end_all()
            raise
        if self._interruptions:
            raise self._interruptions[min(self._interruptions)]
        if len(self._done) < len(self._points):
            name = self._points[self._next].name
            self._stop_before(name)
        return [self._done[at] for at in range(len(self._points))]

    def _stop_before(self, name: str) -> None:
        raise Interrupted(
            f"stopped{self._stop.by} before {name}, {self._next + 1} of {len(self._points)} points: what is "
            "done is safe. Run the same again to go on",
            signal_name=self._stop.signal_name,
        )

    def _may_begin(self) -> bool:
        is_over = self._stop.requested or self._interruptions or self._next == len(self._points)
        return not is_over and len(self._under_way) < _AT_ONCE

    def _begin(self) -> None:
        at = self._next
        self._next += 1
        self._under_way[at] = way = _Way(at, self._make, self._messages)
        self._progress.begin(at)
        way.thread.start()

    def _listen(self) -> None:
        """Take a message of a point: a step, or its end."""
        try:
            at, message = self._messages.get(timeout=_TICK_S)
        except queue.Empty:
            return
        way = self._under_way[at]
        if isinstance(message, Progress):
            way.has_begun |= message.stage == "draw" and message.done > 0
            self._progress.note(at, message)
            return
        way.thread.join()
        del self._under_way[at]
        try:
            result = _result(self._points, at, message, way.began)
        except Interrupted as interruption:  # the others end what they draw
            self._interruptions[at] = interruption
            for each in self._under_way.values():
                way.stop.pass_on(each.stop)
            return
        self._done[at] = result
        self._progress.end(at, _news(at, result, len(self._points)))

    def _end_all(self) -> None:
        """End all points now. A thread that a file system holds is left: it ends with the program."""
        for each in self._under_way.values():
            each.stop.request(self._stop.signal_name, grace_s=0)
        until = time.monotonic() + _END_S
        for each in self._under_way.values():
            each.thread.join(max(0.0, until - time.monotonic()))


class _Way:
    """A point under way in a thread.

    Attributes
    ----------
    stop : Stop
        Of this point alone: what engines keep in it is theirs.
    has_begun : bool
        It has drawn a frame.
    """

    def __init__(self, at: int, make: Make, messages: queue.SimpleQueue[tuple[int, Any]]) -> None:
        self.stop, self.began, self.has_begun = Stop(), time.perf_counter(), False

        def run() -> None:
            messages.put((at, _outcome(make, at, lambda step: messages.put((at, step)), self.stop)))

        context = contextvars.copy_context()
        self.thread = threading.Thread(
            target=context.run, args=(run,), name=f"framepipe-point-{at + 1}", daemon=True
        )
