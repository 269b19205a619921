"""`submit`: from a request to jobs in a scheduler's queue."""

from __future__ import annotations

import contextlib
import math
import os
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framepipe.cluster.profiles import with_profile
from framepipe.cluster.queue import queue_state, send
from framepipe.cluster.resources import TASKS, Resources
from framepipe.cluster.schedulers import scheduler_of
from framepipe.cluster.scripts import scripts_of
from framepipe.cluster.submission import JobFolder, Submission, create, folders_of, next_folder
from framepipe.core.control import Control, ProgressCallback, Stop
from framepipe.core.files import PathLike
from framepipe.core.labels import VALUE
from framepipe.core.progress_bar import controlled
from framepipe.core.summary import Summary, short_path
from framepipe.errors import RenderError, StoreError, UsageError
from framepipe.formats import format_of
from framepipe.job.contents import FileDigests
from framepipe.options import (
    DrawKeywords,
    DrawOptions,
    EncodeKeywords,
    EncodeOptions,
    SceneKeywords,
    SceneOptions,
    SubmitKeywords,
    SubmitOptions,
    default_of,
    options_of,
    split,
    takes,
)
from framepipe.pipeline.checks import check_before_drawing, check_outputs
from framepipe.rendering.api import pending_frames
from framepipe.rendering.engines import choose
from framepipe.rendering.request import Request, opened_job, store_of
from framepipe.scenes.loading import refuse_while_loading
from framepipe.scenes.rcparams import leave_rcparams
from framepipe.store.store import Store
from framepipe.timeline import Timing, TimingKeywords

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: From here on tasks encode segments; a segment has some 250 frames.
_MANY_FRAMES, _SEGMENT_FRAMES = 1000, 250
#: The options of `submit`.
GROUPS = (SceneOptions, DrawOptions, Timing, EncodeOptions, SubmitOptions)
#: Seconds between looks at the result of submitted jobs, and between questions to the scheduler.
_LOOK_S, _ASK_S = 0.5, 15.0
_FRAMES_STAY = "the frames will stay: they were begun by render, not by submit"


@dataclass(frozen=True, repr=False)
class SubmitReport(Summary):
    """The result of `submit`.

    Attributes
    ----------
    store : Path
    folder : Path
        The folder of the scripts and logs.
    scheduler : str
    scripts : dict of str to str
        The script of each phase, by name.
    jobs : dict of str to str
        The scheduler's numbers of the jobs, by phase; empty for a dry run.
    frames : int or None
        Frames of the plan; None if the scene was not loaded.
    pending : int or None
        Those that are to be drawn.
    tasks : tuple of int
        The tasks that draw.
    text : str
        What became of it, if its end was waited for.
    notes : tuple of str
    submission : Submission
    """

    store: Path
    folder: Path
    scheduler: str
    scripts: Mapping[str, str]
    jobs: Mapping[str, str]
    frames: int | None
    pending: int | None
    tasks: tuple[int, ...]
    text: str = ""
    notes: tuple[str, ...] = ()
    submission: Submission | None = None

    def summary(self) -> str:
        """See `Summary`."""
        store = short_path(self.store)
        what = "frames" if self.pending is None else f"{self.pending} of {self.frames} frames"
        lines = [f"  note: {note}" for note in self.notes]
        if not self.jobs:
            return "\n".join([f"nothing submitted: {what} of {store} by {len(self.tasks)} tasks", *lines])
        jobs = ", ".join(f"{phase} {job}" for phase, job in self.jobs.items())
        head = f"{what} of {store} by {len(self.tasks)} tasks of {self.scheduler}: {jobs}"
        if not self.text:
            name = shlex.quote(store)
            lines += [f"  scripts and logs: {short_path(self.folder)}"]
            lines += [f"  see it: framepipe status {name}; framepipe logs {name}"]
            lines += [f"  end it: framepipe cancel {name}"]
        return "\n".join([head, *lines, *([self.text] if self.text else [])])

    def details(self) -> str:
        """See `Summary`: a dry run shows the scripts."""
        if self.jobs:
            return self.summary()
        return "\n".join(
            [*(f"{'=' * 20} {name}.sh\n{text}" for name, text in self.scripts.items()), self.summary()]
        )

    def to_dict(self) -> dict[str, Any]:
        """Convert for JSON."""
        return {
            **{name: value for name, value in vars(self).items() if name != "submission"},
            "store": str(self.store),
            "folder": str(self.folder),
            "scripts": dict(self.scripts),
            "jobs": dict(self.jobs),
            "tasks": list(self.tasks),
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class _Look:
    """What the scene and the store say before anything is submitted."""

    store: Path
    numbers: Sequence[int] | None
    pending: frozenset[int] | None
    metadata: Mapping[str, str]
    digests: FileDigests = field(default_factory=FileDigests)

    def tasks(self, count: int) -> int:
        """Return how many shards there are: not more than frames."""
        return count if self.numbers is None else min(count, len(self.numbers))

    def shards(self, count: int) -> tuple[int, ...]:
        """Return the shards that have frames to draw."""
        if self.numbers is None or self.pending is None:
            return tuple(range(1, count + 1))
        return tuple(
            sorted({at % count + 1 for at, number in enumerate(self.numbers) if number in self.pending})
        )


class SubmittingKeywords(
    SceneKeywords, DrawKeywords, TimingKeywords, EncodeKeywords, SubmitKeywords, total=False
):
    """The options of `submit`."""


@takes(*GROUPS)
@leave_rcparams()  # a script may set a style when it is loaded
def submit(
    scheduler: str,
    scene: str | None,
    frames: int | range | str | None = None,
    output: PathLike | Sequence[PathLike] = (),
    *,
    store: PathLike | None = None,
    keep_frames: bool = False,
    dry_run: bool = False,
    wait: bool = False,
    progress: bool | ProgressCallback | None = None,
    stop: Stop | None = None,
    **options: Unpack[SubmittingKeywords],
) -> SubmitReport:
    """Submit a movie to a cluster: tasks that draw, tasks that encode a long movie, a job that completes it.

    Scripts and logs are in ``STORE/jobs/<number>/``. The same call again submits what is missing.

    Parameters
    ----------
    scheduler : {"slurm", "pbs", "lsf", "sge"}
    scene : str or None
        The address of what draws, ``"SCRIPT.py:NAME"``; None if a command draws.
    frames : int, range or str, optional
        Which frames; see `render`.
    output : path-like or sequence of path-like
        The movies to build; the suffix is the format.
    store : path-like, optional
        Folder of the frames, on a file system that all machines share. Default: ``frames/<script>-<name>``.
    keep_frames : bool
        Do not delete the frames afterwards.
    dry_run : bool
        Submit nothing: the report has the scripts.
    wait : bool
        Return when the movies are built or cannot be. A stop leaves the jobs in the queue.
    progress, stop
        As for `render`.

    Returns
    -------
    SubmitReport

    Raises
    ------
    UsageError
        Wrong arguments, or the scene cannot be loaded; nothing was submitted.
    StoreError
        Jobs of this store are still in the queue, or the scheduler refuses.
    ToolMissing
        The scheduler's programs are not here.
    RenderError
        With ``wait``: frames failed, or the movie could not be built.
    """
    refuse_while_loading("submit")
    keywords = given_options(with_profile(options, Path.cwd()))
    *_, cluster = split(keywords, *GROUPS, verb="submit")
    scheduler_of(scheduler)
    Resources.of(cluster)
    outputs = [output] if isinstance(output, (str, os.PathLike)) else list(output)
    paths = tuple(Path(os.path.abspath(path)) for path in outputs)
    check_outputs(paths)
    request = request_of(scene, frames, keywords)
    with controlled(progress, stop) as control:
        folder, look = _folder_and_look(request, store, keywords, paths, control)
        submission = _submission(scheduler, request, look, paths, keywords, keep_frames)
        report = _report(submission, folder, look, keep_frames)
        if dry_run:
            return report
        report = replace(report, jobs=begin(submission, folder))
        Store(look.store).remember_files(look.digests)  # before a task has started, and reads a large input
        return replace(report, text=wait_for_result(look.store, control)) if wait else report


def begin(submission: Submission, folder: JobFolder) -> dict[str, str]:
    """Write the scripts of a submission into its new folder, and submit them; return the jobs by phase.

    Raises
    ------
    StoreError, ToolMissing
    """
    create(folder)
    folder.write(submission, {})
    for phase, text in scripts_of(submission, folder).items():
        folder.write_script(phase, text)
    return send(submission, folder)


def given_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are not at their default, with those of whole groups taken apart."""
    given: dict[str, Any] = {}
    fields = options_of(*GROUPS)
    for group in GROUPS:
        whole: Any = options.get(getattr(group, "keyword", ""))
        if whole is not None:
            given |= {name: getattr(whole, name) for name in options_of(group)}
    given |= {name: value for name, value in options.items() if value is not None}
    wholes = {getattr(group, "keyword", "") for group in GROUPS}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in given.items()
        if name not in wholes and not (name in fields and value == default_of(fields[name]))
    }


def request_of(scene: str | None, frames: object, keywords: Mapping[str, Any]) -> Request:
    """Return the request to draw, if other machines can read it.

    Raises
    ------
    UsageError
    """
    if scene is not None and not isinstance(scene, str):
        raise UsageError(
            f"scene is a {type(scene).__name__}; give its address, as 'scene.py:draw': other machines load it"
        )
    if isinstance(frames, range):
        frames = f"{frames[0]}-{frames[-1]}x{frames.step}" if frames else ""
    if isinstance(frames, int) and not isinstance(frames, bool):
        frames = str(frames)
    if frames is not None and not isinstance(frames, str):
        raise UsageError(
            f"frames is a {type(frames).__name__}; give a count, a range, the name of a sequence in the "
            "script, or a file of data: other machines read it"
        )
    (scene_options,) = split(
        {name: keywords[name] for name in options_of(SceneOptions) if name in keywords},
        SceneOptions,
        verb="submit",
    )
    return Request.of(scene, frames, scene_options)


def _folder_and_look(
    request: Request,
    store: PathLike | None,
    keywords: Mapping[str, Any],
    outputs: Sequence[Path],
    control: Control,
) -> tuple[JobFolder, _Look]:
    """Choose the folder of the submission, and look at the scene and the store.

    The folder is chosen first, if the store is known before the look: of two submissions at once only one can
    create it.

    Raises
    ------
    UsageError, StoreError
    """
    if request.scene is None and store is None:
        look = _look(request, store, keywords, outputs, control)
        return _new_folder(look.store), look
    folder = _new_folder(Store(store_of(request, store)).path)
    return folder, _look(request, store, keywords, outputs, control)


def _look(
    request: Request,
    store: PathLike | None,
    keywords: Mapping[str, Any],
    outputs: Sequence[Path],
    control: Control,
) -> _Look:
    """Load the scene, check what would fail later, and look at what is missing; or only choose the store."""
    _, draw, timing, encode, cluster = split(keywords, *GROUPS, verb="submit")
    if not cluster.load:
        if request.scene is None and store is None:
            raise UsageError("no store: with --no-load and --command, name it by --store")
        return _Look(Store(store_of(request, store)).path, None, None, {})
    engine = choose(draw)
    with opened_job(request, store, engine, keywords.get("seed"), control) as (job, where):
        if encode.labels == VALUE and not job.frames.are_numbers:
            raise UsageError("labels 'value': the store keeps no values; give labels as a file")
        check_before_drawing(outputs, job, encode, timing, with_tools=cluster.setup is None)
        pending = pending_frames(job, where, engine, draw, control=control)
        metadata = dict(job.metadata or {})
        return _Look(where.path, job.frames.numbers, frozenset(pending), metadata, job.digests)


def _submission(
    scheduler: str,
    request: Request,
    look: _Look,
    outputs: Sequence[Path],
    keywords: Mapping[str, Any],
    keep_frames: bool,
) -> Submission:
    """Return what the jobs are to do: which tasks there are, and what each is told."""
    *_, encode, cluster = split(keywords, *GROUPS, verb="submit")
    metadata = {"metadata": dict(look.metadata)} if look.metadata and not encode.metadata else {}
    begun_elsewhere = _begun_elsewhere(look.store)
    tasks = look.tasks(cluster.tasks or TASKS)
    return Submission(
        scheduler=scheduler,
        scene=None if request.scene is None else str(request.scene),
        frames=request.frames,
        store=str(look.store),
        outputs=tuple(map(str, outputs)),
        cwd=os.getcwd(),
        options={**keywords, **metadata},
        tasks=tasks,
        sent=look.shards(tasks),
        encoding_tasks=_encoding_tasks(look, outputs, tasks),
        keep_frames=keep_frames or begun_elsewhere,
        begun_elsewhere=begun_elsewhere,
    )


def _report(submission: Submission, folder: JobFolder, look: _Look, keep_frames: bool) -> SubmitReport:
    """Return the report of a submission before anything is in the queue."""
    return SubmitReport(
        store=look.store,
        folder=folder.path,
        scheduler=submission.scheduler,
        scripts=scripts_of(submission, folder),
        jobs={},
        frames=None if look.numbers is None else len(look.numbers),
        pending=None if look.pending is None else len(look.pending),
        tasks=submission.sent,
        notes=(_FRAMES_STAY,) if submission.begun_elsewhere and not keep_frames else (),
        submission=submission,
    )


def _encoding_tasks(look: _Look, outputs: Sequence[Path], tasks: int) -> int:
    frames = 0 if look.numbers is None else len(look.numbers)
    if frames < _MANY_FRAMES or not any(format_of(path).has_segments for path in outputs):
        return 0
    return min(tasks, math.ceil(frames / _SEGMENT_FRAMES))


def _begun_elsewhere(store: Path) -> bool:
    """True if another verb than `make` or `submit` began the store, and its frames are still there."""
    where, folders = Store(store), folders_of(store)
    record = where.known_job()
    if record is None or record.owner == "make" or not where.numbers():
        return False
    with contextlib.suppress(StoreError):
        return folders[-1].read()[0].begun_elsewhere if folders else True
    return True


def _new_folder(store: Path) -> JobFolder:
    """Return the folder for a submission, if no jobs of an earlier one are in the queue.

    It is chosen before that is looked at: of two submissions at once, only one can create it later.

    Raises
    ------
    StoreError
    """
    new = next_folder(store)
    for folder in folders_of(store):
        state, _ = folder.result()
        if state not in ("", "built"):
            continue
        try:
            submission, jobs = folder.read()
        except StoreError:
            jobs = {}
        if not jobs and folder.is_beginning():
            raise StoreError(f"another framepipe submits frames of {store} at this moment")
        if not jobs:
            continue
        if queue := queue_state(submission, jobs).entries:
            raise StoreError(
                f"jobs of {store} are still in the queue ({queue[0].job}, {queue[0].state.lower()}): they "
                f"draw what is missing. Wait for them, or: framepipe cancel {shlex.quote(str(store))}"
            )
    return new


def wait_for_result(store: Path, control: Control) -> str:
    """Wait until the newest submission of a store, and what it submits again, has ended; return the result.

    Raises
    ------
    RenderError
        It failed, or nobody knows what became of it.
    Interrupted
        A stop was requested; the jobs stay in the queue.
    """
    asked_at = time.monotonic()
    while True:
        folder = folders_of(store)[-1]
        state, text = folder.result()
        if state == "done":
            return text
        if state in ("failed", "cancelled"):
            raise RenderError(text)
        if time.monotonic() - asked_at > _ASK_S:
            queue, asked_at = queue_state(*folder.read()), time.monotonic()
            is_over = not (queue.entries or queue.problem)
            if is_over and folder.result()[0] == state and folder == folders_of(store)[-1]:
                raise RenderError(
                    f"the jobs of {store} have left the queue without a result: framepipe logs shows why"
                )
        control.check("waiting for the jobs", safe="they stay in the queue, and all is")
        time.sleep(_LOOK_S)
