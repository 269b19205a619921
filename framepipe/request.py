"""From what a user gives (a function, an animation, a command; frames in any shape) to a job."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from framepipe.data import is_data_address, is_data_object, open_data
from framepipe.errors import UsageError
from framepipe.frames import Frames
from framepipe.job import Canvas, Job
from framepipe.scenes.animation import AnimationScene
from framepipe.scenes.base import Scene
from framepipe.scenes.choose import scene_of
from framepipe.scenes.command import CommandScene
from framepipe.scenes.generator import GeneratorScene
from framepipe.scenes.load import load

#: A function, an animation, or the address of one. (matplotlib is not loaded to name its types.)
SceneLike = Callable[..., Any] | str | Any


def make_job(
    scene: SceneLike | None,
    frames: Any = None,
    *,
    params: Mapping[str, Any] | None = None,
    inputs: Iterable[str | os.PathLike[str]] = (),
    dpi: float | None = None,
    tight: bool = False,
    transparent: bool | None = None,
    command: str | None = None,
    retries: int = 0,
    dim: str | int | None = None,
    allow_pickle: bool = False,
) -> Job:
    """A job from what a user gives; parameters as in `render`."""
    if (scene is None) == (command is None):
        raise UsageError("give what draws the frames: a scene, or a command, and not both")
    canvas = Canvas(dpi, tight, transparent)
    drawing: Scene
    if command is not None:
        if params or dpi is not None or tight or transparent is not None:
            raise UsageError(
                "param, dpi, tight and transparent are for matplotlib; a command has its own options"
            )
        drawing, lookup, told = (
            CommandScene(command, retries=retries),
            None,
            {"command": command, "retries": retries},
        )
    else:
        loaded = load(scene) if isinstance(scene, str) else None
        drawing = scene_of(loaded.thing if loaded else scene, params, loaded, frames_told=frames is not None)
        lookup, told = loaded.lookup if loaded else None, {}
    if dim is not None or allow_pickle:
        told |= {"dim": dim, "allow_pickle": allow_pickle}
    if isinstance(drawing, (AnimationScene, GeneratorScene)):
        planned = drawing.frames(frames)
    else:
        planned = _frames_of(frames, lookup, dim, allow_pickle)
    rate = drawing.fps if isinstance(drawing, AnimationScene) else None
    return Job(drawing, planned, canvas, tuple(sorted(map(_input, inputs))), rate, told)


def _frames_of(
    frames: Any, lookup: Callable[[str], Any] | None, dim: str | int | None, allow_pickle: bool
) -> Frames:
    if frames is None:
        raise UsageError("say which frames: a count (300), a range (0-299x5) or a sequence of values")
    if isinstance(frames, str) and not is_data_address(frames) and frames.isidentifier() and lookup:
        found = lookup(frames)
        spec: str | None = frames
    else:
        found, spec = frames, frames if isinstance(frames, str) else None
    if is_data_object(found) or (isinstance(found, str) and is_data_address(found)):
        slices = open_data(found, dim=dim, allow_pickle=allow_pickle)
        return Frames(range(len(slices)), slices, spec)
    if dim is not None:
        raise UsageError(f"dim {dim!r} is for frames out of a file or a labelled array")
    return Frames.of(frames, lookup=lookup)


def _input(path: str | os.PathLike[str]) -> Path:
    found = Path(os.path.abspath(path))
    if not os.fspath(path) or not found.exists():
        raise UsageError(f"input {os.fspath(path)!r} does not exist")
    return found


def default_store(job: Job) -> Path:
    """``frames/<script>-<name>`` below the working folder."""
    name = "".join(char if char.isalnum() or char in "-_" else "" for char in job.scene.name)
    return Path("frames") / f"{job.scene.stem}-{name or 'draw'}"  # type: ignore[attr-defined]
