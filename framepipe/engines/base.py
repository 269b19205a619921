"""What every engine shares: tasks in, outcomes out, and how one frame is drawn and stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from framepipe.control import Stop
from framepipe.errors import FramepipeError, FrameSizeError, StoreError
from framepipe.job import Canvas, JobRecord, passport
from framepipe.scenes.base import Player, Scene, SceneEnded, why_failed
from framepipe.scenes.canvas import Fit
from framepipe.scenes.style import keep_rcparams
from framepipe.store import Store

FailureKind = Literal["raised", "size", "lost", "timeout", "store"]


@dataclass(frozen=True)
class Work:
    """What all frames of a render have in common; goes to each worker once.

    Attributes
    ----------
    scene : Scene
    canvas : Canvas
    record : JobRecord
    store : Path
    earlier : mapping or sequence
        Values by index, of the frames that may have to be replayed.
    """

    scene: Scene
    canvas: Canvas
    record: JobRecord
    store: Path
    earlier: Mapping[int, Any] | Sequence[Any] = ()


@dataclass(frozen=True)
class Task:
    """One frame to draw.

    Attributes
    ----------
    number : int
    index : int
        The frame's place in the order of the scene's updates.
    value : object
    fit : Fit or None
        None for the first frame, which fixes it.
    keep : bool
        False to draw the frame only to learn its fit or its pixels' digest.
    replay : bool
        Run all updates before this frame in the process that draws it; else jump to it.
    """

    number: int
    index: int
    value: Any
    fit: Fit | None = None
    keep: bool = True
    replay: bool = False


@dataclass(frozen=True)
class Drawn:
    """A frame that is in the store now, or was drawn for its fit or digest.

    Attributes
    ----------
    number : int
    fit : Fit
    digest : str
        Of its pixels.
    """

    number: int
    fit: Fit
    digest: str


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


@dataclass(frozen=True)
class Ended:
    """The scene came to its end before this index: there is no such frame."""

    number: int
    index: int


Outcome = Drawn | Failed | Ended


class Hand(Protocol):
    """One worker, as whoever hands out tasks sees it."""

    @property
    def drawn(self) -> int:
        """Frames given to it so far; 0: it is fresh."""

    @property
    def position(self) -> int | None:
        """The index up to which it has run all updates in order; None after a jump."""

    @property
    def worn(self) -> bool:
        """It has drawn so many frames that it is to be replaced (never by frames to be replayed)."""


class Fresh:
    """The answer "this worker cannot take what is next: replace it by a fresh one"."""


class Tasks(Protocol):
    """What is to be drawn, handed out on demand."""

    @property
    def more(self) -> bool:
        """True while there may be tasks that were not handed out."""

    def next(self, hand: Hand) -> Task | type[Fresh] | None:
        """The next task for a worker; None if there is none for it now."""

    def gone(self, hand: Hand) -> None:
        """A worker will ask for no more."""


class Crew(Protocol):
    """Workers that are ready to draw one job's frames."""

    def draw(self, tasks: Tasks, *, at_once: int | None = None) -> Iterator[tuple[Task, Outcome]]:
        """Draw tasks, as many at once as there are workers or ``at_once``; outcomes as they come.

        When a stop is requested no further task is taken; when its time is up, frames in hand are
        dropped. A dropped frame has no outcome.
        """


class Engine(Protocol):
    """Where drawing runs.

    Attributes
    ----------
    name : str
    workers : int
    splits : bool
        Draws in several processes, none of which sees all frames.
    """

    name: str
    workers: int
    splits: bool

    def crew(self, work: Work, stop: Stop, wanted: int) -> AbstractContextManager[Crew]:
        """Workers for ``work``, at most ``wanted``; all are gone when the context ends."""


def after(position: int | None, task: Task) -> int | None:
    """Where a worker at ``position`` is after a task: None if it has jumped."""
    return task.index + 1 if task.replay or task.index == position else None


def draw_frame(work: Work, player: Player, task: Task) -> Outcome:
    """Draw one frame and put it in the store. Never raises for what the user's code does."""
    store = Store(work.store)
    try:
        parts = work.record.frame_parts(task.value)  # first: drawing may change the value
        with keep_rcparams():
            picture = player.picture(task, work.canvas, task.fit)
        if task.keep:
            store.commit(task.number, picture.encoded(passport(task.number, parts)))
            store.drop_log(task.number)
    except SceneEnded:
        return Ended(task.number, task.index)
    except StoreError as error:
        return Failed(task.number, "store", str(error))
    except FramepipeError as error:  # ours: says all by itself
        if log := getattr(error, "log", b""):
            store.keep_log(task.number, log)
        return Failed(task.number, "size" if isinstance(error, FrameSizeError) else "raised", str(error))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: it is the frame's failure, not ours
        return Failed(task.number, "raised", *why_failed(work.scene.name, error))
    return Drawn(task.number, picture.fit, picture.digest())
