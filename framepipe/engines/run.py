"""One run over the pending frames: the pilot, the check of the order, all others, the lost ones again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from framepipe.control import Stop
from framepipe.engines.base import Crew, Drawn, Ended, Failed, Outcome, Task
from framepipe.engines.tasks import InOrder, Runs, Scripts
from framepipe.errors import RenderError, StoreError
from framepipe.frames import format_range
from framepipe.job import Order
from framepipe.scenes.base import SceneEnded
from framepipe.scenes.canvas import Fit

_TRIED_AGAIN = ("lost", "timeout")
_PILOTS = 3


class OrderMatters(Exception):
    """Pictures differ that must not in this order.

    Attributes
    ----------
    order : {"replay", "serial"}
        The order that is safe.
    text : str
        For the user: which frames, what it means, what to do.
    """

    def __init__(self, order: Order, text: str) -> None:
        super().__init__(text)
        self.order, self.text = order, text


@dataclass(frozen=True)
class Shots:
    """What is drawn for each frame of the plan.

    Attributes
    ----------
    first : int
        Number of the plan's first frame: it fixes the shape of all.
    index, value : mapping of int
        Place in the order of updates, and what the scene is called with, by number.
    """

    first: int
    index: Mapping[int, int]
    value: Mapping[int, Any]


class Run:
    """What a run draws and what fails in it.

    Parameters
    ----------
    shots : Shots
    order : {"free", "replay", "serial"}
    stop : Stop
    max_failures : int or None
        End after more failures than this.
    tell : callable
        Called after each frame.

    Attributes
    ----------
    drawn : list of int
    failed : list of Failed
    ended : int or None
        The first index that the scene does not have, if it came to its end.
    """

    def __init__(
        self,
        shots: Shots,
        order: Order,
        stop: Stop,
        max_failures: int | None,
        tell: Callable[[Run], None],
    ) -> None:
        self.drawn: list[int] = []
        self.failed: list[Failed] = []
        self.ended: int | None = None
        self._shots, self._replay, self._order = shots, order != "free", order
        self._stop, self._max_failures, self._tell = stop, max_failures, tell
        self._looks: dict[int, str] = {}
        self._compared = False

    def draw(
        self,
        crew: Crew,
        pending: Iterable[int],
        fit: Fit | None,
        samples: Sequence[int],
        seams: Mapping[int, str],
        workers: int,
    ) -> None:
        """Draw ``pending``; frames whose process died or hung are tried once more, alone.

        Parameters
        ----------
        crew : Crew
        pending : iterable of int
            In the order of the plan.
        fit : Fit or None
            What frames that are done have fixed; None to learn it from the first frame.
        samples : sequence of int
            Frames by which to check the order, before the others and while they are drawn; empty to
            check nothing.
        seams : mapping of int to str
            Frames of an earlier run after which this one goes on, and the digests of their pixels.
        workers : int
            How many draw at once.

        Raises
        ------
        OrderMatters
        StoreError
        """
        rest = iter(pending)
        if fit is None:
            fit, rest = self._pilot(crew, rest)
        if samples and self._order != "serial" and not self._stop.requested:
            self.check_order(crew, fit, samples)
        self._check_seams(crew, fit, seams)
        tasks = self._tasks(rest, fit)
        if self._replay:
            source: InOrder | Runs = InOrder(tasks, check=bool(samples) and self._order == "replay")
        else:
            source = Runs(list(tasks), workers) if samples else InOrder(tasks)
        lost = self._draw(crew, source, 1 if self._order == "serial" else None)
        if samples and not (self._replay or self._compared) and self.drawn:
            self._check_jump(crew, fit, self.drawn[-1])
        for task, outcome in crew.draw(InOrder(sorted(lost, key=lambda task: task.index)), at_once=1):
            if self._note(task, _tried_twice(outcome)):
                return

    def _tasks(self, numbers: Iterable[int], fit: Fit | None, keep: bool = True) -> Iterator[Task]:
        """Tasks, made when they are asked for: a running generator has to be run on for each."""
        for number in numbers:
            if number not in self._shots.index:  # it was said how many there are at most
                self.ended = number
                return
            try:
                yield self._task(number, fit, keep)
            except SceneEnded:
                self.ended = self._shots.index[number]
                return
            except RenderError as error:
                self.failed.append(Failed(number, "raised", str(error), getattr(error, "traceback", "")))
                self._tell(self)
                return

    def _task(self, number: int, fit: Fit | None, keep: bool = True, replay: bool | None = None) -> Task:
        replayed = self._replay if replay is None else replay
        return Task(number, self._shots.index[number], self._shots.value[number], fit, keep, replayed)

    def _draw(self, crew: Crew, source: InOrder | Runs, at_once: int | None) -> list[Task]:
        """Draw all; what was lost."""
        lost: list[Task] = []
        for task, outcome in crew.draw(source, at_once=at_once):
            self._compare(task, outcome)
            self._compared |= not task.keep
            if isinstance(outcome, Failed) and outcome.kind in _TRIED_AGAIN:
                lost += [task] if task.keep else []
            elif isinstance(outcome, Ended):
                self._end(outcome)
                if isinstance(source, InOrder):
                    source.end()
            elif task.keep and self._note(task, outcome):
                return []
        return lost

    def _end(self, outcome: Ended) -> None:
        self.ended = outcome.index if self.ended is None else min(self.ended, outcome.index)

    def _compare(self, task: Task, outcome: Outcome) -> None:
        """Hold a frame that was drawn by two workers against itself."""
        look = _look_of(outcome)
        if look is None or self._looks.setdefault(task.number, look) == look:
            return
        raise _random([task.number]) if self._replay else _stateful([task.number])

    def _check_jump(self, crew: Crew, fit: Fit | None, number: int) -> None:
        """Let a fresh worker jump to where one has come by running on: no other has drawn a frame."""
        for task, outcome in crew.draw(Scripts([[self._task(number, fit, keep=False)]])):
            self._compare(task, outcome)

    def _check_seams(self, crew: Crew, fit: Fit | None, seams: Mapping[int, str]) -> None:
        """Draw again what an earlier run drew last: if it comes out different, what follows does not follow.

        Raises
        ------
        OrderMatters
        """
        self._looks |= seams
        for task, outcome in crew.draw(InOrder(self._tasks(seams, fit, keep=False)), at_once=1):
            if self._order == "serial" and _look_of(outcome) not in (None, seams[task.number]):
                raise _of_another_run(task.number)
            self._compare(task, outcome)

    def _pilot(self, crew: Crew, pending: Iterator[int]) -> tuple[Fit | None, Iterator[int]]:
        """Draw the plan's first frame; where that fails, the first one that can be drawn.

        All shards draw the same pilot, so they agree without talking; one that is another shard's
        frame is not stored. Returns its fit and the frames that are left. When the first few all
        fail, the others are drawn side by side without one.
        """
        head = next(pending, None)
        if head is None:
            return None, pending
        pending = chain([head], pending)
        if head != self._shots.first:
            for _, outcome in self._twice(crew, self._shots.first, keep=False):
                if isinstance(outcome, Drawn):
                    return outcome.fit, pending
        for _ in range(_PILOTS):
            if (number := next(pending, None)) is None:
                break
            for task, outcome in self._twice(crew, number):
                if isinstance(outcome, Ended):
                    self._end(outcome)
                elif self._note(task, outcome):
                    return None, iter(())
                if isinstance(outcome, Drawn):
                    return outcome.fit, pending
            if self._stop.requested or self.ended is not None:
                return None, iter(())
        return None, pending

    def _twice(self, crew: Crew, number: int, keep: bool = True) -> Iterator[tuple[Task, Outcome]]:
        """Draw one frame alone, and once more if its process was lost."""
        for task, outcome in crew.draw(InOrder(self._tasks([number], None, keep))):
            if isinstance(outcome, Failed) and outcome.kind in _TRIED_AGAIN:
                for again, second in crew.draw(InOrder([task])):
                    yield again, _tried_twice(second)
            else:
                yield task, outcome

    def _note(self, task: Task, outcome: Outcome) -> bool:
        """Keep an outcome; True when the run must end."""
        if isinstance(outcome, Drawn):
            self.drawn.append(task.number)
        elif isinstance(outcome, Failed):
            if outcome.kind == "store":
                raise StoreError(outcome.message)
            self.failed.append(outcome)
        self._tell(self)
        return self._max_failures is not None and len(self.failed) > self._max_failures

    def check_order(self, crew: Crew, fit: Fit | None, samples: Sequence[int]) -> None:
        """Draw some frames both ways, in fresh processes, and compare their pixels.

        Raises
        ------
        OrderMatters
            Jumped to, they differ from what all updates before them make of them; or two such
            replays differ.
        """
        all_of_them, jumped_to = (samples, True), (samples[::-1], False)
        some = samples[len(samples) // 2 :], True  # drawing a frame must not change the next ones either
        ways = [all_of_them, some if self._replay else jumped_to]
        replayed, other = self._drawn_both_ways(crew, fit, ways)
        odd = _differing(replayed, other)
        if not odd:
            return
        if not self._replay:
            odd_again = _differing(replayed, *self._drawn_both_ways(crew, fit, [some]))
            raise _random(odd_again) if odd_again else _stateful(odd)
        raise _random(odd)

    def _drawn_both_ways(
        self, crew: Crew, fit: Fit | None, ways: Sequence[tuple[Sequence[int], bool]]
    ) -> list[dict[int, str | None]]:
        """How frames look, reached by replay or jumped to, each time by a fresh worker."""
        scripts = [
            [self._task(number, fit, keep=False, replay=replay) for number in numbers]
            for numbers, replay in ways
        ]
        whose = {id(task): place for place, script in enumerate(scripts) for task in script}
        looks: list[dict[int, str | None]] = [{} for _ in scripts]
        for task, outcome in crew.draw(Scripts(scripts)):
            looks[whose[id(task)]][task.number] = _look_of(outcome)
        return looks


def _look_of(outcome: Outcome) -> str | None:
    """What can be compared of an outcome; None for what says nothing about the picture."""
    if isinstance(outcome, Drawn):
        return outcome.digest
    if isinstance(outcome, Ended):
        return "ended"
    return f"failed: {outcome.message}" if outcome.kind in ("raised", "size") else None


def _differing(one: Mapping[int, str | None], other: Mapping[int, str | None]) -> list[int]:
    return [n for n, look in one.items() if None not in (look, other.get(n)) and look != other[n]]


def _stateful(numbers: Sequence[int]) -> OrderMatters:
    return OrderMatters(
        "replay",
        f"the scene keeps state: {_frames(numbers)} came out different when jumped to and when all frames "
        "before were run first. So each worker runs all updates in order and draws only its own frames "
        "(order replay)",
    )


def _random(numbers: Sequence[int]) -> OrderMatters:
    return OrderMatters(
        "serial",
        f"{_frames(numbers)} came out different each time, after the same updates. So all frames are "
        "drawn in one process, one after the other (order serial). To draw in parallel, seed the random "
        "numbers, as in numpy.random.default_rng(7), and do not draw the time of day, or what drawing "
        "itself changes",
    )


def _of_another_run(number: int) -> OrderMatters:
    return OrderMatters(
        "serial",
        f"{_frames([number])} of an earlier run came out different now, so the next frames would not go on "
        "from it. So all frames are drawn again from the first one (order serial)",
    )


def _frames(numbers: Sequence[int]) -> str:
    return f"frame{'s' if len(numbers) > 1 else ''} {format_range(numbers)}"


def _tried_twice(outcome: Outcome) -> Outcome:
    if isinstance(outcome, Failed):
        return replace(outcome, message=f"{outcome.message}; tried twice")
    return outcome
