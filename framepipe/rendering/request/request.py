"""Turns a user's request (a function, an animation, a script, a command; frames in any form) into a job."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framepipe.errors import UsageError
from framepipe.job.canvas import Canvas
from framepipe.job.contents import FileDigests
from framepipe.job.data import is_data_address, is_data_object, open_data
from framepipe.job.frames import Frames
from framepipe.job.job import Job
from framepipe.options import FIRST_CALLS, SceneOptions
from framepipe.rendering.request.preview import preview_of
from framepipe.scenes.address import split_address
from framepipe.scenes.base import Scene
from framepipe.scenes.command import CommandScene

if TYPE_CHECKING:
    pass

#: A function, an animation, or the address of one. (matplotlib is not loaded to name its types.)
SceneLike = Callable[..., Any] | str | os.PathLike[str] | Any


@dataclass(frozen=True)
class Request:
    """A user's request to draw.

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
            os.fspath(scene) if isinstance(scene, os.PathLike) else scene,
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
            return self.job_of(scene, None, {"command": self.command, "retries": self.retries})
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
        return self.job_of(scene, loaded.lookup if loaded else None, {})

    def job_of(
        self,
        scene: Scene,
        lookup: Callable[[str], Any] | None,
        arguments: dict[str, Any],
        canvas: Canvas | None = None,
        **details: Any,
    ) -> Job:
        """Return the job of a scene that is loaded.

        Parameters
        ----------
        scene : Scene
        lookup : callable or None
            Finds what ``frames`` names, in the scene's module.
        arguments : dict
            Those that belong to the job besides options.
        canvas : Canvas, optional
            Default: the request's.
        **details
            Of `Job`.
        """
        if self.dim is not None or self.allow_pickle:
            arguments |= {"dim": self.dim, "allow_pickle": self.allow_pickle}
        options = {"script_args": list(self.script_args), "animation": self.animation}
        arguments |= {name: value for name, value in options.items() if value}
        if self.first_call != FIRST_CALLS[0]:
            arguments["first_call"] = self.first_call
        plan = scene.frames(self.frames) if scene.runs_updates else self._frames(lookup)  # type: ignore[attr-defined]
        details.setdefault("fps", getattr(scene, "fps", None))
        if self.preview:
            plan, details["fps"] = preview_of(plan, details["fps"])
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


def _input_path(path: str | os.PathLike[str]) -> Path:
    absolute = Path(os.path.abspath(path))
    if not os.fspath(path) or not absolute.exists():
        raise UsageError(f"input {os.fspath(path)!r} does not exist")
    return absolute
