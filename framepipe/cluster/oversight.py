"""See and end what was submitted: the logs of tasks, the queue, `cancel`."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framepipe.cluster.queue import QueueState, cancel_jobs, plain_number, queue_state
from framepipe.cluster.schedulers import scheduler_of
from framepipe.cluster.submission import JobFolder, Submission, folders_of
from framepipe.cluster.sweep_folder import SweepFolder
from framepipe.core.files import PathLike
from framepipe.core.summary import Summary, short_path
from framepipe.errors import StoreError, UsageError
from framepipe.job.frames import format_range
from framepipe.store.store import Store

#: Of a longer log only the end is shown.
_TAIL_BYTES = 20_000


@dataclass(frozen=True)
class TaskLog:
    """What one task printed, and how its runs ended.

    Attributes
    ----------
    phase : {"draw", "encode", "finish"}
    task : int
    path : Path
    text : str
        The end of the log.
    ends : tuple of int
        The exit codes of its runs; a run that was killed has none.
    """

    phase: str
    task: int
    path: Path
    text: str
    ends: tuple[int, ...]

    @property
    def end(self) -> str:
        """How the task ended, in words."""
        if not self.ends:
            return "no end: it waits, runs, or was killed"
        code, runs = self.ends[-1], len(self.ends)
        words = {0: "done", 75: "its time was over"}.get(code, f"exit code {code}")
        return f"{words}, {runs} runs" if runs > 1 else words


@dataclass(frozen=True, repr=False)
class LogReport(Summary):
    """The logs of the newest submission of a store.

    Attributes
    ----------
    folder : Path
    logs : tuple of TaskLog
    """

    folder: Path
    logs: tuple[TaskLog, ...]

    def summary(self) -> str:
        """See `Summary`: logs that differ by their numbers only are shown once."""
        alike: dict[tuple[str, str, str], list[TaskLog]] = {}
        for log in self.logs:
            alike.setdefault((log.phase, log.end, re.sub(r"\d+", "0", log.text)), []).append(log)
        return "\n".join(_shown(logs) for logs in alike.values()) or f"no logs in {short_path(self.folder)}"

    def to_dict(self) -> dict[str, Any]:
        """Convert for JSON."""
        logs = [{**vars(each), "path": str(each.path), "ends": list(each.ends)} for each in self.logs]
        return {"folder": str(self.folder), "logs": logs}


def _shown(logs: Sequence[TaskLog]) -> str:
    first = logs[0]
    which = f"{first.phase} {format_range(each.task for each in logs)}"
    others = "; the others are alike" if len(logs) > 1 else ""
    head = f"== {which}: {first.end} ({short_path(first.path)}{others})"
    return "\n".join([head, *([first.text.rstrip()] if first.text.strip() else [])])


@dataclass(frozen=True, repr=False)
class CancelReport(Summary):
    """The result of `cancel`.

    Attributes
    ----------
    store : Path
    jobs : tuple of str
        The scheduler's numbers of the jobs that were cancelled.
    """

    store: Path
    jobs: tuple[str, ...]

    def summary(self) -> str:
        """See `Summary`."""
        if not self.jobs:
            return f"{short_path(self.store)}: nothing was in the queue"
        return f"{short_path(self.store)}: cancelled {', '.join(self.jobs)}; finished frames are safe"

    def to_dict(self) -> dict[str, Any]:
        """Convert for JSON."""
        return {"store": str(self.store), "jobs": list(self.jobs)}


def logs(store: PathLike, *, failed: bool = False, task: int | None = None) -> LogReport:
    """Return what the tasks of a store's newest submission printed.

    Parameters
    ----------
    store : path-like
    failed : bool
        Only tasks that ended with an error, or without noting an end and are no longer in the queue.
    task : int, optional
        Only the drawing task of this number.

    Returns
    -------
    LogReport

    Raises
    ------
    StoreError
        Nothing was submitted of this store.
    UsageError
        There is no such task.
    """
    folder = _submitted(store)[-1]
    submission, jobs = folder.read()
    entries = list(_logs_of(folder, submission))
    if task is not None:
        entries = [each for each in entries if (each.phase, each.task) == ("draw", task)]
        if not entries:
            raise UsageError(f"there is no task {task}: give one of {format_range(submission.sent)}")
    if failed:
        queued = queue_state(submission, jobs).job_numbers
        alive = {phase for phase, job in jobs.items() if plain_number(job) in queued}
        entries = [
            each for each in entries if each.ends[-1:] != (0,) and (each.ends or each.phase not in alive)
        ]
    return LogReport(folder.path, tuple(entries))


def queue_of(store: PathLike) -> QueueState | None:
    """Ask the scheduler for the jobs of a store's newest submission; None if nothing was submitted.

    Raises
    ------
    StoreError
        The submission is damaged.
    """
    folders = folders_of(Store(store).path)
    return queue_state(*folders[-1].read()) if folders else None


def cancel(store: PathLike) -> CancelReport:
    """Cancel all jobs of a store that are in the queue. Finished frames stay.

    Parameters
    ----------
    store : path-like
        Or the folder of a submitted sweep: the jobs of all its points.

    Returns
    -------
    CancelReport

    Raises
    ------
    StoreError
        Nothing was submitted of this store, or the scheduler refuses.
    """
    where = Store(store).path
    if sweep := SweepFolder.read(where):
        all_points = [*sweep.points, *([sweep.grid_point] if sweep.grid_point else [])]
        stores = [each.store for each in all_points if folders_of(each.store)]
        return CancelReport(where, tuple(job for each in stores for job in _cancel_all(each)))
    return CancelReport(where, tuple(_cancel_all(where)))


def _cancel_all(store: Path) -> list[str]:
    """Cancel all submissions of a store; return the jobs that were in the queue."""
    cancelled: list[str] = []
    seen: set[Path] = set()
    # the last job may be submitting a further round just now: look again until there is no new folder
    while new := [each for each in _submitted(store) if each.path not in seen]:
        for folder in new:
            seen.add(folder.path)
            if folder.result()[0] in ("", "built"):
                cancelled += _cancel(folder)
    return cancelled


def _cancel(folder: JobFolder) -> list[str]:
    submission, jobs = folder.read()
    folder.write_result("cancelled", f"cancelled; the frames of {submission.store} that are done stay")
    before = queue_state(submission, jobs).job_numbers
    answer = cancel_jobs(scheduler_of(submission.scheduler), jobs)
    if answer.returncode and queue_state(submission, jobs).entries:
        raise StoreError(f"{answer.stderr.strip() or 'the scheduler refuses'}: jobs are still in the queue")
    return sorted(before)


def _submitted(store: PathLike) -> list[JobFolder]:
    where = Store(store).path
    folders = folders_of(where)
    if not folders and (sweep := SweepFolder.read(where)):
        point = shlex.quote(short_path(sweep.points[0].store))
        raise StoreError(f"{where} is the folder of a sweep: name a point, as framepipe logs {point}")
    if not folders:
        raise StoreError(f"nothing was submitted of {where}: framepipe submit does so")
    return folders


def _logs_of(folder: JobFolder, submission: Submission) -> Iterator[TaskLog]:
    for phase in submission.phases:
        for task in submission.tasks_of(phase):
            path, ends = folder.log(phase, task), folder.ends(phase, task)
            text = _tail(path)
            if text or ends:
                yield TaskLog(phase, task, path, text, ends)


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return f"…{text.partition(chr(10))[2]}" if size > _TAIL_BYTES else text
