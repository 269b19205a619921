"""The store: a folder of numbered PNG frames with ``job.json``. It is the checkpoint.

What is done is found by looking at the frames, never from a list of what was done. This class is
the only code that knows the names in the folder.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from framepipe import files, png
from framepipe.errors import StoreError, UsageError
from framepipe.fingerprint import digest_file
from framepipe.frames import file_name, format_range, number_of
from framepipe.job import JobRecord, Passport, read_passport, why_stale

MOVIES_KEY = "framepipe_movies"
#: In `JobRecord.details`: frame number -> SHA-256 of the picture that was adopted as this frame.
ADOPTED = "adopted"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True)
class Shape:
    """What all frames of a movie share: ``width`` and ``height`` in pixels, ``mode`` RGB or RGBA."""

    width: int
    height: int
    mode: str

    def __str__(self) -> str:
        return f"{self.width}x{self.height} {self.mode}"


@dataclass(frozen=True)
class Seen:
    """One frame's fingerprint, and what its pixels can be told by (`PngInfo.identity`)."""

    fingerprint: str
    identity: tuple[int, int]


@dataclass(frozen=True)
class StoreStatus:
    """The frames of a plan, as found in the store.

    Attributes
    ----------
    path : Path
    done : tuple of int
        Numbers of frames that are whole and of this job.
    missing : tuple of int
    broken, stale : dict of int to str
        Frames that are damaged, or were drawn by another version of the job, and why.
    extra : tuple of int
        Frames in the folder that the plan does not have (an earlier, longer run). Never used.
    shape : Shape or None
        Of the done frames.
    background : tuple of int or None
        Colour to show transparent frames over.
    size_bytes : int
        Of the done frames.
    seen : dict of int to Seen
        What exactly was looked at, for done and stale frames.
    numbers : tuple of int
        The plan, in the order of the movie; of a job that grows, as far as it has come.
    """

    path: Path
    done: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    broken: Mapping[int, str] = field(default_factory=dict)
    stale: Mapping[int, str] = field(default_factory=dict)
    extra: tuple[int, ...] = ()
    shape: Shape | None = None
    background: tuple[int, int, int] | None = None
    size_bytes: int = 0
    seen: Mapping[int, Seen] = field(default_factory=dict)
    numbers: tuple[int, ...] = ()

    @property
    def complete(self) -> bool:
        """True when every frame of the plan is done."""
        return not (self.missing or self.broken or self.stale)

    @property
    def total(self) -> int:
        """Frames in the plan."""
        return len(self.done) + len(self.missing) + len(self.broken) + len(self.stale)

    def problems(self) -> list[str]:
        """What is not done, a line a reason, frames as ranges."""
        lines = [f"missing: {format_range(self.missing)}"] if self.missing else []
        for kind, found in (("broken", self.broken), ("stale", self.stale)):
            alike: dict[str, list[int]] = {}
            for number, reason in found.items():
                alike.setdefault(reason, []).append(number)
            lines += [f"{kind}: {format_range(numbers)}: {why}" for why, numbers in alike.items()]
        return lines

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "store": str(self.path),
            "total": self.total,
            "complete": self.complete,
            "done": format_range(self.done),
            "missing": format_range(self.missing),
            "broken": {str(number): reason for number, reason in self.broken.items()},
            "stale": {str(number): reason for number, reason in self.stale.items()},
            "extra": format_range(self.extra),
            "width_px": self.shape.width if self.shape else None,
            "height_px": self.shape.height if self.shape else None,
            "mode": self.shape.mode if self.shape else None,
            "size_bytes": self.size_bytes,
        }


class Store:
    """A folder of frames.

    Parameters
    ----------
    path : path-like
        The folder; made when the first frame or job is written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not os.fspath(path):
            raise UsageError("the store has an empty name: name a folder")
        self.path = Path(path).absolute()

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    def frame_path(self, number: int) -> Path:
        """The file of frame ``number``."""
        return self.path / file_name(number)

    @property
    def job_file(self) -> Path:
        """``job.json``."""
        return self.path / "job.json"

    @property
    def movies_file(self) -> Path:
        """``movies.json``: which movies were built from these frames and passed verification."""
        return self.path / "movies.json"

    @property
    def logs(self) -> Path:
        """Folder of what programs printed that failed to draw a frame."""
        return self.path / "logs"

    def log_path(self, number: int) -> Path:
        """The log of frame ``number``; there only while the frame fails."""
        return self.logs / Path(file_name(number)).with_suffix(".log")

    def keep_log(self, number: int, data: bytes) -> None:
        """Write a frame's log. Nothing depends on it, so it is no error if that cannot be done."""
        with contextlib.suppress(OSError):
            if not self.logs.is_symlink():  # a folder from elsewhere may point anywhere
                self.logs.mkdir(exist_ok=True)
                files.write_atomic(self.log_path(number), data)

    def drop_log(self, number: int) -> None:
        """Delete a frame's log, if there is one: it was drawn."""
        with contextlib.suppress(OSError):
            if not self.logs.is_symlink():
                self.log_path(number).unlink()

    def create(self) -> None:
        """Make the folder if need be, and see that it can be written.

        Raises
        ------
        StoreError
            It cannot be made or written, or holds somebody else's frames.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe = files.temporary_beside(self.path / "probe")
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise self._error("cannot be written", error) from None
        if not self.job_file.exists():
            self._refuse_foreign_frames()
        for path, key in ((self.job_file, "framepipe_job"), (self.movies_file, MOVIES_KEY)):
            if _is_foreign(path, key):
                raise StoreError(f"{path} is not framepipe's: choose another --store")

    def _refuse_foreign_frames(self) -> None:
        for number in self.numbers():
            info = png.inspect(self.frame_path(number))
            if info and not info.damage and not info.passport:
                raise StoreError(
                    f"{self.path} already holds frames that framepipe did not draw "
                    f"({file_name(number)} …) and would draw over: choose another --store"
                )

    def commit(self, number: int, data: bytes) -> None:
        """Put a frame's PNG file under its name, whole or not at all.

        What stands in its place and is no frame of framepipe's (a folder, a picture that somebody
        has retouched) is moved aside, not deleted.

        Raises
        ------
        StoreError
            The disk is full, the folder is gone or not writable.
        """
        path = self.frame_path(number)
        try:
            if self._somebody_elses(path):
                self._move_aside(path)
            files.write_atomic(path, data)
        except OSError as error:
            raise self._error(f"cannot take frame {number}", error) from None

    @staticmethod
    def _somebody_elses(path: Path) -> bool:
        info = png.inspect(path)
        if info is None:
            return False
        return not info.passport if not info.damage else path.is_dir() and not path.is_symlink()

    @staticmethod
    def _move_aside(path: Path) -> None:
        for count in range(1, 1000):
            aside = path.with_name(f"{path.name}.aside-{count}")
            if not aside.exists():
                path.rename(aside)
                return

    def _error(self, what: str, error: OSError) -> StoreError:
        if error.errno in _FULL:
            reason = f"no space left ({error.strerror}; {self._free_mb()} MB free)"
            step = "Finished frames are safe. Make space and run the same again"
        else:
            reason = error.strerror or str(error)
            step = "Check the folder and its permissions, or choose another --store"
        return StoreError(f"store {self.path} {what}: {reason}. {step}", errno=error.errno)

    def _free_mb(self) -> int:
        try:
            return shutil.disk_usage(self.path).free // 1_000_000
        except OSError:
            return 0

    def numbers(self) -> list[int]:
        """Numbers of all files named like frames, sorted."""
        try:
            with os.scandir(self.path) as entries:
                found = [number_of(entry.name) for entry in entries]
        except OSError:
            return []
        return sorted(number for number in found if number is not None)

    def write_job(self, record: JobRecord) -> None:
        """Write ``job.json``, unless it already says the same."""
        data = record.to_json()
        try:
            if not self.job_file.is_file() or self.job_file.read_bytes() != data:
                files.write_atomic(self.job_file, data)
        except OSError as error:
            raise self._error("cannot take job.json", error) from None

    def read_job(self) -> tuple[JobRecord, bool]:
        """The record in ``job.json``, and whether this account wrote it.

        Raises
        ------
        StoreError
            No such file, or it is damaged.
        """
        try:
            data = self.job_file.read_bytes()
        except FileNotFoundError:
            what = "has no job.json" if self.path.is_dir() else "does not exist"
            raise StoreError(f"{self.path} {what}: it is no store of framepipe's frames") from None
        except OSError as error:
            raise self._error("cannot be read", error) from None
        try:
            return JobRecord.from_json(data)
        except StoreError as error:
            raise StoreError(f"{self.path}: {error}") from None

    def known_job(self) -> JobRecord | None:
        """The record in ``job.json`` if there is a good one."""
        try:
            return self.read_job()[0]
        except StoreError:
            return None

    def scan(
        self,
        record: JobRecord,
        *,
        values: Mapping[int, Any] | None = None,
        numbers: Sequence[int] | None = None,
        deep: bool = False,
        before: JobRecord | None = None,
    ) -> StoreStatus:
        """Look at the frames of a job.

        Parameters
        ----------
        record : JobRecord
            The job as it is now.
        values : mapping, optional
            Each frame's value by number. Without it a frame's value is believed to be unchanged
            unless it is the number itself.
        numbers : sequence of int, optional
            Only these frames of the plan.
        deep : bool
            Check every chunk's CRC too.
        before : JobRecord, optional
            What ``job.json`` said when the frames were drawn, for better reasons.
        """
        planned = self.plan(record)
        look = _Look(self, record, values, deep, before)
        for number in planned if numbers is None else numbers:
            look.at(number)
        status = look.status()
        if record.extent == "recorded":  # another run's frames are no frames of this one
            planned = tuple(number for number in planned if number not in status.stale)
            status = replace(status, stale={})
        in_plan = set(planned)
        extra = tuple(number for number in self.numbers() if number not in in_plan)
        return replace(status, numbers=planned, extra=extra)

    def plan(self, record: JobRecord) -> tuple[int, ...]:
        """The frames of a job: those of its record, or as far as it has come if that is not known."""
        if record.extent == "fixed":
            return record.numbers
        present = self.numbers()
        if record.extent == "recorded":
            return tuple(present)
        return tuple(range(present[-1] + 1)) if present else ()

    def sweep(self) -> None:
        """Remove temporaries that killed processes left in the folder."""
        for path in files.leftover_temporaries(self.path):
            try:
                path.unlink()
            except OSError:
                continue

    def passport(self, number: int) -> Passport | None:
        """What a whole frame says of itself; None if there is none."""
        info = png.inspect(self.frame_path(number))
        return read_passport(info.passport) if info and not info.damage else None

    def look(self, numbers: Iterable[int]) -> dict[int, Seen]:
        """What there is now of these frames.

        Those without a passport of their number are left out, unless they were adopted: then
        their digest is their fingerprint.
        """
        found = {}
        adopted: Mapping[str, str] | None = None
        for number in dict.fromkeys(numbers):
            info = png.inspect(self.frame_path(number))
            if info is None or info.damage:
                continue
            if passport := read_passport(info.passport):
                if passport[0] == number:
                    found[number] = Seen(passport[1], info.identity)
            elif not info.passport:
                adopted = _adopted_in(self.known_job()) if adopted is None else adopted
                if str(number) in adopted:
                    found[number] = Seen(_digest_now(self.frame_path(number)), info.identity)
        return found

    def read_movies(self) -> dict[str, Any]:
        """What ``movies.json`` says; empty when there is none or it is damaged."""
        try:
            data = json.loads(self.movies_file.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        movies = data.get(MOVIES_KEY) if isinstance(data, dict) else None
        return movies if isinstance(movies, dict) else {}

    def note_movie(self, path: Path, about: Mapping[str, Any]) -> None:
        """Remember a movie that passed verification; the newest 20 are kept."""
        movies = {key: value for key, value in self.read_movies().items() if key != str(path)}
        newest = dict([*movies.items(), (str(path), dict(about))][-20:])
        try:
            files.write_atomic(self.movies_file, json.dumps({MOVIES_KEY: newest}, indent=1).encode() + b"\n")
        except OSError as error:
            raise self._error("cannot take movies.json", error) from None


def _is_foreign(path: Path, key: str) -> bool:
    """True for JSON of somebody else's under our name; what is damaged may be ours."""
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return not (isinstance(data, dict) and key in data)


def _adopted_in(record: JobRecord | None) -> Mapping[str, str]:
    return record.details.get(ADOPTED, {}) if record else {}


def adopted_parts(record: JobRecord, number: int) -> dict[str, str]:
    """Parts of the fingerprint of an adopted frame: its own picture, not the others' too."""
    parts = record.frame_parts(record.details[ADOPTED][str(number)])
    return {name: part for name, part in parts.items() if name != ADOPTED}


def _digest_now(path: Path) -> str:
    try:
        return digest_file(path)
    except OSError:
        return ""


def _misfit(number: int, info: png.PngInfo, passport: Passport | None) -> str:
    if passport is None:
        return "has a damaged passport" if info.passport else "was not drawn by framepipe"
    return f"is frame {passport[0]} under another name" if passport[0] != number else ""


class _Look:
    """One look at many frames."""

    def __init__(
        self,
        store: Store,
        record: JobRecord,
        values: Mapping[int, Any] | None,
        deep: bool,
        before: JobRecord | None,
    ) -> None:
        self._store, self._record, self._values = store, record, values
        self._deep, self._before = deep, before
        self._done: dict[int, Shape] = {}
        self._missing: list[int] = []
        self._broken: dict[int, str] = {}
        self._stale: dict[int, str] = {}
        self._size_bytes = 0
        self._seen: dict[int, Seen] = {}
        self._background: tuple[int, int, int] | None = None
        self._adopted = {**_adopted_in(before), **_adopted_in(record)}

    def at(self, number: int) -> None:
        info = png.inspect(self._store.frame_path(number), deep=self._deep)
        if info is None:
            self._missing.append(number)
            return
        passport = read_passport(info.passport)
        adopted = not info.damage and not info.passport and str(number) in self._adopted
        if damage := info.damage or ("" if adopted else _misfit(number, info, passport)):
            self._broken[number] = damage
            return
        digest = _digest_now(self._store.frame_path(number)) if adopted else ""
        self._seen[number] = Seen(passport[1] if passport else digest, info.identity)
        if reason := self._reason_adopted(number, digest) if adopted else self._reason(number, passport):
            self._stale[number] = reason
        else:
            self._done[number] = Shape(info.width, info.height, info.mode)
            self._size_bytes += info.size_bytes
            self._background = self._background or info.background

    def _reason_adopted(self, number: int, digest: str) -> str:
        recorded = _adopted_in(self._record).get(str(number))
        if recorded is None:
            return "was adopted, not drawn by this job"
        return "" if digest == recorded else "changed since it was adopted"

    def _reason(self, number: int, passport: Passport | None) -> str:
        if str(number) in _adopted_in(self._record):
            expected = adopted_parts(self._record, number)
        elif self._values is not None:
            expected = self._record.frame_parts(self._values[number])
        elif self._record.values_are_numbers:
            expected = self._record.frame_parts(number)
        else:
            expected = dict(self._record.parts)
        return why_stale(passport[2] if passport else {}, expected, self._before, self._record)

    def status(self) -> StoreStatus:
        shapes = Counter(self._done.values()).most_common(1)
        shape = shapes[0][0] if shapes else None
        for number, each in list(self._done.items()):
            if each != shape:
                del self._done[number]
                self._broken[number] = f"is {each}, the other frames are {shape}"
        return StoreStatus(
            path=self._store.path,
            done=tuple(self._done),
            missing=tuple(self._missing),
            broken=self._broken,
            stale=self._stale,
            shape=shape,
            background=self._background,
            size_bytes=self._size_bytes,
            seen=self._seen,
        )
