"""The store: a folder of numbered PNG frames with ``job.json``. It is the checkpoint.

Progress is determined by scanning the frames, never from a recorded list. This class is the only
code that knows the names in the folder.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from framepipe.core import files, png
from framepipe.errors import StoreError, UsageError
from framepipe.job.contents import FileDigests
from framepipe.job.frames import MAX_FRAMES, file_name, number_of
from framepipe.job.record import JobRecord
from framepipe.job.stamp import Stamp, read_stamp
from framepipe.store.failures import FailureLog
from framepipe.store.heartbeats import Heartbeats
from framepipe.store.looking import Memory, StatusMemory, look_at_all
from framepipe.store.scan import InputFiles, Scan, adopted_in, digest_now, limited_to_recording
from framepipe.store.status import FrameState, StoreStatus

MOVIES_KEY = "framepipe_movies"
FILES_KEY = "framepipe_files"
#: Limit for ``job.json`` and ``movies.json``. They reach it with three million adopted pictures, which have a
#: line each, or with lists of two million frames for each movie.
MAX_JSON_BYTES = 256_000_000
NO_SEED = -1
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Store:
    """A folder of frames.

    Parameters
    ----------
    path : path-like
        The folder; created when the first frame or job is written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not os.fspath(path):
            raise UsageError("the store has an empty name: name a folder")
        self.path = Path(path).absolute()
        self._new_folders: tuple[Path, ...] = ()  # around it, the innermost first

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    def frame_path(self, number: int) -> Path:
        """Return the file of frame ``number``."""
        return self.path / file_name(number)

    @property
    def job_file(self) -> Path:
        """``job.json``."""
        return self.path / "job.json"

    @property
    def movies_file(self) -> Path:
        """``movies.json``: the movies that were built from these frames and passed verification."""
        return self.path / "movies.json"

    def keep_log(self, number: int, data: bytes) -> None:
        """Keep the output of a program that failed to draw a frame, until the frame is drawn."""
        FailureLog(self.path).keep_output(number, data)

    def seed(self) -> int | None:
        """Return the seed of the job's random numbers: chosen once, the same for all writers to this store.

        It is in ``job.json``, and in the stamp of each frame. Before either exists, it is in a file of its
        own: of several runs that start at once, such as the tasks of a cluster job, the first one wins.

        Returns
        -------
        int or None
            None if the job was started with no seed.
        """
        if (record := self.known_job()) is not None and (record.seed is not None or record.order_checked):
            return None if record.seed == NO_SEED else record.seed
        for number in self.numbers()[:1]:
            stamp = self.stamp(number)
            if stamp is not None and stamp[2].get("seed", "").isdigit():
                return int(stamp[2]["seed"])
        try:
            self._new_folders = tuple(each for each in self.path.parents if not each.exists())
            self.path.mkdir(parents=True, exist_ok=True)
            files.write_first(self._seed_file, str(secrets.randbits(32)).encode())
            seed = int(self._seed_file.read_bytes())
        except OSError as error:
            raise self._error("cannot be written", error) from None
        except ValueError:
            raise StoreError(f"{self._seed_file} is damaged: delete it") from None
        # another task may have written job.json since, and then removed the file that had its seed
        record = self.known_job()
        return seed if record is None or record.seed in (None, NO_SEED) else record.seed

    def forget_seed(self) -> None:
        """Remove the traces of a job that never started."""
        with contextlib.suppress(OSError):
            self._seed_file.unlink()
            if not os.path.lexists(self.job_file):
                self.remove_empty()
                for folder in self._new_folders:
                    folder.rmdir()

    def remove_empty(self) -> None:
        """Remove the folder, and the default place of stores, if nothing is in them."""
        with contextlib.suppress(OSError):  # something of the user's is in it
            self.path.rmdir()
            if self.path.parent == Path("frames").absolute():  # created for this store
                self.path.parent.rmdir()

    @property
    def _seed_file(self) -> Path:
        return self.path / ".seed"

    @property
    def files_file(self) -> Path:
        """``files.json``: digests of the files that frames were drawn from, to avoid reading them again."""
        return self.path / "files.json"

    def file_digests(self) -> FileDigests:
        """Load the digests remembered in ``files.json``; nothing depends on them."""
        try:
            data = json.loads(files.read_file(self.files_file, MAX_JSON_BYTES))
        except (OSError, ValueError, RecursionError):
            data = None
        return FileDigests(data.get(FILES_KEY) if isinstance(data, dict) else None)

    def remember_files(self, digests: FileDigests) -> None:
        """Write digests to ``files.json`` for the next run; a failure is ignored."""
        if remembered := digests.remembered():
            with contextlib.suppress(OSError):
                files.write_atomic(self.files_file, json.dumps({FILES_KEY: remembered}).encode() + b"\n")

    def create(self) -> None:
        """Create the folder if needed, and check that it can be written.

        Raises
        ------
        StoreError
            It cannot be created or written, or holds frames of another program.
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
            if noun := files.kind_of(path):
                raise StoreError(f"{path} is {noun}, not a file: move it away, or choose another --store")
            if _is_foreign(path, key):
                raise StoreError(f"{path} is not framepipe's: choose another --store")

    def _refuse_foreign_frames(self) -> None:
        for number in self.numbers():
            info = png.inspect(self.frame_path(number))
            if info and not info.damage and not info.stamp:
                raise StoreError(
                    f"{self.path} already holds frames that framepipe did not draw "
                    f"({file_name(number)} …) and would overwrite: choose another --store"
                )

    def commit(self, number: int, data: bytes) -> None:
        """Write a frame's PNG file under its name, whole or not at all.

        Anything of that name that is not a frame of framepipe's (a folder, a picture that somebody
        retouched) is moved aside, not deleted.

        Raises
        ------
        StoreError
            The disk is full, the folder is missing or not writable.
        """
        path = self.frame_path(number)
        try:
            if self._is_foreign_frame(path):
                self._move_aside(path)
            files.write_atomic(path, data)
        except OSError as error:
            raise self._error(f"cannot write frame {number}", error) from None

    @staticmethod
    def _is_foreign_frame(path: Path) -> bool:
        info = png.inspect(path)
        if info is None:
            return False
        return not info.stamp if not info.damage else path.is_dir() and not path.is_symlink()

    @staticmethod
    def _move_aside(path: Path) -> None:
        for count in itertools.count(1):
            aside = path.with_name(f"{path.name}.aside-{count}")
            try:  # renaming replaces this empty file or folder, so it cannot replace anything else
                aside.mkdir() if path.is_dir() else aside.touch(exist_ok=False)
            except FileExistsError:
                continue
            try:
                path.rename(aside)
            except OSError:
                with contextlib.suppress(OSError):
                    aside.rmdir() if aside.is_dir() else aside.unlink()
                raise
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
        """List the numbers of all files named like frames, sorted."""
        try:
            with os.scandir(self.path) as entries:
                numbers = [number_of(entry.name) for entry in entries]
        except OSError:
            return []
        return sorted(number for number in numbers if number is not None)

    def write_job(self, record: JobRecord) -> None:
        """Write ``job.json``, unless it is up to date."""
        data = record.to_json()
        try:
            if not self._has_job(data):
                files.write_atomic(self.job_file, data)
        except OSError as error:
            raise self._error("cannot write job.json", error) from None
        with contextlib.suppress(OSError):
            self._seed_file.unlink()

    def _has_job(self, data: bytes) -> bool:
        try:
            return files.read_file(self.job_file, len(data)) == data
        except OSError:
            return False

    def read_job(self) -> tuple[JobRecord, bool]:
        """Read the record in ``job.json``, and whether this account wrote it.

        Raises
        ------
        StoreError
            No such file, or it is damaged.
        """
        try:
            data = files.read_file(self.job_file, MAX_JSON_BYTES)
        except FileNotFoundError:
            raise StoreError(self._why_no_job()) from None
        except OSError as error:
            raise self._error("cannot be read", error) from None
        try:
            return JobRecord.from_json(data)
        except StoreError as error:
            raise StoreError(f"{self.path}: {error}") from None

    def _why_no_job(self) -> str:
        if (self.path / "jobs").is_dir():
            return (
                f"{self.path} has no frames now: what was submitted has not begun, or has built the movie.\n"
                f"Which of them: framepipe logs {self.path}"
            )
        what = "has no job.json" if self.path.is_dir() else "does not exist"
        return f"{self.path} {what}: it is no store of framepipe's frames"

    def known_job(self) -> JobRecord | None:
        """Read the record in ``job.json``; None if it is missing or damaged."""
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
        digests: FileDigests | None = None,
        memory: Memory | None = None,
        keeps_states: bool = True,
    ) -> StoreStatus:
        """Determine the state of a job's frames.

        Parameters
        ----------
        record : JobRecord
            The job as it is now.
        values : mapping, optional
            Each frame's value by number. Without it a frame's value is assumed to be unchanged
            unless it is the number itself.
        numbers : sequence of int, optional
            Scan only these frames of the plan.
        deep : bool
            Check every chunk's CRC too.
        before : JobRecord, optional
            The record in ``job.json`` when the frames were drawn, for better reasons.
        digests : FileDigests, optional
            Of files that frames were drawn from; all are looked at again, missing ones too.
        memory : Memory, optional
            Do not look into files that are as they were when they were checked.
        keeps_states : bool
            Return the state of each frame too (`StoreStatus.frame_states`), from which movies are built: some
            500 bytes of memory a frame.
        """
        recorded = record.extent == "recorded"
        planned = tuple(self.numbers()) if recorded else self.plan(record)
        input_files = InputFiles(record, digests or self.file_digests(), strict=digests is not None)
        memory = None if recorded else memory  # the stamps of all frames say what was recorded
        scan = Scan(self.path, record, values, deep, before, input_files, memory, keeps_states)
        scan.inspect_all(planned if numbers is None else numbers)
        status = scan.status()
        if recorded:
            status = limited_to_recording(status, scan.recorded.numbers(len(planned)))
            planned = status.numbers
        in_plan = set(planned)
        extra = tuple(number for number in self.numbers() if number not in in_plan)
        return replace(status, numbers=planned, extra=extra)

    def looker(
        self,
        record: JobRecord,
        values: Mapping[int, Any] | None = None,
        digests: FileDigests | None = None,
        *,
        deep: bool = False,
    ) -> Callable[[int], StoreStatus]:
        """Return a function that determines the state of one frame now; parameters as for `scan`."""
        input_files = InputFiles(record, digests or self.file_digests(), strict=digests is not None)

        def look(number: int) -> StoreStatus:
            scan = Scan(self.path, record, values, deep, None, input_files, keeps_states=True)
            scan.inspect(number)
            return scan.status()

        return look

    def plan(self, record: JobRecord) -> tuple[int, ...]:
        """Return the frames of a job: those of its record, or those so far if the record has no end."""
        if record.extent == "fixed":
            return record.numbers
        if record.extent == "recorded":  # the stamps of the frames say what was recorded
            return self.scan(record, keeps_states=False).numbers
        present = [number for number in self.numbers() if number < MAX_FRAMES]
        return tuple(range(present[-1] + 1)) if present else ()

    def sweep(self) -> None:
        """Remove temporaries of killed processes from the folder."""
        for path in files.leftover_temporaries(self.path):
            try:
                path.unlink()
            except OSError:
                continue

    def stamp(self, number: int) -> Stamp | None:
        """Read the stamp of a whole frame; None if there is none."""
        info = png.inspect(self.frame_path(number))
        return read_stamp(info.stamp) if info and not info.damage else None

    def look(self, numbers: Iterable[int]) -> dict[int, FrameState]:
        """Return the present state of frames.

        Frames without a stamp of their number are omitted, unless they were adopted: then
        their digest is their fingerprint.
        """
        states = {}
        adopted: Mapping[str, str] | None = None
        for number in dict.fromkeys(numbers):
            info = png.inspect(self.frame_path(number))
            if info is None or info.damage:
                continue
            if stamp := read_stamp(info.stamp):
                if stamp[0] == number:
                    states[number] = FrameState(stamp[1], info.identity)
            elif not info.stamp:
                adopted = adopted_in(self.known_job()) if adopted is None else adopted
                if str(number) in adopted:
                    states[number] = FrameState(digest_now(self.frame_path(number)), info.identity)
        return states

    def changed(self, states: Mapping[int, FrameState]) -> list[int]:
        """Return the numbers of the frames that are no longer in these states.

        Only files whose version is another one, or was not settled, are opened.
        """
        looks = look_at_all([*states], lambda number: self._has_version(number, states[number].version))
        doubtful = [number for number, is_same in looks if not is_same]
        now = self.look(doubtful)
        return [number for number in doubtful if now.get(number) != states[number]]

    def _has_version(self, number: int, version: files.Version | None) -> bool:
        try:
            return version is not None and files.version_of(self.frame_path(number).lstat()) == version
        except OSError:
            return False

    def read_movies(self) -> dict[str, Any]:
        """Read ``movies.json``; empty when it is missing or damaged."""
        try:
            data = json.loads(files.read_file(self.movies_file, MAX_JSON_BYTES))
        except (OSError, ValueError, RecursionError, MemoryError):
            return {}
        movies = data.get(MOVIES_KEY) if isinstance(data, dict) else None
        return movies if isinstance(movies, dict) else {}

    def note_movie(self, path: Path, facts: Mapping[str, Any]) -> None:
        """Record a movie that passed verification; the newest 20 are kept."""
        movies = {key: value for key, value in self.read_movies().items() if key != str(path)}
        newest = [*movies.items(), (str(path), dict(facts))][-20:]
        while len(data := _movies_json(newest)) > MAX_JSON_BYTES and len(newest) > 1:
            del newest[0]
        if noun := files.kind_of(self.movies_file):
            raise StoreError(f"{self.movies_file} is {noun}, not a file: move it away")
        try:
            files.write_atomic(self.movies_file, data)
        except OSError as error:
            raise self._error("cannot write movies.json", error) from None


def job_digest(record: JobRecord) -> str:
    """Return a digest of what decides whether a frame is done, besides the files that the frame names."""
    deciding = [dict(sorted(record.parts.items())), record.values_are_numbers, dict(adopted_in(record))]
    return hashlib.sha256(json.dumps([1, *deciding]).encode()).hexdigest()


def _movies_json(movies: Iterable[tuple[str, Any]]) -> bytes:
    return json.dumps({MOVIES_KEY: dict(movies)}, indent=1).encode() + b"\n"


def _is_foreign(path: Path, key: str) -> bool:
    """True for JSON of another program under our name; a damaged file may be ours."""
    try:
        data = json.loads(files.read_file(path, MAX_JSON_BYTES))
    except (OSError, ValueError, RecursionError, MemoryError):
        return False
    return not (isinstance(data, dict) and key in data)


def status(store: Store | str | os.PathLike[str], *, deep: bool = False) -> StoreStatus:
    """Return the state of a store: done, missing, broken, stale and why; and who draws. Loads no scene.

    Parameters
    ----------
    store : Store or path-like
    deep : bool
        Also check every chunk's CRC.

    Raises
    ------
    StoreError
        ``job.json`` is missing or damaged.
    """
    where = store if isinstance(store, Store) else Store(store)
    before = where.read_job()[0]
    digests = where.file_digests()
    record = before.refreshed(digests)
    memory = None if deep else StatusMemory(where.path, job_digest(record))
    scanned = where.scan(record, deep=deep, before=before, memory=memory, keeps_states=False)
    not_done = {*scanned.missing, *scanned.broken, *scanned.stale}
    failed = FailureLog(where.path).records(not_done)
    return replace(scanned, failed=failed, tasks=tuple(Heartbeats(where.path).all()))
