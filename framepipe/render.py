"""From a job to frames in the store: find what is pending, draw it through an engine, report."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from framepipe.control import ProgressCallback, Stop
from framepipe.engines import (
    Engine,
    choose,
)
from framepipe.errors import (
    UsageError,
)
from framepipe.frames import Frames, format_range, parse_range
from framepipe.job import ORDERS, Job, JobRecord
from framepipe.rendering import Rendering, RenderReport
from framepipe.request import SceneLike, default_store, make_job
from framepipe.scenes.load import refuse_while_loading
from framepipe.scenes.style import keep_rcparams
from framepipe.store import Store

ASKED_ORDERS = ("auto", *ORDERS)
STALE = ("draw", "keep", "error")


@keep_rcparams()  # a script may set a style when it is loaded
def render(
    scene: SceneLike | None,
    frames: Any = None,
    *,
    store: str | os.PathLike[str] | None = None,
    params: Mapping[str, Any] | None = None,
    inputs: Iterable[str | os.PathLike[str]] = (),
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
    shard: str | tuple[int, int] | None = None,
    only: str | None = None,
    stale: str = "draw",
    frame_timeout_s: float | None = None,
    recycle: int = 500,
    max_failures: int | None = None,
    progress: ProgressCallback | None = None,
    stop: Stop | None = None,
) -> RenderReport:
    """Draw the frames that are not in the store yet.

    Parameters
    ----------
    scene : callable, Animation, str or None
        A function of one frame's value that returns a Figure (or an Axes, or draws on pyplot's
        current figure); a generator function that yields Figures; a matplotlib animation, or a
        function without parameters that returns one; or the address of any of these,
        ``"SCRIPT.py:NAME"``, ``"package.module:NAME"``. None if a command draws.
    frames : int, range, str, sequence or data, optional
        See `Frames.of`; a file of data (``"sim.npy"``, ``"run.npz:w"``, ``"sim.h5:/u"``, ``"sim.zarr:u"``,
        ``"sim.nc:t"``) or an h5py, Zarr or xarray object: a frame for each index of its first dimension.
        Not needed for an animation or a generator, of which it chooses frames by their place.
    store : path-like, optional
        Folder of the frames. Default: ``frames/<script>-<name>``.
    params : mapping, optional
        Keyword arguments of the function, the same for all frames.
    inputs : iterable of path-like
        Files that the function reads: when one changes, the frames are stale.
    dpi : float, optional
        As in ``savefig``. Default: ``savefig.dpi``, then the figure's.
    tight : bool
        Cut all frames to the tight box of the first frame.
    transparent : bool, optional
        As in ``savefig``.
    command : str, optional
        A program that writes one picture a frame, as in ``"pvbatch s.py --frame {number} --out
        {output}"``; ``{index}`` and ``{value}`` are filled too. No shell sees it.
    retries : int
        How often a command that failed is tried again for a frame.
    dim : str or int, optional
        The dimension of the data whose indices are the frames. Default: the first.
    allow_pickle : bool
        Read frames out of a pickle, which can run any code.
    engine : {"local", "serial"} or Engine
        Where drawing runs: processes of this machine, or this process.
    workers : int, optional
        Processes. Default: as many as this process may use.
    order : {"auto", "free", "replay", "serial"}
        How frames depend on those before them. "free": not at all, so workers jump to theirs.
        "replay": each worker runs all updates in order, and draws only its own frames. "serial": one
        process draws all. "auto" finds out, by drawing some frames both ways in fresh processes, and
        goes on checking while it draws; what the user names is not checked.
    shard : str or tuple of int, optional
        ``"K/N"`` draws frames K-1, K-1+N, K-1+2N … of the plan.
    only : str, optional
        A frame range: draw only these numbers of the plan, whether done or not.
    stale : {"draw", "keep", "error"}
        What to do with frames that another version of the job drew.
    frame_timeout_s : float, optional
        Seconds after which a frame is given up (and tried once more, alone).
    recycle : int
        Frames after which a worker process is replaced. Default 500: a start of about a second
        in some hundred frames is little, and leaks of user code stay bounded.
    max_failures : int, optional
        Stop after more than this many failed frames. Default: draw all that can be drawn.
    progress : callable, optional
        Called with a `Progress` after each frame, in this thread.
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
        Some frames could not be drawn; the others are in the store. Has the ``report``.
    StoreError
        The store cannot be written.
    IncompleteStore
        With ``stale="error"``: frames are stale; ``status`` says which and why.
    Interrupted
        A stop was requested; the same call goes on.
    """
    refuse_while_loading("render")
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
    return render_job(
        job,
        Store(store if store is not None else default_store(job)),
        choose(engine, workers=workers, frame_timeout_s=frame_timeout_s, recycle=recycle),
        order=order,
        shard=shard,
        only=only,
        stale=stale,
        max_failures=max_failures,
        progress=progress,
        stop=stop,
    )


def render_job(
    job: Job,
    store: Store,
    engine: Engine,
    *,
    order: str = "auto",
    shard: str | tuple[int, int] | None = None,
    only: str | None = None,
    stale: str = "draw",
    max_failures: int | None = None,
    progress: ProgressCallback | None = None,
    stop: Stop | None = None,
    record: JobRecord | None = None,
) -> RenderReport:
    """`render` for a job that stands; parameters, result and errors as there.

    Parameters
    ----------
    record : JobRecord, optional
        What goes into ``job.json``, if it was computed already.
    """
    if stale not in STALE:
        raise UsageError(f"stale is {stale!r}; give one of {', '.join(STALE)}")
    if order not in ASKED_ORDERS:
        raise UsageError(f"order is {order!r}; give one of {', '.join(ASKED_ORDERS)}")
    if job.frames.extent == "growing" and (shard is not None or only is not None):
        raise UsageError(f"how many frames {job.scene.name} has is not known: say it, as in --frames 300")
    if max_failures is not None and max_failures < 0:
        raise UsageError(f"max_failures is {max_failures}; give 0 or more")
    rendering = Rendering(
        job,
        store,
        engine,
        _mine(job.frames, shard, only),
        only is not None,
        stale,
        max_failures,
        progress,
        stop,
    )
    return rendering.carry_out(record or job.record(), order)


def parse_shard(shard: str | tuple[int, int] | None) -> tuple[int, int]:
    """``"K/N"`` as (K, N), 1 <= K <= N; None is (1, 1).

    Raises
    ------
    UsageError
    """
    if shard is None:
        return 1, 1
    texts = shard.split("/") if isinstance(shard, str) else [str(part) for part in shard]
    if len(texts) == 2 and all(re.fullmatch("[0-9]{1,9}", text) for text in texts):
        k, n = map(int, texts)
        if 1 <= k <= n:
            return k, n
    raise UsageError(f"shard {shard} is not K/N with 1 <= K <= N. Example: 2/8")


def _mine(frames: Frames, shard: str | tuple[int, int] | None, only: str | None) -> Sequence[int]:
    if frames.extent == "growing":
        return frames.numbers
    k, n = parse_shard(shard)
    numbers = list(frames.numbers)[k - 1 :: n]
    if only is None:
        return numbers
    asked = parse_range(only)
    unknown = set(asked) - set(frames.numbers)
    if unknown:
        raise UsageError(f"only {only}: frames {format_range(unknown)} are not in the plan")
    wanted = set(asked)
    return [number for number in numbers if number in wanted]
