"""Drawing in this process, one frame after the other: for debugging, and for tiny jobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from framepipe.control import Stop
from framepipe.engines.base import Crew, Outcome, Task, Tasks, Work, after, draw_frame


class SerialEngine:
    """One frame at a time in this process; a frame that hangs or crashes takes it along."""

    name = "serial"
    workers = 1
    splits = False

    @contextmanager
    def crew(self, work: Work, stop: Stop, wanted: int) -> Iterator[Crew]:
        """See `Engine`."""
        yield _Here(work, stop)


_START: int | None = 0


class _Here:
    worn = False

    def __init__(self, work: Work, stop: Stop) -> None:
        self._work, self._stop = work, stop
        self._begin()

    def _begin(self) -> None:
        self.drawn, self.position = 0, _START
        self._player = self._work.scene.player(self._work.earlier)

    def draw(self, tasks: Tasks, *, at_once: int | None = None) -> Iterator[tuple[Task, Outcome]]:
        """See `Crew`."""
        while not self._stop.requested and (task := tasks.next(self)) is not None:
            if not isinstance(task, Task):
                self._begin()
                continue
            self.drawn, self.position = self.drawn + 1, after(self.position, task)
            yield task, draw_frame(self._work, self._player, task)
