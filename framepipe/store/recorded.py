"""The numbers that a running program has recorded, as a short text in the stamp of each of its frames.

Frames are drawn by several processes, in any order. When the program is killed, a frame may be lost whose
successors are in the store. Each stamp lists the numbers recorded before it, so that the gap is detected; a
program that records every tenth number on purpose has no gaps.

The text is a list of runs, ``0-57`` or ``0-580x10``: a single run if the program counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from framepipe.job.frames import MAX_FRAMES

#: Characters. The text is in the head of a frame's file (8 kB are read). A longer one omits the earliest
#: numbers: other frames list them, and only a few frames are being drawn at any time.
_MAX_TEXT = 1500
_RUN = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18})(?:x([1-9][0-9]{0,17}))?)?")
#: Limits, so that a file from elsewhere cannot keep us busy for minutes.
_ROOM, _ROOM_PER_FRAME = 100_000, 1000


class Recording:
    """Numbers in the order in which a program records them.

    Parameters
    ----------
    numbers : iterable of int
        Numbers of an earlier program, which this one continues.
    """

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._numbers: set[int] = set()
        self._runs: list[range] = []
        for number in sorted(numbers):
            self.add(number)

    def add(self, number: int) -> None:
        """Add the number of a frame that will be drawn."""
        if number in self._numbers:
            return
        self._numbers.add(number)
        last = self._runs[-1] if self._runs else range(0)
        if last and (step := _step(last, number)):
            self._runs[-1] = range(last[0], number + 1, step)
        else:
            self._runs.append(range(number, number + 1))

    def __str__(self) -> str:
        """Format all numbers so far; of a long list the newest."""
        text = ""
        for run in reversed(self._runs):
            longer = f"{_text(run)},{text}" if text else _text(run)
            if len(longer) > _MAX_TEXT:
                break
            text = longer
        return text


def _step(run: range, number: int) -> int:
    """Return the step with which ``number`` continues a run; 0 if it does not."""
    if len(run) == 1:
        return max(0, number - run[0])
    return run.step if number == run[-1] + run.step else 0


def _text(run: range) -> str:
    if len(run) == 1:
        return str(run[0])
    return f"{run[0]}-{run[-1]}" if run.step == 1 else f"{run[0]}-{run[-1]}x{run.step}"


class Recorded:
    """Merges the texts of many frames."""

    def __init__(self) -> None:
        self._last: dict[tuple[int, int], int] = {}

    def add(self, text: str) -> None:
        """Add the text of one frame; invalid parts, in a file from elsewhere, are ignored."""
        for run in text.split(","):
            if match := _RUN.fullmatch(run):
                first = int(match[1])
                key = first, int(match[3] or 1)
                self._last[key] = max(self._last.get(key, first), int(match[2] or first))

    def numbers(self, frames: int) -> set[int]:
        """Return all numbers; runs out of all proportion to the number of frames are ignored."""
        numbers: set[int] = set()
        room = min(MAX_FRAMES, _ROOM + _ROOM_PER_FRAME * frames)
        for (first, step), last in self._last.items():
            run = range(first, last + 1, step)
            if len(numbers) + len(run) <= room:
                numbers.update(run)
        return numbers
