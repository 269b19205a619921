"""Run other programs: without a shell, their output drained, supervised, and killed with us."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from framepipe.core.control import IDLE_TIMEOUT_S, NO_CONTROL, Control, reap

_WATCHDOG = str(Path(__file__).with_name("watchdog.py"))
_TAIL_BYTES = 16_384
_TICK_S = 0.1
_LOWEST_PRIORITY = 19
_DRAIN_S = 2.0
_MAX_LINES = 200
_LOADER = re.compile(r"^ERROR: ld\.so: .*\n?", re.MULTILINE)


@dataclass(frozen=True)
class Tool:
    """A program or library that is here and works.

    Attributes
    ----------
    name : str
        ``"ffmpeg"``, ``"imagemagick"``, ``"gifsicle"`` or ``"pillow"``.
    path : str
    version : str
    notes : tuple of str
        Rejected candidates, and why.
    """

    name: str
    path: str
    version: str
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.path})"


@dataclass(frozen=True)
class ProcessResult:
    """The exit status of a program, and the end of its standard error.

    Attributes
    ----------
    returncode : int
        128 + n if signal n killed it.
    stderr : str
        The last 16 KiB.
    killed : str
        Why we killed it; empty if we did not.
    """

    returncode: int
    stderr: str
    killed: str = ""

    def verdict(self) -> str:
        """Describe what is wrong with the way it ended, in a line; empty if nothing."""
        if self.killed:
            return self.killed
        if 128 < self.returncode < 160:
            return f"was killed by signal {self.returncode - 128}"
        if self.returncode:
            return f"exit code {self.returncode}"
        return "exit code 0, but it printed errors" if self.stderr.strip() else ""


def query(argv: Sequence[str], timeout_s: float = 20.0) -> tuple[int, str]:
    """Run a short query: the exit code and standard output; -1 if the program cannot run."""
    answer = call(argv, timeout_s=timeout_s)
    return answer.returncode, answer.stdout


@dataclass(frozen=True)
class Answer:
    """What a short call of a program gave: -1 and the reason in ``stderr`` if it could not run."""

    returncode: int
    stdout: str
    stderr: str


def call(
    argv: Sequence[str],
    *,
    timeout_s: float,
    cwd: Path | None = None,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
) -> Answer:
    """Run a program that answers at once; its end is waited for.

    Parameters
    ----------
    argv : sequence of str
    timeout_s : float
        Seconds after which it is killed.
    cwd : Path, optional
    stdin : bytes
    env : mapping, optional
        The whole environment. Default: this process's.
    """
    try:
        result = subprocess.run(
            argv, capture_output=True, input=stdin, timeout=timeout_s, check=False, cwd=cwd, env=env
        )
    except OSError as error:
        return Answer(-1, "", f"{argv[0]}: {error.strerror}")
    except subprocess.TimeoutExpired:
        return Answer(-1, "", f"{argv[0]} gave no answer within {timeout_s:g} s")
    return Answer(
        result.returncode, *(each.decode(errors="replace") for each in (result.stdout, result.stderr))
    )


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    on_lines: Callable[[str], bool],
    idle_timeout_s: float = IDLE_TIMEOUT_S,
    control: Control = NO_CONTROL,
    env: Mapping[str, str] | None = None,
    gives_way: bool = False,
    waits: Callable[[], bool] | None = None,
) -> ProcessResult:
    """Run a program to its end.

    Parameters
    ----------
    argv : sequence of str
        The program and its arguments; file names are data, nothing is expanded.
    cwd : Path
        Its working folder.
    on_lines : callable
        Called in this thread, now and then, with the newest lines of its standard output; returns
        True if they show progress.
    idle_timeout_s : float
        The program is killed after this many seconds without progress.
    control : Control, optional
        The program is killed when a stop is requested.
    env : mapping, optional
        Additions to the environment.
    gives_way : bool
        Run it with the lowest priority.
    waits : callable, optional
        True while the program waits for this process: that is no lack of progress.

    Raises
    ------
    Interrupted
        A stop was requested.
    """
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", _WATCHDOG, *argv],
        cwd=cwd,
        stdin=subprocess.PIPE,  # we hold the other end: the watchdog notices when we end
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, **(env or {})},
    )
    if gives_way:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PGRP, process.pid, _LOWEST_PRIORITY)
    out, err = _Lines(process.stdout), _Tail(process.stderr)
    killed, last_progress_s = "", time.monotonic()
    try:
        while process.poll() is None and not killed:
            if out.ends_within(_TICK_S):  # waiting for the process looks only every 50 ms
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_TICK_S)
            if ((lines := out.newest()) and on_lines(lines)) or (waits and waits()):
                last_progress_s = time.monotonic()
            control.check(f"running {Path(argv[0]).name}")
            if time.monotonic() - last_progress_s > idle_timeout_s:
                killed = f"made no progress for {idle_timeout_s:g} s and was killed"
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        code = reap(process)
        out.finish()
        err.finish()
        assert process.stdin is not None
        process.stdin.close()
    on_lines(out.newest())
    return ProcessResult(code, err.text(), killed)


class _Reader:
    """A thread that drains one pipe, so that the program never blocks on it."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        assert pipe is not None
        self._pipe = pipe
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while block := os.read(self._pipe.fileno(), 65536):
                self._take(block)

    def _take(self, block: bytes) -> None:
        raise NotImplementedError

    def ends_within(self, timeout_s: float) -> bool:
        """Wait for the end of the pipe, which is mostly that of the program."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def finish(self) -> None:
        """Wait for the end of the pipe, not for ever: a daemon of the program may keep it open."""
        if self.ends_within(_DRAIN_S):
            self._pipe.close()


class _Tail(_Reader):
    """Keeps the end of what was printed."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        self._data = b""
        super().__init__(pipe)

    def _take(self, block: bytes) -> None:
        self._data = (self._data + block)[-_TAIL_BYTES:]

    def text(self) -> str:
        """Return the output without the loader's errors about LD_PRELOAD, usual on clusters."""
        return _LOADER.sub("", self._data.decode(errors="replace"))


class _Lines(_Reader):
    """Keeps the lines printed since the last call of `newest`, at most the last ones."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        self._partial = b""
        self._pending: deque[bytes] = deque(maxlen=_MAX_LINES)
        super().__init__(pipe)

    def _take(self, block: bytes) -> None:
        *lines, self._partial = (self._partial + block).split(b"\n")
        self._partial = self._partial[-_TAIL_BYTES:]
        self._pending.extend(lines)

    def newest(self) -> str:
        lines = [self._pending.popleft() for _ in range(len(self._pending))]
        return b"\n".join(lines).decode(errors="replace")
