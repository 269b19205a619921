"""`submit_sweep`: a submission for each point of a sweep, in one folder."""

from __future__ import annotations

import functools
import os
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framepipe.cluster.queue import queue_state
from framepipe.cluster.scripts import scripts_of
from framepipe.cluster.submission import folders_of, next_folder
from framepipe.cluster.submit import GROUPS, SubmitReport, SubmittingKeywords, submit, wait_for_result
from framepipe.cluster.sweep_folder import SubmittedPoint, SweepFolder
from framepipe.cluster.sweep_grid import submission_of_grid, submit_grid
from framepipe.core.control import Control, ProgressCallback, Stop
from framepipe.core.files import PathLike
from framepipe.core.progress_bar import controlled
from framepipe.core.summary import Summary, short_path, table
from framepipe.errors import FramepipeError, Interrupted, StoreError, SweepFailed, ToolMissing, UsageError
from framepipe.options import takes
from framepipe.pipeline.checks import check_outputs
from framepipe.scenes.loading import refuse_while_loading
from framepipe.sweeps.points import Point, columns_of, folder_of, name_of, points_of, text_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: Seconds between looks for the job of the grid, and how long after the end of the last point it may come.
_LOOK_S, _SUBMITTED_WITHIN_S = 0.5, 120.0


@dataclass(frozen=True)
class PointSubmission:
    """What became of one point when the sweep was submitted.

    Attributes
    ----------
    values : mapping of str to object
    store : Path
    report : SubmitReport or None
        None if nothing was submitted.
    text : str
        Why nothing was submitted, or what became of it if its end was waited for.
    error : FramepipeError or None
    """

    values: Mapping[str, Any]
    store: Path
    report: SubmitReport | None
    text: str = ""
    error: FramepipeError | None = None

    @property
    def name(self) -> str:
        """Its values, as ``amplitude=0.5,phase=1``."""
        return name_of(self.values)

    @property
    def outcome(self) -> str:
        """What became of it, in a line."""
        if self.error is not None:
            return f"failed: {str(self.error).splitlines()[0]}"
        if self.report is None or self.text:
            return self.text.partition("\n")[0]
        jobs = ", ".join(f"{phase} {job}" for phase, job in self.report.jobs.items())
        return jobs or "nothing submitted"

    def to_dict(self) -> dict[str, Any]:
        """Convert for JSON."""
        return {
            "values": dict(self.values),
            "store": str(self.store),
            "text": self.text,
            "error": None if self.error is None else str(self.error),
            "submission": None if self.report is None else self.report.to_dict(),
        }


@dataclass(frozen=True)
class GridSubmission:
    """The movie of all points side by side, which a job of its own makes when all have their movies.

    Attributes
    ----------
    path : Path
    store : Path
        The folder of its frames, scripts and logs.
    jobs : dict of str to str
        The scheduler's number of its job; empty while points are missing, and for a dry run.
    script : str
        Of a dry run.
    text : str
        What became of it, if its end was waited for.
    error : FramepipeError or None
    """

    path: Path
    store: Path
    jobs: Mapping[str, str]
    script: str = ""
    text: str = ""
    error: FramepipeError | None = None

    @property
    def outcome(self) -> str:
        """What became of it, in a line."""
        if self.error is not None:
            return f"{short_path(self.path)}, failed: {str(self.error).splitlines()[0]}"
        if self.text:
            return self.text.partition("\n")[0]
        when = f"job {', '.join(self.jobs.values())}" if self.jobs else "when all points have their movies"
        return f"{short_path(self.path)}, {when}"

    def to_dict(self) -> dict[str, Any]:
        """Convert for JSON."""
        return {
            **vars(self),
            "path": str(self.path),
            "store": str(self.store),
            "jobs": dict(self.jobs),
            "error": None if self.error is None else str(self.error),
        }


@dataclass(frozen=True, repr=False)
class SubmitSweepReport(Summary):
    """The result of `submit_sweep`.

    Attributes
    ----------
    folder : Path
        Of the points' stores.
    points : tuple of PointSubmission
    grid : GridSubmission or None
        The movie of all points side by side, if one is asked for.
    """

    folder: Path
    points: tuple[PointSubmission, ...]
    grid: GridSubmission | None = None

    @property
    def has_jobs(self) -> bool:
        """True if something was submitted."""
        return any(each.report and each.report.jobs for each in self.points) or bool(
            self.grid and self.grid.jobs
        )

    def summary(self) -> str:
        """See `Summary`: a table, a line for each point."""
        rows = [(*self.points[0].values, "frames", "tasks", "jobs")]
        for point in self.points:
            values, report = (text_of(value) for value in point.values.values()), point.report
            frames = (
                "" if report is None or report.pending is None else f"{report.pending} of {report.frames}"
            )
            rows.append((*values, frames, str(len(report.tasks)) if report else "", point.outcome))
        lines = table(rows)
        lines += [f"side by side: {self.grid.outcome}"] if self.grid else []
        if self.has_jobs and not any(each.text for each in self.points if each.report):
            name = shlex.quote(short_path(self.folder))
            lines += [f"  see it: framepipe status {name}", f"  end it: framepipe cancel {name}"]
        return "\n".join(lines)

    def details(self) -> str:
        """See `Summary`: a dry run shows the scripts of the first point."""
        first = next((each.report for each in self.points if each.report), None)
        if first is None or self.has_jobs:
            return self.summary()
        named = {**first.scripts, **({"grid/finish": self.grid.script} if self.grid else {})}
        scripts = [f"{'=' * 20} {name}.sh\n{text}" for name, text in named.items()]
        others = "The scripts of the other points differ by their parameters, stores and movies."
        return "\n".join([*scripts, *([others] if len(self.points) > 1 else []), self.summary()])

    def to_dict(self) -> dict[str, Any]:
        """Convert for JSON."""
        return {
            "folder": str(self.folder),
            "points": [each.to_dict() for each in self.points],
            "grid": self.grid.to_dict() if self.grid else None,
        }


@takes(*GROUPS)
def submit_sweep(
    scheduler: str,
    scene: str | None,
    frames: int | range | str | None = None,
    output: PathLike | Sequence[PathLike] = (),
    *,
    values: Mapping[str, Sequence[Any]],
    grid: PathLike | None = None,
    store: PathLike | None = None,
    keep_frames: bool = False,
    dry_run: bool = False,
    wait: bool = False,
    progress: bool | ProgressCallback | None = None,
    stop: Stop | None = None,
    **options: Unpack[SubmittingKeywords],
) -> SubmitSweepReport:
    """Submit a movie for each combination of parameters: an array of tasks and a last job for each point.

    Each point is a submission of its own, with all that `submit` does for it. The same call again submits
    what is missing: points that are in the queue, or have their movies, stay as they are. Frames are deleted
    when all points have their movies.

    Parameters
    ----------
    scheduler, scene, frames
        See `submit`.
    output : path-like or sequence of path-like
        With ``{name}`` for each name in ``values`` that has several: ``"{amplitude}_{phase}.mp4"``.
    values : mapping of str to sequence
        Values by the name of a parameter; all combinations are submitted.
    grid : path-like, optional
        One more movie, of all points side by side with their values above, see `framepipe.grid`: by a job
        that is submitted when all points have their movies.
    store : path-like, optional
        The folder of the points' stores, on a file system that all machines share. Default:
        ``frames/<script>-<name>-sweep``.
    keep_frames, dry_run, progress, stop
        See `submit`.
    wait : bool
        Return when all points have ended. A stop leaves the jobs in the queue.

    Returns
    -------
    SubmitSweepReport

    Raises
    ------
    UsageError
        Two points would have the same movie; the first one cannot be submitted as it is asked.
    SweepFailed
        Some points could not be submitted, or with ``wait`` have failed; ``report`` has all of them.
    ToolMissing
        The scheduler's programs are not here.
    """
    refuse_while_loading("submit_sweep")
    if scene is None:
        raise UsageError("a sweep needs a SCRIPT.py:NAME, whose parameters it sets")
    params: Mapping[str, Any] = options.pop("params", None) or {}
    folder = Path(os.path.abspath(folder_of(scene, store)))
    points = points_of(values, output, folder, params)
    sweep = _sweep_folder(folder, points, keep_frames, grid, columns_of(values))
    if not dry_run:
        sweep.write()
    with controlled(progress, stop) as control:

        def submit_point(point: Point, dry: bool) -> SubmitReport:
            keywords: dict[str, Any] = {**options, "params": {**params, **point.values}}
            return submit(
                *(scheduler, scene, frames, point.outputs),
                store=point.store,
                keep_frames=True,  # until all have their movies, see `finish`
                dry_run=dry,
                progress=control.progress,
                stop=control.stop,
                **keywords,
            )

        done = _submissions(points, sweep, submit_point, dry_run, control)
        if wait and not dry_run:
            done = [_with_end(point, control) for point in done]
        report = SubmitSweepReport(folder, tuple(done), _grid(sweep, done, dry_run, wait, control))
    return _checked(report)


def _sweep_folder(
    folder: Path, points: Sequence[Point], keep_frames: bool, grid: PathLike | None, columns: int | None
) -> SweepFolder:
    """Return what the folder is to say, if all movies can be written."""
    submitted = tuple(map(_submitted, points))
    grid_path = None if grid is None else Path(os.path.abspath(grid))
    for point in submitted:
        check_outputs(point.outputs)
    if grid_path is not None:
        check_outputs([grid_path])
    return SweepFolder(folder, submitted, keep_frames, grid=grid_path, columns=columns)


def _submitted(point: Point) -> SubmittedPoint:
    outputs = tuple(Path(os.path.abspath(path)) for path in point.outputs)
    return SubmittedPoint(point.values, point.store, outputs)


def _submissions(
    points: Sequence[Point],
    sweep: SweepFolder,
    submit_point: Callable[[Point, bool], SubmitReport],
    dry_run: bool,
    control: Control,
) -> list[PointSubmission]:
    """Submit the points that have to be, one after the other; a wrong argument is raised at the first.

    Raises
    ------
    UsageError, ToolMissing, Interrupted
    """
    done: list[PointSubmission] = []
    for point, known in zip(points, sweep.points):
        control.check(f"submitting {point.name}", safe="what is submitted stays in the queue, and all is")
        try:
            look = functools.partial(submit_point, point, True)
            text = "" if dry_run else _why_not(known, look)
            report = None if text else submit_point(point, dry_run)
            done.append(PointSubmission(point.values, known.store, report, text))
        except (Interrupted, ToolMissing):
            sweep.remove_unused()
            raise
        except FramepipeError as error:
            if isinstance(error, UsageError) and not done:  # it is the same for all
                sweep.remove_unused()
                raise
            done.append(PointSubmission(point.values, known.store, None, error=error))
    return done


def _why_not(point: SubmittedPoint, look: Callable[[], SubmitReport]) -> str:
    """Say why a point need not be submitted; empty if it has to be."""
    folders = folders_of(point.store)
    if not folders:
        return ""
    if queue := queue_state(*folders[-1].read()).entries:
        return f"in the queue ({queue[0].job}, {queue[0].state.lower()})"
    if point.is_done and not look().pending:
        return "it has its movies"
    return ""


def _with_end(point: PointSubmission, control: Control) -> PointSubmission:
    """Wait for the end of a point's jobs; return it with what became of it."""
    if point.error is not None or not folders_of(point.store):
        return point
    try:
        return replace(point, text=wait_for_result(point.store, control))
    except Interrupted:
        raise
    except FramepipeError as error:
        return replace(point, error=error)


def _grid(
    sweep: SweepFolder, points: Sequence[PointSubmission], dry_run: bool, wait: bool, control: Control
) -> GridSubmission | None:
    """Submit the grid, if there is one and all points have their movies; with ``wait``, wait for its end."""
    if sweep.grid is None or sweep.grid_point is None:
        return None
    where = GridSubmission(sweep.grid, sweep.grid_point.store, {})
    if dry_run:
        like = next((each.report.submission for each in points if each.report), None)
        if like is None:
            return where
        grid = submission_of_grid(sweep, like)
        return replace(where, script=scripts_of(grid, next_folder(where.store))["finish"])
    if sweep.grid_point.is_done and not any(each.report for each in points):
        return replace(where, text=f"{short_path(sweep.grid)} is there")
    try:
        if (folder := submit_grid(sweep)) is not None:
            where = replace(where, jobs=folder.read()[1])
        if wait and not any(each.error for each in points):
            return replace(where, text=_end_of_grid(sweep, control))
    except (Interrupted, ToolMissing):
        raise
    except FramepipeError as error:
        return replace(where, error=error)
    return where


def _end_of_grid(sweep: SweepFolder, control: Control) -> str:
    """Wait for the end of the grid; the last job of the last point submits it a moment after its own end."""
    assert sweep.grid_point is not None
    store, until_s = sweep.grid_point.store, time.monotonic() + _SUBMITTED_WITHIN_S
    while not folders_of(store):
        if time.monotonic() > until_s:
            last = shlex.quote(short_path(sweep.points[-1].store))
            raise StoreError(
                f"all points have their movies, but no job of the grid was submitted: framepipe logs {last}"
            )
        control.check("waiting for the grid", safe="what is submitted stays in the queue, and all is")
        time.sleep(_LOOK_S)
    return wait_for_result(store, control)


def _checked(report: SubmitSweepReport) -> SubmitSweepReport:
    """Return a report, or raise what failed.

    Raises
    ------
    SweepFailed
    """
    failed = [each for each in report.points if each.error]
    if not failed and report.grid and report.grid.error:
        message = f"the grid failed; all points have their movies, or are submitted\n{report.grid.error}"
        raise SweepFailed(message, report=report, exit_code=report.grid.error.exit_code)
    if not failed:
        return report
    lines = [f"{len(failed)} of {len(report.points)} points failed; the others are submitted or done"]
    lines += [f"  {each.name}: {each.outcome}" for each in failed[:10]]
    lines += [f"  and {len(failed) - 10} others"] if len(failed) > 10 else []
    first = failed[0]
    lines += [f"The first one, in full: {first.name}", str(first.error)]
    assert first.error is not None
    raise SweepFailed("\n".join(lines), report=report, exit_code=first.error.exit_code)
