"""Run an external program for one frame: without a shell, its output drained and kept within bounds.

It stays in our process group: whoever ends a worker ends the whole group.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from framepipe.core.control import reap
from framepipe.errors import RenderError

KEPT_BYTES = 32 * 1024  # of the beginning of what is printed, and of its end
_TICK_S = 0.1
_DRAIN_S = 1.0
_SHOWN_LINES, _SHOWN_CHARACTERS = 10, 200


@dataclass(frozen=True)
class ProcessResult:
    """The exit status of a program, and what it printed.

    Attributes
    ----------
    code : int
        Its exit code; -n if signal n killed it.
    printed : bytes
        Standard output and error as they came: the first and the last 32 kB.
    """

    code: int
    printed: bytes

    def verdict(self) -> str:
        """Describe what is wrong with the way it ended; empty if nothing."""
        if self.code < 0:
            names = {each.value: f" ({each.name})" for each in signal.Signals}
            return f"was killed by signal {-self.code}{names.get(-self.code, '')}"
        return f"exited with code {self.code}" if self.code else ""


def run(argv: Sequence[str]) -> ProcessResult:
    """Run a program to its end, in our working folder, with empty standard input.

    Parameters
    ----------
    argv : sequence of str
        The program and its arguments; nothing is expanded.

    Raises
    ------
    RenderError
        It cannot be started.
    """
    try:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except (OSError, ValueError) as error:  # missing on this host, too many arguments …
        reason = getattr(error, "strerror", None) or error
        raise RenderError(
            f"{argv[0]} cannot be started: {reason}. Is it installed on this host?", log=b""
        ) from None
    assert process.stdout is not None
    printed = _Printed()
    try:
        printed.read(process, process.stdout)
        return ProcessResult(process.wait(), printed.text())
    finally:
        if process.poll() is None:  # we are being interrupted
            process.kill()
            reap(process)
        process.stdout.close()


class _Printed:
    """What a program printed: the first and the last 32 kB."""

    def __init__(self) -> None:
        self._head = self._tail = b""
        self._left_out = 0

    def read(self, process: subprocess.Popen[bytes], pipe: IO[bytes]) -> None:
        """Drain ``pipe`` until the program ends, without waiting for processes that it leaves behind."""
        deadline_s: float | None = None
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while deadline_s is None or time.monotonic() < deadline_s:
                if selector.select(_TICK_S):
                    block = os.read(pipe.fileno(), 65536)
                    if not block:
                        return
                    self._take(block)
                elif deadline_s is not None:
                    return
                if deadline_s is None and process.poll() is not None:
                    deadline_s = time.monotonic() + _DRAIN_S

    def _take(self, block: bytes) -> None:
        room = KEPT_BYTES - len(self._head)
        self._head += block[:room]
        tail = self._tail + block[room:]
        self._left_out += max(0, len(tail) - KEPT_BYTES)
        self._tail = tail[-KEPT_BYTES:]

    def text(self) -> bytes:
        gap = f"\n[… {self._left_out} bytes left out …]\n".encode() if self._left_out else b""
        return self._head + gap + self._tail


def last_lines(printed: bytes) -> list[str]:
    """Return the last lines as text that cannot move a terminal's cursor."""
    lines = printed[-_SHOWN_LINES * 2 * _SHOWN_CHARACTERS :].decode(errors="replace").splitlines()
    plain = ("".join(char for char in line.expandtabs() if char.isprintable()).rstrip() for line in lines)
    return [f"    {line[:_SHOWN_CHARACTERS]}" for line in plain if line][-_SHOWN_LINES:]
