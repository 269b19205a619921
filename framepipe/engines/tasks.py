"""Which worker draws which frame: in order, in runs of neighbours, or by a script for each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from framepipe.engines.base import Fresh, Hand, Task

_CHECK_EVERY = 50


class InOrder:
    """Frames in their order, each to whichever worker is free.

    A frame to be replayed goes only to a worker that has not come further yet.

    Parameters
    ----------
    tasks : iterable of Task
    check : bool
        Give every 50th frame to two workers, and more of the first ones, the second time only to compare.
    """

    def __init__(self, tasks: Iterable[Task], *, check: bool = False) -> None:
        self._tasks, self._check = iter(tasks), check
        self._next = next(self._tasks, None)
        self._given = 0
        self._twice: tuple[Hand, Task] | None = None

    @property
    def more(self) -> bool:
        """See `Tasks`."""
        return self._next is not None

    def next(self, hand: Hand) -> Task | type[Fresh] | None:
        """See `Tasks`."""
        if (again := self._to_compare(hand)) is not None:
            return again
        task = self._next
        if task is None:
            return None
        if not _reaches(hand, task) if task.replay else hand.worn:
            return Fresh
        self._given += 1
        if self._check and _is_checked(self._given):
            self._twice = hand, replace(task, keep=False)
        self._next = next(self._tasks, None)
        return task

    def _to_compare(self, hand: Hand) -> Task | None:
        if self._twice is None or self._twice[0] is hand or not _reaches(hand, self._twice[1]):
            return None
        task, self._twice = self._twice[1], None
        return task

    def gone(self, hand: Hand) -> None:
        """See `Tasks`."""

    def end(self) -> None:
        """Hand out no more."""
        self._next = None


def _is_checked(given: int) -> bool:
    """For every 50th, and for 2, 4, 8, 16 …: a short movie is to be checked too."""
    return given % _CHECK_EVERY == 0 or (given > 1 and given & (given - 1) == 0)


def _reaches(hand: Hand, task: Task) -> bool:
    return hand.position is not None and hand.position <= task.index


class Scripts:
    """Lists of frames, each for one worker that begins fresh, or goes on from where it may."""

    def __init__(self, scripts: Iterable[Sequence[Task]]) -> None:
        self._waiting = [deque(script) for script in scripts if script]
        self._mine: list[tuple[Hand, deque[Task]]] = []

    @property
    def more(self) -> bool:
        """See `Tasks`."""
        return bool(self._waiting) or any(script for _, script in self._mine)

    def next(self, hand: Hand) -> Task | type[Fresh] | None:
        """See `Tasks`."""
        for owner, script in self._mine:
            if owner is hand and script:
                return script.popleft()
        for script in self._waiting:
            if hand.drawn == 0 or (script[0].replay and _reaches(hand, script[0])):
                self._waiting.remove(script)
                self._mine.append((hand, script))
                return script.popleft()
        return Fresh if self._waiting else None

    def gone(self, hand: Hand) -> None:
        """See `Tasks`."""
        self._mine = [(owner, script) for owner, script in self._mine if owner is not hand]


@dataclass(eq=False)
class _Run:
    """Neighbouring frames, ``start`` to ``stop`` of the list, that one worker draws.

    ``first`` is where it began, ``again`` a frame that it is to draw once more before.
    """

    start: int
    stop: int
    first: int
    owner: Hand | None = None
    again: int | None = None

    @property
    def left(self) -> int:
        return self.stop - self.start


class Runs:
    """Frames in runs of neighbours, one for each worker; who is done takes half of the longest.

    At the end of a run its worker draws the next run's first frame too, only to compare: a scene
    that keeps state gives another picture there than the worker that jumped to it. So does a worker
    that is worn, where another one will go on; and who goes on for one that died draws its last good
    frame again.

    Parameters
    ----------
    tasks : sequence of Task
    workers : int
    """

    def __init__(self, tasks: Sequence[Task], workers: int) -> None:
        self._tasks = tasks
        edges = [len(tasks) * k // workers for k in range(workers + 1)]
        self._runs = [_Run(start, stop, start) for start, stop in pairwise(edges) if start < stop]
        self._begun: dict[int, Hand] = {}

    @property
    def more(self) -> bool:
        """See `Tasks`."""
        return any(run.left or run.owner or run.again is not None for run in self._runs)

    def next(self, hand: Hand) -> Task | type[Fresh] | None:
        """See `Tasks`."""
        mine = next((run for run in self._runs if run.owner is hand), None)
        if mine and (hand.worn or not mine.left):
            self._leave(mine)
            if self._is_to_compare(mine, hand):
                return replace(self._tasks[mine.start], keep=False)
            mine = None
        if mine is None and (mine := self._to_take()) is None:
            return None
        return Fresh if hand.worn else self._step(mine if mine.owner is hand else self._take(mine, hand))

    def _leave(self, run: _Run) -> None:
        run.owner = None
        if not run.left:
            self._runs.remove(run)

    def _is_to_compare(self, run: _Run, hand: Hand) -> bool:
        """True if another worker jumps, or has jumped, to where this one has come by running on."""
        return bool(run.left) or self._begun.get(run.stop, hand) is not hand

    def _to_take(self) -> _Run | None:
        """A run that nobody has, or the one with most left."""
        free = (run for run in self._runs if run.owner is None)
        longest = max(self._runs, key=lambda run: run.left, default=None)
        return next(free, longest if longest and longest.left > 1 else None)

    def _take(self, run: _Run, hand: Hand) -> _Run:
        """The run, or its second half if it is somebody's."""
        if run.owner is not None:
            middle = run.start + (run.left + 1) // 2
            run.stop, run = middle, _Run(middle, run.stop, middle)
            self._runs.append(run)
        run.owner, run.first = hand, run.start
        return run

    def _step(self, run: _Run) -> Task:
        if run.again is not None:
            at, run.again = run.again, None
            return replace(self._tasks[at], keep=False)
        assert run.owner is not None
        at, run.start = run.start, run.start + 1
        self._begun[at] = run.owner
        return self._tasks[at]

    def gone(self, hand: Hand) -> None:
        """See `Tasks`."""
        for run in self._runs:
            if run.owner is hand:
                last_good = run.start - 2  # it died over the one after that
                run.owner, run.again = None, last_good if last_good >= run.first else None
        self._runs = [run for run in self._runs if run.left or run.again is not None]


class Live:
    """Frames that arrive while others are drawn.

    Parameters
    ----------
    take : callable
        Gives the next frame, or None if none is there now.
    closed : callable
        True when no further frame will come.
    """

    def __init__(self, take: Callable[[], Task | None], closed: Callable[[], bool]) -> None:
        self._take, self._closed = take, closed

    @property
    def more(self) -> bool:
        """See `Tasks`."""
        return not self._closed()

    def next(self, hand: Hand) -> Task | type[Fresh] | None:
        """See `Tasks`."""
        return Fresh if hand.worn else self._take()

    def gone(self, hand: Hand) -> None:
        """See `Tasks`."""
