"""What a verb gives a long-running call: progress on the terminal, and signals as a request to stop.

The library itself prints nothing and installs no signal handlers.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from framepipe.control import Stop
from framepipe.progress import ProgressBar

#: Seconds in which frames in hand may be finished. TERM is followed by KILL soon (Slurm's KillWait
#: is 30 s, elsewhere 5 to 10); USR1 and USR2 are warnings that the user asked for, with time left.
_GRACE_S = {"SIGTERM": 5.0, "SIGUSR1": 30.0, "SIGUSR2": 30.0}


@contextmanager
def at_work(quiet: bool = False) -> Iterator[dict[str, Any]]:
    """The keywords ``progress`` and ``stop`` of a library call."""
    bar = None if quiet else ProgressBar()
    with stop_on_signals() as stop:
        try:
            yield {"progress": bar, "stop": stop}
        finally:
            if bar:
                bar.close()


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """A `Stop` that signals request: Ctrl-C once finishes the frames in hand, twice stops at once."""
    stop = Stop()

    def interrupt(number: int, _: FrameType | None) -> None:
        if stop.requested:
            raise KeyboardInterrupt
        print(
            "\nframepipe: finishing the frames in hand; Ctrl-C again stops at once",
            file=sys.stderr,
            flush=True,
        )
        stop.request("SIGINT")

    def terminate(number: int, _: FrameType | None) -> None:
        name = signal.Signals(number).name
        stop.request(name, _GRACE_S.get(name, 5.0))

    handlers = {"SIGINT": interrupt} | dict.fromkeys(_GRACE_S, terminate)
    known = {getattr(signal, name): call for name, call in handlers.items() if hasattr(signal, name)}
    before = {number: signal.signal(number, call) for number, call in known.items()}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
