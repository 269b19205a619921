"""Turns a user's request (a function, an animation, a script, a command; frames in any form) into a job."""

from __future__ import annotations

import contextlib
import operator
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framepipe.core.control import Control, Stop
from framepipe.errors import UsageError
from framepipe.job.canvas import Canvas
from framepipe.job.contents import FileDigests
from framepipe.job.data import is_data_address, is_data_object, open_data
from framepipe.job.fingerprint import digest_value
from framepipe.job.frames import Frames, Unknowns
from framepipe.job.job import Evidence, Job
from framepipe.job.read_tracer import ReadTracer
from framepipe.job.sources import local_modules
from framepipe.options import DEFAULT_FPS, FIRST_CALLS, SceneOptions
from framepipe.rendering.engines import Engine, StageProcess
from framepipe.rendering.large_inputs import read_large
from framepipe.scenes.address import split_address
from framepipe.scenes.base import Scene
from framepipe.scenes.command import CommandScene
from framepipe.scenes.loading import forget_script
from framepipe.scenes.open_figures import closing_figures
from framepipe.scenes.seeding import MAX_SEED, seeded
from framepipe.scenes.staged import Description, StagedScene, describe
from framepipe.store.store import NO_SEED, Store

if TYPE_CHECKING:
    from framepipe.scenes.scripts.exploring import FilmInfo

_OF_THE_CANVAS = ("dpi", "bbox_inches", "transparent")
PREVIEW_FRAMES = 24
#: A function, an animation, or the address of one. (matplotlib is not loaded to name its types.)
SceneLike = Callable[..., Any] | str | Any


@dataclass(frozen=True)
class Request:
    """A user's request to draw; sent to the process that loads the scene.

    Attributes
    ----------
    scene : callable, Animation, str or None
    frames : object
        See `Frames.of`.
    params, script_args : mapping, sequence of str
        Keyword arguments of the function; ``sys.argv[1:]`` of the script.
    inputs : iterable of path-like
    canvas : Canvas
    command, retries
        See `CommandScene`.
    dim, allow_pickle
        See `open_data`.
    animation : str or None
        The name or number, from 1, of one of several animations of a script.
    first_call : {"once", "twice"}
        How often an update function without an ``init_func`` is called for the first frame.
    seed : int or None
        See `Job`.
    preview : bool
        At most `PREVIEW_FRAMES` frames, evenly spread.
    env : sequence of str
        Names of environment variables that decide the pixels.
    store : str
        The folder for the frames: files that are read there are not inputs.
    remembered : mapping
        See `FileDigests`.
    label : callable or None
        Formats a value as text; None if labels are not needed.
    """

    scene: SceneLike | None
    frames: Any = None
    params: Mapping[str, Any] = field(default_factory=dict)
    script_args: Sequence[str] = ()
    inputs: Iterable[str | os.PathLike[str]] = ()
    canvas: Canvas = field(default_factory=Canvas)
    command: str | None = None
    retries: int = 0
    dim: str | int | None = None
    allow_pickle: bool = False
    animation: str | None = None
    first_call: str = "once"
    preview: bool = False
    env: Sequence[str] = ()
    seed: int | None = None
    store: str = ""
    remembered: Mapping[str, Any] = field(default_factory=dict)
    label: Callable[[Any], str] | None = None

    @classmethod
    def of(cls, scene: SceneLike | None, frames: Any, options: SceneOptions, **fields: Any) -> Request:
        """Make a request with these options; ``fields`` are further fields."""
        return cls(
            scene,
            frames,
            params=dict(options.params or {}),
            script_args=options.script_args,
            env=options.env,
            inputs=options.inputs,
            canvas=Canvas(options.dpi, options.tight, options.transparent),
            command=options.command,
            retries=options.retries,
            dim=options.dim,
            allow_pickle=options.allow_pickle,
            animation=options.animation,
            first_call=options.first_call,
            **fields,
        )

    def __post_init__(self) -> None:
        if (self.scene is None) == (self.command is None):
            raise UsageError("give either a scene or a command to draw the frames")
        if self.command is not None and (self.params or self.canvas != Canvas()):
            raise UsageError(
                "param, dpi, tight and transparent are for matplotlib; a command has its own options"
            )
        if self.animation is not None and self.script is None:
            raise UsageError("animation selects one of a script's animations: give SCRIPT.py alone")
        for name in ("env", "script_args"):
            text = getattr(self, name)
            object.__setattr__(self, name, (text,) if isinstance(text, str) else tuple(text))
        for name in self.env:
            if not name or "=" in name or "\0" in name:
                raise UsageError(f"env {name!r} is not a name of an environment variable")
        object.__setattr__(self, "inputs", tuple(sorted(map(_input_path, self.inputs))))

    @property
    def script(self) -> str | None:
        """The script to run as it is, to find its film; None if the address has a name."""
        if not isinstance(self.scene, str):
            return None
        place, name = split_address(self.scene)
        return place if not name and place.endswith(".py") else None

    def job(self) -> Job:
        """Return the job, with its scene loaded in this process."""
        if self.command is not None:
            scene: Scene = CommandScene(self.command, retries=self.retries)
            return self._job_of(scene, None, {"command": self.command, "retries": self.retries})
        from framepipe.scenes.detect import scene_of
        from framepipe.scenes.loading import load

        loaded = load(self.scene) if isinstance(self.scene, str) else None
        thing = loaded.thing if loaded else self.scene
        scene = scene_of(
            thing,
            self.params,
            loaded,
            has_frames=self.frames is not None,
            first_call_twice=self.first_call == "twice",
        )
        return self._job_of(scene, loaded.lookup if loaded else None, {})

    def _job_of(
        self,
        scene: Scene,
        lookup: Callable[[str], Any] | None,
        arguments: dict[str, Any],
        canvas: Canvas | None = None,
        **details: Any,
    ) -> Job:
        if self.dim is not None or self.allow_pickle:
            arguments |= {"dim": self.dim, "allow_pickle": self.allow_pickle}
        options = {"script_args": list(self.script_args), "animation": self.animation}
        arguments |= {name: value for name, value in options.items() if value}
        if self.first_call != FIRST_CALLS[0]:
            arguments["first_call"] = self.first_call
        plan = scene.frames(self.frames) if scene.runs_updates else self._frames(lookup)  # type: ignore[attr-defined]
        details.setdefault("fps", getattr(scene, "fps", None))
        if self.preview:
            plan, details["fps"] = _preview_of(plan, details["fps"])
        if self.label and plan.extent == "fixed" and not plan.are_numbers:
            details["labels"] = tuple(self.label(value) for value in plan.values)
        if self.env:
            arguments["env"] = list(self.env)
        inputs: Any = tuple(self.inputs)
        details |= {"extra_args": arguments, "seed": self.seed, "env": tuple(self.env)}
        details["digests"] = FileDigests(self.remembered)
        return Job(scene, plan, canvas or self.canvas, inputs, **details)

    def _frames(self, lookup: Callable[[str], Any] | None) -> Frames:
        frames = self.frames
        if frames is None:
            raise UsageError("say which frames: a count (300), a range (0-299x5) or a sequence of values")
        if isinstance(frames, str) and not is_data_address(frames) and frames.isidentifier() and lookup:
            source = lookup(frames)
            spec: str | None = frames
        else:
            source, spec = frames, frames if isinstance(frames, str) else None
        if is_data_object(source) or (isinstance(source, str) and is_data_address(source)):
            slices = open_data(source, dim=self.dim, allow_pickle=self.allow_pickle)
            return Frames(range(len(slices)), slices, spec)
        if self.dim is not None:
            raise UsageError(f"dim {self.dim!r} is for frames out of a file or a labelled array")
        return Frames.of(frames, lookup=lookup)

    def staged(self, stop: Stop) -> Job:
        """Return the job, with its scene loaded in a process of its own, from which workers are forked.

        Raises
        ------
        Interrupted
            A stop was requested; loading ends at once.
        UsageError
            The script cannot be loaded.
        """
        stage = StageProcess(self)
        try:
            description: Description = stage.load(stop)
        except BaseException:
            stage.close()
            raise
        inputs: Any = tuple(self.inputs)
        return Job(
            StagedScene(description, stage),
            description.frames(),
            description.canvas,
            inputs,
            fps=description.fps,
            extra_args=description.record.extra_args,
            env=tuple(self.env),
            seed=self.seed,
            loaded=description.record,
            labels=description.labels,
            metadata=description.metadata,
            notes=description.notes,
            digests=FileDigests.used(description.remembered),
            films=description.films,
        )

    def __call__(self, stage: Any) -> tuple[Scene, Frames, Description]:
        """Load the scene in the process that draws it."""
        stage.tracer = self.tracer()
        if self.seed not in (None, NO_SEED):
            from framepipe.scenes.seeding import seed_generators

            seed_generators(self.seed)
        if self.script is not None:
            _Script(self, self.script, stage).run()
        from framepipe.scenes.scripts.exploring import importing

        sys.argv = [split_address(str(self.scene))[0], *self.script_args]
        with importing():
            return _described(self.job(), stage.tracer)

    def traced(self) -> Job:
        """Return the job, with its scene loaded in this process, and what loading it has read."""
        tracer = self.tracer()
        try:
            return _with_evidence(self.job(), tracer, ())
        finally:
            tracer.close()

    def tracer(self) -> ReadTracer:
        """Observe what this process reads from now on."""
        script = split_address(str(self.scene))[0]
        base = os.path.dirname(os.path.abspath(script)) if script.endswith(".py") else os.getcwd()
        return ReadTracer(self.store, self.remembered, base)


class _Script:
    """A script that runs as it is, in the process that will draw its film."""

    def __init__(self, request: Request, path: str, stage: Any) -> None:
        self._request, self._path, self._stage = request, path, stage
        self._scene: Any = None

    def run(self) -> None:
        """Run the script; never returns, since the process serves where the film begins."""
        from framepipe.scenes.scripts.exploring import Exploration

        request = self._request
        Exploration(
            self._path,
            request.script_args,
            request.animation,
            self._begin,
            self._go_on,
            self._end,
            _frame_limit(request.frames),
        ).run()

    def _begin(self, film: FilmInfo) -> None:
        self._stage.begin(*_described(self._job_of(film), self._stage.tracer))

    def _go_on(self, moment: Any) -> None:
        self._scene.moment = moment
        self._stage.serve()

    def _end(self) -> None:
        self._stage.end_of_script()

    def _job_of(self, film: FilmInfo) -> Job:
        request, notes = self._request, film.notes
        if film.series is not None:
            from framepipe.scenes.captured import CapturedScene

            if request.params:
                names = ", ".join(request.params)
                raise UsageError(f"a script takes no parameters ({names}); put its arguments after --")
            assert film.moment is not None
            self._scene = CapturedScene(self._path, film.series, film.moment, film.count)
            canvas = _canvas(request.canvas, film.series.dpi, film.series.savefig)
            metadata = {name: str(value) for name, value in film.series.metadata.items()}
            return request._job_of(
                self._scene, None, {}, canvas, metadata=metadata, notes=notes, films=film.films
            )
        from framepipe.scenes.animation import AnimationScene
        from framepipe.scenes.loading import LoadedObject

        script, save = Path(os.path.abspath(self._path)), film.save
        loaded = LoadedObject(
            film.animation, film.name or script.stem, sys.modules["__main__"], str(script), script
        )
        scene = AnimationScene(
            film.animation,
            request.params,
            loaded,
            extra=save.extra_anim if save else (),
            first_call_twice=request.first_call == "twice",
        )
        details: dict[str, Any] = {"notes": notes, "films": film.films}
        canvas = request.canvas
        if save is not None:
            canvas = _canvas(canvas, save.dpi, save.savefig_kwargs)
            details["metadata"] = {name: str(value) for name, value in save.metadata.items()}
            if save.fps:
                details["fps"] = Fraction(str(save.fps)).limit_denominator(1001)
        return request._job_of(scene, None, {}, canvas, **details)


def _frame_limit(frames: Any) -> int | None:
    """Return how many frames of a film contain the selected ones; None for all."""
    if frames is None:
        return None
    selection = Frames.of(frames)
    return max(selection.numbers) + 1 if selection.are_numbers else None


def _canvas(canvas: Canvas, dpi: float | None, savefig: Mapping[str, Any]) -> Canvas:
    """Return the canvas, completed by the script's own settings where the user gave none."""
    options = {name: value for name, value in savefig.items() if name not in _OF_THE_CANVAS}
    return replace(
        canvas,
        dpi=canvas.dpi if canvas.dpi is not None else _dpi(savefig.get("dpi", dpi)),
        tight=canvas.tight or savefig.get("bbox_inches") == "tight",
        transparent=canvas.transparent if canvas.transparent is not None else savefig.get("transparent"),
        savefig=options,
    )


def _dpi(dpi: Any) -> float | None:
    return None if dpi is None or dpi == "figure" else float(dpi)


def _described(job: Job, tracer: ReadTracer) -> tuple[Scene, Frames, Description]:
    job = _with_evidence(job, tracer, tuple(map(str, local_modules())))
    scene: Any = job.scene
    description = describe(
        scene,
        job.frames,
        job.record(),
        job.labels,
        fps=job.fps,
        metadata=job.metadata,
        notes=job.notes,
        remembered=tracer.remembered(),
        films=job.films,
    )
    return scene, job.frames, description


def _with_evidence(job: Job, tracer: ReadTracer, modules: tuple[str, ...]) -> Job:
    """Return the job with what loading its scene has read, and a note of what no digest can tell."""
    files, imported = tracer.loaded()
    notes = job.notes
    if uses := tracer.uses():
        notes = (*notes, f"while loading, the script used {', '.join(uses)}: a change there is not detected")
    evidence = Evidence(files, (*modules, *imported))
    return replace(job, evidence=evidence, notes=notes, digests=tracer.digests)


@contextmanager
def opened_job(
    request: Request,
    store: str | os.PathLike[str] | None,
    engine: Engine,
    seed: int | str | None,
    control: Control,
) -> Iterator[tuple[Job, Store]]:
    """Provide the requested job and its store; the process that has loaded the scene ends with the context.

    Parameters
    ----------
    request : Request
        Without a seed.
    store : path-like, optional
        Default: see `default_store`.
    engine : Engine
        If it draws in several processes, one of them loads a script.
    seed : int or "none", optional
        See `render`.
    control : Control
        It is told how far large input files are read.
    """
    with contextlib.ExitStack() as stack:
        if isinstance(request.scene, str):
            job_store = Store(store_of(request, store))
            digests = job_store.file_digests()
            read_large(request.inputs, digests, control)
            request = replace(
                request,
                seed=_seed(seed, job_store),
                store=str(job_store.path),
                remembered=digests.entries(),
            )
            stack.callback(job_store.forget_seed)
            if not engine.is_parallel:
                stack.enter_context(closing_figures())
                if request.seed not in (None, NO_SEED):
                    stack.enter_context(seeded(request.seed))
            job = _of_script(request, engine, control.stop)
        else:
            if seed is not None:
                raise UsageError("seed is for scripts: an object uses the random generators of your program")
            job = request.job()
            job_store = Store(store_of(request, store, job.scene))
            job = replace(job, digests=job_store.file_digests())
            read_large(job.inputs, job.digests, control)
        stack.callback(job.close)
        yield job, job_store


def _of_script(request: Request, engine: Engine, stop: Stop) -> Job:
    if engine.is_parallel or request.script is not None:
        return request.staged(stop)
    forget_script(str(request.scene))
    with stop.raising("the scene was loaded"):
        return request.traced()


def store_of(request: Request, store: str | os.PathLike[str] | None, scene: Any = None) -> Path:
    """Return the requested folder or the default one; a preview has its own.

    Parameters
    ----------
    request : Request
    store : path-like, optional
    scene : Scene, optional
        See `default_store`.
    """
    if store is None:
        return default_store(request, scene)
    path = Store(store).path
    return path.with_name(f"{path.name}-preview") if request.preview else path


def _seed(seed: int | str | None, store: Store) -> int | None:
    """Return the requested seed, or else that of the store."""
    if seed is None:
        return store.seed()
    if seed == "none":
        return NO_SEED
    try:
        number = operator.index(int(seed) if isinstance(seed, str) else seed)
    except (TypeError, ValueError):
        number = -1
    if not 0 <= number < MAX_SEED:
        raise UsageError(f"seed is {seed!r}; give a whole number from 0 to {MAX_SEED - 1}, or none")
    return number


def _preview_of(frames: Frames, fps: Fraction | None) -> tuple[Frames, Fraction | None]:
    """Return evenly spread frames, and the rate at which they have the duration of all."""
    if frames.extent == "growing":
        first = range(PREVIEW_FRAMES)
        return Frames(first, Unknowns(PREVIEW_FRAMES), "", indices=first), fps
    step = -(-len(frames) // PREVIEW_FRAMES)
    places = range(0, len(frames), step)
    numbers = [frames.numbers[place] for place in places]
    values: Sequence[Any] = [frames.values[place] for place in places]
    if frames.are_numbers:
        values = numbers
    elif isinstance(frames.values, Unknowns):  # of a script's loop: only the script knows them
        values = Unknowns(len(numbers))
    rate = (fps or Fraction(DEFAULT_FPS)) / step
    return Frames(numbers, values, None, [frames.indices[place] for place in places]), rate


def _input_path(path: str | os.PathLike[str]) -> Path:
    absolute = Path(os.path.abspath(path))
    if not os.fspath(path) or not absolute.exists():
        raise UsageError(f"input {os.fspath(path)!r} does not exist")
    return absolute


def default_store(request: Request, scene: Scene | None = None) -> Path:
    """Return the default folder for a job's frames, below ``frames/`` in the working folder.

    It is named after the script and the scene in it. A digest is added for a script in another folder, and
    for parameters, arguments, dpi and the like, so that different jobs have different folders.

    Parameters
    ----------
    request : Request
    scene : Scene, optional
        The scene, if the request has no address.
    """
    if scene is None:
        script, name = split_address(str(request.scene))
        stem = Path(script).stem if script.endswith(".py") else script.rpartition(".")[2]
        folder = Path(os.path.abspath(script)).parent if script.endswith(".py") else Path.cwd()
    else:
        stem, name = scene.stem, scene.name
        folder = scene.sources[0].parent if scene.sources else Path.cwd()
    plain = "".join(char if char.isalnum() or char in "-_" else "" for char in name)
    plain = plain or ("" if scene is None else "draw")
    differing: dict[str, Any] = {
        "folder": "" if folder == Path.cwd() else os.path.relpath(folder),
        "params": dict(request.params),
        "script_args": list(request.script_args),
        "animation": request.animation,
        "canvas": request.canvas if request.canvas != Canvas() else None,
    }
    differing = {key: value for key, value in differing.items() if value}
    digest = digest_value([*differing, *map(repr, differing.values())])[:8] if differing else ""
    return Path("frames") / "-".join(filter(None, [stem, plain, digest]))
