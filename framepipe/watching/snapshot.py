"""A store at one moment, and how it is looked at again and again for little."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from framepipe.core.shape import Shape
from framepipe.errors import StoreError
from framepipe.job.frames import MAX_FRAMES, number_of
from framepipe.job.record import JobRecord
from framepipe.store.failures import FailureLog, FailureRecord, number_of_log
from framepipe.store.heartbeats import Heartbeat, Heartbeats
from framepipe.store.looking import StatusMemory
from framepipe.store.scan import InputFiles, Scan
from framepipe.store.store import Store, job_digest
from framepipe.watching.folder import Changes, Folder

#: All frames are looked at anew after this time (s), for changes in what they were drawn from, and not before
#: so many times the price of it.
_ANEW_S, _ANEW_REST = 60.0, 200.0
#: The time (s) over which frames that come in are counted, where no process says how fast it draws.
_COUNTED_S = 60.0
Identity = tuple[int, int, int]


@dataclass(frozen=True)
class FrameFile:
    """A frame's file.

    Attributes
    ----------
    inode : int
        Another one once the frame has been drawn anew.
    time_s : float
        When it was written, in seconds since 1970 by the file system's clock.
    size_bytes : int
    """

    inode: int
    time_s: float
    size_bytes: int


@dataclass(frozen=True)
class Snapshot:
    """A store at one moment.

    Attributes
    ----------
    record : JobRecord or None
        None if there is no ``job.json`` that can be read; ``problem`` says why.
    numbers : tuple of int
        The plan, in the order of the movie.
    plan : frozenset of int
        The same numbers.
    done : frozenset of int
    broken, stale : dict of int to str
        Why.
    failed : dict of int to FailureRecord
        Of frames that are not done.
    drawing : dict of int to Heartbeat
        Frames that are being drawn now, and by whom.
    files : dict of int to FrameFile
    tasks : tuple of Heartbeat
    movies : dict
        As in ``movies.json``.
    shape : Shape or None
    background : tuple of int or None
    rate : float
        Frames that come in a second; 0 if nobody draws, or nobody knows.
    outputs : dict of str to int or None
        Once the store is gone, as after `make`: its movies' names, and sizes in bytes; None if one is absent.
    problem : str
    """

    record: JobRecord | None = None
    numbers: tuple[int, ...] = ()
    plan: frozenset[int] = frozenset()
    done: frozenset[int] = frozenset()
    broken: Mapping[int, str] = field(default_factory=dict)
    stale: Mapping[int, str] = field(default_factory=dict)
    failed: Mapping[int, FailureRecord] = field(default_factory=dict)
    drawing: Mapping[int, Heartbeat] = field(default_factory=dict)
    files: Mapping[int, FrameFile] = field(default_factory=dict)
    tasks: tuple[Heartbeat, ...] = ()
    movies: Mapping[str, Any] = field(default_factory=dict)
    shape: Shape | None = None
    background: tuple[int, int, int] | None = None
    rate: float = 0.0
    outputs: Mapping[str, int | None] = field(default_factory=dict)
    problem: str = ""

    def can_be_shown(self, number: int) -> bool:
        """True for a frame of the plan that is whole: also for one that is stale."""
        return number in self.done or number in self.stale


class Watcher:
    """Looks at a store, each time only at what has changed; writes nothing into it.

    Parameters
    ----------
    store : Store

    Attributes
    ----------
    anew_s : float
        Processor time that the last look has spent on all frames; 0 if it looked only at changes.
    """

    def __init__(self, store: Store) -> None:
        self.store, self.anew_s = store, 0.0
        self._folder, self._logs = Folder(store.path, follow=True), Folder(store.path / "logs")
        self._heartbeats = Heartbeats(store.path)
        self._failure_log = FailureLog(store.path)
        self._job: Identity | None = None
        self._movies_file: Identity | None = None
        self._movies: dict[str, Any] = {}
        self._record: JobRecord | None = None  # as it is in the file
        self._outputs: tuple[Path, ...] = ()
        self._now: JobRecord | None = None  # with the digests of today
        self._input_files: InputFiles | None = None
        self._anew_at = 0.0
        self._numbers: tuple[int, ...] = ()
        self._plan: frozenset[int] = frozenset()
        self._done: dict[int, Shape | None] = {}
        self._broken: dict[int, str] = {}
        self._stale: dict[int, str] = {}
        self._shape: Shape | None = None
        self._background: tuple[int, int, int] | None = None
        self._files: dict[int, FrameFile] = {}
        self._failures: dict[int, FailureRecord] = {}
        self._counts: deque[tuple[float, int]] = deque()
        self._problem = ""
        self._last, self._is_new = Snapshot(), True

    def look(self) -> Snapshot:
        """Return the store as it is now: the same object as before if nothing has happened."""
        began_s, is_first = time.thread_time(), self._last.record is None
        self._is_new, self.anew_s = False, 0.0
        self._look_at_job()
        changes = self._folder.changes()
        self._is_new |= bool(changes.written or changes.gone)
        self._note_files(changes)
        if self._record is not None and time.monotonic() >= self._anew_at:
            self._look_at_all()
        elif self._record is not None:
            self._look_at(changes)
        self._look_at_failures()
        self._look_at_movies()
        # the file system's clock is not asked: that would write into the store
        tasks = tuple(self._heartbeats.all(now_s=time.time()))
        if self._is_new or tasks or self._last.tasks:
            self._last = self._snapshot(tasks)
        if is_first:
            self.anew_s = time.thread_time() - began_s
        return self._last

    def _look_at_job(self) -> None:
        job = _identity(self.store.job_file)
        if job == self._job and (job is not None or self._problem):
            return
        self._is_new = True
        self._job, self._anew_at = job, 0.0
        try:
            (self._record, is_own), self._problem = self.store.read_job(), ""
            self._outputs = _outputs_of(self._record) if is_own else ()
        except StoreError as error:
            self._record, self._problem = None, str(error)

    def _note_files(self, changes: Changes) -> None:
        """Keep when each frame's file was written."""
        for number in _numbers_of(changes.gone):
            self._files.pop(number, None)
        for number in _numbers_of(changes.written):
            with contextlib.suppress(OSError):
                state = os.lstat(self.store.frame_path(number))
                self._files[number] = FrameFile(state.st_ino, state.st_mtime, state.st_size)

    def _look_at_all(self) -> None:
        """Look at all frames, as `status` does."""
        assert self._record is not None
        self._is_new = True
        began_s = time.thread_time()
        digests = self.store.file_digests()
        self._now = self._record.refreshed(digests)
        self._input_files = InputFiles(self._now, digests, strict=False)
        memory = StatusMemory(self.store.path, job_digest(self._now))
        status = self.store.scan(self._now, before=self._record, memory=memory, keeps_states=False)
        self._numbers, self._plan = status.numbers, frozenset(status.numbers)
        self._done = dict.fromkeys(status.done, status.shape)
        self._broken, self._stale = dict(status.broken), dict(status.stale)
        self._shape, self._background = status.shape, status.background
        self.anew_s = time.thread_time() - began_s
        self._anew_at = time.monotonic() + max(_ANEW_S, _ANEW_REST * self.anew_s)

    def _look_at(self, changes: Changes) -> None:
        """Look at those frames alone whose files have changed."""
        assert self._record is not None and self._now is not None and self._input_files is not None
        for number in _numbers_of(changes.gone):
            for states in (self._done, self._broken, self._stale):
                states.pop(number, None)
        written = [number for number in _numbers_of(changes.written) if self._is_planned(number)]
        if not written:
            return
        scan = Scan(self.store.path, self._now, None, False, self._record, self._input_files)
        for number in written:
            for states in (self._done, self._broken, self._stale):
                states.pop(number, None)
            scan.inspect(number)
        status = scan.status()
        self._shape, self._background = self._shape or status.shape, self._background or status.background
        self._done |= dict.fromkeys(status.done, status.shape)
        self._broken |= status.broken
        self._stale |= {} if self._record.extent == "recorded" else status.stale
        if status.shape not in (None, self._shape):
            damage = f"is {status.shape}, the other frames are {self._shape}"
            self._broken |= dict.fromkeys(status.done, damage)
            for number in status.done:
                del self._done[number]
        self._extend_plan(written)

    def _is_planned(self, number: int) -> bool:
        assert self._record is not None
        return number in self._plan or (self._record.extent != "fixed" and number < MAX_FRAMES)

    def _extend_plan(self, written: Iterable[int]) -> None:
        """Add frames to the plan of a job that only grows while it is drawn."""
        assert self._record is not None
        if self._record.extent == "fixed" or self._plan.issuperset(written):
            return
        if self._record.extent == "growing":
            self._numbers = tuple(range(max([*written, *self._numbers[-1:]]) + 1))
        else:
            self._numbers = tuple(sorted({*self._numbers, *self._done, *self._broken}))
        self._plan = frozenset(self._numbers)

    def _look_at_failures(self) -> None:
        if self._record is None:
            return
        changes = self._logs.changes()
        self._is_new |= bool(changes.written or changes.gone)
        for name in changes.gone:
            if (number := number_of_log(name)) is not None:
                self._failures.pop(number, None)
        written = {number for name in changes.written if (number := number_of_log(name)) is not None}
        if written:
            self._failures |= self._failure_log.records(written & self._plan)

    def _look_at_movies(self) -> None:
        now = _identity(self.store.movies_file)
        if now != self._movies_file:
            self._is_new = True
            self._movies_file, self._movies = now, self.store.read_movies() if now else {}

    def _snapshot(self, tasks: tuple[Heartbeat, ...]) -> Snapshot:
        done = frozenset(self._done)
        failed = {number: record for number, record in self._failures.items() if number not in done}
        drawing = {
            number: beat for beat in tasks if beat.is_alive for number in beat.drawing if number not in done
        }
        return Snapshot(
            record=self._record,
            numbers=self._numbers,
            plan=self._plan,
            done=done,
            broken=dict(self._broken),
            stale=dict(self._stale),
            failed=failed,
            drawing={number: beat for number, beat in drawing.items() if number in self._plan},
            files=dict(self._files),
            tasks=tasks,
            movies=self._movies,
            shape=self._shape,
            background=self._background,
            rate=self._rate(tasks, len(done)),
            outputs={} if self._record else dict(map(_size_of, self._outputs)),
            problem=self._problem,
        )

    def _rate(self, tasks: Iterable[Heartbeat], done: int) -> float:
        """Return frames a second: as the processes that draw say, or else as frames have come in."""
        now = time.monotonic()
        self._counts.append((now, done))
        while now - self._counts[0][0] > _COUNTED_S:
            self._counts.popleft()
        living = [beat for beat in tasks if beat.is_alive]
        rate = sum(beat.rate for beat in living)
        if not living or (rate > 0 and math.isfinite(rate)):
            return rate if living else 0.0
        elapsed_s = now - self._counts[0][0]
        return max(0, done - self._counts[0][1]) / elapsed_s if elapsed_s > 2 else 0.0


def _identity(path: Path) -> Identity | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_ino, state.st_mtime_ns, state.st_size


def _outputs_of(record: JobRecord) -> tuple[Path, ...]:
    """Return the movies that `make` builds of a store; this account has sealed what says so."""
    outputs = (record.goal or {}).get("outputs")
    return tuple(Path(path) for path in outputs if isinstance(path, str)) if isinstance(outputs, list) else ()


def _size_of(path: Path) -> tuple[str, int | None]:
    try:
        return path.name, path.stat().st_size
    except OSError:
        return path.name, None


def _numbers_of(names: Iterable[str]) -> list[int]:
    return [number for name in names if (number := number_of(name)) is not None]
