"""The protocol of engines (tasks in, outcomes out), and drawing and storing one frame."""

from __future__ import annotations

import pickle
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from framepipe.core.control import Stop
from framepipe.errors import FramepipeError, FrameSizeError, StoreError
from framepipe.job.canvas import Canvas
from framepipe.job.fingerprint import digest_value
from framepipe.job.frames import Digested
from framepipe.job.read_tracer import ReadTracer
from framepipe.job.record import JobRecord
from framepipe.job.stamp import stamp
from framepipe.rendering.costs import Costs
from framepipe.scenes.base import Player, RunOn, Scene, SceneEnded, SourceFailed, describe_failure
from framepipe.scenes.picture import FrameGeometry
from framepipe.scenes.state import StateWatch
from framepipe.scenes.warned import SceneWarning, collecting_warnings
from framepipe.store.store import Store

#: In `Drawn.changed`: drawing has changed the frame's value.
CHANGED_VALUE = "the frame's value"
FailureKind = Literal["raised", "size", "lost", "timeout", "store"]


@dataclass(frozen=True)
class Work:
    """What all frames of a render have in common; sent to each worker once.

    Attributes
    ----------
    scene : Scene
    canvas : Canvas
    record : JobRecord
    store : Path
    earlier : mapping or sequence
        Values by index of the frames that may have to be replayed.
    open_order : bool
        True until the order is decided: a frame then records whether all updates before it were run.
        Otherwise a frame's bytes do not depend on the worker.
    """

    scene: Scene
    canvas: Canvas
    record: JobRecord
    store: Path
    earlier: Mapping[int, Any] | Sequence[Any] = ()
    open_order: bool = False


@dataclass(frozen=True)
class Task:
    """One frame to draw.

    Attributes
    ----------
    number : int
    index : int
        The frame's index in the order of the scene's updates.
    value : object
    geometry : FrameGeometry or None
        None for the first frame, which fixes it.
    keep : bool
        False to draw the frame only for its geometry or its pixels' digest.
    replay : bool
        Run all updates before this frame in the process that draws it; else jump to it.
    digest : str or None
        The value's digest before any frame was drawn; None if only the scene knows the value.
    watch : bool
        Check whether drawing the frame changes the scene's state.
    in_order : bool
        Set by the engine: the process that draws it has run all updates before it.
    redraw : {"full", "auto", "reuse", "compare"}
        See `framepipe.scenes.incremental.Incremental.rasterise`.
    """

    number: int
    index: int
    value: Any
    geometry: FrameGeometry | None = None
    keep: bool = True
    replay: bool = False
    digest: str | None = None
    watch: bool = False
    in_order: bool = False
    redraw: str = "full"


@dataclass(frozen=True)
class PackedValue:
    """A frame's value as a pickle: only the process that draws needs the modules of its class.

    Attributes
    ----------
    data : bytes
    """

    data: bytes

    @classmethod
    def of(cls, value: Any) -> PackedValue:
        """Pickle a value. Its class may raise any exception."""
        import cloudpickle

        return cls(cloudpickle.dumps(value, protocol=5))

    def unpacked(self) -> Any:
        """Return the value."""
        return pickle.loads(self.data)


@dataclass(frozen=True)
class Drawn:
    """A frame that is in the store now, or was drawn for its geometry or digest.

    Attributes
    ----------
    number : int
    geometry : FrameGeometry
    digest : str
        The digest of its pixels.
    costs : Costs
    changed : tuple of str
        Names of the state that drawing has changed in its process so far, if that was watched.
    reads : tuple of (str, str)
        Files that decide this frame, and digests of their contents.
    uses : tuple of str
        Other sources that it used, as the network.
    warnings : dict of SceneWarning to int
        Warnings of the scene, and how often each was issued.
    redraw : {"full", "learning", "reused", "useless", "same", "differs"}
        See `framepipe.scenes.picture.Picture`.
    """

    number: int
    geometry: FrameGeometry
    digest: str
    costs: Costs = field(default_factory=Costs)
    changed: tuple[str, ...] = ()
    reads: tuple[tuple[str, str], ...] = ()
    uses: tuple[str, ...] = ()
    warnings: Mapping[SceneWarning, int] = field(default_factory=dict)
    redraw: str = "full"


@dataclass(frozen=True)
class Failed:
    """A frame that was not drawn.

    Attributes
    ----------
    number : int
    kind : {"raised", "size", "lost", "timeout", "store"}
        The scene raised; another size; the process died; the time limit; the store cannot be written.
    message : str
        One line.
    traceback : str
        The traceback of the user's code; empty if there is none.
    """

    number: int
    kind: FailureKind
    message: str
    traceback: str = ""


@dataclass(frozen=True)
class Ended:
    """The scene ended before this index: there is no such frame."""

    number: int
    index: int


Outcome = Drawn | Failed | Ended


class Worker(Protocol):
    """A worker, as the source of tasks sees it."""

    @property
    def frame_count(self) -> int:
        """Number of frames sent to it so far; 0 for a fresh worker."""

    @property
    def position(self) -> int | None:
        """The index up to which it has run all updates in order; None after a jump."""

    @property
    def exhausted(self) -> bool:
        """True once the worker has drawn `max_frames_per_worker` frames and should be replaced."""


@dataclass(frozen=True)
class Replace:
    """The answer "this worker cannot take the next task: replace it by a fresh one".

    Attributes
    ----------
    at : int
        The index before which the fresh worker must have run all updates.
    """

    at: int = 0


class Tasks(Protocol):
    """A source of tasks, handed out on demand."""

    @property
    def more(self) -> bool:
        """True while there may be further tasks."""

    def start(self) -> int | None:
        """Return the index at which one more worker should begin; None if no further worker is useful now."""

    def next(self, worker: Worker) -> Task | Replace | None:
        """Return the next task for a worker; None if there is none for it now."""

    def on_worker_exit(self, worker: Worker) -> None:
        """Release a worker's tasks: it will request no more."""


class WorkerPool(Protocol):
    """Workers that are ready to draw one job's frames."""

    @property
    def checkpoints(self) -> bool:
        """True if a worker can begin at any index without running the updates before it again."""

    def draw(self, tasks: Tasks, *, at_once: int | None = None) -> Iterator[tuple[Task, Outcome]]:
        """Draw tasks, at most ``at_once`` or as many as workers at a time; yield outcomes as they come.

        After a request to stop no further task is taken; when its time is up, frames in progress are
        dropped. A dropped frame has no outcome.
        """


class Engine(Protocol):
    """Where drawing runs.

    Attributes
    ----------
    name : str
    workers : int
    is_parallel : bool
        True if it draws in several processes, none of which sees all frames.
    """

    @property
    def name(self) -> str:
        """For reports."""

    @property
    def workers(self) -> int:
        """How many frames are drawn at once."""

    @property
    def is_parallel(self) -> bool:
        """See above."""

    def pool(self, work: Work, stop: Stop, count: int) -> AbstractContextManager[WorkerPool]:
        """Provide at most ``count`` workers for ``work``; all have ended when the context ends."""


def position_after(position: int | None, task: Task) -> int | None:
    """Return a worker's position after a task: None if it has jumped."""
    return task.index + 1 if task.replay or task.index == position else None


def draw_frame(
    work: Work,
    player: Player,
    task: Task,
    state_watch: StateWatch | None = None,
    tracer: ReadTracer | None = None,
) -> Outcome:
    """Draw one frame and put it in the store, see `draw` and `commit`; its warnings are Python's affair."""
    outcome, data = draw(work, player, task, state_watch, tracer, collects_warnings=False)
    return commit(work, outcome, data) if isinstance(outcome, Drawn) and data else outcome


def commit(work: Work, drawn: Drawn, data: bytes) -> Drawn | Failed:
    """Put a frame's PNG file in the store, and return what has become of the frame."""
    began = time.perf_counter()
    try:
        Store(work.store).commit(drawn.number, data)
    except StoreError as error:
        return Failed(drawn.number, "store", str(error))
    return replace(drawn, costs=replace(drawn.costs, store_s=time.perf_counter() - began))


def draw(
    work: Work,
    player: Player,
    task: Task,
    state_watch: StateWatch | None = None,
    tracer: ReadTracer | None = None,
    *,
    collects_warnings: bool = True,
) -> tuple[Outcome, bytes]:
    """Draw one frame, and encode it if it is to be kept. Errors of the user's code are outcomes.

    Parameters
    ----------
    work : Work
    player : Player
    task : Task
    state_watch : StateWatch, optional
        Reports changes of the scene's state in this process.
    tracer : ReadTracer, optional
        Reports what this process has read.
    collects_warnings : bool
        Collect the scene's warnings, in a process of framepipe's own; else Python shows them.

    Returns
    -------
    outcome : Outcome
    data : bytes
        The frame's PNG file, to be put in the store; empty if it is not to be kept, or was not drawn.

    Raises
    ------
    RunOn
        The script itself has to continue to reach this frame.
    """
    started_at = time.perf_counter()
    try:
        counted: AbstractContextManager[Counter[SceneWarning]] = nullcontext(Counter())
        with collecting_warnings() if collects_warnings else counted as warnings:
            picture = player.picture(task, work.canvas, task.geometry)
        update_s = player.update_s
        draw_s = time.perf_counter() - started_at - update_s
        changed = state_watch.changed(task.watch, update_s + draw_s) if state_watch else ()
        if task.watch and _is_changed(task):
            changed = (*changed, CHANGED_VALUE)
        reads = tracer.frame(carried=bool(changed)) if tracer else {}
        uses = tracer.uses() if tracer else ()
        began = time.perf_counter()
        data = picture.encoded(_stamp(work, task, reads)) if task.keep else b""
        costs = Costs(update_s, draw_s, time.perf_counter() - began if data else 0.0)
        read, digest = tuple(reads.items()), picture.digest()
    except RunOn:
        raise
    except SceneEnded as end:
        if isinstance(end, SourceFailed) and work.record.extent != "growing":  # else its first frame says so
            return Failed(task.number, "raised", *describe_failure(work.scene.name, end.error)), b""
        return Ended(task.number, task.index), b""
    except StoreError as error:
        return Failed(task.number, "store", str(error)), b""
    except FramepipeError as error:  # its message needs no traceback
        if log := getattr(error, "log", b""):
            Store(work.store).keep_log(task.number, log)
        kind: FailureKind = "size" if isinstance(error, FrameSizeError) else "raised"
        return Failed(task.number, kind, str(error)), b""
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: it is the frame's failure, not ours
        return Failed(task.number, "raised", *describe_failure(work.scene.name, error)), b""
    details = read, uses, dict(warnings), picture.redraw
    return Drawn(task.number, picture.geometry, digest, costs, changed, *details), data


def _stamp(work: Work, task: Task, reads: Mapping[str, str]) -> str:
    """Encode what a frame's PNG says of itself."""
    parts = work.record.parts_with(task.digest, work.open_order and task.in_order)
    if isinstance(task.value, Digested):
        parts |= task.value.notes()
    return stamp(task.number, parts, reads)


def _is_changed(task: Task) -> bool:
    """True if drawing has changed the value, which other frames may share."""
    if task.digest is None or isinstance(task.value, Digested):
        return False
    return digest_value(task.value) != task.digest
