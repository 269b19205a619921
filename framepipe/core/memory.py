"""Memory: the peak of this process and of those that it has started; and giving back what is free."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_LOOK_S = 0.2


@dataclass
class PeakMemory:
    """Peak resident memory, in units of 1024 * 1024 bytes; None where it cannot be measured.

    Attributes
    ----------
    own_mb : float or None
    largest_child_mb : float or None
        Of the largest process that this one, or one of those, has started.
    """

    own_mb: float | None = None
    largest_child_mb: float | None = None

    def look(self) -> None:
        """Look at the processes that there are now."""
        parents, children = _parents(), {os.getpid()}
        while more := {pid for pid, parent in parents.items() if parent in children} - children:
            children |= more
        peaks = [_peak_mb(pid) for pid in children - {os.getpid()}]
        self.own_mb = _peak_mb(os.getpid())
        self.largest_child_mb = max(filter(None, [*peaks, self.largest_child_mb]), default=None)


@contextmanager
def watched_memory() -> Iterator[PeakMemory]:
    """Watch the memory of all processes that are started within the context; Linux only."""
    peak, is_over = PeakMemory(), threading.Event()
    if not Path("/proc/self/status").exists():
        yield peak
        return

    def watch() -> None:
        while not is_over.wait(_LOOK_S):
            peak.look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        is_over.set()
        thread.join()
        peak.look()


def _parents() -> dict[int, int]:
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, ValueError, IndexError):
            parents[int(name)] = int(Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[1])
    return parents


def _peak_mb(pid: int) -> float | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return None


def give_back_free_memory() -> None:
    """Return to the system what the C library keeps of freed memory: before workers are forked."""
    with contextlib.suppress(OSError, AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)
