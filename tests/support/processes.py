"""Processes that tests start: how they begin, and that none stays."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

#: In the environment of all that a test starts.
MARK = "FRAMEPIPE_TEST_MARK"
#: Those that Python itself starts once for all, in whichever test comes first.
PYTHONS_OWN = (b"multiprocessing.resource_tracker", b"multiprocessing.forkserver")


def start_with_default_signals() -> None:
    """Let programs that are started from here know signals that this process was told to ignore.

    A background job of a shell ignores SIGINT and SIGQUIT, `nohup` SIGHUP, and so do all children. What is
    caught, if only to do nothing, is reset in a program that is started.
    """
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, _do_nothing)


def _do_nothing(*_: object) -> None:
    pass


def is_running(pid: int) -> bool:
    """Return whether a process is; dead, but not waited for (a container may have no init), it is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def ending_with_us(command: Sequence[str | os.PathLike[str]]) -> list[str | os.PathLike[str]]:
    """Return a command for a service that is killed when this process dies, however it dies (Linux)."""
    setpriv = shutil.which("setpriv")
    return [*([setpriv, "--pdeathsig", "KILL"] if setpriv else []), *command]


def living(mark: str) -> dict[int, str]:
    """Process ids and command lines of all others that have ``NAME=value`` in their environment."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if mark.encode() not in (entry / "environ").read_bytes().split(b"\0"):
                continue
            if (entry / "stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                continue
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
            if not any(name in command for name in PYTHONS_OWN):
                found[int(entry.name)] = command.decode(errors="replace")
    return found


def kill(mark: str) -> None:
    """End them, and what they start meanwhile."""
    for _ in range(50):
        if not (left := living(mark)):
            return
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


@contextlib.contextmanager
def none_left() -> Iterator[None]:
    """Kill at the end what was started within, wherever it has gone: its environment tells."""
    before, value = os.environ.get(MARK), uuid.uuid4().hex
    os.environ[MARK] = value
    try:
        yield
    finally:
        kill(f"{MARK}={value}")
        if before is None:
            del os.environ[MARK]
        else:
            os.environ[MARK] = before
