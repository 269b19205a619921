"""Callbacks for a long-running call: progress on the terminal, and signals as a request to stop.

The library itself prints nothing and installs no signal handlers.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click

from framepipe.core.control import Progress, ProgressCallback, Stop, ignore_progress
from framepipe.core.progress_bar import controlled
from framepipe.core.summary import short_path
from framepipe.errors import Interrupted, UsageError

#: Seconds in which frames in progress may be finished. TERM is followed by KILL soon (Slurm's KillWait
#: is 30 s, elsewhere 5 to 10); USR1 and USR2 are warnings that the user asked for, with time left.
_GRACE_S = {"SIGTERM": 5.0, "SIGUSR1": 30.0, "SIGUSR2": 30.0}
#: Seconds after which an unanswered request to stop interrupts the call wherever it is: it may wait
#: for a file system or a named pipe, or scan a million frames.
_PATIENCE_S = 3.0
_AGAIN_S = 10.0


@contextmanager
def progress_and_stop(quiet: bool = False, watch: bool = False) -> Iterator[dict[str, Any]]:
    """Provide the keywords ``progress`` and ``stop`` of a library call.

    Parameters
    ----------
    quiet : bool
        Show no progress.
    watch : bool
        Also show it in a browser.

    Raises
    ------
    ToolMissing
        What ``watch`` needs is not installed.
    """
    session = _Session()
    with session.handling_signals(), controlled(not quiet) as control, _page_if(watch) as page:

        def note(progress: Progress) -> None:
            page(progress)
            session.note(progress, control.progress)

        yield {"progress": note, "stop": session.stop}
    if (mpi := sys.modules.get("framepipe.rendering.engines.mpi")) and mpi.has_helped():
        raise click.exceptions.Exit(0)  # rank 0 prints what came of it


@contextmanager
def _page_if(watch: bool) -> Iterator[ProgressCallback]:
    """Provide a callback that shows a page of the store into which frames are drawn, if one is asked for."""
    if not watch:
        yield ignore_progress
        return
    from framepipe.watching.beside import PageBeside, check_libraries

    check_libraries()
    shown: set[str] = set()
    with contextlib.ExitStack() as page_of_now:

        def show(progress: Progress) -> None:
            if not progress.store or progress.store in shown:
                return
            shown.add(progress.store)
            page_of_now.close()  # the film before, of several
            try:
                page = PageBeside(Path(progress.store))
            except (OSError, UsageError) as error:  # the render goes on without it
                print(f"framepipe: no page can be shown: {error}", file=sys.stderr, flush=True)
                return
            page_of_now.callback(page.close)
            print("\n".join(address_lines(progress.store, page.address)), file=sys.stderr, flush=True)

        yield show


def address_lines(store: str, address: Any) -> list[str]:
    """Return what is printed about the page of a store: its address, and how to reach it from elsewhere."""
    from framepipe.watching.address import tunnel

    lines = [f"Watch {short_path(Path(store))} at  {address.url()}"]
    if forward := tunnel(address):
        lines.append(f"From your own computer, first:  {forward}")
    return lines


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Provide a `Stop` that signals request: one Ctrl-C finishes frames in progress, two stop at once."""
    session = _Session()
    with session.handling_signals():
        yield session.stop


class _Session:
    """Signals as a request to stop, and an interrupt if the call does not stop in time.

    After Ctrl-C, drawing may take as long as the frames in progress need, all else `_PATIENCE_S`; after the
    other signals, everything has `_GRACE_S` and `_PATIENCE_S`.
    """

    def __init__(self) -> None:
        self.stop = Stop()
        self._drawing = False
        self._interrupted = False

    def note(self, progress: Progress, bar: ProgressCallback) -> None:
        """Remember the stage of the call, and show its progress."""
        over = progress.total is not None and progress.done >= progress.total
        self._drawing = progress.stage == "draw" and not over
        bar(progress)

    @contextmanager
    def handling_signals(self) -> Iterator[None]:
        handlers = {"SIGINT": self._interrupt} | dict.fromkeys(_GRACE_S, self._terminate)
        available = {getattr(signal, name): call for name, call in handlers.items() if hasattr(signal, name)}
        previous = {number: signal.signal(number, call) for number, call in available.items()}
        previous[signal.SIGALRM] = signal.getsignal(signal.SIGALRM)
        try:
            yield
        except KeyboardInterrupt:
            name = self.stop.signal_name
            if name in ("", "SIGINT"):
                raise
            raise Interrupted(f"stopped by {name}. Run the same again to go on", signal_name=name) from None
        finally:
            if self.stop.requested:
                signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _interrupt(self, number: int, _: FrameType | None) -> None:
        if self.stop.requested or self._interrupted:
            raise KeyboardInterrupt
        # before the message: who reads it may press Ctrl-C while it is being written
        self._interrupted = True
        activity = "finishing frames in progress" if self._drawing else "stopping"
        print(f"\nframepipe: {activity}; Ctrl-C again stops at once", file=sys.stderr, flush=True)
        self.stop.request("SIGINT")
        self._stop_within(_PATIENCE_S)

    def _terminate(self, number: int, _: FrameType | None) -> None:
        name = signal.Signals(number).name
        grace_s = _GRACE_S.get(name, 5.0)
        self.stop.request(name, grace_s)
        self._stop_within(grace_s + _PATIENCE_S)

    def _stop_within(self, seconds: float) -> None:
        """Set a system timer: a signal handler must not start a thread (it may have interrupted a start)."""
        signal.signal(signal.SIGALRM, self._stop_now)
        signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)

    def _stop_now(self, number: int, _: FrameType | None) -> None:
        if self._drawing and self.stop.signal_name == "SIGINT":
            return
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_S, _AGAIN_S)  # cleaning up may take a while
        raise KeyboardInterrupt
