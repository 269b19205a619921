"""One run over the pending frames: the pilot, then all the others, then the lost ones once more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from framepipe.control import Stop
from framepipe.engines.base import Crew, Drawn, Failed, Outcome, Task
from framepipe.errors import StoreError
from framepipe.scenes.canvas import Fit

_TRIED_AGAIN = ("lost", "timeout")
_PILOTS = 3


class Run:
    """What a run draws and what fails in it.

    Parameters
    ----------
    first : int
        The plan's first frame: it fixes the shape of all.
    values : mapping of int to object
        Each frame's value by its number.
    stop : Stop
    max_failures : int or None
        End after more failures than this.
    tell : callable
        Called after each frame.

    Attributes
    ----------
    drawn : list of int
    failed : list of Failed
    """

    def __init__(
        self,
        first: int,
        values: Mapping[int, Any],
        stop: Stop,
        max_failures: int | None,
        tell: Callable[[Run], None],
    ) -> None:
        self.drawn: list[int] = []
        self.failed: list[Failed] = []
        self._first, self._values, self._stop = first, values, stop
        self._max_failures, self._tell = max_failures, tell

    def draw(self, crew: Crew, pending: Sequence[int], fit: Fit | None) -> None:
        """Draw ``pending``; frames whose process died or hung are tried once more, alone.

        Parameters
        ----------
        crew : Crew
        pending : sequence of int
        fit : Fit or None
            What frames that are done have fixed; None to learn it from the first frame.
        """
        rest = list(pending)
        if fit is None:
            fit, rest = self._pilot(crew, rest)
        lost: list[int] = []
        for outcome in crew.draw(self._tasks(rest, fit)):
            if isinstance(outcome, Failed) and outcome.kind in _TRIED_AGAIN:
                lost.append(outcome.number)
            elif self._note(outcome):
                return
        for outcome in crew.draw(self._tasks(lost, fit), at_once=1):
            if self._note(outcome, tried_twice=True):
                return

    def _tasks(self, numbers: Sequence[int], fit: Fit | None, keep: bool = True) -> Iterator[Task]:
        return (Task(number, self._values[number], fit, keep) for number in numbers)

    def _pilot(self, crew: Crew, pending: list[int]) -> tuple[Fit | None, list[int]]:
        """Draw the plan's first frame; where that fails, the first one that can be drawn.

        All shards draw the same pilot, so they agree without talking; one that is another shard's
        frame is not stored. Returns its fit and the frames that are left. When the first few all
        fail, the others are drawn side by side without one.
        """
        if self._first not in pending:
            for outcome in self._twice(crew, self._first, keep=False):
                if isinstance(outcome, Drawn):
                    return outcome.fit, pending
        for position, number in enumerate(pending):
            if position == _PILOTS:
                return None, pending[position:]
            for outcome in self._twice(crew, number):
                if self._note(outcome):
                    return None, []
                if isinstance(outcome, Drawn):
                    return outcome.fit, pending[position + 1 :]
            if self._stop.requested:
                break
        return None, []

    def _twice(self, crew: Crew, number: int, keep: bool = True) -> Iterator[Outcome]:
        """Draw one frame alone, and once more if its process was lost."""
        for outcome in crew.draw(self._tasks([number], None, keep)):
            if isinstance(outcome, Failed) and outcome.kind in _TRIED_AGAIN:
                for again in crew.draw(self._tasks([number], None, keep)):
                    yield again if isinstance(again, Drawn) else _tried_twice(again)
            else:
                yield outcome

    def _note(self, outcome: Outcome, tried_twice: bool = False) -> bool:
        """Keep an outcome; True when the run must end."""
        if isinstance(outcome, Drawn):
            self.drawn.append(outcome.number)
        elif outcome.kind == "store":
            raise StoreError(outcome.message)
        else:
            self.failed.append(_tried_twice(outcome) if tried_twice else outcome)
        self._tell(self)
        return self._max_failures is not None and len(self.failed) > self._max_failures


def _tried_twice(failure: Failed) -> Failed:
    return replace(failure, message=f"{failure.message}; tried twice")
