"""What every engine shares: tasks in, outcomes out, and how one frame is drawn and stored."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from framepipe import png
from framepipe.control import Stop
from framepipe.errors import FrameSizeError, RenderError, StoreError
from framepipe.job import Canvas, JobRecord, passport
from framepipe.scenes.canvas import Fit, rasterise
from framepipe.scenes.function import FunctionScene
from framepipe.scenes.style import keep_rcparams
from framepipe.store import Store

_MESSAGE, _TRACEBACK = 300, 8000  # characters: a log is to be read

FailureKind = Literal["raised", "size", "lost", "timeout", "store"]


@dataclass(frozen=True)
class Work:
    """What all frames of a render have in common; goes to each worker once."""

    scene: FunctionScene
    canvas: Canvas
    record: JobRecord
    store: Path


@dataclass(frozen=True)
class Task:
    """One frame to draw.

    Attributes
    ----------
    number : int
    value : object
    fit : Fit or None
        None for the first frame, which fixes it.
    keep : bool
        False to draw the frame only to learn its fit.
    """

    number: int
    value: Any
    fit: Fit | None = None
    keep: bool = True


@dataclass(frozen=True)
class Drawn:
    """A frame that is in the store now, or was drawn for its fit."""

    number: int
    fit: Fit
    seconds: float


@dataclass(frozen=True)
class Failed:
    """A frame that was not drawn.

    Attributes
    ----------
    number : int
    kind : {"raised", "size", "lost", "timeout", "store"}
        The scene raised; the size is another; the process died; the time limit; no space.
    message : str
        One line.
    traceback : str
        Of the user's code; empty where there is none.
    """

    number: int
    kind: FailureKind
    message: str
    traceback: str = ""


Outcome = Drawn | Failed


class Crew(Protocol):
    """Workers that are ready to draw one job's frames."""

    def draw(self, tasks: Iterable[Task], *, at_once: int | None = None) -> Iterator[Outcome]:
        """Draw tasks, as many at once as there are workers or ``at_once``; outcomes as they come.

        When a stop is requested no further task is taken; when its time is up, frames in hand are
        dropped. A dropped frame has no outcome.
        """


class Engine(Protocol):
    """Where drawing runs."""

    name: str
    workers: int

    def crew(self, work: Work, stop: Stop, wanted: int) -> AbstractContextManager[Crew]:
        """Workers for ``work``, at most ``wanted``; all are gone when the context ends."""


def draw_frame(work: Work, task: Task) -> Outcome:
    """Draw one frame and put it in the store. Never raises for what the user's code does."""
    began = time.monotonic()
    try:
        with keep_rcparams(), work.scene.figure(task.value) as figure:
            picture = rasterise(figure, work.canvas, task.fit)
        if task.keep:
            parts = work.record.frame_parts(task.value)
            data = png.encode(
                picture.pixels,
                passport(task.number, parts),
                dpi=picture.dpi,
                background=picture.background,
            )
            Store(work.store).commit(task.number, data)
    except StoreError as error:
        return Failed(task.number, "store", str(error))
    except FrameSizeError as error:
        return Failed(task.number, "size", str(error))
    except RenderError as error:  # ours: says all by itself
        return Failed(task.number, "raised", str(error))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: it is the frame's failure, not ours
        first_line = f"{type(error).__name__}: {error}".partition("\n")[0].rstrip(": ")
        message = f"failed in {work.scene.name}(): {first_line[:_MESSAGE]}"
        return Failed(task.number, "raised", message, _user_traceback(error))
    return Drawn(task.number, picture.fit, time.monotonic() - began)


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
