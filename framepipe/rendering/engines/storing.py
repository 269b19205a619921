"""Frames go to the store while the next ones are drawn: a disk takes milliseconds to be sure of a file."""

from __future__ import annotations

import contextlib
import threading
import time
import traceback
from collections import deque
from dataclasses import replace

from framepipe.rendering.engines.base import Drawn, Failed, Work, commit
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
        self._thread: threading.Thread | None = None  # also one that has ended, until it was joined
        self._is_storing = False

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
                has_ended, self._is_storing = not self._is_storing, True
            if has_ended:
                self.wait()
                self._thread = threading.Thread(target=self._store_all, daemon=True)
                self._thread.start()

    def wait(self) -> None:
        """Wait until all frames are in the store, and have been reported."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def _store_all(self) -> None:
        while True:
            _store(*self._waiting[0])
            with self._changed:
                self._waiting.popleft()
                self._changed.notify()
                self._is_storing = bool(self._waiting)
                if not self._is_storing:
                    return


def _store(link: Link, work: Work, drawn: Drawn, data: bytes, waited_s: float) -> None:
    outcome: Drawn | Failed
    try:
        outcome = commit(work, drawn, data)
    except Exception as error:  # no memory, say: without an outcome the main process would wait for ever
        message = f"cannot write frame {drawn.number}: {type(error).__name__}: {error}"
        outcome = Failed(drawn.number, "store", message, traceback.format_exc())
    if isinstance(outcome, Drawn):
        outcome = replace(outcome, costs=replace(outcome.costs, store_s=waited_s))
    with contextlib.suppress(OSError):  # the main process is gone
        link.send(("outcome", outcome))
