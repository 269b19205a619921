"""The grid of a submitted sweep: a job of its own, submitted when all points have their movies."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from framepipe.cluster.queue import queue_state
from framepipe.cluster.resources import CPUS
from framepipe.cluster.submission import JobFolder, Submission, folders_of, next_folder
from framepipe.cluster.submit import begin
from framepipe.cluster.sweep_folder import SweepFolder
from framepipe.core.control import ProgressCallback, Stop
from framepipe.errors import FramepipeError, StoreError
from framepipe.grids import grid
from framepipe.movie.check import verified_fingerprints
from framepipe.movie.cleanup import delete_frames
from framepipe.options import SubmitOptions, options_of
from framepipe.store.store import Store
from framepipe.sweeps.points import encode_options_of_grid, title_of


def submission_of_grid(sweep: SweepFolder, of_a_point: Submission) -> Submission:
    """Return what the job of the grid is to do, of what a point's jobs did."""
    assert sweep.grid is not None and sweep.grid_point is not None
    options = dict(of_a_point.options)
    names = options_of(SubmitOptions)
    cluster = {name: value for name, value in options.items() if name in names}
    return replace(
        of_a_point,
        scene=None,
        frames=None,
        store=str(sweep.grid_point.store),
        outputs=(str(sweep.grid),),
        options={**cluster, **encode_options_of_grid(options)},
        tasks=1,
        sent=(),
        encoding_tasks=0,
        keep_frames=False,
        round=0,
        failed=(),
        done_before=0,
        begun_elsewhere=False,
        is_grid=True,
    )


def submit_grid(sweep: SweepFolder) -> JobFolder | None:
    """Submit the job of the grid, unless it is in the queue or some point has no movies yet.

    The last jobs of two points that end at once may both call this: only one can create the folder.

    Returns
    -------
    JobFolder or None
        None if nothing was submitted.

    Raises
    ------
    StoreError, ToolMissing
        The scheduler refuses.
    """
    if sweep.grid_point is None or sweep.unfinished():
        return None
    store = sweep.grid_point.store
    folder, before = next_folder(store), folders_of(store)
    if before and before[-1].result()[0] in ("", "built"):
        with contextlib.suppress(StoreError):  # it is being written
            submission, jobs = before[-1].read()
            if jobs and not queue_state(submission, jobs).entries:
                before = []
        if before:
            return None
    submission, _ = folders_of(sweep.points[-1].store)[-1].read()
    begin(submission_of_grid(sweep, submission), folder)
    return folder


def build_grid(submission: Submission, progress: bool | ProgressCallback | None, stop: Stop | None) -> str:
    """Draw and build the grid of a submission; return its report as text.

    Raises
    ------
    StoreError
        The sweep is gone.
    FramepipeError
        See `framepipe.grid`.
    """
    store = Path(submission.store)
    sweep = SweepFolder.read(store.parent)
    if sweep is None:
        raise StoreError(f"{store.parent} is not the folder of a submitted sweep any more. Submit again")
    names: Mapping[str, Any] = options_of(SubmitOptions)
    report = grid(
        [point.store for point in sweep.points],
        submission.outputs,
        columns=sweep.columns,
        titles=[title_of(point.values) for point in sweep.points],
        store=store,
        workers=submission.options.get("cpus") or CPUS,
        keep_frames=True,  # until the last line of the job, see `finish`
        progress=progress,
        stop=stop,
        **{name: value for name, value in submission.options.items() if name not in names},
    )
    return "\n".join(movie.details() for movie in report.movies)


def delete_frames_of(sweep: SweepFolder) -> str:
    """Delete the frames of all points, and say how many.

    Two points that end at once may both do so: a frame that is not there any more is no error.
    """
    count, lines = 0, []
    for point in sweep.points:
        where = Store(point.store)
        try:
            if where.job_file.exists():
                count += delete_frames(where, verified_fingerprints(where) if where.numbers() else {}).deleted
        except FramepipeError as error:
            lines += [str(error).partition("\n")[0]] if where.job_file.exists() else []
    return "\n".join([f"{count} frames of all {len(sweep.points)} points deleted", *lines])
