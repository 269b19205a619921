"""The frames of a render: index, value and digest of each, and in which passes they are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from framepipe.job.record import Order

#: At most 5 % of an animation of `_LONG` frames or more are drawn twice, to compare: the second frame, some
#: where workers meet, and of what is drawn by its changes one in so many and the last. In films that are just
#: long enough there is no room for all of these.
_LONG, _LONG_WITH_LAST, _LONG_WITH_SOME = 50, 60, 80
_SHORT_EVERY, _LONG_EVERY, _FREE_EVERY = 20, 40, 50


@dataclass(frozen=True)
class FramePlan:
    """The index, value and digest of each frame of the plan.

    Attributes
    ----------
    first : int
        Number of the plan's first frame, which fixes the geometry of all.
    index, value : mapping of int
        The index in the order of updates, and the value for the scene, by number.
    digest : callable
        Returns the digest of a frame's value by its number, None if only the scene knows the value.
    last : int or None
        Number of the plan's last frame, if it is known.
    streams : bool
        True if a frame exists only until the next one is produced.
    jumps : bool
        True if jumping over the scene's updates may be faster.
    """

    first: int
    index: Mapping[int, int]
    value: Mapping[int, Any]
    digest: Callable[[int], str | None]
    last: int | None = None
    streams: bool = False
    jumps: bool = False

    def is_compared(self, number: int, order: Order) -> bool:
        """True for a frame that is drawn in full too; `Run` adds others.

        In order "free" each process compares its first one.
        """
        index, count = self.index[number], len(self.index)
        if order == "free":
            return index > 0 and index % (_SHORT_EVERY if count < _LONG else _FREE_EVERY) == 0
        if number == self.last:
            return not _LONG <= count < _LONG_WITH_LAST
        if count < _LONG:
            return index > 0 and index % _SHORT_EVERY == 0
        return index > 0 and index % _LONG_EVERY == 0 and count >= _LONG_WITH_SOME


class Endless:
    """Numbers of frames whose count is unknown."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers

    def put_back(self, number: int) -> None:
        """Yield this number next."""
        self._numbers = chain([number], self._numbers)

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        return next(self._numbers)


def coarsest_first(numbers: Sequence[int], strides: Sequence[int]) -> list[list[int]]:
    """Return passes over numbers, each of what the coarser ones have left.

    >>> coarsest_first(range(10), (4, 2, 1))
    [[0, 4, 8], [2, 6], [1, 3, 5, 7, 9]]
    """
    passes: list[list[int]] = []
    coarser: set[int] = set()
    for stride in strides:
        passes.append([number for number in numbers[::stride] if number not in coarser])
        coarser |= {*numbers[::stride]}
    return [each for each in passes if each]
