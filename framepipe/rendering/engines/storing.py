"""Frames go to the store while the next one is drawn: a disk takes milliseconds to be sure of a file."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import replace

from framepipe.rendering.engines.base import Drawn, Work, commit
from framepipe.rendering.engines.link import Link


class Storing:
    """Puts the frames of one process in the store, one at a time.

    A frame is reported as ``drawn`` at once, so that the next one can be sent, and as ``outcome`` when it is
    in the store. The thread lives only for that: a process is never forked with a second thread in it.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def put(self, link: Link, work: Work, drawn: Drawn, data: bytes) -> None:
        """Put a frame in the store; wait for the one before it.

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
        self.wait()
        waited_s = time.perf_counter() - began
        self._thread = threading.Thread(target=_put, args=(link, work, drawn, data, waited_s), daemon=True)
        try:
            link.send(("drawn",))
        finally:  # also if nobody is there any more
            self._thread.start()

    def wait(self) -> None:
        """Wait until the last frame is in the store, and has been reported."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()


def _put(link: Link, work: Work, drawn: Drawn, data: bytes, waited_s: float) -> None:
    outcome = commit(work, drawn, data)
    if isinstance(outcome, Drawn):
        outcome = replace(outcome, costs=replace(outcome.costs, store_s=waited_s))
    with contextlib.suppress(OSError):  # the main process is gone
        link.send(("outcome", outcome))
