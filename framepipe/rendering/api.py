"""`render`: draws the pending frames of a job through an engine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from framepipe.core import allocation
from framepipe.core.control import Control, ProgressCallback, Stop
from framepipe.core.progress_bar import controlled
from framepipe.errors import UsageError
from framepipe.job.job import Job
from framepipe.job.record import JobRecord
from framepipe.options import (
    DrawKeywords,
    DrawOptions,
    SceneKeywords,
    SceneOptions,
    ShardKeywords,
    ShardOptions,
    split,
    takes,
)
from framepipe.rendering.engines import Engine, choose
from framepipe.rendering.engines.mpi import among_ranks, refuse_ranks
from framepipe.rendering.report import RenderReport
from framepipe.rendering.request import Request, SceneLike, opened_job
from framepipe.rendering.session import Rendering
from framepipe.scenes.loading import refuse_while_loading
from framepipe.scenes.rcparams import leave_rcparams
from framepipe.store.store import Store

if TYPE_CHECKING:
    from typing_extensions import Unpack


class RenderKeywords(SceneKeywords, DrawKeywords, ShardKeywords, total=False):
    """The options of `render`."""


@takes(SceneOptions, DrawOptions, ShardOptions)
@among_ranks
@leave_rcparams()  # a script may set a style when it is loaded
def render(
    scene: SceneLike | None,
    frames: Any = None,
    *,
    store: str | os.PathLike[str] | None = None,
    progress: bool | ProgressCallback | None = None,
    stop: Stop | None = None,
    **options: Unpack[RenderKeywords],
) -> RenderReport:
    """Draw the frames that are not in the store yet.

    Parameters
    ----------
    scene : callable, Animation, str, path-like or None
        A function of one frame's value that returns a Figure (or an Axes, or draws on pyplot's
        current figure); a generator function that yields Figures; a matplotlib animation, or a
        function without parameters that returns one; or the address of any of these,
        ``"SCRIPT.py:NAME"``, ``"package.module:NAME"``, or of a script as it is. None if a command draws.
    frames : int, range, str, sequence or data, optional
        See `Frames.of`; a file of data (``"sim.npy"``, ``"run.npz:w"``, ``"sim.h5:/u"``, ``"sim.zarr:u"``,
        ``"sim.nc:t"``) or an h5py, Zarr or xarray object: a frame for each index of its first dimension.
        Optional for an animation or a generator, whose frames it selects by index.
    store : path-like, optional
        Folder of the frames. Default: ``frames/<script>-<name>``.
    progress : bool or callable, optional
        True shows it as the command line does; a function is called with a `Progress` after each frame, in
        this thread. Default: True at a Python prompt and in a notebook.
    stop : Stop, optional
        To ask for a stop from a signal handler or another thread.

    Returns
    -------
    RenderReport

    Raises
    ------
    UsageError
        Wrong arguments; nothing was drawn.
    FramesFailed
        Some frames could not be drawn; the others are in the store. ``report`` is its attribute.
    StoreError
        The store cannot be written.
    IncompleteStore
        With ``stale="error"``: frames are stale; ``status`` says which and why.
    Interrupted
        A stop was requested; the same call continues.
    """
    refuse_while_loading("render")
    scene_options, draw, part = split(options, SceneOptions, DrawOptions, ShardOptions, verb="render")
    if part.shard is None:
        refuse_ranks()  # before the scene is loaded
    request, engine = Request.of(scene, frames, scene_options), choose(draw)
    with (
        controlled(progress, stop) as control,
        opened_job(request, store, engine, scene_options.seed, control) as (job, job_store),
    ):
        return render_job(job, job_store, engine, draw, part, control=control)


def render_job(
    job: Job,
    store: Store,
    engine: Engine,
    draw: DrawOptions,
    part: ShardOptions,
    *,
    control: Control,
    record: JobRecord | None = None,
    owner: str = "render",
) -> RenderReport:
    """Draw the pending frames of a job; result and errors as in `render`.

    Parameters
    ----------
    job : Job
    store : Store
    engine : Engine
        As `choose` takes it from ``draw``.
    draw : DrawOptions
    part : ShardOptions
    control : Control
    record : JobRecord, optional
        What goes into ``job.json``, if it was computed already.
    owner : {"render", "make"}
        The verb that draws.
    """
    if not part.is_all:
        refuse_growing(job)
    rendering = _rendering(job, store, engine, draw, part, control, owner)
    return rendering.carry_out(record or job.record(), draw.order)


def pending_frames(
    job: Job, store: Store, engine: Engine, draw: DrawOptions, *, control: Control
) -> list[int]:
    """Return the numbers of the frames that `render_job` would draw now; draws none, and writes nothing.

    Raises
    ------
    FramepipeError
        As `render_job`, where it refuses to begin.
    """
    refuse_growing(job)
    rendering = _rendering(job, store, engine, draw, ShardOptions(), control, "render")
    return rendering.pending(job.record(), draw.order)


def refuse_growing(job: Job) -> None:
    """Refuse a job whose number of frames only drawing will show: it cannot be shared."""
    if job.frames.extent == "growing":
        raise UsageError(f"the number of frames of {job.scene.name} is unknown: give it, as in --frames 300")


def _rendering(
    job: Job,
    store: Store,
    engine: Engine,
    draw: DrawOptions,
    part: ShardOptions,
    control: Control,
    owner: str,
) -> Rendering:
    return Rendering(
        job,
        store,
        engine,
        part=part,
        stale=draw.stale,
        redraw=draw.redraw,
        coarse_first=draw.coarse_first,
        max_failures=draw.max_failures,
        time_left_s=allocation.time_left_s() if draw.time_left is None else draw.time_left_s,
        owner=owner,
        control=control,
    )
