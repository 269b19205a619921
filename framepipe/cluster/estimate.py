"""`plan`: what a movie will take, from a few frames that are drawn now; and the command that submits it."""

from __future__ import annotations

import math
import os
import shlex
import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from framepipe.cluster.profiles import with_profile
from framepipe.cluster.resources import CPUS, clock, parse_memory, parse_time
from framepipe.cluster.submit import GROUPS, SubmittingKeywords, given_options, request_of
from framepipe.core.control import Control, Progress, ProgressCallback, Stop
from framepipe.core.files import PathLike
from framepipe.core.memory import watched_memory
from framepipe.core.progress_bar import controlled
from framepipe.core.summary import Summary, short_path, size_text
from framepipe.errors import UsageError
from framepipe.job.frames import format_range
from framepipe.job.job import Job
from framepipe.movie.api import assemble
from framepipe.options import EncodeOptions, ShardOptions, SubmitOptions, as_flags, split, takes
from framepipe.pipeline.checks import check_before_drawing, check_outputs
from framepipe.rendering.api import refuse_growing, render_job
from framepipe.rendering.engines import choose
from framepipe.rendering.request import Request, opened_job, store_of
from framepipe.scenes.base import Scene
from framepipe.scenes.loading import refuse_while_loading
from framepipe.scenes.rcparams import leave_rcparams
from framepipe.store.store import Store, status
from framepipe.sweeps.points import folder_of, points_of, text_of
from framepipe.verification.judge import spread

if TYPE_CHECKING:
    from typing_extensions import Unpack

_SAMPLE = 8
#: Seconds that a task draws, if the user does not say how many tasks, and how many at most.
_TASK_S, _MOST_TASKS = 1800, 256
#: A walltime is so many times what is expected, and what starting takes; in seconds, within these.
_TIME_MARGIN, _START_S, _LEAST_TIME_S, _MOST_TIME_S = 2.0, 60, 600, 43_200
_SIZE_MARGIN, _MEMORY_MARGIN = 1.1, 1.25
#: For encoders and verification.
_LEAST_MB = 1024


@dataclass(frozen=True)
class Trial:
    """What a few frames have shown.

    Attributes
    ----------
    frames : int
        Of the whole movie.
    sample : tuple of int
        The frames that were drawn.
    frame_s, slowest_s : float
        Seconds that one worker takes for a frame: the median, and the most.
    order : {"free", "replay", "serial"}
    worker_mb, main_mb : float or None
        Peak memory of a worker, and of the process that leads them; None where it cannot be measured.
    store_bytes : int
        What all frames will take.
    building_s : dict of str to float
        Seconds that one process takes to build and verify each movie, by its name.
    """

    frames: int
    sample: tuple[int, ...]
    frame_s: float
    slowest_s: float
    order: str
    worker_mb: float | None
    main_mb: float | None
    store_bytes: int
    building_s: Mapping[str, float]

    def task_mb(self, cpus: int) -> int | None:
        """Return what a task needs at most: the main process, the one that forks workers, and these.

        The same is asked for the tasks that encode, so there is a least.
        """
        if self.main_mb is None or self.worker_mb is None:
            return None
        drawing_mb = (self.main_mb + (cpus + 1) * self.worker_mb) * _MEMORY_MARGIN
        return max(_LEAST_MB, math.ceil(drawing_mb / 256) * 256)


@dataclass(frozen=True, repr=False)
class PlanReport(Summary):
    """What a movie will take, as far as a few frames show, and how to submit it.

    Attributes
    ----------
    trial : Trial
    free_bytes : int
        Where the store will be.
    free_files : int or None
        How many files the file system can still take; None if it has no limit.
    tasks, cpus : int
    mem_mb : int or None
    time_s : int
        The walltime.
    command : tuple of str
        The arguments that submit it.
    points : int
        Of a sweep, of which the first was tried; 1 for one movie. ``tasks`` are those of a point.
    """

    trial: Trial
    free_bytes: int
    free_files: int | None
    tasks: int
    cpus: int
    mem_mb: int | None
    time_s: int
    command: tuple[str, ...]
    points: int = 1

    @property
    def frames(self) -> int:
        """The frames of all points."""
        return self.trial.frames * self.points

    @property
    def store_bytes(self) -> int:
        """What the frames of all points will take."""
        return self.trial.store_bytes * self.points

    def problems(self) -> list[str]:
        """List what will not work."""
        lines = []
        if self.trial.order == "serial":
            lines.append("frames depend on those before them (order serial): tasks cannot share them")
        if self.store_bytes > self.free_bytes:
            lines.append("the frames will not fit where the store is to be")
        if self.free_files is not None and self.frames > self.free_files:
            lines.append("the file system cannot take so many files")
        return lines

    def summary(self) -> str:
        """See `Summary`."""
        trial = self.trial
        alone_s, tasks = self.frames * trial.frame_s, self.tasks * self.points
        shared = f"{_text(alone_s / (tasks * self.cpus))} by {tasks} tasks x {self.cpus}"
        rows = [
            ("a frame", f"{trial.frame_s:.3g} s, at most {trial.slowest_s:.3g} s, order {trial.order}"),
            ("all frames", f"{_text(alone_s)} by one worker, {shared}"),
            ("disk", f"{size_text(self.store_bytes)}; {size_text(self.free_bytes)} free"),
            (
                "files",
                f"{self.frames}" + ("" if self.free_files is None else f"; {self.free_files} more fit"),
            ),
        ]
        if trial.worker_mb and trial.main_mb:
            memory = f"{trial.worker_mb:.0f} MB a worker, {trial.main_mb:.0f} MB beside them"
            rows.insert(2, ("memory", f"{memory}; at most {trial.task_mb(self.cpus)} MB a task"))
        rows += [(name, f"{_text(seconds)} to build") for name, seconds in trial.building_s.items()]
        width = max(len(name) for name, _ in rows)
        sample = format_range(trial.sample)
        lines = [f"{trial.frames} frames; {sample} were drawn now, by one worker"]
        if self.points > 1:
            what = f"{self.frames} frames of {self.points} points"
            lines = [f"{what}; {sample} of the first were drawn now, by one worker"]
        lines += [f"  {name:<{width}}  {text}" for name, text in rows]
        lines += [f"  problem: {text}" for text in self.problems()]
        return "\n".join([*lines, "Submit:", f"  {shlex.join(self.command)}"])

    def to_dict(self) -> dict[str, Any]:
        """Convert for JSON."""
        return {**asdict(self), "problems": self.problems()}


def _text(seconds: float) -> str:
    return clock(round(seconds)) if seconds >= 60 else f"{seconds:.2g} s"


@takes(*GROUPS)
@leave_rcparams()  # a script may set a style when it is loaded
def plan(
    scene: str | None,
    frames: int | range | str | None = None,
    output: PathLike | Sequence[PathLike] = (),
    *,
    store: PathLike | None = None,
    scheduler: str | None = None,
    values: Mapping[str, Sequence[Any]] | None = None,
    progress: bool | ProgressCallback | None = None,
    stop: Stop | None = None,
    **options: Unpack[SubmittingKeywords],
) -> PlanReport:
    """Draw a few frames now, and propose how to submit all of them.

    Parameters
    ----------
    scene, frames, output, store
        As for `submit`; ``output`` may be left out.
    scheduler : {"slurm", "pbs", "lsf", "sge"}, optional
        For the command. Default: the one whose programs are here, else Slurm.
    values : mapping of str to sequence, optional
        As for `submit_sweep`: frames of its first point are drawn, and the others are taken to be like it.
    progress, stop
        As for `render`.

    Returns
    -------
    PlanReport

    Raises
    ------
    UsageError
        Wrong arguments, or the scene cannot be loaded.
    FramesFailed
        Frames of the sample could not be drawn.
    """
    refuse_while_loading("plan")
    keywords = given_options(with_profile(options, Path.cwd()))
    *_, cluster = split(keywords, *GROUPS, verb="plan")
    outputs = [output] if isinstance(output, (str, os.PathLike)) else list(output)
    if values is not None and scene is None:
        raise UsageError("a sweep needs a SCRIPT.py:NAME, whose parameters it sets")
    folder = folder_of(scene or "", store)
    points = points_of(values, output, folder, keywords.get("params") or {}) if values is not None else []
    first = dict(points[0].values) if points else {}
    tried = [*points[0].outputs] if points else outputs
    if tried:
        check_outputs([Path(os.path.abspath(path)) for path in tried])
    request = request_of(scene, frames, {**keywords, "params": {**(keywords.get("params") or {}), **first}})
    where = None if scene is None and store is None else Store(store_of(request, store)).path
    where = Path(os.path.abspath(folder)) if points else where
    with controlled(progress, stop) as control:
        trial = _try(request, tried, keywords, control)
    proposal = _proposal(cluster, trial, max(1, len(points)))
    keywords |= proposal.keywords
    free_bytes, free_files = _free_space(where or Path.cwd())
    return PlanReport(
        trial=trial,
        free_bytes=free_bytes,
        free_files=free_files,
        tasks=proposal.tasks,
        cpus=proposal.cpus,
        mem_mb=proposal.mem_mb,
        time_s=proposal.time_s,
        command=_command(scheduler or _scheduler_here(), request, where, outputs, values or {}, keywords),
        points=max(1, len(points)),
    )


def _command(
    scheduler: str,
    request: Request,
    store: Path | None,
    outputs: Sequence[PathLike],
    values: Mapping[str, Sequence[Any]],
    keywords: Mapping[str, Any],
) -> tuple[str, ...]:
    """Return the command that submits all frames."""
    command = ["framepipe", "submit", scheduler, *([str(request.scene)] if request.scene else [])]
    command += [f"--frames={request.frames}"] if request.frames is not None else []
    command += [f"--store={short_path(store)}"] if store else []
    command += [f"--output={path}" for path in outputs or [_movie_of(values)]]
    command += [f"--sweep={name}={','.join(map(text_of, each))}" for name, each in values.items()]
    command += as_flags(keywords, *GROUPS)
    script_args = keywords.get("script_args") or ()
    return (*command, *(["--", *script_args] if script_args else []))


def _free_space(store: Path) -> tuple[int, int | None]:
    """Return how many bytes and files have room where a store will be; None if files have no limit."""
    folder = next(each for each in (store / "-").parents if each.is_dir())
    files = os.statvfs(folder)
    return shutil.disk_usage(folder).free, files.f_favail if files.f_files else None


def _movie_of(values: Mapping[str, Sequence[Any]]) -> str:
    """Return a name for the movies of a sweep, or of one movie."""
    return "-".join(["movie", *(f"{{{name}}}" for name in values)]) + ".mp4"


def _try(
    request: Request, outputs: Sequence[PathLike], keywords: Mapping[str, Any], control: Control
) -> Trial:
    """Draw a few frames into a store of their own, by one worker, and build movies of them."""
    scene_options, draw, timing, encode, _ = split(keywords, *GROUPS, verb="plan")
    engine, times = choose(replace(draw, workers=1)), _Times(control)
    paths = [Path(os.path.abspath(path)) for path in outputs]
    with tempfile.TemporaryDirectory(prefix="framepipe-plan-") as folder:
        with opened_job(request, folder, engine, scene_options.seed, control) as (job, store):
            refuse_growing(job)
            check_before_drawing(paths, job, encode, timing)
            sample, total = _sample(job), len(job.frames)
            with watched_memory() as peak:
                part = ShardOptions(only=format_range(sample))
                report = render_job(job, store, engine, draw, part, control=times.control)
        return Trial(
            frames=total,
            sample=tuple(sample),
            frame_s=times.median_s,
            slowest_s=times.slowest_s,
            order=report.order,
            worker_mb=peak.largest_child_mb or peak.own_mb,
            main_mb=peak.own_mb,
            store_bytes=round(status(store).size_bytes / len(sample) * total * _SIZE_MARGIN),
            building_s={path.name: _building_s(store, path, encode, total, control) for path in paths},
        )


@dataclass(frozen=True)
class _Proposal:
    tasks: int
    cpus: int
    mem_mb: int | None
    time_s: int

    @property
    def keywords(self) -> dict[str, Any]:
        """The proposal as options of `submit`."""
        mem = {} if self.mem_mb is None else {"mem": f"{self.mem_mb}M"}
        return {"tasks": self.tasks, "cpus": self.cpus, "time": clock(self.time_s), **mem}


def _proposal(cluster: SubmitOptions, trial: Trial, points: int) -> _Proposal:
    """Propose what the user has not chosen, for each of some points."""
    cpus = cluster.cpus or CPUS
    wished = math.ceil(trial.frames * trial.frame_s / cpus / _TASK_S)
    tasks = cluster.tasks or max(1, min(trial.frames, max(1, _MOST_TASKS // points), wished))
    needed_s = _TIME_MARGIN * math.ceil(trial.frames / tasks) * trial.frame_s / cpus + _START_S
    usual_s = min(max(math.ceil(needed_s / 600) * 600, _LEAST_TIME_S), _MOST_TIME_S)
    time_s = parse_time(cluster.time) if cluster.time else usual_s
    return _Proposal(tasks, cpus, parse_memory(cluster.mem) if cluster.mem else trial.task_mb(cpus), time_s)


def _sample(job: Job) -> list[int]:
    """Choose frames of the whole movie; where all before a frame must run, the first."""
    numbers, scene = job.frames.numbers, cast(Scene, job.scene)
    if (scene.runs_updates and not scene.begins_anew) or scene.streams:
        return list(numbers[:_SAMPLE])
    return [numbers[at] for at in spread(len(numbers), _SAMPLE)]


class _Times:
    """When each frame was finished: a callback beside the user's."""

    def __init__(self, control: Control) -> None:
        self._callback = control.progress
        self._at: dict[int, float] = {}
        self.control = Control(self._note, control.stop)

    def _note(self, progress: Progress) -> None:
        if progress.stage == "draw":
            self._at.setdefault(progress.done, time.monotonic())
        self._callback(progress)

    @property
    def _each_s(self) -> list[float]:
        """Seconds between one frame and the next; the first one's has the start of the worker in it."""
        ends = [at for _, at in sorted(self._at.items())]
        each_s = [after - before for before, after in pairwise(ends)]
        return each_s[1:] or each_s or [0.0]

    @property
    def median_s(self) -> float:
        """The median."""
        return statistics.median(self._each_s)

    @property
    def slowest_s(self) -> float:
        """The most."""
        return max(self._each_s)


def _building_s(store: Store, output: Path, encode: EncodeOptions, frames: int, control: Control) -> float:
    """Estimate the seconds for a movie, from how much longer all sampled frames take than one."""
    numbers, seconds = store.numbers(), []
    for part in (numbers[:1], numbers):
        started_at = time.monotonic()
        movie = store.path / f"trial-{len(part)}{output.suffix}"
        chosen = format_range(part)
        assemble(
            store,
            movie,
            encode=encode,
            missing="skip",
            part=chosen,
            workers=1,
            progress=False,
            stop=control.stop,
        )
        seconds.append(time.monotonic() - started_at)
    each_s = (seconds[1] - seconds[0]) / max(1, len(numbers) - 1)
    return seconds[0] + max(0.0, each_s) * (frames - 1)


def _scheduler_here() -> str:
    """Return the scheduler whose programs are here; Grid Engine and PBS share a name for them."""
    if shutil.which("sbatch"):
        return "slurm"
    if shutil.which("bsub"):
        return "lsf"
    if shutil.which("qsub"):
        return "sge" if os.environ.get("SGE_ROOT") else "pbs"
    return "slurm"
