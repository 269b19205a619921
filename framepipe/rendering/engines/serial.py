"""Draws in this process, one frame after the other: for debugging, and for tiny jobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from framepipe.core.control import Stop
from framepipe.job.canvas import Canvas
from framepipe.job.read_tracer import ReadTracer
from framepipe.job.reads import Reads
from framepipe.rendering.engines.base import (
    CHANGED_VALUE,
    Drawn,
    Outcome,
    Task,
    Tasks,
    Work,
    WorkerPool,
    draw_frame,
    position_after,
)
from framepipe.rendering.engines.local import LocalEngine
from framepipe.rendering.engines.payload import folder_of
from framepipe.scenes.base import FrameRequest, Player
from framepipe.scenes.picture import FrameGeometry, Picture
from framepipe.scenes.state import StateWatch


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
            pool = _SerialPool(work, stop)
            try:
                yield pool
            finally:
                pool.close()


_START_POSITION: int | None = 0


class _SerialPool:
    exhausted = False
    checkpoints = False

    def __init__(self, work: Work, stop: Stop) -> None:
        self._work, self._stop = work, stop
        self._tracer: ReadTracer | None = None
        if work.scene.keeps_state:
            details = work.record.details
            loading = Reads(tuple(details.get("reads", ())), tuple(details["source"]))
            self._tracer = ReadTracer(work.store, {}, folder_of(work.scene), loading)
            self._watch = StateWatch(work.scene.state)
        self._start()

    def close(self) -> None:
        """End what observes this process."""
        if self._tracer is not None:
            self._tracer.close()

    def _start(self) -> None:
        self.frame_count, self.position = 0, _START_POSITION
        self._player: Player = self._work.scene.player(self._work.earlier)
        if self._tracer is not None and not self._work.scene.streams:
            self._player = _ReplayUnread(self._player, self._tracer)

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
            yield task, self._draw(task)

    def _draw(self, task: Task) -> Outcome:
        """Draw a frame, and observe what it reads; this process may be a program that reads for itself."""
        if self._tracer is None:
            return draw_frame(self._work, self._player, task)
        with self._tracer.at_work():
            outcome = draw_frame(self._work, self._player, task, self._watch, self._tracer)
        if isinstance(
            outcome, Drawn
        ):  # all frames in order are drawn here: they may change the scene's state
            outcome = replace(outcome, changed=tuple({CHANGED_VALUE} & {*outcome.changed}))
        return outcome


class _ReplayUnread:
    """A player that runs the updates before a frame one by one: what they read is not what it is drawn from.

    Parameters
    ----------
    player : Player
    tracer : ReadTracer
    """

    stands_in_script = False

    def __init__(self, player: Player, tracer: ReadTracer) -> None:
        self._player, self._tracer = player, tracer
        self._next = 0
        self.update_s = 0.0

    def advance(self, index: int) -> None:
        """See `Player`."""
        for at in range(self._next + 1, index + 1):
            self._player.advance(at)
            self._tracer.skip_frame()
        self._next = max(self._next, index)

    def picture(self, request: FrameRequest, canvas: Canvas, geometry: FrameGeometry | None) -> Picture:
        """See `Player`."""
        if request.replay:
            self.advance(request.index)
        self._next = request.index + 1
        picture = self._player.picture(request, canvas, geometry)
        self.update_s = self._player.update_s
        return picture
