"""Communication between a caller and a running stage: progress one way, a request to stop the other."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from subprocess import Popen, TimeoutExpired
from typing import Any, Literal

from framepipe.errors import Interrupted

Stage = Literal["read", "draw", "encode", "verify"]
_REAPED_S = 2.0

#: Seconds without progress after which a program is killed.
IDLE_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Progress:
    """One step forward of one stage.

    Attributes
    ----------
    stage : {"read", "draw", "encode", "verify"}
        What is being done. "read": a large input file is read once.
    done : int
        Frames of this stage so far, the failed ones too; of "read", megabytes.
    total : int or None
        All of its frames or megabytes; None while their number is not known.
    failed : int
        Frames that could not be drawn so far.
    label : str
        The store's, the movie's or the input file's name.
    news : str
        Text about what has just happened, as the traceback of a frame that failed; may be empty.
    store : str
        The folder into which frames are drawn; empty in other stages.
    part : str
        Which part of the whole is under way: of a sweep, its points.
    """

    stage: Stage
    done: int
    total: int | None
    failed: int = 0
    label: str = ""
    news: str = ""
    store: str = ""
    part: str = ""


ProgressCallback = Callable[[Progress], None]


def ignore_progress(_: Progress) -> None:
    """Ignore progress: the default callback."""


@dataclass
class Stop:
    """A request to stop: from a signal handler or another thread, to the stages.

    The stages read it between frames, and a few times a second while they wait.
    """

    signal_name: str = ""
    requested: bool = field(default=False, init=False)
    why: str = field(default="", init=False)
    _while: str = field(default="", init=False)
    _deadline: float | None = field(default=None, init=False)
    _watcher: Callable[[], None] | None = field(default=None, init=False)

    def request(self, signal_name: str = "", grace_s: float | None = None, why: str = "") -> None:
        """Request a stop.

        Parameters
        ----------
        signal_name : str
            The signal's name, for the message and the exit code.
        grace_s : float, optional
            Seconds in which frames in progress may be finished; without it, as long as they take.
        why : str
            For the message, where no signal is the reason: "0:01:00 is left".
        """
        self.signal_name = signal_name or self.signal_name
        self.why = why or self.why
        self.requested = True
        if grace_s is not None:
            self._deadline = time.monotonic() + grace_s
        if self._while and threading.current_thread() is threading.main_thread():
            raise Interrupted(f"stopped{self.by} while {self._while}", signal_name=self.signal_name)

    @contextlib.contextmanager
    def raising(self, what: str) -> Iterator[None]:
        """Make a request raise `Interrupted` from the signal handler within this context.

        For code that cannot poll for requests: ``what`` says what it does, for the message.
        """
        self._while = what
        try:
            yield
        finally:
            self._while = ""

    @contextlib.contextmanager
    def watched(self, watcher: Callable[[], None]) -> Iterator[None]:
        """Call ``watcher`` a few times a second within this context, where engines wait; see `tick`."""
        before, self._watcher = self._watcher, watcher
        try:
            yield
        finally:
            self._watcher = before

    def pass_on(self, other: Stop) -> None:
        """Request the same of another one, if a stop is requested here and not there, or in less time."""
        if self.requested and not (other.requested and other._deadline == self._deadline):
            other.signal_name, other.why = self.signal_name, self.why
            other._deadline, other.requested = self._deadline, True

    def tick(self) -> None:
        """Call the watcher, if there is one: engines call this in their loops.

        It may request a stop, or raise.
        """
        if self._watcher is not None:
            self._watcher()

    @property
    def by(self) -> str:
        """The sender or the reason for a message: " by SIGTERM"; empty when the program requested it."""
        if self.signal_name:
            return f" by {self.signal_name}"
        return f" ({self.why})" if self.why else ""

    @property
    def out_of_time(self) -> bool:
        """True when frames in progress must be dropped now."""
        return self._deadline is not None and time.monotonic() >= self._deadline


@dataclass(frozen=True)
class Control:
    """The progress callback and the stop request of a running stage.

    Attributes
    ----------
    progress : callable
        Called with each `Progress`.
    stop : Stop
    """

    progress: ProgressCallback = ignore_progress
    stop: Stop = field(default_factory=Stop)

    def tell(
        self,
        stage: Stage,
        done: int,
        total: int | None,
        *,
        failed: int = 0,
        label: str = "",
        news: str = "",
        store: str = "",
    ) -> None:
        """Report a step forward; see `Progress`."""
        self.progress(Progress(stage, done, total, failed, label, news, store))

    def check(self, activity: str, safe: str = "the frames are") -> None:
        """Raise `Interrupted` if a stop is requested.

        Parameters
        ----------
        activity : str
            The present activity: "verifying a.gif".
        safe : str
            What is not lost, with its verb.

        Raises
        ------
        Interrupted
        """
        if self.stop.requested:
            raise Interrupted(
                f"stopped{self.stop.by} while {activity}: {safe} safe. Run the same again to go on",
                signal_name=self.stop.signal_name,
            )


#: No progress, and no stop: for callers that need neither.
NO_CONTROL = Control()


def reap(process: Popen[Any]) -> int:
    """Wait for a killed process; return its exit code.

    An interrupt within `Popen.wait` or `Popen.poll` may leave their lock locked (CPython 3.11, between
    ``acquire`` and ``try``): another ``wait`` would then never return.
    """
    with contextlib.suppress(TimeoutExpired):
        return process.wait(_REAPED_S)
    with contextlib.suppress(ChildProcessError):
        process.returncode = os.waitstatus_to_exitcode(os.waitpid(process.pid, 0)[1])
    return process.returncode if process.returncode is not None else -signal.SIGKILL
