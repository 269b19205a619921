"""Decides which worker draws which frame: in order, in chunks, in contiguous ranges, or by fixed lists."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise

from framepipe.rendering.engines.base import Replace, Task, Tasks, Worker


class InOrder:
    """Hands out frames in order, each to the next free worker.

    A frame to be replayed goes only to a worker that has not passed it yet.

    Parameters
    ----------
    tasks : iterable of Task
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = iter(tasks)
        self._next = next(self._tasks, None)

    @property
    def more(self) -> bool:
        """See `Tasks`."""
        return self._next is not None

    def start(self) -> int | None:
        """See `Tasks`."""
        return _start_of(self._next) if self._next is not None else None

    def next(self, worker: Worker) -> Task | Replace | None:
        """See `Tasks`."""
        task = self._next
        if task is None:
            return None
        if not _reaches(worker, task) if task.replay else worker.exhausted:
            return Replace(_start_of(task))
        self._next = next(self._tasks, None)
        return task

    def on_worker_exit(self, worker: Worker) -> None:
        """See `Tasks`."""

    def end(self, index: int) -> None:
        """Hand out no frames from this index on: the scene has ended."""
        self._next = None


def _start_of(task: Task) -> int:
    return task.index if task.replay else 0


@dataclass(eq=False)
class _Chunk:
    """Neighbouring frames for one worker, which begins where all updates before them have run."""

    tasks: deque[Task]
    owner: Worker | None = None
    follower: _Chunk | None = None
    head: Task | None = None

    @property
    def start(self) -> int:
        return self.tasks[0].index


class Chunks:
    """Hands out frames that need all updates before them, in chunks of neighbours.

    Each chunk begins with a worker that was forked where all updates before it have run; a worker that has
    finished its chunk goes on with the next one if that is free and near. Where two chunks meet, the worker
    of the first also draws the first frame of the second, only to compare: if drawing itself changes later
    frames, the two pictures differ.

    Parameters
    ----------
    tasks : iterable of Task
        Frames to be replayed, in rising order.
    sizes : iterable of int
        Frames in each chunk; it has no end.
    compared : int
        Largest number of frames to compare.
    one_worker : bool
        True if one worker draws all chunks and is never replaced by a fresh one.
    forks : bool
        True if workers can begin anywhere; else a fresh one runs the updates before its chunk itself.
    reach : int
        Updates that a worker runs to come to its next chunk; with more of them a fresh one is there sooner.
    """

    def __init__(
        self,
        tasks: Iterable[Task],
        sizes: Iterable[int],
        compared: int,
        *,
        one_worker: bool = False,
        forks: bool = True,
        reach: int = 0,
    ) -> None:
        self._tasks, self._sizes, self._to_compare = iter(tasks), iter(sizes), compared
        self._one_worker, self._forks, self._reach = one_worker, forks, reach
        self._waiting: deque[_Chunk] = deque()
        self._promised: list[_Chunk] = []  # to workers that are being forked
        self._active: list[_Chunk] = []
        self._last: _Chunk | None = None

    @property
    def more(self) -> bool:
        """See `Tasks`."""
        has_active = any(chunk.tasks for chunk in self._active)
        return bool(has_active or self._promised or self._waiting or self._cut())

    def start(self) -> int | None:
        """See `Tasks`."""
        if not self._waiting and not self._cut():
            return None
        self._promised.append(self._waiting.popleft())
        return self._promised[-1].start

    def next(self, worker: Worker) -> Task | Replace | None:
        """See `Tasks`."""
        chunk = next((each for each in self._active if each.owner is worker), None)
        exhausted = worker.exhausted and not self._one_worker
        if chunk is not None:
            if chunk.tasks and not exhausted:
                return chunk.tasks.popleft()
            self._give_up(chunk)
            if (task := self._at_meeting(chunk)) is not None:
                return task
        chunk = None if exhausted else self._chunk_for(worker)
        if chunk is not None:
            chunk.owner, chunk.head = worker, chunk.tasks[0]
            self._active.append(chunk)
            return chunk.tasks.popleft()
        if (at := self.start()) is not None:
            return Replace(at)
        return None

    def _cut(self) -> bool:
        """Cut the next chunk off the remaining tasks; False if there are none."""
        tasks = deque(islice(self._tasks, next(self._sizes)))
        if not tasks:
            return False
        chunk = _Chunk(tasks)
        if self._last is not None:
            self._last.follower = chunk
        self._last = chunk
        self._waiting.append(chunk)
        return True

    def _chunk_for(self, worker: Worker) -> _Chunk | None:
        """Return a chunk that this worker can begin where it is, or soon."""
        if worker.position is None:
            return None
        for chunk in self._promised:
            if self._is_for(chunk, worker):
                self._promised.remove(chunk)
                return chunk
        if (self._waiting or self._cut()) and 0 <= self._waiting[0].start - worker.position <= self._reach:
            return self._waiting.popleft()
        return None

    def _is_for(self, chunk: _Chunk, worker: Worker) -> bool:
        """True if this worker was requested for the chunk."""
        if worker.position is None:
            return False
        runs_on = not self._forks and worker.frame_count == 0 and worker.position < chunk.start
        return chunk.start == worker.position or runs_on

    def _at_meeting(self, chunk: _Chunk) -> Task | None:
        """Return the first frame of the next chunk, to compare, if another worker has begun there."""
        follower = chunk.follower
        if chunk.tasks or not self._to_compare or follower is None or follower.head is None:
            return None
        self._to_compare -= 1
        return replace(follower.head, keep=False, redraw="full")

    def _give_up(self, chunk: _Chunk) -> None:
        self._active.remove(chunk)
        if chunk.tasks:
            self._waiting.appendleft(_Chunk(chunk.tasks, follower=chunk.follower))

    def on_worker_exit(self, worker: Worker) -> None:
        """See `Tasks`."""
        for chunk in [each for each in self._active if each.owner is worker]:
            self._give_up(chunk)
        promised = [each for each in self._promised if not worker.frame_count and self._is_for(each, worker)]
        for chunk in promised[:1]:  # it died before its first frame; others may still come
            self._promised.remove(chunk)
            self._waiting.appendleft(chunk)

    def end(self, index: int) -> None:
        """Hand out no frames from this index on: the scene has ended."""
        self._tasks, self._to_compare = iter(()), 0
        for chunk in [*self._waiting, *self._promised, *self._active]:
            chunk.tasks = deque(task for task in chunk.tasks if task.index < index)
        self._waiting = deque(chunk for chunk in self._waiting if chunk.tasks)
        self._promised = [chunk for chunk in self._promised if chunk.tasks]


def _reaches(worker: Worker, task: Task) -> bool:
    return worker.position is not None and worker.position <= task.index


class FixedSequences:
    """Hands out lists of frames, each to one worker that is fresh or has not passed its first frame."""

    def __init__(self, sequences: Iterable[Sequence[Task]]) -> None:
        self._waiting = [deque(sequence) for sequence in sequences if sequence]
        self._active: list[tuple[Worker, deque[Task]]] = []

    @property
    def more(self) -> bool:
        """See `Tasks`."""
        return bool(self._waiting) or any(sequence for _, sequence in self._active)

    def start(self) -> int | None:
        """See `Tasks`."""
        return 0 if self._waiting else None

    def next(self, worker: Worker) -> Task | Replace | None:
        """See `Tasks`."""
        for owner, sequence in self._active:
            if owner is worker and sequence:
                return sequence.popleft()
        for sequence in self._waiting:
            if worker.frame_count == 0 or (sequence[0].replay and _reaches(worker, sequence[0])):
                self._waiting.remove(sequence)
                self._active.append((worker, sequence))
                return sequence.popleft()
        return Replace() if self._waiting else None

    def on_worker_exit(self, worker: Worker) -> None:
        """See `Tasks`."""
        self._active = [(owner, sequence) for owner, sequence in self._active if owner is not worker]


@dataclass(eq=False)
class _Range:
    """Neighbouring frames for one worker: ``start`` to ``stop`` of the list.

    ``first`` is where its worker began, ``repeat`` a frame to be drawn again before.
    """

    start: int
    stop: int
    first: int
    owner: Worker | None = None
    repeat: int | None = None

    @property
    def length(self) -> int:
        return self.stop - self.start


class ContiguousChunks:
    """Hands out contiguous ranges; when all are taken, a worker that is done takes half of the longest.

    At the end of a range its worker also draws the next range's first frame, only to compare: if the scene
    keeps state, its picture differs from that of the worker that jumped there. A worker about to be replaced
    does the same, and the successor of a crashed worker first redraws its last good frame.

    Parameters
    ----------
    tasks : sequence of Task
    count : int
        The number of ranges, at least that of the workers.
    """

    def __init__(self, tasks: Sequence[Task], count: int) -> None:
        self._tasks = tasks
        edges = [len(tasks) * k // count for k in range(count + 1)]
        self._ranges = [_Range(start, stop, start) for start, stop in pairwise(edges) if start < stop]
        self._start_owners: dict[int, Worker] = {}

    @property
    def more(self) -> bool:
        """See `Tasks`."""
        return any(range_.length or range_.owner or range_.repeat is not None for range_ in self._ranges)

    def start(self) -> int | None:
        """See `Tasks`."""
        return None if self._choose_range() is None else 0

    def next(self, worker: Worker) -> Task | Replace | None:
        """See `Tasks`."""
        current = next((range_ for range_ in self._ranges if range_.owner is worker), None)
        if current and (worker.exhausted or not current.length):
            self._release(current)
            if self._must_compare(current, worker):
                return replace(self._tasks[current.start], keep=False, watch=True)
            current = None
        if current is None and (current := self._choose_range()) is None:
            return None
        return (
            Replace()
            if worker.exhausted
            else self._next_task(current if current.owner is worker else self._assign(current, worker))
        )

    def _release(self, range_: _Range) -> None:
        range_.owner = None
        if not range_.length:
            self._ranges.remove(range_)

    def _must_compare(self, range_: _Range, worker: Worker) -> bool:
        """True if another worker jumps, or has jumped, to the frame that this one has reached in order."""
        if range_.length:
            return True
        nobody = None if worker.exhausted else worker  # unless exhausted, it may go on there itself
        return range_.stop < len(self._tasks) and self._start_owners.get(range_.stop, nobody) is not worker

    def _choose_range(self) -> _Range | None:
        """Return a free range, or the longest one if it can be split."""
        free = (range_ for range_ in self._ranges if range_.owner is None)
        longest = max(self._ranges, key=lambda range_: range_.length, default=None)
        return next(free, longest if longest and longest.length > 1 else None)

    def _assign(self, range_: _Range, worker: Worker) -> _Range:
        """Assign a range to a worker, or its second half if another worker has it."""
        if range_.owner is not None:
            middle = range_.start + (range_.length + 1) // 2
            range_.stop, range_ = middle, _Range(middle, range_.stop, middle)
            self._ranges.append(range_)
        range_.owner, range_.first = worker, range_.start
        return range_

    def _next_task(self, range_: _Range) -> Task:
        if range_.repeat is not None:
            position, range_.repeat = range_.repeat, None
            return replace(self._tasks[position], keep=False)
        assert range_.owner is not None
        position, range_.start = range_.start, range_.start + 1
        self._start_owners[position] = range_.owner
        return replace(self._tasks[position], watch=range_.owner.frame_count == 0 or not range_.length)

    def on_worker_exit(self, worker: Worker) -> None:
        """See `Tasks`."""
        for range_ in self._ranges:
            if range_.owner is worker:
                last_good = range_.start - 2  # it died while drawing the one after that
                range_.owner, range_.repeat = None, last_good if last_good >= range_.first else None
        self._ranges = [range_ for range_ in self._ranges if range_.length or range_.repeat is not None]


class WithChecks:
    """Hands out what another source does, and some frames to fresh workers, which draw them to compare.

    Parameters
    ----------
    tasks : Tasks
    checks : iterable of Task
        Frames to draw again.
    decide : callable
        Returns a task of the other source as it is handed out.
    """

    def __init__(self, tasks: Tasks, checks: Iterable[Task], decide: Callable[[Task], Task]) -> None:
        self._tasks, self._checks, self._decide = tasks, deque(checks), decide
        self._promised = 0  # checks for workers that are being started
        self._has_room = True  # for a further worker; known once an idle worker asks again

    @property
    def more(self) -> bool:
        """See `Tasks`."""
        return bool(self._checks) or self._tasks.more

    def start(self) -> int | None:
        """See `Tasks`."""
        if self._promised < len(self._checks):
            self._promised += 1
            return 0
        return self._tasks.start()

    def next(self, worker: Worker) -> Task | Replace | None:
        """See `Tasks`."""
        is_fresh = worker.frame_count == 0 and worker.position == 0
        if self._checks and is_fresh and self._promised:
            self._promised -= 1
            return self._checks.popleft()
        task = self._tasks.next(worker)
        if isinstance(task, Task):
            return self._decide(task)
        if self._checks and is_fresh:
            return self._checks.popleft()
        if task is None and self._promised < len(self._checks):
            if not self._has_room:
                self._promised += 1
                return Replace()
            self._has_room = False
        return task

    def on_worker_exit(self, worker: Worker) -> None:
        """See `Tasks`."""
        if worker.frame_count == 0 and worker.position == 0:
            self._promised = max(0, self._promised - 1)
        self._tasks.on_worker_exit(worker)


class Live:
    """Hands out frames that arrive while others are drawn.

    Parameters
    ----------
    take : callable
        Returns the next frame, or None if there is none now.
    is_closed : callable
        Returns True when no further frame will come.
    """

    def __init__(self, take: Callable[[], Task | None], is_closed: Callable[[], bool]) -> None:
        self._take, self._is_closed = take, is_closed

    @property
    def more(self) -> bool:
        """See `Tasks`."""
        return not self._is_closed()

    def start(self) -> int | None:
        """See `Tasks`."""
        return None if self._is_closed() else 0

    def next(self, worker: Worker) -> Task | Replace | None:
        """See `Tasks`."""
        return Replace() if worker.exhausted else self._take()

    def on_worker_exit(self, worker: Worker) -> None:
        """See `Tasks`."""
