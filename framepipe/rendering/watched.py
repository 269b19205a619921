"""A worker pool whose frames are watched: told to a `Presence`, and not begun without need or time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from framepipe.rendering.engines import Outcome, Task, WorkerPool
from framepipe.rendering.engines.base import Replace, Tasks, Worker
from framepipe.rendering.presence import Presence


class WatchedPool:
    """A worker pool that tells a `Presence` of each frame.

    Parameters
    ----------
    pool : WorkerPool
    presence : Presence
    is_done : callable, optional
        Returns True for the number of a frame that another task has drawn meanwhile: it is skipped.

    Attributes
    ----------
    skipped : list of int
    """

    def __init__(
        self, pool: WorkerPool, presence: Presence, is_done: Callable[[int], bool] | None = None
    ) -> None:
        self._pool, self._presence, self._is_done = pool, presence, is_done
        self.skipped: list[int] = []

    @property
    def checkpoints(self) -> bool:
        """See `WorkerPool`."""
        return self._pool.checkpoints

    def draw(self, tasks: Tasks, *, at_once: int | None = None) -> Iterator[tuple[Task, Outcome]]:
        """See `WorkerPool`."""
        for task, outcome in self._pool.draw(_WatchedTasks(tasks, self), at_once=at_once):
            self._presence.ended(task, outcome)
            yield task, outcome

    def may_begin(self) -> bool:
        """True if there is time for one more frame."""
        return self._presence.may_begin()

    def accepts(self, task: Task) -> bool:
        """Note a frame that is handed out; False if it is done already."""
        if self._is_done and task.keep and task.geometry is not None and self._is_done(task.number):
            self.skipped.append(task.number)
            return False
        self._presence.handed_out(task)
        return True


class _WatchedTasks:
    """A source of tasks, see `Tasks`."""

    def __init__(self, tasks: Tasks, pool: WatchedPool) -> None:
        self._tasks, self._pool = tasks, pool
        self.start, self.on_worker_exit = tasks.start, tasks.on_worker_exit

    @property
    def more(self) -> bool:
        return self._tasks.more

    def next(self, worker: Worker) -> Task | Replace | None:
        while True:
            task = self._tasks.next(worker) if self._pool.may_begin() else None
            if not isinstance(task, Task) or self._pool.accepts(task):
                return task
