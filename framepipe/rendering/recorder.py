"""Records frames of a running program: other processes draw and store them while it continues.

Recorded frames cannot be drawn again without running the program again. So an edit of the program never
makes them stale, and a killed program leaves a store like any other.
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

from framepipe.core import files
from framepipe.core.control import Stop
from framepipe.errors import FramesFailed, StoreError, UsageError
from framepipe.job.canvas import Canvas
from framepipe.job.frames import Frames, Unknowns, format_range
from framepipe.job.job import Job
from framepipe.job.record import JobRecord
from framepipe.rendering.engines import Drawn, Failed, LocalEngine, Outcome, SerialEngine, Task, Work
from framepipe.rendering.engines.base import WorkerPool
from framepipe.rendering.report import RenderReport, failure_message
from framepipe.rendering.schedule import InOrder, Live
from framepipe.scenes.picture import FrameGeometry
from framepipe.scenes.snapshot import SnapshotScene
from framepipe.store.recorded import Recording
from framepipe.store.status import StoreStatus
from framepipe.store.store import Store

EXISTING = ("keep", "replace")
_MAX_QUEUE = 8  # frames that may wait per worker: a figure may have megabytes
_QUEUE_TIMEOUT_S = 0.5
#: Variables in which launchers of parallel programs tell each process its rank: torchrun, Open MPI,
#: MPICH and Intel MPI, PMIx, MVAPICH.
_RANKS = ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "MV2_COMM_WORLD_RANK")


class Recorder:
    """Records frames of a running program, as a training loop or a simulation.

    >>> with Recorder("frames/train") as recorder:  # doctest: +SKIP
    ...     for epoch in range(recorder.next_number, 100):
    ...         recorder.snap(draw(epoch))

    A restarted program continues at `next_number`: at the first frame that a killed one left out, else after
    the last. A program that does not read it is assumed to continue from its own state: its frames are
    appended after the existing ones, with a warning. Recorded frames are never overwritten.

    Each frame stores which numbers were recorded before it. So frames that were lost when the program was
    killed (they were pending in other processes) are *missing* in the store, and no movie is built without
    them unless requested (``missing="hold"``); a program that records every tenth number has none missing.

    Parameters
    ----------
    store : path-like
        Folder of the frames. Frames that a killed program left in it are kept.
    params : mapping, optional
        Parameters of this run, as ``{"lr": 0.1}``: a store with other parameters is refused.
    dpi, tight, transparent
        As in `render`.
    workers : int
        Processes that draw while the program continues; 0 draws in the program itself. Default 1, since
        the program needs the other processors.
    existing : {"keep", "replace"}
        "keep": continue after existing frames (see above), and leave existing numbers unchanged. "replace":
        begin a new run, which uses no frame of the old one.
    rank : int, optional
        The rank of this process in a parallel program; only rank 0 writes. Default: from torchrun, MPI or
        Slurm; 0 if each of their processes is a program of its own.

    Raises
    ------
    UsageError
        Wrong arguments.
    StoreError
        The store cannot be written, or holds frames of another run or another job.
    """

    _subject = "the recorded figure"

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
        self._scene = SnapshotScene(self._subject, self.store.path.name)
        self._scene.params = dict(params or {})
        job = Job(
            self._scene, Frames((), Unknowns(0), "", extent="recorded"), Canvas(dpi, tight, transparent)
        )
        self._record, status, geometry = self._open(job, existing)
        self._numbers_in_store, self._earlier_range = set(status.done), format_range(status.done)
        self._recording = Recording([*status.done, *status.missing])
        self._after_last = max(status.done, default=-1) + 1
        self._first_hole = min([*status.missing, *status.broken, self._after_last])
        self._next: int | None = None if self._numbers_in_store else 0
        self._own_numbers: set[int] = set()
        self._unchanged_numbers: list[int] = []
        self._repeated_numbers: list[int] = []
        self._count = 0
        self._pid = os.getpid()
        work = Work(self._scene, job.canvas, self._record, self.store.path)
        self._drawing: _Background | _Foreground | None = None
        if self.writes:
            self._drawing = _Background(work, workers, geometry) if workers else _Foreground(work, geometry)
            self._finalizer = weakref.finalize(self, _finish, self._drawing, self._pid)

    def _open(self, job: Job, existing: str) -> tuple[JobRecord, StoreStatus, FrameGeometry | None]:
        if self.writes:
            self.store.create()
            self.store.sweep()
        previous, record = self.store.known_job(), job.record()
        is_continuation = previous is not None and previous.name == record.name and existing == "keep"
        record = replace(
            record, parts={**record.parts, **self._identity(previous if is_continuation else None)}
        )
        if self.store.numbers():
            self._refuse_others(previous, record, is_continuation)
        if self.writes:
            self.store.write_job(record)
        status = self.store.scan(record, deep=True, keeps_states=False)
        return record, status, FrameGeometry(status.shape) if status.shape else None

    def _identity(self, previous: JobRecord | None) -> dict[str, str]:
        """Return the parts that identify this run's frames; a continued run keeps those of the earlier one.

        It also keeps matplotlib's version, so that frames of another version stay.
        """
        parts = (
            {name: previous.parts[name] for name in ("run", "matplotlib") if name in previous.parts}
            if previous
            else {}
        )
        return {"run": uuid.uuid4().hex, **parts}

    def _refuse_others(self, previous: JobRecord | None, record: JobRecord, is_continuation: bool) -> None:
        if previous is None or previous.name != record.name:
            contents = f"frames of {previous.name}" if previous else "frames of another job"
            raise StoreError(f"{self.store.path} holds {contents}: choose another store")
        differences = [name for name in record.parts if previous.parts.get(name) != record.parts[name]]
        differences = [name for name in differences if name != "matplotlib"]
        if is_continuation and differences:
            raise StoreError(
                f"{self.store.path} holds frames of another run ({', '.join(differences)} differ): choose "
                "another store, or begin anew with existing='replace'"
            )

    @property
    def next_number(self) -> int:
        """The number of the next frame, where a restarted program continues.

        At first the number of the first frame that is missing or damaged, or else the one after the last;
        then the one after those snapped so far. A program that continues at a hole will reach existing
        numbers: these frames stay as they are.
        """
        if self._next is None:
            self._next = max([self._first_hole, *(number + 1 for number in self._own_numbers)])
        return self._next

    def append(self, *, quiet: bool = False) -> int:
        """Continue after the last frame, even if there are holes before it, and warn about that.

        Parameters
        ----------
        quiet : bool
            Do not warn: the program expects existing frames.

        Returns
        -------
        int
            The number of the next frame.
        """
        return self._append(3, quiet)

    def _append(self, stacklevel: int, quiet: bool = False) -> int:
        if self._next is None:
            if not quiet:
                warnings.warn(
                    f"{self.store.path} holds frames {self._earlier_range} of an earlier run; new frames are "
                    f"appended, from {self._after_last} on. If the program started again: continue where it "
                    "stopped, as in range(recorder.next_number, 100), or begin a new recording with "
                    "existing='replace'",
                    stacklevel=stacklevel,
                )
            self._next = self._after_last
        return self._next

    def snap(self, figure: Any = None, *, number: int | None = None) -> int | None:
        """Record a frame, which is drawn in the background.

        Parameters
        ----------
        figure : Figure, Axes, ndarray or Pillow image, optional
            Default: pyplot's current figure. It is recorded as it is now, and may be changed, cleared or
            closed at once. An array is uint8 of shape (height, width, 3 or 4).
        number : int, optional
            Default: `next_number` if the program has read it, else the one after the last. A frame that the
            store has, or that was snapped before, stays as it is. A warning at the end lists such frames,
            except those after a hole at which the program continued.

        Returns
        -------
        int or None
            The frame's number; None in a process that does not write.

        Raises
        ------
        FramesFailed
            Earlier frames could not be drawn; the message says which and why.
        RenderError
            The object cannot be drawn.
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
        number = self._append(4) if number is None else _whole(number)
        if number not in self._numbers_in_store or not self._has_same_state(number, state):
            draw_now = isinstance(self._drawing, _Foreground) and not state
            snapshot = replace(
                self._scene.take(figure, draw_now=draw_now),
                state=state,
                savefig=savefig,
                recorded=str(self._recording),
            )
            self._drawing.add(Task(number, number, snapshot, digest=state))
            self._numbers_in_store.add(number)
            self._recording.add(number)
        elif number in self._own_numbers:
            self._repeated_numbers.append(number)
        elif number < self._first_hole:
            self._unchanged_numbers.append(number)
        self._own_numbers.add(number)
        self._after_last = max(self._after_last, number + 1)
        if self._next is not None:
            self._next = max(self._next, number + 1)
        self._count += 1
        return number

    def _has_same_state(self, number: int, state: str) -> bool:
        """True if the stored frame equals the one that is snapped now, which is assumed here."""
        return True

    def flush(self) -> None:
        """Wait until all frames are drawn and stored, and end the processes that draw.

        Raises
        ------
        FramesFailed
            Some could not be drawn.
        """
        if self._drawing and os.getpid() == self._pid:
            self._drawing.end()
            self._drawing.raise_failures(self._report)

    def close(self) -> None:
        """Draw all pending frames, then end the background processes.

        Raises
        ------
        FramesFailed
            Some could not be drawn.
        """
        if self._drawing is None or os.getpid() != self._pid:
            return
        drawing, self._drawing = self._drawing, None
        self._finalizer.detach()
        drawing.end()
        files.sync_folder(self.store.path)
        drawing.raise_failures(self._report)
        self._warn()

    def _warn(self) -> None:
        if self._unchanged_numbers:
            warnings.warn(
                f"frames {format_range(self._unchanged_numbers)} were in {self.store.path} already and are "
                "unchanged; existing='replace' begins a new run",
                stacklevel=3,
            )
        if self._repeated_numbers:
            warnings.warn(
                f"frames {format_range(self._repeated_numbers)} were snapped more than once; the first of "
                "each counts",
                stacklevel=3,
            )

    def _report(self, failed: list[Failed]) -> RenderReport:
        for each in failed:  # they may be snapped again
            self._numbers_in_store.discard(each.number)
        return RenderReport(self.store.path, self._count, failed=tuple(failed), resumable=False)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            self.close()
        except Exception:
            if kind is None:  # else the program's own error matters more
                raise


class FigureRecorder(Recorder):
    """A recorder for figures that may come again: unchanged ones are not drawn again.

    Frames are identified by the state of their figure, whichever run drew them.
    """

    _subject = "the saved figure"

    def _identity(self, previous: JobRecord | None) -> dict[str, str]:
        return {"run": ""}

    def _refuse_others(self, previous: JobRecord | None, record: JobRecord, is_continuation: bool) -> None:
        super()._refuse_others(previous, record, is_continuation=False)

    def _has_same_state(self, number: int, state: str) -> bool:
        stamp = self.store.stamp(number)
        return stamp is not None and stamp[2].get("value") == state

    def snap_state(self, figure: Any, number: int, state: str, **savefig: Any) -> None:
        """Record a frame unless it exists in this state; ``savefig`` are keywords of that function."""
        self._snap(figure, number, state, **savefig)

    def _warn(self) -> None:
        """Warn of nothing: unchanged frames are expected here."""


def _finish(drawing: _Background | _Foreground, pid: int) -> None:
    """Draw the pending frames of a recorder that was deleted, or left at Python's end, without `close`."""
    if os.getpid() == pid:
        with contextlib.suppress(Exception):  # nobody can catch it; the finished frames are safe
            drawing.end()


def _whole(number: Any) -> int:
    """Convert a frame's number to an int: accept numpy's integers, refuse 2.5."""
    try:
        whole = operator.index(number)
    except TypeError:
        raise UsageError(f"number is {number!r}; give a whole number") from None
    if whole < 0:
        raise UsageError(f"number is {whole}; give 0 or more")
    return whole


def _rank() -> int:
    """Return the rank of this process in a parallel program, 0 outside of one."""
    for name in _RANKS:
        if (text := os.environ.get(name, "")).isdigit():
            return int(text)
    alone = os.environ.get("SLURM_NTASKS", "1") == "1"
    text = os.environ.get("SLURM_PROCID", "")
    return int(text) if text.isdigit() and not alone else 0


class _Drawing:
    """Draws tasks in the program or in other processes, and keeps failures."""

    def __init__(self, work: Work, geometry: FrameGeometry | None) -> None:
        self._work, self._geometry = work, geometry
        self._failed: list[Failed] = []
        self._error: BaseException | None = None

    def _record_outcome(self, task: Task, outcome: Outcome) -> None:
        if isinstance(outcome, Drawn):
            self._geometry = self._geometry if self._is_geometry_known else outcome.geometry
        elif isinstance(outcome, Failed):
            self._failed.append(outcome)

    @property
    def _is_geometry_known(self) -> bool:
        """True when the first frame has fixed the geometry of the others."""
        return self._geometry is not None and (
            self._geometry.box_in is not None or not self._work.canvas.tight
        )

    def raise_failures(self, report: Any) -> None:
        """Raise the failures since the last call.

        Raises
        ------
        FramesFailed
        """
        if self._error is not None:
            raise self._error
        failed = [self._failed.pop(0) for _ in range(len(self._failed))]  # another thread may append
        if failed:
            render_report = report(failed)
            if failed[0].kind == "store":
                raise StoreError(failed[0].message)
            raise FramesFailed(failure_message(render_report), report=render_report)


class _Foreground(_Drawing):
    """Draws in the program itself."""

    def add(self, task: Task) -> None:
        """Draw a frame now."""
        with SerialEngine().pool(self._work, Stop(), 1) as pool:
            for frame, outcome in pool.draw(InOrder([replace(task, geometry=self._geometry)])):
                self._record_outcome(frame, outcome)

    def end(self) -> None:
        """Do nothing: no frame is pending."""


class _Background(_Drawing):
    """Draws in worker processes; a thread of the program sends them the frames."""

    def __init__(self, work: Work, workers: int, geometry: FrameGeometry | None) -> None:
        super().__init__(work, geometry)
        self._workers = workers
        self._queue: queue.Queue[Task] = queue.Queue(_MAX_QUEUE * workers)
        self._is_ending = False
        self._first: Task | None = None  # pending; it fixes the geometry of the others
        self._retries: deque[Task] = deque()  # their process died while drawing them
        self._thread: threading.Thread | None = None

    def add(self, task: Task) -> None:
        """Queue a frame; wait while too many are pending."""
        if self._is_ending:  # an earlier `end` was interrupted
            self.end()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="framepipe-recorder", daemon=True)
            self._thread.start()
        while self._error is None:
            with contextlib.suppress(queue.Full):
                self._queue.put(task, timeout=_QUEUE_TIMEOUT_S)
                return
        raise self._error

    def _run(self) -> None:
        try:
            with LocalEngine(self._workers).pool(self._work, Stop(), self._workers) as pool:
                self._draw(pool)
        except BaseException as error:  # raised at the next snap
            self._error = error

    def _draw(self, pool: WorkerPool) -> None:
        """Draw all frames that come; a frame whose process died is drawn once more, at once."""
        retried_numbers: set[int] = set()
        for task, outcome in pool.draw(Live(self._take, self._is_done)):
            if isinstance(outcome, Failed) and outcome.kind == "lost" and task.number not in retried_numbers:
                retried_numbers.add(task.number)
                self._retries.append(task)
            else:
                self._record_outcome(task, outcome)
            self._first = None

    def _is_done(self) -> bool:
        return self._is_ending and self._queue.empty() and not self._retries

    def _take(self) -> Task | None:
        if self._first is not None:
            return None
        try:
            task = self._retries.popleft() if self._retries else self._queue.get_nowait()
        except queue.Empty:
            return None
        if not self._is_geometry_known:
            self._first = task
        return replace(task, geometry=self._geometry)

    def end(self) -> None:
        """Draw all pending frames and end the processes; the next frame starts new ones."""
        self._is_ending = True
        if self._thread is not None:
            self._thread.join()
        self._thread, self._is_ending = None, False
