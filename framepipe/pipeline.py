"""The whole way: render, assemble, verify, clean; and going on where it stopped."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from framepipe.building import carry_out, jobs_of
from framepipe.clean import CleanupReport, delete_frames
from framepipe.control import ProgressCallback, Stop
from framepipe.encoders.tools import STALL_S
from framepipe.engines import Engine, choose
from framepipe.errors import StoreError, UsageError
from framepipe.job import Job
from framepipe.movie import Movie
from framepipe.palette import given
from framepipe.plan import open_store, plan_assembly
from framepipe.recipes import PALETTES, PICTURES, PLAYER_LIMIT_MB, Options, format_of, html, profiles
from framepipe.recipes.labels import VALUE, label_of
from framepipe.render import render_job
from framepipe.rendering import RenderReport
from framepipe.request import SceneLike, default_store, make_job
from framepipe.scenes.load import refuse_while_loading
from framepipe.scenes.style import keep_rcparams
from framepipe.store import Store, StoreStatus
from framepipe.timeline import Timing
from framepipe.trial import check_tools

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class MakeReport:
    """What `make` did, stage by stage.

    Attributes
    ----------
    render : RenderReport
    movies : tuple of Movie
    cleanup : CleanupReport or None
        None if the frames were kept.
    """

    render: RenderReport
    movies: tuple[Movie, ...]
    cleanup: CleanupReport | None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "render": self.render.to_dict(),
            "movies": [movie.to_dict() for movie in self.movies],
            "cleanup": self.cleanup.to_dict() if self.cleanup else None,
        }


@keep_rcparams()  # a script may set a style when it is loaded
def make(
    scene: SceneLike | None,
    frames: Any = None,
    output: PathLike | Sequence[PathLike] = (),
    *,
    store: PathLike | None = None,
    params: Mapping[str, Any] | None = None,
    inputs: Iterable[PathLike] = (),
    dpi: float | None = None,
    tight: bool = False,
    transparent: bool | None = None,
    command: str | None = None,
    retries: int = 0,
    dim: str | int | None = None,
    allow_pickle: bool = False,
    engine: str | Engine = "local",
    workers: int | None = None,
    order: str = "auto",
    stale: str = "draw",
    frame_timeout_s: float | None = None,
    recycle: int = 500,
    max_failures: int | None = None,
    fps: object | None = None,
    hold_first_s: float = 0,
    hold_last_s: float = 0,
    pause_s: float = 0,
    durations_s: Any = None,
    speed: float = 1,
    every: int = 1,
    part: str | None = None,
    reverse: bool = False,
    bounce: bool = False,
    loop: object = 0,
    encoder: str = "auto",
    palette: str = "global",
    colors: int = 256,
    dither: str = "none",
    layers: str = "auto",
    crf: int | None = None,
    preset: str = "medium",
    stall_s: float = STALL_S,
    metadata: Mapping[str, str] | None = None,
    codec: str | None = None,
    quality: str = "good",
    chroma: str = "420",
    depth: int = 8,
    codec_options: Mapping[str, str] | None = None,
    labels: Any = "number",
    player_limit_mb: float = PLAYER_LIMIT_MB,
    html_assets: bool = False,
    optimize: bool = False,
    target: str | None = None,
    keep_frames: bool = False,
    progress: ProgressCallback | None = None,
    stop: Stop | None = None,
) -> MakeReport:
    """Draw frames, build movies from them, verify these, then delete the frames.

    Parameters
    ----------
    scene, frames, store, params, inputs, dpi, tight, transparent, command, retries, dim, allow_pickle, \
engine, workers, order, stale, frame_timeout_s, recycle, max_failures
        See `render`.
    output : path-like or sequence of path-like
        Movies to build; the suffix is the format.
    fps, hold_first_s, hold_last_s, pause_s, durations_s, speed, every, part, reverse, bounce, loop, \
encoder, palette, colors, dither, layers, crf, preset, stall_s, metadata, codec, quality, chroma, depth, \
codec_options, labels, player_limit_mb, html_assets, optimize, target
        See `assemble`.
    keep_frames : bool
        Do not delete the frames.
    progress, stop
        See `render`.

    Returns
    -------
    MakeReport

    Raises
    ------
    FramepipeError
        Frames are deleted only when every movie has passed verification and has its name; until
        then the same call goes on where it stopped.
    """
    told = locals()
    refuse_while_loading("make")
    outputs = [output] if isinstance(output, (str, os.PathLike)) else list(output)
    job = make_job(
        scene,
        frames,
        params=params,
        inputs=inputs,
        dpi=dpi,
        tight=tight,
        transparent=transparent,
        command=command,
        retries=retries,
        dim=dim,
        allow_pickle=allow_pickle,
    )
    timing, options = Timing.of(told), Options.of(told)
    goal = {
        "outputs": [os.path.abspath(path) for path in outputs],
        "timing": timing.for_json(),
        "options": asdict(options),
        "keep_frames": keep_frames,
    }
    return _make_job(
        job,
        Store(store if store is not None else default_store(job)),
        choose(engine, workers=workers, frame_timeout_s=frame_timeout_s, recycle=recycle),
        goal,
        order=order,
        stale=stale,
        max_failures=max_failures,
        workers=workers,
        progress=progress,
        stop=stop,
    )


def _make_job(
    job: Job,
    store: Store,
    engine: Engine,
    goal: Mapping[str, Any],
    *,
    order: str,
    stale: str,
    max_failures: int | None,
    workers: int | None,
    progress: ProgressCallback | None,
    stop: Stop | None,
) -> MakeReport:
    outputs = [Path(path) for path in goal["outputs"]]
    timing, options = Timing(**goal["timing"]), _with_values(Options(**goal["options"]), job)
    _check_before_drawing(outputs, job, options, timing)
    drawn = render_job(
        job,
        store,
        engine,
        order=order,
        stale=stale,
        max_failures=max_failures,
        progress=progress,
        stop=stop,
        record=job.record(goal),
    )
    record = drawn.record  # the script may have been edited while its frames were drawn
    assert record is not None
    kept = "keep" if stale == "keep" else "error"
    found = store.scan(record, deep=True)
    jobs = jobs_of(workers)
    plans = [
        plan_assembly(
            store, path, timing, options=options, stale=kept, record=record, status=found, jobs=jobs
        )
        for path in outputs
    ]
    movies = tuple(carry_out(plan, workers=jobs, progress=progress, stop=stop) for plan in plans)
    fingerprints = {number: seen.fingerprint for plan in plans for number, seen in plan.seen.items()}
    cleanup = None if goal["keep_frames"] else delete_frames(store, fingerprints)
    return MakeReport(drawn, movies, cleanup)


def _with_values(options: Options, job: Job) -> Options:
    """Labels of the frames' values, now, while they are known: a store keeps none."""
    if options.labels != VALUE or job.frames.are_numbers:
        return options
    if job.frames.extent != "fixed":
        raise UsageError("labels 'value': this scene makes its frames as it goes; give labels as a list")
    return replace(options, labels=tuple(label_of(value) for value in job.frames.values))


def _check_before_drawing(outputs: Sequence[Path], job: Job, options: Options, timing: Timing) -> None:
    """Find out now what would otherwise fail after hours of drawing."""
    if not outputs:
        raise UsageError("no output: name a movie, as in -o movie.mp4")
    if len(set(outputs)) < len(outputs):
        raise UsageError("the same output is named twice")
    formats = [format_of(path) for path in outputs]
    if job.frames.extent == "fixed":
        timeline = timing.timeline(job.frames.numbers, job.fps)
        if "gif" in formats:
            timeline.gif_delays_cs()
        if "html" in formats:
            html.settle(options, job.frames.numbers, (), "", values_are_numbers=True)
        if "mp4" in formats:
            timeline.video_repeats()
        if set(PICTURES) & set(formats):
            timeline.picture_ticks()
        for format_ in formats:
            profiles.check(options, format_, timeline)
    for path in outputs:
        if path.is_dir():
            raise UsageError(f"output {path} is a folder")
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise UsageError(f"output {path}: its folder does not exist or cannot be written")
    if "gif" in formats and options.palette not in PALETTES:
        given(options.palette)
    check_tools(formats, options)


@keep_rcparams()  # a script may set a style when it is loaded
def resume(
    store: PathLike,
    *,
    scene: str | None = None,
    command: str | None = None,
    engine: str | Engine = "local",
    workers: int | None = None,
    order: str = "auto",
    shard: str | tuple[int, int] | None = None,
    only: str | None = None,
    stale: str = "draw",
    frame_timeout_s: float | None = None,
    recycle: int = 500,
    max_failures: int | None = None,
    stall_s: float | None = None,
    progress: ProgressCallback | None = None,
    stop: Stop | None = None,
) -> RenderReport | MakeReport:
    """Go on with the job of a store, in the working folder in which it was started.

    Parameters
    ----------
    store : path-like
        A folder with ``job.json``.
    scene : str, optional
        The scene's address, needed where ``job.json`` was not written by this account: a file from
        elsewhere does not decide what is run.
    command : str, optional
        The command, needed in the same case where a command draws.
    engine, workers, order, shard, only, stale, frame_timeout_s, recycle, max_failures, progress, stop
        See `render`.
    stall_s : float, optional
        See `Options`. Default: as `make` was told.

    Returns
    -------
    MakeReport or RenderReport
        The first if the job was started by `make` and all frames are seen to.

    Raises
    ------
    StoreError
        No or a damaged ``job.json``, or one that does not say enough.
    FramepipeError
        See `render` and `make`.
    """
    refuse_while_loading("resume")
    where = open_store(store)
    record, sealed = where.read_job()
    if scene is None and command is None and not sealed:
        raise StoreError(
            f"{where.path}: job.json was not written by this account, so what it names is not run by "
            f"itself. Name it: framepipe resume {shlex.quote(str(where.path))} --scene SCRIPT.py:NAME "
            "(or --command)"
        )
    told = {**record.told} if sealed else {}
    told |= {"command": command} if command is not None else {}
    ref = None if told.get("command") else scene or record.ref
    if (ref is None and not told.get("command")) or record.params is None or record.spec is None:
        raise StoreError(
            f"{where.path} was started from Python with {record.name!r}, which has no address: "
            "run that program again, it goes on where it stopped"
        )
    canvas = record.canvas
    job = make_job(
        ref,
        record.spec or None,
        params=record.params,
        inputs=record.inputs,
        dpi=canvas.dpi,
        tight=canvas.tight,
        transparent=canvas.transparent,
        **told,
    )
    crew = choose(engine, workers=workers, frame_timeout_s=frame_timeout_s, recycle=recycle)
    goal = {**record.goal} if sealed and record.goal else None
    if stall_s is not None:
        checked = Options(stall_s=stall_s)
        goal = {**goal, "options": {**goal["options"], "stall_s": checked.stall_s}} if goal else None
    if goal is None or shard is not None or only is not None:
        return render_job(
            job,
            where,
            crew,
            order=order,
            shard=shard,
            only=only,
            stale=stale,
            max_failures=max_failures,
            progress=progress,
            stop=stop,
            record=job.record(goal),
        )
    return _make_job(
        job,
        where,
        crew,
        goal,
        order=order,
        stale=stale,
        max_failures=max_failures,
        workers=workers,
        progress=progress,
        stop=stop,
    )


def status(store: PathLike, *, deep: bool = False) -> StoreStatus:
    """What is in a store: done, missing, broken, stale and why. Loads no scene.

    Parameters
    ----------
    store : path-like
    deep : bool
        Also check every chunk's CRC.

    Raises
    ------
    StoreError
        No or a damaged ``job.json``.
    """
    where = open_store(store)
    before = where.read_job()[0]
    return where.scan(before.refreshed(), deep=deep, before=before)
