"""Frames go to the store while the next ones are drawn: a disk takes milliseconds to be sure of a file."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from dataclasses import replace

from framepipe.rendering.engines.base import Drawn, Work, commit
from framepipe.rendering.engines.link import Link

_MAX_WAITING = 4  # so many frames are in memory, and drawn again if the process dies


class Storing:
    """Puts the frames of one process in the store, one after the other.

    A frame is reported as ``drawn`` at once, so that the next one can be sent, and as ``outcome`` when it is
    in the store. The thread lives only while there are some: a process is never forked with a second thread.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Link, Work, Drawn, bytes, float]] = deque()  # with the one being stored
        self._thread: threading.Thread | None = None

    def put(self, link: Link, work: Work, drawn: Drawn, data: bytes) -> None:
        """Put a frame in the store; wait while too many others are on their way.

        Parameters
        ----------
        link : Link
            Where the frame is reported.
        work : Work
        drawn : Drawn
        data : bytes
            Its PNG file.
        """
        began = time.perf_counter()
        with self._changed:
            self._changed.wait_for(lambda: len(self._waiting) < _MAX_WAITING)
        waited_s = time.perf_counter() - began
        try:
            link.send(("drawn",))
        finally:  # also if nobody is there any more
            with self._changed:
                self._waiting.append((link, work, drawn, data, waited_s))
                if self._thread is None:
                    self._thread = threading.Thread(target=self._store_all, daemon=True)
                    self._thread.start()

    def wait(self) -> None:
        """Wait until all frames are in the store, and have been reported."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _store_all(self) -> None:
        while True:
            _store(*self._waiting[0])
            with self._changed:
                self._waiting.popleft()
                self._changed.notify()
                if not self._waiting:
                    self._thread = None
                    return


def _store(link: Link, work: Work, drawn: Drawn, data: bytes, waited_s: float) -> None:
    outcome = commit(work, drawn, data)
    if isinstance(outcome, Drawn):
        outcome = replace(outcome, costs=replace(outcome.costs, store_s=waited_s))
    with contextlib.suppress(OSError):  # the main process is gone
        link.send(("outcome", outcome))
