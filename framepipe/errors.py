"""Every error that framepipe raises, and the exit code that the command line gives it.

::

    FramepipeError                1   (a bug, if it is this class itself)
    ├── UsageError                2   wrong arguments, a script that does not load
    │   └── FrameRangeError       2   a frame range that does not parse
    ├── RenderError               3
    │   ├── FramesFailed          3   some frames could not be drawn; ``report`` has each of them
    │   ├── FrameSizeError        3   one frame has another size than the first
    │   ├── StoreError            3   the folder of frames cannot be read or written
    │   ├── IncompleteStore       3   frames are missing, broken or stale; ``status`` says which
    │   └── EngineError           3   the worker processes cannot work at all
    ├── ToolMissing               4   no usable ffmpeg or ImageMagick
    ├── EncoderFailed             5   the encoder ran and did not do its work
    ├── VerificationFailed        6   the movie is not what the timeline asked for
    ├── SweepFailed               3   some points of a sweep failed; or the code of the first of them
    └── Interrupted          75/130   stopped by a signal; run again to go on

Data that a program may want stands in attributes; they survive pickling between processes. A
message says what failed and where, what was seen against what was expected, and the next step.
"""

from __future__ import annotations

from typing import Any


class FramepipeError(Exception):
    """Base of all of framepipe's errors.

    Parameters
    ----------
    message : str
        What failed, what was seen, what to do next.
    **data
        Kept as attributes of the error.
    """

    exit_code: int = 1

    def __init__(self, message: str, /, **data: Any) -> None:
        super().__init__(message)
        self.__dict__.update(data)


class UsageError(FramepipeError):
    """An argument is wrong, or the scene cannot be loaded. Nothing was drawn."""

    exit_code = 2


class FrameRangeError(UsageError):
    """A frame range does not parse."""


class RenderError(FramepipeError):
    """Base of what can go wrong between the scene and the store."""

    exit_code = 3


class FramesFailed(RenderError):
    """Some frames could not be drawn. All others were, and are in the store.

    Attributes
    ----------
    report : RenderReport
    """

    report: Any


class FrameSizeError(RenderError):
    """A frame has another size, in pixels, than the first frame of the movie."""


class StoreError(RenderError):
    """The folder of frames cannot be read or written (disk full, permissions, damage)."""


class IncompleteStore(RenderError):
    """Frames of the plan are missing, broken or stale.

    Attributes
    ----------
    status : StoreStatus
    """

    status: Any


class EngineError(RenderError):
    """Worker processes cannot be started, or the scene cannot be sent to them."""


class ToolMissing(FramepipeError):
    """No usable ffmpeg or ImageMagick was found; the message has the command to get one."""

    exit_code = 4


class EncoderFailed(FramepipeError):
    """The encoder failed, or said that it succeeded and did not. The frames are kept.

    Attributes
    ----------
    stderr : str
        The end of what the encoder printed.
    """

    exit_code = 5
    stderr: str = ""


class VerificationFailed(FramepipeError):
    """The movie was built but is not what the timeline and the frames ask for.

    Attributes
    ----------
    report : VerifyReport
    """

    exit_code = 6
    report: Any


class SweepFailed(FramepipeError):
    """Some points of a sweep failed; the others have their movies.

    Attributes
    ----------
    report : SweepReport
    """

    exit_code = 3  # unless the first point that failed has another
    report: Any


class Interrupted(FramepipeError):
    """Stopped by a signal before the work was done; running the same again goes on.

    Attributes
    ----------
    signal_name : str
        ``"SIGTERM"``, ``"SIGINT"`` …; empty when the program asked for the stop.
    """

    signal_name: str = ""

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """75 (``EX_TEMPFAIL`` of sysexits.h, so that a scheduler requeues), 130 for Ctrl-C."""
        return 130 if self.signal_name == "SIGINT" else 75
