"""Draws the first frames of a scene in a copy of its own process, to compare the workers' frames with.

A scene that a program hands over is pickled for the workers. State that a pickle does not contain (memory
of a C library, a module's cache, names that code looks up by text) is missing there, and the picture may
differ without an error. So a forked copy of the program's process draws the first frames from the original
objects, which stay untouched. The program may have threads, whose locks a fork can leave locked: so the copy
has limited time.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import time
import warnings
from collections.abc import Sequence
from dataclasses import replace

from framepipe.rendering.engines.base import Drawn, Failed, Task, Work, draw_frame
from framepipe.rendering.engines.link import can_be_read

_MARGIN_S = 20.0
_FAILED = "failed: "


class Original:
    """Digests of some frames, drawn by a copy of this process.

    Parameters
    ----------
    work : Work
    tasks : sequence of Task
        The first frames, in order.
    """

    def __init__(self, work: Work, tasks: Sequence[Task]) -> None:
        self._numbers = {task.number for task in tasks}
        self._digests: dict[int, str] = {}
        self._began = time.monotonic()
        self._pipe, end = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads: see above
            self._pid = os.fork()
        if not self._pid:
            _draw(work, tasks, end)
        os.close(end)

    def differs(self, number: int, digest: str | None) -> str:
        """Return how a worker's picture of a frame differs from the copy's, "" if they are equal.

        Waits until the copy has drawn that frame too: three times as long as the worker took, and a margin.
        """
        if number not in self._numbers or digest is None:
            return ""
        self._numbers.discard(number)
        until = time.monotonic() + 2 * (time.monotonic() - self._began) + _MARGIN_S
        while number not in self._digests:
            if not self._receive(until - time.monotonic()):
                return f"frame {number} could not be compared between this process and another"
        if self._digests[number] != digest:
            if digest.startswith(_FAILED):
                return f"frame {number} cannot be drawn in another process: {digest[len(_FAILED) :]}"
            return f"frame {number} looks different in another process, so part of it cannot be sent there"
        return ""

    def _receive(self, seconds: float) -> bool:
        if seconds <= 0 or not can_be_read(self._pipe, seconds):
            return False
        line = b""
        while not line.endswith(b"\n"):
            if not (byte := os.read(self._pipe, 1)):
                return False
            line += byte
        number, digest = pickle.loads(bytes.fromhex(line.decode()))  # from our own copy
        self._digests[number] = digest
        return True

    def close(self) -> None:
        """End the copy."""
        with contextlib.suppress(OSError):
            os.kill(self._pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.waitpid(self._pid, 0)
        os.close(self._pipe)


def _draw(work: Work, tasks: Sequence[Task], end: int) -> None:
    """Draw in the copy, send the digests, and end without running the program's exit handlers."""
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):  # the workers print the same
            os.dup2(nothing, descriptor)
        player, geometry = work.scene.player(work.earlier), None
        for task in tasks:
            outcome = draw_frame(work, player, replace(task, keep=False, watch=False, geometry=geometry))
            if isinstance(outcome, Drawn):
                geometry = outcome.geometry
            os.write(end, pickle.dumps((task.number, digest_of(outcome))).hex().encode() + b"\n")
    finally:
        os._exit(0)


def digest_of(outcome: object) -> str | None:
    """Return what can be compared of an outcome; None if it says nothing about the picture."""
    if isinstance(outcome, Drawn):
        return outcome.digest
    if isinstance(outcome, Failed):
        return _FAILED + outcome.message if outcome.kind in ("raised", "size") else None
    return "ended"
