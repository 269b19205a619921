"""`finish`: the last job of a submission. Builds the movies, or submits again what is missing."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from framepipe.cluster.resources import CPUS, ROUNDS
from framepipe.cluster.scripts import cluster_options
from framepipe.cluster.submission import JobFolder, Submission, next_folder
from framepipe.cluster.submit import begin
from framepipe.cluster.sweep_folder import SweepFolder
from framepipe.cluster.sweep_grid import build_grid, delete_frames_of, submit_grid
from framepipe.core.control import ProgressCallback, Stop
from framepipe.core.summary import Summary, short_path
from framepipe.errors import FramepipeError, IncompleteStore, Interrupted
from framepipe.job.frames import format_range
from framepipe.movie.api import assemble_several
from framepipe.movie.check import verified_fingerprints
from framepipe.movie.cleanup import delete_frames
from framepipe.options import EncodeOptions, options_of
from framepipe.store.checked import frames_in_reports
from framepipe.store.store import Store
from framepipe.timeline import Timing

#: Exit codes of tasks that ended by themselves with an error: the same would happen again.
_ERRORS = range(1, 7)
_TIME_WAS_OVER = 75


@dataclass(frozen=True, repr=False)
class FinishReport(Summary):
    """What `finish` did.

    Attributes
    ----------
    store : Path
    folder : Path
        Of the submission; of the new one if there is one.
    state : {"done", "again", "cancelled"}
        The movies are built; what is missing was submitted again; the submission was cancelled before.
    text : str
    """

    store: Path
    folder: Path
    state: str
    text: str

    def summary(self) -> str:
        """See `Summary`."""
        return self.text

    def to_dict(self) -> dict[str, str]:
        """Convert for JSON."""
        return {"store": str(self.store), "folder": str(self.folder), "state": self.state, "text": self.text}


@dataclass(frozen=True)
class _Left:
    """What is missing after a round.

    Attributes
    ----------
    frames : dict of int to tuple of int
        The missing frames of each shard.
    again : tuple of int
        Shards whose tasks died, or whose time was over.
    in_time : bool
        All of these stopped in time by themselves.
    failed : tuple of int
        Shards whose tasks ended with an error.
    done : int
        Frames that are done.
    """

    frames: dict[int, tuple[int, ...]]
    again: tuple[int, ...]
    in_time: bool
    failed: tuple[int, ...]
    done: int


def finish(
    folder: str | os.PathLike[str],
    *,
    progress: bool | ProgressCallback | None = None,
    stop: Stop | None = None,
) -> FinishReport:
    """Complete a submission when its tasks have ended: build the movies, or submit again what is missing.

    The last job of `submit` calls it. Frames whose tasks died are submitted again; those whose task ended
    with an error are not.

    Parameters
    ----------
    folder : path-like
        ``STORE/jobs/<number>``.
    progress, stop
        As for `render`.

    Returns
    -------
    FinishReport

    Raises
    ------
    IncompleteStore
        Frames are missing and will not be tried again; says why, and where the logs are.
    FramepipeError
        See `assemble`; the frames are kept.
    """
    job_folder = JobFolder(Path(os.path.abspath(folder)))
    submission, _ = job_folder.read()
    store = Store(submission.store)
    state, text = job_folder.result()
    if state in ("cancelled", "done", "again"):
        return FinishReport(store.path, job_folder.path, state, text)
    try:
        if state != "built" and submission.is_grid:
            text = build_grid(submission, progress, stop)
            job_folder.write_result("built", text)
        elif state != "built":
            left = _left(submission, job_folder, store)
            if left.frames:
                return _send_rest(submission, job_folder, left)
            text = _build(submission, store, progress, stop)
            job_folder.write_result("built", text)
        if not submission.keep_frames and store.job_file.exists():
            fingerprints = verified_fingerprints(store) if store.numbers() else {}
            text = f"{text}\n{delete_frames(store, fingerprints).summary()}"
        job_folder.write_result("done", text)
        if more := _end_sweep(store, submission.is_grid):
            text = f"{text}\n{more}"
            job_folder.write_result("done", text)
    except Interrupted:
        raise
    except FramepipeError as error:
        job_folder.write_result("failed", str(error))
        raise
    return FinishReport(store.path, job_folder.path, "done", text)


def _end_sweep(store: Store, is_grid: bool) -> str:
    """Submit the grid of a sweep, or delete the frames of all points, if this was the last one; say so."""
    sweep = SweepFolder.read(store.path.parent) if is_grid else SweepFolder.of_point(store.path)
    if sweep is None or sweep.unfinished():
        return ""
    if sweep.grid is not None and not is_grid:
        try:
            folder = submit_grid(sweep)
        except FramepipeError as error:  # this point is done
            return f"the grid was not submitted: {error}"
        return f"all points have their movies: the grid is submitted, see {folder.path}" if folder else ""
    return "" if sweep.keep_frames else delete_frames_of(sweep)


def _build(
    submission: Submission, store: Store, progress: bool | ProgressCallback | None, stop: Stop | None
) -> str:
    """Assemble the movies; return their reports as text."""
    options = submission.options
    keywords = {name: options[name] for name in options_of(Timing, EncodeOptions) if name in options}
    if options.get("stale") == "keep":
        keywords["stale"] = "keep"
    workers = options.get("cpus") or CPUS
    movies = assemble_several(
        store, submission.outputs, workers=workers, progress=progress, stop=stop, **keywords
    )
    return "\n".join(movie.details() for movie in movies)


def _left(submission: Submission, folder: JobFolder, store: Store) -> _Left:
    """Look at the store and at how the tasks ended."""
    record = store.known_job()
    if record is None:  # no task came as far as to write job.json
        frames: dict[int, tuple[int, ...]] = dict.fromkeys(submission.sent, ())
        done = 0
    else:
        now = record.refreshed(store.file_digests())
        memory = frames_in_reports(store, now)
        status = store.scan(now, deep=True, before=record, memory=memory, keeps_states=False)
        usable = {*status.done, *(status.stale if submission.options.get("stale") == "keep" else ())}
        missing: dict[int, list[int]] = {}
        for at, number in enumerate(status.numbers):
            if number not in usable:
                missing.setdefault(at % submission.tasks + 1, []).append(number)
        frames, done = {shard: tuple(numbers) for shard, numbers in sorted(missing.items())}, len(usable)
    codes = {shard: (folder.ends("draw", shard) or (None,))[-1] for shard in frames}
    failed = {shard for shard, code in codes.items() if code in _ERRORS or shard in submission.failed}
    again = tuple(shard for shard in frames if shard not in failed)
    in_time = all(codes[shard] == _TIME_WAS_OVER for shard in again)
    return _Left(frames, again, in_time, tuple(sorted(failed)), done)


def _send_rest(submission: Submission, folder: JobFolder, left: _Left) -> FinishReport:
    """Submit again what can be tried again; if that is nothing, or was tried often enough, raise."""
    rounds = cluster_options(submission).rounds
    has_advanced = left.in_time and left.done > submission.done_before
    round_ = submission.round if has_advanced else submission.round + 1
    if not left.again or round_ > (ROUNDS if rounds is None else rounds):
        raise IncompleteStore(_failure(submission, folder, left))
    rest = replace(submission, sent=left.again, round=round_, failed=left.failed, done_before=left.done)
    folder_again = next_folder(Path(submission.store))
    begin(rest, folder_again)
    count = sum(len(left.frames[shard]) for shard in left.again)
    text = (
        f"{count or 'all'} frames are missing because tasks {format_range(left.again)} "
        f"{'had too little time' if left.in_time else 'died'}: submitted again, see {folder_again.path}"
    )
    folder.write_result("again", text)
    return FinishReport(Path(submission.store), folder_again.path, "again", text)


def _failure(submission: Submission, folder: JobFolder, left: _Left) -> str:
    store = shlex.quote(short_path(Path(submission.store)))
    lines = ["the movie was not built: frames are missing"]
    lines += _reason(left, left.failed, "ended with an error")
    lines += _reason(
        left, left.again, f"died or had too little time, also when submitted again (round {submission.round})"
    )
    lines.append(f"What they printed: framepipe logs {store} --failed")
    lines.append("Then submit the same again: it sends only what is missing")
    lines.append(f"Or build without these frames: framepipe assemble {store} -o … --missing hold")
    return "\n".join(lines)


def _reason(left: _Left, shards: Sequence[int], why: str) -> list[str]:
    numbers = [number for shard in shards for number in left.frames[shard]]
    if not shards:
        return []
    return [f"  frames {format_range(numbers) if numbers else 'unknown'}: tasks {format_range(shards)} {why}"]
