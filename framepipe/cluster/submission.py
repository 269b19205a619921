"""A submission: all that decides its scripts, and the folder that holds them, ``STORE/jobs/<id>/``."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from framepipe.core import files, signing
from framepipe.errors import StoreError

#: Names of the phases in their order; a short movie has no "encode".
PHASES = ("draw", "encode", "finish")
#: Seconds for which a submission that has no job yet counts as being made.
_BEGINNING_S = 120.0
_MAX_BYTES = 16_000_000


@dataclass(frozen=True)
class Submission:
    """What is drawn and built, by whom, and which tasks of it were sent.

    Attributes
    ----------
    scheduler : str
    scene : str or None
        The scene's address; None if a command draws.
    frames : str or None
        As on the command line.
    store : str
        Absolute path.
    outputs : tuple of str
        Absolute paths of the movies.
    cwd : str
        The folder in which all commands run.
    options : mapping
        The options of the scene, of drawing, of the movies, and of the cluster, as keywords.
    tasks : int
        Into how many shards the frames are divided.
    sent : tuple of int
        The shards that are drawn in this round, from 1.
    encoding_tasks : int
        Tasks that encode segments; 0 if the movies have none.
    keep_frames : bool
    round : int
        0 at first; higher for what was submitted again.
    failed : tuple of int
        Shards whose tasks ended with an error in an earlier round; they are not tried again.
    done_before : int
        Frames that were done when this round was submitted.
    begun_elsewhere : bool
        Another verb drew frames into the store before the first submission.
    is_grid : bool
        Its movies show the points of the sweep side by side in whose folder the store is; no task draws.
    """

    scheduler: str
    scene: str | None
    frames: str | None
    store: str
    outputs: tuple[str, ...]
    cwd: str
    options: Mapping[str, Any]
    tasks: int
    sent: tuple[int, ...]
    encoding_tasks: int = 0
    keep_frames: bool = False
    round: int = 0
    failed: tuple[int, ...] = ()
    done_before: int = 0
    begun_elsewhere: bool = False
    is_grid: bool = False

    @property
    def phases(self) -> tuple[str, ...]:
        """The phases of this submission."""
        needed = {"draw": bool(self.sent), "encode": bool(self.encoding_tasks), "finish": True}
        return tuple(name for name in PHASES if needed[name])

    def tasks_of(self, phase: str) -> tuple[int, ...]:
        """Return the numbers of a phase's tasks."""
        return {"draw": self.sent, "encode": tuple(range(1, self.encoding_tasks + 1))}.get(phase, (1,))


@dataclass(frozen=True)
class JobFolder:
    """The folder of one submission; the only code that knows the names in it.

    Attributes
    ----------
    path : Path
        Absolute.
    """

    path: Path

    def script(self, phase: str) -> Path:
        """Return a phase's script."""
        return self.path / f"{phase}.sh"

    def log(self, phase: str, task: int) -> Path:
        """Return what a task printed, in all of its runs."""
        return self.path / f"{phase}-{task}.log"

    def ends_file(self, phase: str, task: int) -> Path:
        """Return the file to which a task adds a line at the end of each run: its exit code."""
        return self.path / f"{phase}-{task}.ends"

    def ends(self, phase: str, task: int) -> tuple[int, ...]:
        """Return the exit codes of a task's runs; a run that was killed has none."""
        with contextlib.suppress(OSError, ValueError):
            text = files.read_file(self.ends_file(phase, task), _MAX_BYTES).decode()
            return tuple(int(line) for line in text.splitlines())
        return ()

    def write(self, submission: Submission, jobs: Mapping[str, str]) -> None:
        """Write the submission and the scheduler's numbers of its jobs, by phase.

        Raises
        ------
        StoreError
        """
        data: dict[str, Any] = {"framepipe_submission": 1, **asdict(submission), "jobs": dict(jobs)}
        data = json.loads(json.dumps(data, default=str))  # rates and paths as text
        data["seal"] = signing.sign(data)
        self._write("submission.json", data)

    def read(self) -> tuple[Submission, dict[str, str]]:
        """Read the submission, and the numbers of its jobs.

        Raises
        ------
        StoreError
            Missing, damaged, or not written by this account: what it names would run.
        """
        path = self.path / "submission.json"
        try:
            data = json.loads(files.read_file(path, _MAX_BYTES))
            is_signed = signing.is_valid(data, data.pop("seal"))
            jobs = {str(phase): str(job) for phase, job in data.pop("jobs").items()}
            del data["framepipe_submission"]
            tuples = {name: tuple(data[name]) for name in ("outputs", "sent", "failed")}
            submission = Submission(**{**data, **tuples})
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise StoreError(f"{path} cannot be read ({error}). Submit again") from None
        if not is_signed:
            raise StoreError(f"{path} was not written by this account, so what it names is not run")
        return submission, jobs

    def write_script(self, phase: str, text: str) -> None:
        """Write a phase's script, which may be run."""
        self._write_bytes(self.script(phase), text.encode())
        self.script(phase).chmod(0o755)

    def write_result(self, state: str, text: str) -> None:
        """Write what became of the submission: "built", "done", "again", "failed" or "cancelled"."""
        self._write("result.json", {"state": state, "text": text})

    def result(self) -> tuple[str, str]:
        """Return what became of the submission, and a text; empty while nobody knows."""
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            data = json.loads(files.read_file(self.path / "result.json", _MAX_BYTES))
            return str(data["state"]), str(data["text"])
        return "", ""

    def _write(self, name: str, data: Mapping[str, Any]) -> None:
        self._write_bytes(self.path / name, json.dumps(data, indent=1).encode() + b"\n")

    def _write_bytes(self, path: Path, data: bytes) -> None:
        try:
            files.write_atomic(path, data)
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror}") from None

    def is_beginning(self) -> bool:
        """True if the folder is so new that another process may still be submitting from it."""
        try:
            return time.time() - self.path.stat().st_mtime < _BEGINNING_S
        except OSError:
            return False


def folders_of(store: Path) -> list[JobFolder]:
    """Return the folders of a store's submissions, the oldest first."""
    try:
        names = os.listdir(store / "jobs")
    except OSError:
        return []
    return [JobFolder(store / "jobs" / name) for name in sorted((n for n in names if n.isdigit()), key=int)]


def next_folder(store: Path) -> JobFolder:
    """Return the folder that a new submission will have; it does not exist yet."""
    before = folders_of(store)
    return JobFolder(store / "jobs" / str(int(before[-1].path.name) + 1 if before else 1))


def create(folder: JobFolder) -> None:
    """Create the folder of a new submission.

    Raises
    ------
    StoreError
        It cannot be created, or another process has just done so.
    """
    try:
        folder.path.parent.mkdir(parents=True, exist_ok=True)
        folder.path.mkdir()
    except FileExistsError:
        raise StoreError(
            f"another framepipe submits frames of {folder.path.parent.parent} at this moment"
        ) from None
    except OSError as error:
        raise StoreError(f"{folder.path} cannot be created: {error.strerror}") from None
