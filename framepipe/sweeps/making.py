"""Makes the points of a sweep: the frames of one or a few are drawn while the movies before are made.

Points whose scene is given by its address are under way in threads of their own: it is loaded and drawn in
other processes, so that these only wait, hand out frames, and measure movies. Any other scene is of this
process, and stays with the thread that calls: only the movies, which need nothing of it, are made beside.
"""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from framepipe.core.control import Control, Progress, ProgressCallback, Stop
from framepipe.errors import FramepipeError, Interrupted, UsageError
from framepipe.pipeline.frames_for_movies import FramesForMovies
from framepipe.pipeline.report import MakeReport
from framepipe.sweeps.points import Point
from framepipe.sweeps.progress import SweepProgress
from framepipe.sweeps.report import SweepPoint

#: Points under way at once: one encodes, one draws, and the next loads its scene. Each has it in memory.
_AT_ONCE = 3
_TICK_S = 0.1
_END_S = 5.0

#: Draws a point: its position, its progress, its stop.
Draw = Callable[[int, ProgressCallback, Stop], FramesForMovies]


@dataclass(frozen=True)
class _End:
    """The end of a point: its report, or what was raised; and when it was."""

    outcome: MakeReport | BaseException
    at_s: float


def make_in_a_row(
    points: Sequence[Point], draw: Draw, control: Control, progress: SweepProgress
) -> list[SweepPoint]:
    """Draw points one after the other, in this thread; the movies of each are made while the next is drawn.

    Raises
    ------
    Interrupted
    UsageError
        The first one cannot be made as it is asked.
    """
    return _InARow(points, draw, control, progress).run()


class _InARow:
    """Points that are drawn in this thread, and one other that makes their movies."""

    def __init__(
        self, points: Sequence[Point], draw: Draw, control: Control, progress: SweepProgress
    ) -> None:
        self._points, self._draw, self._stop, self._progress = points, draw, control.stop, progress
        self._began: list[float] = []
        self._ending: Exception | None = None  # raised by another point while one is drawn
        self._done: dict[int, SweepPoint] = {}
        self._frames: queue.SimpleQueue[tuple[int, FramesForMovies] | None] = queue.SimpleQueue()
        self._messages: queue.SimpleQueue[tuple[int, Progress | _End]] = queue.SimpleQueue()

    def run(self) -> list[SweepPoint]:
        """Make all points."""
        with self._movies_beside() as stop:
            for at in range(len(self._points)):
                self._begin(at, stop)
            while len(self._done) < len(self._points):
                self._listen(stop, wait_s=_TICK_S)
        return [self._done[at] for at in range(len(self._points))]

    @contextmanager
    def _movies_beside(self) -> Iterator[Stop]:
        """Make movies in a thread, which ends with the context; yield its stop."""
        stop = Stop()
        context = contextvars.copy_context()
        thread = threading.Thread(
            target=context.run, args=(self._make_movies, stop), name="framepipe-movies", daemon=True
        )
        thread.start()
        try:
            yield stop
        except BaseException:
            stop.request(self._stop.signal_name, grace_s=0)
            raise
        finally:
            self._frames.put(None)
            thread.join(_END_S)

    def _make_movies(self, stop: Stop) -> None:
        while (item := self._frames.get()) is not None:
            at, frames = item

            def note(step: Progress, at: int = at) -> None:
                self._messages.put((at, step))

            try:
                outcome: MakeReport | BaseException = frames.make_movies(Control(note, stop))
            except BaseException as error:
                outcome = error
            self._messages.put((at, _End(outcome, time.perf_counter())))

    def _begin(self, at: int, stop: Stop) -> None:
        """Draw a point, and hand it over to the other thread."""
        self._began.append(time.perf_counter())
        self._progress.begin(at)

        def note(step: Progress) -> None:
            self._listen(stop)
            self._progress.note(at, step)

        try:
            frames = self._draw(at, note, self._stop)
        except Exception as error:
            if self._ending is not None:
                raise
            self._end(at, _End(error, time.perf_counter()))
            return
        self._frames.put((at, frames))
        self._listen(stop)

    def _listen(self, stop: Stop, wait_s: float = 0.0) -> None:
        """Take the messages of the other thread, and pass a stop on to it."""
        try:
            while True:
                self._stop.pass_on(stop)
                at, message = self._messages.get(timeout=wait_s) if wait_s else self._messages.get_nowait()
                if isinstance(message, Progress):
                    self._progress.note(at, message)
                else:
                    self._end(at, message)
                    return
        except queue.Empty:
            return

    def _end(self, at: int, end: _End) -> None:
        try:
            self._done[at] = result = _result(self._points, at, end, self._began[at])
        except Exception as error:
            self._ending = error
            raise
        self._progress.end(at, _news(at, result, len(self._points)))


def _result(points: Sequence[Point], at: int, end: _End, began: float) -> SweepPoint:
    """Return what became of a point; raise what ends the sweep."""
    point, outcome = points[at], end.outcome
    if isinstance(outcome, Interrupted):
        raise Interrupted(
            f"{point.name}, {at + 1} of {len(points)} points: {outcome}", signal_name=outcome.signal_name
        )
    if isinstance(outcome, BaseException):
        is_same_for_all = isinstance(outcome, UsageError) and at == 0
        if is_same_for_all or not isinstance(outcome, FramepipeError):
            raise outcome
    report, error = (None, outcome) if isinstance(outcome, FramepipeError) else (outcome, None)
    return SweepPoint(point.values, point.store, report, error, end.at_s - began)


def _news(at: int, result: SweepPoint, count: int) -> str:
    return f"{at + 1} of {count} points: {result.summary()}"


def make_side_by_side(
    points: Sequence[Point], draw: Draw, control: Control, progress: SweepProgress
) -> list[SweepPoint]:
    """Make points in order, a few at once.

    Raises
    ------
    Interrupted, UsageError
        See `make_in_a_row`; the others have ended too.
    """
    return _SideBySide(points, draw, control, progress).run()


class _SideBySide:
    """Some points under way in threads; this one starts them, tells their progress, and passes a stop on."""

    def __init__(
        self, points: Sequence[Point], draw: Draw, control: Control, progress: SweepProgress
    ) -> None:
        self._points, self._draw, self._stop, self._progress = points, draw, control.stop, progress
        self._messages: queue.SimpleQueue[tuple[int, Progress | _End]] = queue.SimpleQueue()
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
        self._under_way[at] = way = _Way(at, self._draw, self._messages)
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

    def __init__(self, at: int, draw: Draw, messages: queue.SimpleQueue[tuple[int, Progress | _End]]) -> None:
        self.stop, self.began, self.has_begun = Stop(), time.perf_counter(), False

        def run() -> None:
            def note(step: Progress) -> None:
                messages.put((at, step))

            try:
                outcome: MakeReport | BaseException = draw(at, note, self.stop).make_movies(
                    Control(note, self.stop)
                )
            except BaseException as error:
                outcome = error
            messages.put((at, _End(outcome, time.perf_counter())))

        context = contextvars.copy_context()
        self.thread = threading.Thread(
            target=context.run, args=(run,), name=f"framepipe-point-{at + 1}", daemon=True
        )
