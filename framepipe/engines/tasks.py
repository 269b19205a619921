"""Which worker draws which frame: in order, in runs of neighbours, or by a script for each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from framepipe.engines.base import Fresh, Hand, Task

_SHORTEST_CHECKED_RUN = 3
_CHECK_EVERY = 50


class InOrder:
    """Frames in their order, each to whichever worker is free.

    A frame to be replayed goes only to a worker that has not come further yet.

    Parameters
    ----------
    tasks : iterable of Task
    check : bool
        Give every 50th frame to two workers, the second one only to compare.
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
        if task.replay and not _reaches(hand, task):
            return Fresh
        self._given += 1
        if self._check and self._given % _CHECK_EVERY == 0:
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
    """Neighbouring frames, ``start`` to ``stop`` of the list, that one worker draws."""

    start: int
    stop: int
    first: int
    owner: Hand | None = None

    @property
    def left(self) -> int:
        return self.stop - self.start


class Runs:
    """Frames in runs of neighbours, one for each worker; who is done takes half of the longest.

    At the end of a run its worker draws the next run's first frame too, only to compare: a scene
    that keeps state gives another picture there than the worker that jumped to it.

    Parameters
    ----------
    tasks : sequence of Task
    workers : int
    """

    def __init__(self, tasks: Sequence[Task], workers: int) -> None:
        self._tasks = tasks
        count = max(1, min(workers, len(tasks)))
        edges = [len(tasks) * k // count for k in range(count + 1)]
        self._runs = [_Run(start, stop, start) for start, stop in pairwise(edges)]
        self._begun: dict[int, Hand] = {}

    @property
    def more(self) -> bool:
        """See `Tasks`."""
        return any(run.left or run.owner for run in self._runs)

    def next(self, hand: Hand) -> Task | type[Fresh] | None:
        """See `Tasks`."""
        mine = next((run for run in self._runs if run.owner is hand), None)
        if mine and not mine.left:
            mine.owner = None
            self._runs.remove(mine)
            if (check := self._beyond(mine, hand)) is not None:
                return check
            mine = None
        mine = mine or self._take(hand)
        if mine is None:
            return None
        at, mine.start = mine.start, mine.start + 1
        self._begun[at] = hand
        return self._tasks[at]

    def _beyond(self, run: _Run, hand: Hand) -> Task | None:
        if run.stop - run.first < _SHORTEST_CHECKED_RUN or self._begun.get(run.stop, hand) is hand:
            return None
        return replace(self._tasks[run.stop], keep=False)

    def _take(self, hand: Hand) -> _Run | None:
        """A run that nobody has, or the second half of the one with most left."""
        free = [run for run in self._runs if run.owner is None and run.left]
        if free:
            mine = free[0]
        else:
            longest = max(self._runs, key=lambda run: run.left, default=None)
            if longest is None or longest.left < 2:
                return None
            middle = longest.start + (longest.left + 1) // 2
            mine = _Run(middle, longest.stop, middle)
            longest.stop = middle
            self._runs.append(mine)
        mine.owner, mine.first = hand, mine.start
        return mine

    def gone(self, hand: Hand) -> None:
        """See `Tasks`."""
        for run in self._runs:
            run.owner = None if run.owner is hand else run.owner


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
        return self._take()

    def gone(self, hand: Hand) -> None:
        """See `Tasks`."""
