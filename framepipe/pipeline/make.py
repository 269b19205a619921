"""`make`: render, assemble, verify and clean."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framepipe.core.control import Control, ProgressCallback, Stop
from framepipe.core.files import PathLike
from framepipe.core.progress_bar import controlled
from framepipe.errors import UsageError
from framepipe.options import (
    DrawKeywords,
    DrawOptions,
    EncodeKeywords,
    EncodeOptions,
    SceneKeywords,
    SceneOptions,
    split,
    takes,
)
from framepipe.pipeline.checks import check_outputs, tools_being_checked
from framepipe.pipeline.frames_for_movies import FramesForMovies, draw_job
from framepipe.pipeline.goal import MakeGoal
from framepipe.pipeline.report import MakeReport
from framepipe.rendering.engines import choose
from framepipe.rendering.engines.mpi import among_ranks, refuse_ranks
from framepipe.rendering.engines.slots import Slots
from framepipe.rendering.request import Request, SceneLike, opened_job
from framepipe.scenes.loading import refuse_while_loading
from framepipe.scenes.rcparams import leave_rcparams
from framepipe.timeline import Timing, TimingKeywords

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: Dots per inch of a preview: a figure of the default size is then 256 px wide.
PREVIEW_DPI = 40


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
    scene : callable, Animation, str, path-like or None
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
        tools_being_checked(goal) as tools,
        opened_job(request, store, engine, scene_options.seed, control) as (job, where),
    ):
        return draw_job(job, where, engine, goal, draw, control, tools)


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
