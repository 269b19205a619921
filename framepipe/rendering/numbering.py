"""The numbers of recorded frames: which are in the store, and which comes next."""

from __future__ import annotations

import operator
from typing import Any

from framepipe.errors import UsageError
from framepipe.store.recorded import Recording
from framepipe.store.status import StoreStatus


class Numbering:
    """Numbers the frames of a program, which may continue what an earlier one has left.

    A program that reads `next` continues at the first hole, and will come to numbers that are there. One that
    does not is assumed to continue from its own state: `append` goes on after the last frame.

    Parameters
    ----------
    status : StoreStatus
        Of the store as it was found.

    Attributes
    ----------
    after_last : int
        One more than the highest number.
    count : int
        The frames that the program has recorded, also those that were there.
    own : set of int
        Their numbers.
    unchanged : list of int
        Numbers that were in the store, and come before the hole at which a program would continue.
    repeated : list of int
        Numbers that the program has recorded more than once.
    recording : Recording
        What the stamp of the next frame says of those before it.
    """

    def __init__(self, status: StoreStatus) -> None:
        self.after_last = max(status.done, default=-1) + 1
        self.count = 0
        self.own: set[int] = set()
        self.unchanged: list[int] = []
        self.repeated: list[int] = []
        self.recording = Recording([*status.done, *status.missing])
        self._stored = set(status.done)
        self._first_hole = min([*status.missing, *status.broken, self.after_last])
        self._next: int | None = None if self._stored else 0

    @property
    def next(self) -> int:
        """The next number: of the first hole, or after the last; then after those recorded so far."""
        if self._next is None:
            self._next = max([self._first_hole, *(number + 1 for number in self.own)])
        return self._next

    @property
    def is_settled(self) -> bool:
        """True if it is known where the program continues; always so in a new store."""
        return self._next is not None

    def append(self) -> int:
        """Continue after the last frame, unless it is settled where; return the next number."""
        if self._next is None:
            self._next = self.after_last
        return self._next

    def has(self, number: int) -> bool:
        """True if a frame of this number is stored, or is being drawn."""
        return number in self._stored

    def draw(self, number: int) -> None:
        """Count a frame that will be drawn now."""
        self._stored.add(number)
        self.recording.add(number)
        self._count(number)

    def leave(self, number: int) -> None:
        """Count a frame that stays as it is stored."""
        if number in self.own:
            self.repeated.append(number)
        elif number < self._first_hole:
            self.unchanged.append(number)
        self._count(number)

    def forget(self, number: int) -> None:
        """Allow a frame that could not be drawn to be recorded again."""
        self._stored.discard(number)

    def _count(self, number: int) -> None:
        self.own.add(number)
        self.after_last = max(self.after_last, number + 1)
        if self._next is not None:
            self._next = max(self._next, number + 1)
        self.count += 1


def whole(number: Any) -> int:
    """Convert a frame's number to an int: accept numpy's integers, refuse 2.5.

    Raises
    ------
    UsageError
    """
    try:
        index = operator.index(number)
    except TypeError:
        raise UsageError(f"number is {number!r}; give a whole number") from None
    if index < 0:
        raise UsageError(f"number is {index}; give 0 or more")
    return index
