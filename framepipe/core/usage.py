"""Processor time and memory of this process and all that it has started, as the kernel counts them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Used(NamedTuple):
    """What a tree of processes uses.

    Attributes
    ----------
    workers : int
        Processes below the first.
    processors : float
        Used on average since the look before.
    memory_bytes : int
        Resident; of what processes share each counts its part, so that it counts once in all.
    """

    workers: int = 0
    processors: float = 0.0
    memory_bytes: int = 0


#: A process with more counts with all its pages: the kernel would walk through too many, and few are shared.
_MOST_WALKED_BYTES = 8e9


class Usage:
    """Measures this process and those below it, between two looks; zeros where there is no ``/proc``."""

    def __init__(self) -> None:
        self._ticks, self._at = 0, time.monotonic()
        self.look()

    def look(self) -> Used:
        """Return what they use now, and have used since the last look."""
        ticks, memory, count = 0, 0, 0
        for pid in _tree(os.getpid()):
            try:  # proc(5): fields 14 to 17 and 24, after the name in parentheses
                fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
                # the last two are of its children that have ended, so that none is lost
                ticks += sum(map(int, fields[11:15]))
                memory += _memory_of(pid, int(fields[21]) * os.sysconf("SC_PAGE_SIZE"))
                count += 1
            except (OSError, ValueError, IndexError):
                continue
        now, before = time.monotonic(), (self._ticks, self._at)
        self._ticks, self._at = ticks, now
        if not count:
            return Used()
        elapsed = max(0.001, now - before[1]) * os.sysconf("SC_CLK_TCK")
        processors = max(0, ticks - before[0]) / elapsed
        return Used(count - 1, processors, memory)


def _memory_of(pid: int, resident: int) -> int:
    """Return a process's proportional share of memory in bytes; all that is resident if that is not said."""
    if resident < _MOST_WALKED_BYTES:
        with contextlib.suppress(OSError, ValueError):  # it has ended; a kernel before 4.14; of another user
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), resident)
    return resident


def _tree(pid: int) -> Iterator[int]:
    """Yield a process and all below it."""
    yield pid
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return
    for thread in threads:
        try:
            children = Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
        except OSError:  # it has ended; the kernel was built without CONFIG_PROC_CHILDREN
            continue
        for child in children:
            yield from _tree(int(child))
