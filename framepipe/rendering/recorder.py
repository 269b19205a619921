"""Records frames of a running program: other processes draw and store them while it continues.

Recorded frames cannot be drawn again without running the program again. So an edit of the program never
makes them stale, and a killed program leaves a store like any other.

`Numbering` knows the numbers, `runs` which run's frames are in the store, `background` draws.
"""

from __future__ import annotations

import contextlib
import os
import warnings
import weakref
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from framepipe.core import files
from framepipe.core.allocation import rank_in_program
from framepipe.errors import FramesFailed, StoreError, UsageError
from framepipe.job.canvas import Canvas
from framepipe.job.frames import Frames, Unknowns, format_range
from framepipe.job.job import Job
from framepipe.job.record import JobRecord
from framepipe.rendering.background import Background, Drawing, Foreground
from framepipe.rendering.engines import Task, Work
from framepipe.rendering.numbering import Numbering, whole
from framepipe.rendering.report import RenderReport, failure_message
from framepipe.rendering.runs import record_of_run, record_of_states
from framepipe.scenes.picture import FrameGeometry
from framepipe.scenes.snapshot import SnapshotScene
from framepipe.store.store import Store

EXISTING = ("keep", "replace")


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
        self.writes = (rank_in_program() if rank is None else rank) == 0
        self._pid = os.getpid()
        self._scene = SnapshotScene(self._subject, self.store.path.name)
        self._scene.params = dict(params or {})
        canvas = Canvas(dpi, tight, transparent)
        job = Job(self._scene, Frames((), Unknowns(0), "", extent="recorded"), canvas)
        if self.writes:
            self.store.create()
            self.store.sweep()
        record = self._record(job, is_continued=existing == "keep")
        if self.writes:
            self.store.write_job(record)
        status = self.store.scan(record, deep=True, keeps_states=False)
        self._numbers, self._earlier_range = Numbering(status), format_range(status.done)
        self._drawing: Drawing | None = None
        if self.writes:
            work = Work(self._scene, canvas, record, self.store.path)
            geometry = FrameGeometry(status.shape) if status.shape else None
            self._drawing = Background(work, workers, geometry) if workers else Foreground(work, geometry)
            self._finalizer = weakref.finalize(self, _finish, self._drawing, self._pid)

    def _record(self, job: Job, *, is_continued: bool) -> JobRecord:
        """Return the record of this recording, if its frames may be in this store."""
        return record_of_run(self.store, job, is_continued=is_continued)

    @property
    def next_number(self) -> int:
        """The number of the next frame, where a restarted program continues.

        At first the number of the first frame that is missing or damaged, or else the one after the last;
        then the one after those snapped so far. A program that continues at a hole will reach existing
        numbers: these frames stay as they are.
        """
        return self._numbers.next

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
        if not (self._numbers.is_settled or quiet):
            warnings.warn(
                f"{self.store.path} holds frames {self._earlier_range} of an earlier run; new frames are "
                f"appended, from {self._numbers.after_last} on. If the program started again: continue where "
                "it stopped, as in range(recorder.next_number, 100), or begin a new recording with "
                "existing='replace'",
                stacklevel=stacklevel,
            )
        return self._numbers.append()

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
        self._raise_failures(self._drawing)
        number = self._append(4) if number is None else whole(number)
        if self._numbers.has(number) and self._has_same_state(number, state):
            self._numbers.leave(number)
            return number
        draw_now = isinstance(self._drawing, Foreground) and not state
        snapshot = replace(
            self._scene.take(figure, draw_now=draw_now),
            state=state,
            savefig=savefig,
            recorded=str(self._numbers.recording),
        )
        self._drawing.add(Task(number, number, snapshot, digest=state))
        self._numbers.draw(number)
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
            self._raise_failures(self._drawing)

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
        self._raise_failures(drawing)
        self._warn()

    def _warn(self) -> None:
        if self._numbers.unchanged:
            warnings.warn(
                f"frames {format_range(self._numbers.unchanged)} were in {self.store.path} already and are "
                "unchanged; existing='replace' begins a new run",
                stacklevel=3,
            )
        if self._numbers.repeated:
            warnings.warn(
                f"frames {format_range(self._numbers.repeated)} were snapped more than once; the first of "
                "each counts",
                stacklevel=3,
            )

    def _raise_failures(self, drawing: Drawing) -> None:
        """Raise the failures since the last call; these frames may be snapped again.

        Raises
        ------
        FramesFailed, StoreError
        """
        failed = drawing.take_failures()
        for each in failed:
            self._numbers.forget(each.number)
        if failed and failed[0].kind == "store":
            raise StoreError(failed[0].message)
        if failed:
            report = RenderReport(self.store.path, self._numbers.count, failed=tuple(failed), resumable=False)
            raise FramesFailed(failure_message(report), report=report)

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

    def snap_state(self, figure: Any, number: int, state: str, **savefig: Any) -> None:
        """Record a frame unless it exists in this state; ``savefig`` are keywords of that function."""
        self._snap(figure, number, state, **savefig)

    def _record(self, job: Job, *, is_continued: bool) -> JobRecord:
        return record_of_states(self.store, job)

    def _has_same_state(self, number: int, state: str) -> bool:
        stamp = self.store.stamp(number)
        return stamp is not None and stamp[2].get("value") == state

    def _warn(self) -> None:
        """Warn of nothing: unchanged frames are expected here."""


def _finish(drawing: Drawing, pid: int) -> None:
    """Draw the pending frames of a recorder that was deleted, or left at Python's end, without `close`."""
    if os.getpid() == pid:
        with contextlib.suppress(Exception):  # nobody can catch it; the finished frames are safe
            drawing.end()
