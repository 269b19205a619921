"""Draws in this process, one frame after the other: for debugging, and for tiny jobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from framepipe.core.control import Stop
from framepipe.rendering.engines.base import (
    Outcome,
    Task,
    Tasks,
    Work,
    WorkerPool,
    draw_frame,
    position_after,
)
from framepipe.rendering.engines.local import LocalEngine


class SerialEngine:
    """Draws one frame at a time in this process, which a frame that hangs or crashes takes along."""

    name = "serial"
    workers = 1
    is_parallel = False

    @contextmanager
    def pool(self, work: Work, stop: Stop, count: int) -> Iterator[WorkerPool]:
        """See `Engine`."""
        if hasattr(work.scene, "stage"):  # a script needs a process of its own
            with LocalEngine(1).pool(work, stop, 1) as pool:
                yield pool
        else:
            yield _SerialPool(work, stop)


_START_POSITION: int | None = 0


class _SerialPool:
    exhausted = False
    checkpoints = False

    def __init__(self, work: Work, stop: Stop) -> None:
        self._work, self._stop = work, stop
        self._start()

    def _start(self) -> None:
        self.frame_count, self.position = 0, _START_POSITION
        self._player = self._work.scene.player(self._work.earlier)

    def draw(self, tasks: Tasks, *, at_once: int | None = None) -> Iterator[tuple[Task, Outcome]]:
        """See `WorkerPool`."""
        while not self._stop.requested and tasks.more:
            self._stop.tick()
            if (task := tasks.next(self)) is None and tasks.start() is None:
                return
            if not isinstance(task, Task):
                self._start()
                continue
            task = replace(task, in_order=task.replay or task.index == self.position)
            self.frame_count, self.position = self.frame_count + 1, position_after(self.position, task)
            yield task, draw_frame(self._work, self._player, task)
