"""Drawing in this process, one frame after the other: for debugging, and for tiny jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from framepipe.control import Stop
from framepipe.engines.base import Crew, Outcome, Task, Work, draw_frame


class SerialEngine:
    """One frame at a time in this process; a frame that hangs or crashes takes it along."""

    name = "serial"
    workers = 1

    @contextmanager
    def crew(self, work: Work, stop: Stop, wanted: int) -> Iterator[Crew]:
        """See `Engine`."""
        yield _Here(work, stop)


class _Here:
    def __init__(self, work: Work, stop: Stop) -> None:
        self._work, self._stop = work, stop

    def draw(self, tasks: Iterable[Task], *, at_once: int | None = None) -> Iterator[Outcome]:
        for task in tasks:
            if self._stop.requested:
                return
            yield draw_frame(self._work, task)
