"""Draws frames that a program records: in other processes while it continues, or in the program itself."""

from __future__ import annotations

import contextlib
import queue
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from framepipe.core.control import Stop
from framepipe.rendering.engines import Drawn, Failed, LocalEngine, Outcome, SerialEngine, Task, Work
from framepipe.rendering.engines.base import WorkerPool
from framepipe.rendering.schedule import InOrder, Live
from framepipe.scenes.picture import FrameGeometry

#: Frames that may wait per worker: a figure may have megabytes.
_MAX_QUEUE = 8
#: Seconds between looks whether the thread has failed, while a full queue is waited for.
_QUEUE_TIMEOUT_S = 0.5


class Drawing(ABC):
    """Draws frames that come one by one, and keeps what failed.

    Parameters
    ----------
    work : Work
    geometry : FrameGeometry or None
        That of the frames in the store; None if there are none: then the first frame fixes it.
    """

    def __init__(self, work: Work, geometry: FrameGeometry | None) -> None:
        self._work, self._geometry = work, geometry
        self._failed: list[Failed] = []

    @abstractmethod
    def add(self, task: Task) -> None:
        """Draw a frame, now or later."""

    def end(self) -> None:  # noqa: B027
        """Draw all pending frames, and end the processes that draw; the next frame starts new ones."""

    def take_failures(self) -> Sequence[Failed]:
        """Return and forget the failures since the last call; raise what has ended the drawing itself."""
        return [self._failed.pop(0) for _ in range(len(self._failed))]  # another thread may append

    def _keep(self, outcome: Outcome) -> None:
        if isinstance(outcome, Drawn):
            self._geometry = self._geometry if self._is_geometry_known else outcome.geometry
        elif isinstance(outcome, Failed):
            self._failed.append(outcome)

    @property
    def _is_geometry_known(self) -> bool:
        """True when the first frame has fixed the geometry of the others."""
        return self._geometry is not None and (
            self._geometry.box_in is not None or not self._work.canvas.tight
        )


class Foreground(Drawing):
    """Draws each frame at once, in the program itself."""

    def add(self, task: Task) -> None:
        """Draw a frame now."""
        with SerialEngine().pool(self._work, Stop(), 1) as pool:
            for _, outcome in pool.draw(InOrder([replace(task, geometry=self._geometry)])):
                self._keep(outcome)


class Background(Drawing):
    """Draws in worker processes, to which a thread of the program sends the frames.

    The first frame is drawn alone, since it fixes the geometry of the others. A frame whose process died is
    drawn once more, at once.
    """

    def __init__(self, work: Work, workers: int, geometry: FrameGeometry | None) -> None:
        super().__init__(work, geometry)
        self._workers = workers
        self._queue: queue.Queue[Task] = queue.Queue(_MAX_QUEUE * workers)
        self._retries: deque[Task] = deque()
        self._is_first_pending = self._is_ending = False
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None  # has ended the thread

    def add(self, task: Task) -> None:
        """Queue a frame; wait while too many are pending."""
        if self._is_ending:  # an earlier `end` was interrupted
            self.end()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="framepipe-recorder", daemon=True)
            self._thread.start()
        while self._error is None:
            with contextlib.suppress(queue.Full):
                self._queue.put(task, timeout=_QUEUE_TIMEOUT_S)
                return
        raise self._error

    def end(self) -> None:
        """See `Drawing`."""
        self._is_ending = True
        if self._thread is not None:
            self._thread.join()
        self._thread, self._is_ending = None, False

    def take_failures(self) -> Sequence[Failed]:
        """See `Drawing`."""
        if self._error is not None:
            raise self._error
        return super().take_failures()

    # in the thread

    def _run(self) -> None:
        try:
            with LocalEngine(self._workers).pool(self._work, Stop(), self._workers) as pool:
                self._draw(pool)
        except BaseException as error:  # raised in the program, at its next frame
            self._error = error

    def _draw(self, pool: WorkerPool) -> None:
        retried_numbers: set[int] = set()
        for task, outcome in pool.draw(Live(self._next, self._is_done)):
            is_lost = isinstance(outcome, Failed) and outcome.kind == "lost"
            if is_lost and task.number not in retried_numbers:
                retried_numbers.add(task.number)
                self._retries.append(task)
            else:
                self._keep(outcome)
            self._is_first_pending = False

    def _next(self) -> Task | None:
        """Return the next frame; None if there is none, or the first one is still being drawn."""
        if self._is_first_pending:
            return None
        try:
            task = self._retries.popleft() if self._retries else self._queue.get_nowait()
        except queue.Empty:
            return None
        self._is_first_pending = not self._is_geometry_known
        return replace(task, geometry=self._geometry)

    def _is_done(self) -> bool:
        return self._is_ending and self._queue.empty() and not self._retries
