"""Frames out of a running program: each is stored at once, drawn by other processes meanwhile.

What a program has drawn cannot be drawn again without running it again. So recorded frames never go
stale by an edit of the program, and what a killed program leaves behind is a store like any other.
"""

from __future__ import annotations

import contextlib
import operator
import os
import queue
import threading
import uuid
import warnings
import weakref
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from framepipe import files
from framepipe.control import Stop
from framepipe.engines import Drawn, Failed, LocalEngine, Outcome, SerialEngine, Task, Work
from framepipe.engines.base import Crew
from framepipe.engines.tasks import InOrder, Live
from framepipe.errors import FramesFailed, StoreError, UsageError
from framepipe.frames import Frames, Unknowns, format_range
from framepipe.job import Canvas, Job, JobRecord
from framepipe.rendering import RenderReport, failure_message
from framepipe.scenes.canvas import Fit
from framepipe.scenes.snapshot import SnapshotScene
from framepipe.store import Store

EXISTING = ("keep", "replace")
_WAITING = 8  # frames that may wait for each worker: a figure may have megabytes
_LOOK_S = 0.5
#: Variables in which launchers of parallel programs tell each process its rank: torchrun, Open MPI,
#: MPICH and Intel MPI, PMIx, MVAPICH.
_RANKS = ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "MV2_COMM_WORLD_RANK")


class Recorder:
    """Takes frames from a running program, as a training loop or a simulation.

    >>> with Recorder("frames/train") as recorder:  # doctest: +SKIP
    ...     for epoch in range(recorder.next_number, 100):
    ...         recorder.snap(draw(epoch))

    Parameters
    ----------
    store : path-like
        Folder of the frames. Frames that a killed program left in it are kept.
    params : mapping, optional
        What belongs to this run, as ``{"lr": 0.1}``: a store of another run is refused.
    dpi, tight, transparent
        As in `render`.
    workers : int
        Processes that draw while the program goes on; 0 draws in the program itself. Default 1, since
        the program needs the other processors.
    existing : {"keep", "replace"}
        Frames that are in the store already: go on after them, and leave as it is what is snapped
        under a number that is there; or begin a new run, which takes no frame of the old one.
    rank : int, optional
        Of this process in a parallel program; only rank 0 writes. Default: what torchrun, MPI or Slurm
        tell; 0 where each of their processes is a program of its own.

    Raises
    ------
    UsageError
        Wrong arguments.
    StoreError
        The store cannot be written, or holds frames of another run or of something else.
    """

    _what = "the recorded figure"

    def __init__(
        self,
        store: str | os.PathLike[str],
        *,
        params: Mapping[str, Any] | None = None,
        dpi: float | None = None,
        tight: bool = False,
        transparent: bool | None = None,
        workers: int = 1,
        existing: str = "keep",
        rank: int | None = None,
    ) -> None:
        if existing not in EXISTING:
            raise UsageError(f"existing is {existing!r}; give one of {', '.join(EXISTING)}")
        if workers < 0:
            raise UsageError(f"workers is {workers}; give 0 or more")
        self.store = Store(store)
        self.writes = (_rank() if rank is None else rank) == 0
        self._scene = SnapshotScene(self._what, self.store.path.name)
        self._scene.params = dict(params or {})
        job = Job(
            self._scene, Frames((), Unknowns(0), "", extent="recorded"), Canvas(dpi, tight, transparent)
        )
        self._record, self._there, fit = self._open(job, existing)
        self._highest = max(self._there, default=-1)
        self._mine: set[int] = set()
        self._kept: list[int] = []
        self._twice: list[int] = []
        self._taken = 0
        self._pid = os.getpid()
        work = Work(self._scene, job.canvas, self._record, self.store.path)
        self._drawing: _Background | _Foreground | None = None
        if self.writes:
            self._drawing = _Background(work, workers, fit) if workers else _Foreground(work, fit)
            self._last_wish = weakref.finalize(self, _end, self._drawing, self._pid)

    def _open(self, job: Job, existing: str) -> tuple[JobRecord, set[int], Fit | None]:
        if self.writes:
            self.store.create()
            self.store.sweep()
        before, record = self.store.known_job(), job.record()
        going_on = before is not None and before.name == record.name and existing == "keep"
        record = replace(record, parts={**record.parts, **self._marks(before if going_on else None)})
        if self.store.numbers():
            self._refuse_others(before, record, going_on)
        if self.writes:
            self.store.write_job(record)
        found = self.store.scan(record, deep=True)
        return record, set(found.done), Fit(found.shape) if found.shape else None

    def _marks(self, before: JobRecord | None) -> dict[str, str]:
        """What tells this run's frames from those of others; a run that goes on takes over its own.

        So also matplotlib's version: what was drawn by another one stays.
        """
        marks = (
            {name: before.parts[name] for name in ("run", "matplotlib") if name in before.parts}
            if before
            else {}
        )
        return {"run": uuid.uuid4().hex, **marks}

    def _refuse_others(self, before: JobRecord | None, record: JobRecord, going_on: bool) -> None:
        if before is None or before.name != record.name:
            what = f"frames of {before.name}" if before else "frames of something else"
            raise StoreError(f"{self.store.path} holds {what}: choose another store")
        changed = [name for name in record.parts if before.parts.get(name) != record.parts[name]]
        changed = [name for name in changed if name != "matplotlib"]
        if going_on and changed:
            raise StoreError(
                f"{self.store.path} holds frames of another run ({', '.join(changed)} differ): choose "
                "another store, or begin anew with existing='replace'"
            )

    @property
    def next_number(self) -> int:
        """The number after the last frame that is stored or on its way: where a restarted program goes on."""
        return self._highest + 1

    def snap(self, figure: Any = None, *, number: int | None = None) -> int | None:
        """Take a frame; it is drawn in the background.

        Parameters
        ----------
        figure : Figure, Axes, ndarray or Pillow image, optional
            Default: pyplot's current figure. It is taken as it is now, and may be changed, cleared or
            closed at once. An array is uint8 of shape (height, width, 3 or 4).
        number : int, optional
            Default: `next_number`. One that the store has, or that was snapped before, is left as it
            is, which a warning says at the end.

        Returns
        -------
        int or None
            The frame's number; None in a process that does not write.

        Raises
        ------
        FramesFailed
            Frames that were snapped before could not be drawn; says which and why.
        RenderError
            This is nothing that can be drawn.
        StoreError
            The store cannot be written.
        UsageError
            The number is negative or no whole number; the recorder is closed.
        """
        return self._snap(figure, number)

    def _snap(self, figure: Any, number: int | None, state: str = "", **savefig: Any) -> int | None:
        if self._drawing is None or os.getpid() != self._pid:  # another rank, or a forked child
            if not self.writes:
                return None
            raise UsageError("the recorder is closed, or was made by another process")
        self._drawing.raise_failures(self._report)
        number = self.next_number if number is None else _whole(number)
        if number not in self._there or not self._is(number, state):
            here = isinstance(self._drawing, _Foreground) and not state
            snapshot = replace(self._scene.take(figure, here=here), state=state, savefig=savefig)
            self._drawing.put(Task(number, number, snapshot))
            self._there.add(number)
        else:
            (self._twice if number in self._mine else self._kept).append(number)
        self._mine.add(number)
        self._highest = max(self._highest, number)
        self._taken += 1
        return number

    def _is(self, number: int, state: str) -> bool:
        """True if the stored frame is the one that is snapped now: that is believed."""
        return True

    def flush(self) -> None:
        """Wait until all frames are drawn and stored; the processes that drew them end.

        Raises
        ------
        FramesFailed
            Some could not be drawn.
        """
        if self._drawing and os.getpid() == self._pid:
            self._drawing.end()
            self._drawing.raise_failures(self._report)

    def close(self) -> None:
        """Draw what is waiting, then end the background processes.

        Raises
        ------
        FramesFailed
            Some could not be drawn.
        """
        if self._drawing is None or os.getpid() != self._pid:
            return
        drawing, self._drawing = self._drawing, None
        self._last_wish.detach()
        drawing.end()
        files.sync_folder(self.store.path)
        drawing.raise_failures(self._report)
        self._warn()

    def _warn(self) -> None:
        if self._kept:
            warnings.warn(
                f"frames {format_range(self._kept)} were in {self.store.path} already and were left as they "
                "are; existing='replace' begins a new run",
                stacklevel=3,
            )
        if self._twice:
            warnings.warn(
                f"frames {format_range(self._twice)} were snapped more than once; the first of each counts",
                stacklevel=3,
            )

    def _report(self, failed: list[Failed]) -> RenderReport:
        for each in failed:  # they may be snapped again
            self._there.discard(each.number)
        return RenderReport(self.store.path, self._taken, failed=tuple(failed), resumable=False)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            self.close()
        except Exception:
            if kind is None:  # else the program's own error is the one to be told
                raise


class FigureRecorder(Recorder):
    """A recorder of figures that will come again: what is the same as before is not drawn again.

    Frames are told by the state of their figure, whatever run drew them.
    """

    _what = "the saved figure"

    def _marks(self, before: JobRecord | None) -> dict[str, str]:
        return {"run": ""}

    def _refuse_others(self, before: JobRecord | None, record: JobRecord, going_on: bool) -> None:
        super()._refuse_others(before, record, going_on=False)

    def _is(self, number: int, state: str) -> bool:
        passport = self.store.passport(number)
        return passport is not None and passport[2].get("value") == state

    def snap_state(self, figure: Any, number: int, state: str, **savefig: Any) -> None:
        """Take a frame unless it is there in this state; ``savefig`` are keywords of that function."""
        self._snap(figure, number, state, **savefig)

    def _warn(self) -> None:
        """What was there and is the same is no matter."""


def _end(drawing: _Background | _Foreground, pid: int) -> None:
    """What is left to do when a recorder goes without being closed, at the latest when Python ends."""
    if os.getpid() == pid:
        with contextlib.suppress(Exception):  # nobody is left to tell; the frames that are done are safe
            drawing.end()


def _whole(number: Any) -> int:
    """A frame's number as an int: numpy's are taken, 2.5 is not."""
    try:
        whole = operator.index(number)
    except TypeError:
        raise UsageError(f"number is {number!r}; give a whole number") from None
    if whole < 0:
        raise UsageError(f"number is {whole}; give 0 or more")
    return whole


def _rank() -> int:
    """The rank of this process in a parallel program, 0 outside of one."""
    for name in _RANKS:
        if (text := os.environ.get(name, "")).isdigit():
            return int(text)
    alone = os.environ.get("SLURM_NTASKS", "1") == "1"
    text = os.environ.get("SLURM_PROCID", "")
    return int(text) if text.isdigit() and not alone else 0


class _Drawing:
    """Draws tasks one after the other or beside the program; keeps what failed."""

    def __init__(self, work: Work, fit: Fit | None) -> None:
        self._work, self._fit = work, fit
        self._failed: list[Failed] = []
        self._broken: BaseException | None = None

    def _note(self, task: Task, outcome: Outcome) -> None:
        if isinstance(outcome, Drawn):
            self._fit = self._fit if self._settled else outcome.fit
        elif isinstance(outcome, Failed):
            self._failed.append(outcome)

    @property
    def _settled(self) -> bool:
        """True when all is known that the first frame fixes for the others."""
        return self._fit is not None and (self._fit.box_in is not None or not self._work.canvas.tight)

    def raise_failures(self, report: Any) -> None:
        """Tell what has failed since the last time.

        Raises
        ------
        FramesFailed
        """
        if self._broken is not None:
            raise self._broken
        failed = [self._failed.pop(0) for _ in range(len(self._failed))]  # another thread may append
        if failed:
            about = report(failed)
            if failed[0].kind == "store":
                raise StoreError(failed[0].message)
            raise FramesFailed(failure_message(about), report=about)


class _Foreground(_Drawing):
    """Draws in the program itself."""

    def put(self, task: Task) -> None:
        """Draw a frame now."""
        with SerialEngine().crew(self._work, Stop(), 1) as crew:
            for drawn, outcome in crew.draw(InOrder([replace(task, fit=self._fit)])):
                self._note(drawn, outcome)

    def end(self) -> None:
        """Nothing runs, nothing waits."""


class _Background(_Drawing):
    """Draws in worker processes; a thread of the program's hands the frames to them."""

    def __init__(self, work: Work, workers: int, fit: Fit | None) -> None:
        super().__init__(work, fit)
        self._workers = workers
        self._queue: queue.Queue[Task] = queue.Queue(_WAITING * workers)
        self._ended = False
        self._first: Task | None = None  # on its way; it fixes the shape of the others
        self._lost: deque[Task] = deque()  # their process died over them
        self._thread: threading.Thread | None = None

    def put(self, task: Task) -> None:
        """Hand a frame over; waits while too many are on their way."""
        if self._ended:  # somebody was interrupted while waiting for the end
            self.end()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="framepipe-recorder", daemon=True)
            self._thread.start()
        while self._broken is None:
            with contextlib.suppress(queue.Full):
                self._queue.put(task, timeout=_LOOK_S)
                return
        raise self._broken

    def _run(self) -> None:
        try:
            with LocalEngine(self._workers).crew(self._work, Stop(), self._workers) as crew:
                self._draw(crew)
        except BaseException as error:  # told at the next snap
            self._broken = error

    def _draw(self, crew: Crew) -> None:
        """Draw all that comes; a frame whose process is lost once more, at once."""
        again: set[int] = set()
        for task, outcome in crew.draw(Live(self._take, self._done)):
            if isinstance(outcome, Failed) and outcome.kind == "lost" and task.number not in again:
                again.add(task.number)
                self._lost.append(task)
            else:
                self._note(task, outcome)
            self._first = None

    def _done(self) -> bool:
        return self._ended and self._queue.empty() and not self._lost

    def _take(self) -> Task | None:
        if self._first is not None:
            return None
        try:
            task = self._lost.popleft() if self._lost else self._queue.get_nowait()
        except queue.Empty:
            return None
        if not self._settled:
            self._first = task
        return replace(task, fit=self._fit)

    def end(self) -> None:
        """Draw what is waiting and end the processes; the next frame starts new ones."""
        self._ended = True
        if self._thread is not None:
            self._thread.join()
        self._thread, self._ended = None, False
