"""`make` and `resume`: render, assemble, verify and clean; and continue where it stopped."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framepipe.core.control import Control, ProgressCallback, Stop
from framepipe.core.labels import VALUE, label_of
from framepipe.core.progress_bar import controlled
from framepipe.core.summary import Summary, short_path
from framepipe.errors import Interrupted, StoreError, UsageError
from framepipe.formats import format_of, targets
from framepipe.formats.notebook import joined
from framepipe.job.job import Job
from framepipe.job.record import JobRecord
from framepipe.movie.ahead import Ahead, encoding_ahead
from framepipe.movie.build import carry_out, jobs_of
from framepipe.movie.cleanup import CleanupReport, delete_frames
from framepipe.movie.plan import Assembly, format_of_output, open_store, plan_assembly
from framepipe.movie.probe import check_tools
from framepipe.movie.result import Movie
from framepipe.options import (
    DrawKeywords,
    DrawOptions,
    EncodeKeywords,
    EncodeOptions,
    SceneKeywords,
    SceneOptions,
    ShardKeywords,
    ShardOptions,
    UseOptions,
    split,
    takes,
)
from framepipe.rendering.api import render_job
from framepipe.rendering.engines import Engine, choose
from framepipe.rendering.engines.mpi import among_ranks, refuse_ranks
from framepipe.rendering.engines.slots import Slots
from framepipe.rendering.report import RenderReport
from framepipe.rendering.request import Request, SceneLike, opened_job
from framepipe.scenes.loading import refuse_while_loading
from framepipe.scenes.rcparams import leave_rcparams
from framepipe.store.store import Store
from framepipe.timeline import Timing, TimingKeywords

if TYPE_CHECKING:
    from typing_extensions import Unpack

PathLike = str | os.PathLike[str]
#: Dots per inch of a preview: a figure of the default size is then 256 px wide.
PREVIEW_DPI = 40


@dataclass(frozen=True, repr=False)
class MakeReport(Summary):
    """The result of `make`, stage by stage.

    Attributes
    ----------
    render : RenderReport
    movies : tuple of Movie
    cleanup : CleanupReport or None
        None if the frames were kept.
    films : int
        The number of films that the script makes, of which this is one.
    """

    render: RenderReport
    movies: tuple[Movie, ...]
    cleanup: CleanupReport | None
    films: int = 1

    def summary(self) -> str:
        """See `Summary`."""
        stages = [self.render, *self.movies, *([self.cleanup] if self.cleanup else [])]
        return "\n".join(stage.summary() for stage in stages)

    def details(self) -> str:
        """See `Summary`."""
        stages = [self.render, *self.movies, *([self.cleanup] if self.cleanup else [])]
        return "\n".join(stage.details() for stage in stages)

    def timings(self) -> str:
        """Where the time went."""
        return "\n".join([self.render.timings(), *(movie.timings() for movie in self.movies)])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Return the movies for Jupyter's display."""
        return joined([movie._repr_mimebundle_() for movie in self.movies], self.summary())

    def to_dict(self) -> dict[str, Any]:
        """Convert for JSON."""
        return {
            "render": self.render.to_dict(),
            "movies": [movie.to_dict() for movie in self.movies],
            "cleanup": self.cleanup.to_dict() if self.cleanup else None,
        }


#: Options under the names that they had when some stores were begun.
_RENAMED = {"stall_s": "idle_timeout_s"}


@dataclass(frozen=True)
class MakeGoal:
    """The movies that `make` builds from the frames; the store's ``job.json`` keeps it for `resume`.

    Attributes
    ----------
    outputs : tuple of Path
        Absolute; ``{name}`` stands for the scene's name.
    timing : Timing
    encode : EncodeOptions
    keep_frames : bool
    """

    outputs: tuple[Path, ...]
    timing: Timing
    encode: EncodeOptions
    keep_frames: bool

    def for_json(self) -> dict[str, Any]:
        """Convert for ``job.json``."""
        return {
            "outputs": [str(path) for path in self.outputs],
            "timing": self.timing.for_json(),
            "options": asdict(self.encode),
            "keep_frames": self.keep_frames,
        }

    @classmethod
    def from_json(cls, goal: Mapping[str, Any], where: Path) -> MakeGoal:
        """Read a goal from ``job.json``, which another version of framepipe may have written.

        Raises
        ------
        StoreError
        """
        try:
            return cls(
                tuple(Path(path) for path in goal["outputs"]),
                Timing(**goal["timing"]),
                EncodeOptions(**{_RENAMED.get(name, name): value for name, value in goal["options"].items()}),
                goal.get("keep_frames", True) is not False,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StoreError(
                f"{where}: job.json has a goal that this framepipe does not support "
                f"({type(error).__name__}: {error}). Run the make command again: the frames are kept"
            ) from None

    @property
    def label(self) -> Callable[[Any], str] | None:
        """The function that makes a frame's label of its value, if requested."""
        return label_of if self.encode.labels == VALUE else None

    def completed_for(self, job: Job) -> MakeGoal:
        """Return a copy completed with the name and the labels of a job."""
        name = re.sub(r"[^\w-]+", "-", job.scene.name).strip("-")
        outputs = tuple(Path(str(path).replace("{name}", name)) for path in self.outputs)
        return replace(self, outputs=outputs, encode=_with_values(self.encode, job))


class MakeKeywords(SceneKeywords, DrawKeywords, TimingKeywords, EncodeKeywords, total=False):
    """The options of `make`."""


@takes(SceneOptions, DrawOptions, Timing, EncodeOptions)
@among_ranks
def make(
    scene: SceneLike | None,
    frames: Any = None,
    output: PathLike | Sequence[PathLike] = (),
    *,
    store: PathLike | None = None,
    keep_frames: bool = False,
    preview: bool = False,
    progress: bool | ProgressCallback | None = None,
    stop: Stop | None = None,
    **options: Unpack[MakeKeywords],
) -> MakeReport:
    """Draw frames, build movies from them, verify these, then delete the frames.

    Parameters
    ----------
    scene : callable, Animation, str or None
        What draws; see `render`.
    frames : int, range, str, sequence or data, optional
        Which frames; see `render`.
    output : path-like or sequence of path-like
        The movies to build; the suffix is the format.
    store : path-like, optional
        Folder of the frames. Default: ``frames/<script>-<name>``.
    keep_frames : bool
        Do not delete the frames.
    preview : bool
        A quick look: at most 24 frames, evenly spread, small, in a store of their own.
    progress : bool or callable, optional
        True shows it as the command line does; a function is called with a `Progress` after each frame, in
        this thread. Default: True at a Python prompt and in a notebook.
    stop : Stop, optional
        To request a stop from a signal handler or another thread.

    Returns
    -------
    MakeReport

    Raises
    ------
    FramepipeError
        Frames are deleted only when every movie has passed verification and has its name; until
        then the same call continues where it stopped.
    """
    refuse_while_loading("make")
    with controlled(progress, stop) as control:
        frames_for_movies = draw_frames(
            *(scene, frames, output),
            store=store,
            keep_frames=keep_frames,
            preview=preview,
            control=control,
            **options,
        )
        return frames_for_movies.make_movies(control)


@leave_rcparams()  # a script may set a style when it is loaded
def draw_frames(
    scene: SceneLike | None,
    frames: Any,
    output: PathLike | Sequence[PathLike],
    *,
    store: PathLike | None,
    keep_frames: bool,
    preview: bool = False,
    control: Control,
    slots: Slots | None = None,
    **options: Unpack[MakeKeywords],
) -> FramesForMovies:
    """Do the first half of `make`: draw the frames, and let go of the scene; arguments and errors as there.

    Parameters
    ----------
    slots : Slots, optional
        Which the engine is to share with those of other renders.
    """
    scene_options, draw, timing, encode = split(
        options, SceneOptions, DrawOptions, Timing, EncodeOptions, verb="make"
    )
    refuse_ranks()
    outputs = [output] if isinstance(output, (str, os.PathLike)) else list(output)
    goal = MakeGoal(tuple(Path(os.path.abspath(path)) for path in outputs), timing, encode, keep_frames)
    check_outputs(goal.outputs)
    if preview and scene_options.dpi is None:
        scene_options = replace(scene_options, dpi=PREVIEW_DPI)
    request = Request.of(scene, frames, scene_options, preview=preview, label=goal.label)
    engine = choose(draw, slots)
    with (
        _tools_being_checked(goal) as tools,
        opened_job(request, store, engine, scene_options.seed, control) as (job, where),
    ):
        return _draw_job(job, where, engine, goal, draw, control, tools)


@contextlib.contextmanager
def _tools_being_checked(goal: MakeGoal) -> Iterator[Future[None]]:
    """Try the encoders while the scene is loaded in its own process; the result says which are missing."""
    formats = list(dict.fromkeys(format_of(path) for path in goal.outputs))
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(check_tools, formats, goal.encode)


@dataclass(frozen=True)
class FramesForMovies:
    """Frames that are drawn, and what is to be made of them.

    Attributes
    ----------
    store : Store
    report : RenderReport
    goal : MakeGoal
    draw : DrawOptions
    films : int
        See `MakeReport`.
    ahead : Ahead
        What encodes segments meanwhile.
    end : ExitStack
        Ends that.
    """

    store: Store
    report: RenderReport
    goal: MakeGoal
    draw: DrawOptions
    films: int
    ahead: Ahead
    end: contextlib.ExitStack

    def make_movies(self, control: Control) -> MakeReport:
        """Do the second half of `make`: movies, verification, cleanup. Runs nothing of the user's.

        Raises
        ------
        FramepipeError
            See `assemble`.
        """
        report, jobs = self.report, jobs_of(self.draw.workers)
        assert report.record is not None
        with self.end:
            control.check("planning the movies")
            plans = _plans_of(self.store, report.record, self.goal, self.draw, jobs)
            movies = tuple(
                carry_out(plan, workers=jobs, control=control, ahead=self.ahead.wait_for) for plan in plans
            )
        is_only_ours = report.record.owner == "make"  # frames that another verb drew here before stay
        done_with = _fingerprints(plans, None if is_only_ours else report.drawn)
        cleanup = None if self.goal.keep_frames else delete_frames(self.store, done_with)
        return MakeReport(report, movies, cleanup, self.films)


def _draw_job(
    job: Job,
    store: Store,
    engine: Engine,
    goal: MakeGoal,
    draw: DrawOptions,
    control: Control,
    tools: Future[None],
) -> FramesForMovies:
    goal = goal.completed_for(job)
    encode = goal.encode
    if job.metadata and not encode.metadata:
        encode = replace(encode, metadata=dict(job.metadata))
    check_before_drawing(goal.outputs, job, encode, goal.timing, with_tools=False)
    tools.result()
    jobs = jobs_of(draw.workers)
    with contextlib.ExitStack() as stack:
        ahead = stack.enter_context(
            encoding_ahead(store, job, goal.outputs, goal.timing, encode, jobs, control)
        )
        record, part = job.record(goal.for_json()), ShardOptions()
        with _saying_how_to_see_it(store, goal):
            report = render_job(
                job, store, engine, draw, part, control=ahead.drawing, record=record, owner="make"
            )
        ahead.finish()
        goal = replace(goal, encode=encode)
        return FramesForMovies(store, report, goal, draw, job.films, ahead, stack.pop_all())


def _plans_of(
    store: Store, record: JobRecord, goal: MakeGoal, draw: DrawOptions, jobs: int
) -> list[Assembly]:
    """Plan the movies, all of them from one look at the frames.

    The record is that of the render's end: the script may have been edited while its frames were drawn.
    """
    use = UseOptions(stale="keep" if draw.stale == "keep" else "error")
    status = store.scan(record, deep=True, digests=store.file_digests())
    return [
        plan_assembly(store, path, goal.timing, goal.encode, use, record=record, status=status, jobs=jobs)
        for path in goal.outputs
    ]


def _fingerprints(plans: Sequence[Assembly], numbers: Sequence[int] | None) -> dict[int, str]:
    """Return the fingerprints of the frames that the movies show, or of those among ``numbers``."""
    fingerprints = {
        number: state.fingerprint for plan in plans for number, state in plan.frame_states.items()
    }
    if numbers is None:
        return fingerprints
    return {number: fingerprints[number] for number in numbers if number in fingerprints}


@contextlib.contextmanager
def _saying_how_to_see_it(store: Store, goal: MakeGoal) -> Iterator[None]:
    """Add to the message of an interruption how to get the movie so far."""
    try:
        yield
    except Interrupted as error:
        if not goal.outputs or not store.numbers():
            raise
        command = ["framepipe", "assemble", short_path(store.path), "-o", short_path(goal.outputs[0])]
        command += ["--fps", str(goal.timing.fps)] if goal.timing.fps else []
        message = f"{error}. The movie so far: {shlex.join([*command, '--so-far'])}"
        report = getattr(error, "report", None)
        raise Interrupted(message, signal_name=error.signal_name, report=report) from None


def _with_values(options: EncodeOptions, job: Job) -> EncodeOptions:
    """Return the options with labels from the frames' values while they are known: a store keeps none."""
    if options.labels != VALUE or job.frames.are_numbers:
        return options
    if job.labels is None:
        raise UsageError("labels 'value': this scene makes its frames as it goes; give labels as a list")
    return replace(options, labels=job.labels)


def check_before_drawing(
    outputs: Sequence[Path],
    job: Job,
    options: EncodeOptions,
    timing: Timing,
    *,
    with_tools: bool = True,
) -> None:
    """Check now what would otherwise fail after hours of drawing.

    Parameters
    ----------
    outputs : sequence of Path
    job : Job
    options : EncodeOptions
    timing : Timing
    with_tools : bool
        Also try the encoders; another machine may have others.

    Raises
    ------
    UsageError, ToolMissing
    """
    formats = list(dict.fromkeys(format_of(path) for path in outputs))
    for format_ in formats:
        format_.check(options)
        if job.frames.extent == "fixed":
            timeline, numbers = timing.timeline(job.frames.numbers, job.fps), job.frames.numbers
            format_.check_times(timeline)
            format_.resolve_labels(options, numbers, (), "", values_are_numbers=True)
            targets.check(options, format_, timeline)
    if with_tools:
        check_tools(formats, options)


def check_outputs(outputs: Sequence[Path]) -> None:
    """Refuse outputs that cannot be written, before anything is loaded."""
    if not outputs:
        raise UsageError("no output: name a movie, as in -o movie.mp4")
    if len(set(outputs)) < len(outputs):
        raise UsageError("the same output is named twice")
    for path in outputs:
        format_of_output(path)
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise UsageError(f"output {path}: its folder cannot be written")


@among_ranks
def make_all(scene: str, output: Sequence[PathLike], **options: Any) -> list[MakeReport]:
    """Run `make` for each animation of a script, or each way in which it makes frames.

    Parameters
    ----------
    scene : str
        A script.
    output : sequence of path-like
        With ``{name}`` in each, which becomes the animation's name.
    **options
        See `make`.

    Raises
    ------
    UsageError
        ``{name}`` is missing in an output.
    FramepipeError
        See `make`; the movies built before stay.
    """
    for path in output:
        if "{name}" not in os.fspath(path):
            raise UsageError(f"output {path}: with --all it takes {{name}}, as in -o 'film-{{name}}.mp4'")
    if options.pop("animation", None) is not None:
        raise UsageError("give either --animation or --all")
    reports = [make(scene, output=output, animation="1", **options)]
    while len(reports) < reports[0].films:
        reports.append(make(scene, output=output, animation=str(len(reports) + 1), **options))
    return reports


class ResumeKeywords(DrawKeywords, ShardKeywords, total=False):
    """The options of `resume`."""


@takes(DrawOptions, ShardOptions)
@among_ranks
@leave_rcparams()  # a script may set a style when it is loaded
def resume(
    store: PathLike,
    *,
    scene: str | None = None,
    command: str | None = None,
    idle_timeout_s: float | None = None,
    progress: bool | ProgressCallback | None = None,
    stop: Stop | None = None,
    **options: Unpack[ResumeKeywords],
) -> RenderReport | MakeReport:
    """Continue the job of a store, in the working folder in which it was started.

    Parameters
    ----------
    store : path-like
        A folder with ``job.json``.
    scene : str, optional
        The scene's address, required if ``job.json`` was not written by this account: a file from
        elsewhere must not choose what runs.
    command : str, optional
        The command, required in the same case if a command draws.
    idle_timeout_s : float, optional
        Kill an encoder that makes no progress for this many seconds. Default: as in the call of `make`.
    progress, stop
        As for `render`.

    Returns
    -------
    MakeReport or RenderReport
        A `MakeReport` if `make` started the job and this call is not for a shard.

    Raises
    ------
    StoreError
        ``job.json`` is missing, damaged, or insufficient.
    FramepipeError
        See `render` and `make`.
    """
    refuse_while_loading("resume")
    draw, part = split(options, DrawOptions, ShardOptions, verb="resume")
    if part.shard is None:
        refuse_ranks()
    where = open_store(store)
    record, is_signed = where.read_job()
    goal = MakeGoal.from_json(record.goal, where.path) if is_signed and record.goal else None
    if idle_timeout_s is not None:
        checked = EncodeOptions(idle_timeout_s=idle_timeout_s).idle_timeout_s
        goal = goal and replace(goal, encode=replace(goal.encode, idle_timeout_s=checked))
    request = _request_again(record, is_signed, where, scene, command, goal)
    engine = choose(draw)
    with (
        controlled(progress, stop) as control,
        opened_job(request, store, engine, None, control) as (job, _),
    ):
        if goal and part.is_all:
            with _tools_being_checked(goal) as tools:
                return _draw_job(job, where, engine, goal, draw, control, tools).make_movies(control)
        job_record = job.record(goal.for_json() if goal else None)
        return render_job(job, where, engine, draw, part, control=control, record=job_record)


def _request_again(
    record: JobRecord,
    is_signed: bool,
    where: Store,
    scene: str | None,
    command: str | None,
    goal: MakeGoal | None,
) -> Request:
    """Make the request of a recorded job; what it names runs only if this account wrote the record."""
    if scene is None and command is None and not is_signed:
        raise StoreError(
            f"{where.path}: job.json was not written by this account, so what it names is not run by "
            f"itself. Name it: framepipe resume {shlex.quote(str(where.path))} --scene SCRIPT.py:NAME "
            "(or --command)"
        )
    extra = _known_keywords(record.extra_args, where.path) if is_signed else {}
    extra |= {"command": command} if command is not None else {}
    ref = None if extra.get("command") else scene or record.ref
    if (ref is None and not extra.get("command")) or record.params is None or record.spec is None:
        raise StoreError(
            f"{where.path} was started from Python with {record.name!r}, which has no address: "
            "run that program again, it goes on where it stopped"
        )
    return Request(
        ref,
        record.spec or None,
        params=record.params,
        inputs=record.inputs,
        canvas=record.canvas,
        label=goal.label if goal else None,
        **extra,
    )


#: The keys of `JobRecord.extra_args`, and the types of their values.
_EXTRA_ARGS: Mapping[str, tuple[type, ...]] = {
    "command": (str,),
    "retries": (int,),
    "dim": (str, int, type(None)),
    "allow_pickle": (bool,),
    "script_args": (list,),
    "animation": (str,),
    "first_call": (str,),
    "env": (list,),
}


def _known_keywords(extra_args: Mapping[str, Any], where: Path) -> dict[str, Any]:
    for name, value in extra_args.items():
        if not isinstance(value, _EXTRA_ARGS.get(name, ())) or not _all_text(value):
            raise StoreError(
                f"{where}: job.json has a setting {name!r} that this framepipe does not support. "
                "Run the command again that started it: the frames are kept"
            )
    return dict(extra_args)


def _all_text(value: Any) -> bool:
    return not isinstance(value, list) or all(isinstance(each, str) for each in value)
