"""Running other programs: no shell, output always drained, watched, and killed with us."""

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

from framepipe.control import Stop
from framepipe.errors import Interrupted

_WATCHDOG = str(Path(__file__).with_name("watchdog.py"))
_TAIL_BYTES = 16_384
_TICK_S = 0.1
_LAST_WORDS_S = 2.0
_MOST_LINES = 200
_LOADER = re.compile(r"^ERROR: ld\.so: .*\n?", re.MULTILINE)
#: Seconds without a line of progress after which an encoder is taken for hung.
STALL_S = 300.0


@dataclass(frozen=True)
class Tool:
    """A program or library that was found and works.

    Attributes
    ----------
    name : str
        ``"ffmpeg"`` or ``"imagemagick"``.
    path : str
    version : str
    notes : tuple of str
        Candidates that were passed over, and why.
    """

    name: str
    path: str
    version: str
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.path})"


@dataclass(frozen=True)
class Finished:
    """How a program ended.

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
        """What is wrong with the way it ended, in a line; empty if nothing."""
        if self.killed:
            return self.killed
        if 128 < self.returncode < 160:
            return f"was killed by signal {self.returncode - 128}"
        if self.returncode:
            return f"exit code {self.returncode}"
        return "exit code 0, but it printed errors" if self.stderr.strip() else ""


def answer(argv: Sequence[str], timeout_s: float = 20.0) -> tuple[int, str]:
    """What a program answers to a short question: its exit code and standard output; -1 if it cannot."""
    try:
        done = subprocess.run(
            argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=timeout_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return -1, ""
    return done.returncode, done.stdout.decode(errors="replace")


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    on_lines: Callable[[str], bool],
    stall_s: float = STALL_S,
    stop: Stop | None = None,
    env: Mapping[str, str] | None = None,
) -> Finished:
    """Run a program to its end.

    Parameters
    ----------
    argv : sequence of str
        The program and its arguments; file names are data, nothing is expanded.
    cwd : Path
        Its working folder.
    on_lines : callable
        Called in this thread, now and then, with the newest lines of its standard output; returns
        True if they are a sign of life.
    stall_s : float
        It is killed when there is no sign of life for so long.
    stop : Stop, optional
        It is killed when a stop is requested.
    env : mapping, optional
        Additions to the environment.

    Raises
    ------
    Interrupted
        A stop was requested.
    """
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", _WATCHDOG, *argv],
        cwd=cwd,
        stdin=subprocess.PIPE,  # its other end is us: the watchdog sees our death
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, **(env or {})},
    )
    out, err = _Lines(process.stdout), _Tail(process.stderr)
    killed, alive = "", time.monotonic()
    try:
        while process.poll() is None and not killed:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_TICK_S)
            if (lines := out.newest()) and on_lines(lines):
                alive = time.monotonic()
            if stop and stop.requested:
                raise Interrupted(
                    f"stopped{stop.by} while {Path(argv[0]).name} was running: the frames are safe. "
                    "Run the same again to go on",
                    signal_name=stop.signal_name,
                )
            if time.monotonic() - alive > stall_s:
                killed = f"gave no sign of life for {stall_s:g} s and was killed"
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        out.finish()
        err.finish()
        assert process.stdin is not None
        process.stdin.close()
    on_lines(out.newest())
    return Finished(code, err.text(), killed)


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

    def finish(self) -> None:
        """Wait for the end; a daemon of the program's may keep the pipe open, so not for ever."""
        self._thread.join(_LAST_WORDS_S)
        if not self._thread.is_alive():
            self._pipe.close()


class _Tail(_Reader):
    """Keeps the end of what was printed."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        self._data = b""
        super().__init__(pipe)

    def _take(self, block: bytes) -> None:
        self._data = (self._data + block)[-_TAIL_BYTES:]

    def text(self) -> str:
        """What was printed, without the loader's complaints about LD_PRELOAD, usual on clusters."""
        return _LOADER.sub("", self._data.decode(errors="replace"))


class _Lines(_Reader):
    """Keeps the lines that were printed since it was last asked for, at most the last ones."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        self._begun = b""
        self._waiting: deque[bytes] = deque(maxlen=_MOST_LINES)
        super().__init__(pipe)

    def _take(self, block: bytes) -> None:
        *lines, self._begun = (self._begun + block).split(b"\n")
        self._begun = self._begun[-_TAIL_BYTES:]
        self._waiting.extend(lines)

    def newest(self) -> str:
        lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
        return b"\n".join(lines).decode(errors="replace")
