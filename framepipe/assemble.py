"""The front door of assembling: from frames to a movie that is proven right."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from framepipe.building import carry_out, ignore_frames, jobs_of, segments_of, work_folder
from framepipe.control import Progress, ProgressCallback, Stop, ignore_progress
from framepipe.encoders.tools import STALL_S
from framepipe.errors import UsageError
from framepipe.movie import Movie, ShareReport
from framepipe.plan import look_deep, open_store, plan_assembly
from framepipe.recipes import PLAYER_LIMIT_MB, Options, format_of
from framepipe.render import parse_shard
from framepipe.rendering import RenderReport
from framepipe.store import Store
from framepipe.timeline import Timing
from framepipe.trial import prepare, tool_for


def assemble(
    store: Store | RenderReport | str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
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
    missing: str = "error",
    stale: str = "error",
    workers: int | None = None,
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
    progress: ProgressCallback | None = None,
    stop: Stop | None = None,
) -> Movie:
    """Build a movie from a store's frames, prove that it is right, and only then name it.

    Parameters
    ----------
    store : Store, RenderReport or path-like
    output : path-like
        Its suffix is the format: ``.gif``, ``.mp4``. What stands there stays until the new movie
        has passed verification.
    fps, hold_first_s, hold_last_s, pause_s, durations_s, speed, every, part, reverse, bounce, loop
        When each frame is shown, see `Timing`.
    encoder, palette, colors, dither, layers, crf, preset, stall_s, metadata, codec, quality, chroma, depth, \
codec_options, labels, player_limit_mb, html_assets, optimize, target
        See `Options`.
    missing : {"error", "hold", "skip"}
        For frames that are missing or broken: refuse, show the frame before for their time, or
        leave them out.
    stale : {"error", "keep"}
        For frames of another version of the job: refuse, or use them.
    workers : int, optional
        Encoders that run at once, for GIF and for long videos. Default: a processor each, 8 at most.
    progress : callable, optional
    stop : Stop, optional

    Returns
    -------
    Movie

    Raises
    ------
    UsageError, IncompleteStore, ToolMissing, EncoderFailed, VerificationFailed, Interrupted
        In all cases the frames are kept, and so is what stood at ``output``.
    """
    told = locals()
    return assemble_several(told.pop("store"), [told.pop("output")], **told)[0]


def assemble_several(
    store: Store | RenderReport | str | os.PathLike[str],
    outputs: Sequence[str | os.PathLike[str]],
    *,
    missing: str = "error",
    stale: str = "error",
    workers: int | None = None,
    progress: ProgressCallback | None = None,
    stop: Stop | None = None,
    **keywords: Any,
) -> tuple[Movie, ...]:
    """`assemble` for several outputs, with one look at the frames.

    All are planned before the first is built, so that what one of them cannot do is said at once.
    """
    timing, options = _asked(keywords)
    jobs = jobs_of(workers)
    for path in outputs:
        format_of(Path(path))
    where = open_store(store)
    record, status = look_deep(where)
    plans = [
        plan_assembly(
            where,
            path,
            timing,
            options=options,
            missing=missing,
            stale=stale,
            record=record,
            status=status,
            jobs=jobs,
        )
        for path in outputs
    ]
    return tuple(carry_out(plan, workers=jobs, progress=progress, stop=stop) for plan in plans)


def _asked(keywords: Mapping[str, Any]) -> tuple[Timing, Options]:
    """Timing and options among keywords, which may not have others."""
    if unknown := set(keywords) - {*Timing.__dataclass_fields__, *Options.__dataclass_fields__}:
        raise UsageError(f"assembling knows no {', '.join(sorted(unknown))}")
    defaults = inspect.signature(assemble).parameters
    told = {name: each.default for name, each in defaults.items()} | dict(keywords)
    return Timing.of(told), Options.of(told)


def encode_share(
    store: Store | RenderReport | str | os.PathLike[str],
    output: str | os.PathLike[str],
    shard: str | tuple[int, int],
    *,
    missing: str = "error",
    stale: str = "error",
    workers: int | None = None,
    progress: ProgressCallback | None = None,
    stop: Stop | None = None,
    **keywords: Any,
) -> ShareReport:
    """Encode a share of a movie's segments, for one of several tasks; `assemble` then joins them.

    Parameters
    ----------
    store, output, missing, stale, workers, progress, stop
        See `assemble`.
    shard : str or tuple of int
        ``"2/8"`` or ``(2, 8)``: the second of eight shares; every eighth segment.
    **keywords
        Timing and encoding, as `assemble` is going to have them: segments of other settings are others.

    Returns
    -------
    ShareReport

    Raises
    ------
    UsageError, IncompleteStore, ToolMissing, EncoderFailed, Interrupted
        Segments that were finished stay in the store.
    """
    k, n = parse_shard(shard)
    timing, options = _asked(keywords)
    plan = plan_assembly(store, output, timing, options=options, missing=missing, stale=stale)
    made = plan.recipe
    if not made.kept:
        return ShareReport(plan.output, 0, (), 0)
    tell, total = progress or ignore_progress, len(made.segments)
    tool = tool_for(made, options)
    mine = range(k - 1, total, n)
    frames = sum(len(made.segments[at].numbers) for at in mine)
    with work_folder(plan) as folder:
        prepare(made, tool, folder, ignore_frames, options.stall_s, stop)
        work = segments_of(
            plan, tool, folder, jobs_of(workers), lambda done: tell(Progress("encode", done, frames))
        )
        work.run(stop, mine)
    return ShareReport(plan.output, total, tuple(mine), len(work.taken))
