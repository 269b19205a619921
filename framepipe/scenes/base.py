"""What every scene is: something that a process can play, frame by frame."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from framepipe import job

if TYPE_CHECKING:
    from framepipe.job import Canvas
    from framepipe.scenes.canvas import Fit, Picture

_MESSAGE, _TRACEBACK = 300, 8000  # characters: a log is to be read


class SceneEnded(Exception):
    """The scene has no frame of this index: it came to its end."""


class Shot(Protocol):
    """What a player is asked for; see `framepipe.engines.base.Task`."""

    @property
    def number(self) -> int:
        """The frame's number."""

    @property
    def index(self) -> int:
        """Its place in the order of updates."""

    @property
    def value(self) -> Any:
        """What the scene is called with."""

    @property
    def replay(self) -> bool:
        """Run all updates before it first."""


class Player(Protocol):
    """A scene at work in one process; it knows how far it has come."""

    def picture(self, shot: Shot, canvas: Canvas, fit: Fit | None) -> Picture:
        """Draw one frame.

        Raises
        ------
        SceneEnded
            There is no such frame.
        """


class Scene(job.Scene, Protocol):
    """What can draw frames; goes to worker processes."""

    @property
    def stem(self) -> str:
        """What the default store is called after."""

    @property
    def keeps_state(self) -> bool:
        """Frames may depend on those before them: their order is to be checked."""

    def player(self, earlier: Mapping[int, Any] | Sequence[Any]) -> Player:
        """The scene ready to be played in this process, from its start.

        Parameters
        ----------
        earlier : mapping or sequence
            Values by index, of the frames that may have to be replayed.
        """


def why_failed(name: str, error: BaseException) -> tuple[str, str]:
    """For people: that the scene of this name raised, in a line, and the traceback of its own code."""
    first_line = f"{type(error).__name__}: {error}".partition("\n")[0].rstrip(": ")
    return f"failed in {name}(): {first_line[:_MESSAGE]}", _user_traceback(error)


def _user_traceback(error: BaseException) -> str:
    """The traceback from the user's code on; what is above framepipe's last frame says nothing."""
    here = str(Path(__file__).parent.parent)
    start = step = error.__traceback__
    while step is not None:
        ours = step.tb_frame.f_code.co_filename.startswith(here)
        step = step.tb_next
        start = step if ours and step is not None else start
    text = "".join(traceback.format_exception(type(error), error, start)).rstrip()
    return text if len(text) <= _TRACEBACK else f"{text[: _TRACEBACK // 2]}\n…\n{text[-_TRACEBACK // 2 :]}"
