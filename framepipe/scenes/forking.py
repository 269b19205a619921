"""Forking a process safely: its threads, files and connections, and what the child must restore.

See fork(2), and pthread_atfork(3): only the calling thread exists in the child, and a lock that another
thread holds stays locked there for ever.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import stat
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

_DESCRIPTORS = Path("/proc/self/fd")
_TASKS = Path("/proc/self/task")
_THREAD_END_S = 0.1
_SQLITE = b"SQLite format 3\0"
_READ_ONLY_BITS = os.O_ACCMODE
#: (descriptor, position) of a regular file that is open for reading.
OpenFile = tuple[int, int]


def why_unsafe(own_descriptors: Iterable[int] = ()) -> str | None:
    """Return why this process must not be forked now, for a message; None if it may.

    Parameters
    ----------
    ours : iterable of int
        Descriptors of framepipe's own connections.
    """
    if not sys.platform.startswith("linux"):
        return f"forked processes are not safe on {sys.platform}"
    return _threads() or _message_passing() or _connections(set(own_descriptors))


def _threads() -> str | None:
    """Describe the threads besides the main one, None if there are none; tqdm's monitor is ended first."""
    tqdm = sys.modules.get("tqdm")
    monitor = getattr(getattr(tqdm, "tqdm", None), "monitor", None)
    if monitor is not None:
        with contextlib.suppress(Exception):
            monitor.exit()
    until = time.monotonic() + _THREAD_END_S
    while (count := len(os.listdir(_TASKS)) - 1) and time.monotonic() < until:
        time.sleep(_THREAD_END_S / 20)  # a thread that has ended is listed for a moment more
    if not count:
        return None
    names = [each.name for each in threading.enumerate() if each is not threading.main_thread()]
    threads = "a thread" if count == 1 else f"{count} threads"
    return f"{threads} beside the main one ({', '.join(names) or 'of a C library'})"


def _message_passing() -> str | None:
    mpi = sys.modules.get("mpi4py.MPI")
    if mpi is not None and mpi.Is_initialized() and not mpi.Is_finalized():
        return "MPI is initialised"
    return None


def _connections(own_descriptors: set[int]) -> str | None:
    for descriptor, mode in _open_descriptors():
        if descriptor <= 2 or descriptor in own_descriptors:
            continue
        target = _target(descriptor)
        if stat.S_ISSOCK(mode):
            return f"an open network or database connection (descriptor {descriptor})"
        if target.startswith("/dev/nvidia"):
            return "CUDA is in use"
        if stat.S_ISREG(mode) and _access(descriptor) == os.O_RDWR and _head(descriptor) == _SQLITE:
            return f"an open SQLite database ({target})"
    return None


def fork(in_script: bool = False) -> int:
    """Fork so that a script sees no difference between the child and its parent.

    Parameters
    ----------
    in_script : bool
        The child continues the script, and goes on capturing what it shows and saves.
    """
    capture = sys.modules.get("framepipe.scenes.scripts.capture")
    running_capture = capture.running() if capture and in_script else None
    random_state, files = random.getstate(), _open_files()
    flush()
    if pid := os.fork():
        return pid
    random.setstate(random_state)  # CPython seeds it anew in a forked child (random.py, register_at_fork)
    _reopen(files)
    if capture and in_script:
        capture.set_running(running_capture)
    return 0


def flush() -> None:
    """Flush the output streams, so that a copy of this process does not print the same text again."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # closed or replaced by the user's code
            stream.flush()


def _open_files() -> list[OpenFile]:
    """Return the regular files that are open for reading only, with their positions."""
    return [
        (descriptor, os.lseek(descriptor, 0, os.SEEK_CUR))
        for descriptor, mode in _open_descriptors()
        if descriptor > 2 and stat.S_ISREG(mode) and _access(descriptor) == os.O_RDONLY
    ]


def _reopen(files: Iterable[OpenFile]) -> None:
    """Reopen these files at their positions, in a process that was just forked.

    An inherited descriptor shares its position with the parent's (open(2), "open file description"):
    reading through one of them would skip lines in the other.
    """
    for descriptor, position in files:
        with contextlib.suppress(OSError):  # no longer readable under any name: stays shared
            reopened = os.open(_DESCRIPTORS / str(descriptor), os.O_RDONLY | os.O_CLOEXEC)
            os.lseek(reopened, position, os.SEEK_SET)
            os.dup2(reopened, descriptor, inheritable=False)
            os.close(reopened)


def _open_descriptors() -> Iterator[tuple[int, int]]:
    """Yield the descriptor and file mode of each open file."""
    if not _DESCRIPTORS.is_dir():
        return
    for name in os.listdir(_DESCRIPTORS):
        with contextlib.suppress(OSError):  # the one that was open for listing
            yield int(name), os.fstat(int(name)).st_mode


def _access(descriptor: int) -> int:
    return fcntl.fcntl(descriptor, fcntl.F_GETFL) & _READ_ONLY_BITS


def _target(descriptor: int) -> str:
    with contextlib.suppress(OSError):
        return str((_DESCRIPTORS / str(descriptor)).readlink())
    return ""


def _head(descriptor: int) -> bytes:
    with contextlib.suppress(OSError):
        return os.pread(descriptor, len(_SQLITE), 0)
    return b""
