"""The protocol of scenes: what a process can play, frame by frame."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from framepipe.job.job import SceneIdentity
from framepipe.job.places import AS_IMPORTED
from framepipe.scenes.rcparams import drawn_with, style_texts

if TYPE_CHECKING:
    from pathlib import Path

    from framepipe.job.canvas import Canvas
    from framepipe.scenes.picture import FrameGeometry, Picture

_MAX_MESSAGE, _MAX_TRACEBACK = 300, 8000  # characters: a log stays readable


class SceneEnded(Exception):
    """The scene ends before this frame."""


class SourceFailed(SceneEnded):
    """What gives the scene its frames has raised an error before this frame.

    Attributes
    ----------
    error : BaseException
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


class RunOn(Exception):
    """The script itself has to continue to reach the requested frame."""


class FrameRequest(Protocol):
    """A request for one frame's picture; see `framepipe.rendering.engines.base.Task`."""

    @property
    def number(self) -> int:
        """The frame's number."""

    @property
    def index(self) -> int:
        """Its index in the order of updates."""

    @property
    def value(self) -> Any:
        """The value that the scene is called with."""

    @property
    def replay(self) -> bool:
        """True if all updates before the frame must run first."""

    @property
    def redraw(self) -> str:
        """How it is drawn: "full", "auto", "reuse" or "compare"; see `framepipe.scenes.incremental`."""


class Player(Protocol):
    """A scene that plays in one process; it counts the updates that it has run.

    Attributes
    ----------
    update_s : float
        Seconds that the scene's own code took for the last picture, without drawing.
    """

    update_s: float

    @property
    def stands_in_script(self) -> bool:
        """True if its process is in the middle of the script, which continues to reach further frames."""

    def advance(self, index: int) -> None:
        """Run all updates before frame ``index`` and draw none of them.

        Raises
        ------
        SceneEnded
            There is no such frame.
        RunOn
            The script itself has to continue for that.
        """

    def picture(self, request: FrameRequest, canvas: Canvas, geometry: FrameGeometry | None) -> Picture:
        """Draw one frame.

        Raises
        ------
        SceneEnded
            There is no such frame.
        RunOn
            The script itself has to continue to reach this frame.
        """


class Scene(SceneIdentity, Protocol):
    """Draws frames; is sent to worker processes."""

    @property
    def stem(self) -> str:
        """First part of the default store's name."""

    @property
    def keeps_state(self) -> bool:
        """True if frames may depend on earlier ones, so that their order must be checked."""

    @property
    def runs_updates(self) -> bool:
        """True if its frames are the results of updates that run in order, as an animation's."""

    @property
    def begins_anew(self) -> bool:
        """True if its updates need not run before later frames, see `framepipe.scenes.begins_anew`."""

    @property
    def streams(self) -> bool:
        """True if a frame exists only until the next one is produced, as a generator's."""

    @property
    def handed_over(self) -> bool:
        """True for an object of the running program, False for one that a process of its own has loaded."""

    def for_workers(self, values: Mapping[int, Any]) -> tuple[Scene, Mapping[int, Any]]:
        """Return the scene that worker processes draw, and its values by frame number.

        Parameters
        ----------
        values : mapping
            The plan's values by frame number.
        """

    def state(self) -> Mapping[str, str]:
        """Return digests, by name, of the state through which a frame may change later ones."""

    def shown(self) -> Mapping[str, str]:
        """Return values of `data` as text, by name, where they are short."""

    def player(self, earlier: Mapping[int, Any] | Sequence[Any]) -> Player:
        """Return a player for this process, at the start of the scene.

        Parameters
        ----------
        earlier : mapping or sequence
            Values by index of the frames that may have to be replayed.
        """


class BaseScene:
    """Defaults that hold for most scenes."""

    keeps_state = runs_updates = begins_anew = streams = False
    handed_over = True

    def style(self) -> Mapping[str, str]:
        """Return the rcParams that differ from matplotlib's defaults, as text."""
        return style_texts()

    def versions(self, sources: Sequence[Path]) -> Mapping[str, str]:
        """Return the versions of matplotlib and of the packages that the sources import."""
        return drawn_with(sources)

    def state(self) -> Mapping[str, str]:
        """Return nothing: drawing a frame changes nothing for later ones."""
        return {}

    def shown(self) -> Mapping[str, str]:
        """Return nothing: there is no data, or it has no names."""
        return {}

    def for_workers(self, values: Mapping[int, Any]) -> tuple[Any, Mapping[int, Any]]:
        """Return the scene itself and the plan's values."""
        return self, values


def describe_failure(name: str, error: BaseException) -> tuple[str, str]:
    """Return a one-line message that this scene raised, and the traceback of the user's code."""
    first_line = f"{type(error).__name__}: {error}".partition("\n")[0].rstrip(": ")
    return f"failed in {name}(): {first_line[:_MAX_MESSAGE]}", _user_traceback(error)


def _user_traceback(error: BaseException) -> str:
    """Format the traceback from framepipe's last frame on: what is above it does not help."""
    start = traceback_ = error.__traceback__
    while traceback_ is not None:
        in_framepipe = traceback_.tb_frame.f_code.co_filename.startswith(AS_IMPORTED)
        traceback_ = traceback_.tb_next
        start = traceback_ if in_framepipe and traceback_ is not None else start
    text = "".join(traceback.format_exception(type(error), error, start)).rstrip()
    return (
        text
        if len(text) <= _MAX_TRACEBACK
        else f"{text[: _MAX_TRACEBACK // 2]}\n…\n{text[-_MAX_TRACEBACK // 2 :]}"
    )
