"""How a caller and a running stage talk: progress one way, a request to stop the other way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Stage = Literal["draw", "encode", "verify"]


@dataclass(frozen=True)
class Progress:
    """One step forward of one stage.

    Attributes
    ----------
    stage : {"draw", "encode", "verify"}
        What is being done.
    done : int
        Frames of this stage so far, the failed ones too.
    total : int or None
        All of its frames; None while nobody knows how many there will be.
    failed : int
        Frames that could not be drawn so far.
    label : str
        What is being made: the store's or the movie's name.
    """

    stage: Stage
    done: int
    total: int | None
    failed: int = 0
    label: str = ""


ProgressCallback = Callable[[Progress], None]


def ignore_progress(_: Progress) -> None:
    """The progress callback of a caller that does not care."""


@dataclass
class Stop:
    """A request to stop, made from a signal handler or another thread, read by the stages.

    The stages look at it between frames and a few times a second while they wait.
    """

    signal_name: str = ""
    requested: bool = field(default=False, init=False)
    _deadline: float | None = field(default=None, init=False)

    def request(self, signal_name: str = "", grace_s: float | None = None) -> None:
        """Ask for a stop.

        Parameters
        ----------
        signal_name : str
            Why, for the message and the exit code.
        grace_s : float, optional
            Seconds in which frames in hand may be finished; without it, as long as they take.
        """
        self.signal_name = signal_name or self.signal_name
        self.requested = True
        if grace_s is not None:
            self._deadline = time.monotonic() + grace_s

    @property
    def by(self) -> str:
        """For a message: " by SIGTERM"; empty when the program asked."""
        return f" by {self.signal_name}" if self.signal_name else ""

    @property
    def out_of_time(self) -> bool:
        """True when frames in hand must be dropped now."""
        return self._deadline is not None and time.monotonic() >= self._deadline
