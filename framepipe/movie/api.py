"""`assemble` and `encode_share`: from frames to a verified movie."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from framepipe.core.control import ProgressCallback, Stop
from framepipe.core.progress_bar import controlled
from framepipe.formats import format_of
from framepipe.job.shards import parse_shard
from framepipe.movie.build import carry_out, ignore_frames, jobs_of, segments_of, work_folder
from framepipe.movie.encode import prepare
from framepipe.movie.plan import HasStore, open_store, plan_assembly, scan_store
from framepipe.movie.probe import tool_for_recipe
from framepipe.movie.result import Movie, ShareReport
from framepipe.movie.share import plan_share
from framepipe.options import EncodeKeywords, EncodeOptions, UseKeywords, UseOptions, split, takes
from framepipe.store.store import Store
from framepipe.timeline import Timing, TimingKeywords

if TYPE_CHECKING:
    from typing_extensions import Unpack


class AssembleKeywords(TimingKeywords, EncodeKeywords, UseKeywords, total=False):
    """The options of `assemble`."""


@takes(Timing, EncodeOptions, UseOptions)
def assemble(
    store: Store | HasStore | str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    workers: int | None = None,
    progress: bool | ProgressCallback | None = None,
    stop: Stop | None = None,
    **options: Unpack[AssembleKeywords],
) -> Movie:
    """Build a movie from a store's frames, verify it, and only then publish it.

    Parameters
    ----------
    store : Store, RenderReport or path-like
    output : path-like
        Its suffix is the format. An earlier file stays until the new movie has passed verification.
    workers : int, optional
        Encoders that run at once, for GIF and for long videos. Default: one per processor, at most 8.
    progress : bool or callable, optional
        True shows it, False does not, a callable is called with each `Progress`. Default: it is shown
        at a prompt and in a notebook.
    stop : Stop, optional

    Returns
    -------
    Movie

    Raises
    ------
    UsageError, IncompleteStore, ToolMissing, EncoderFailed, VerificationFailed, Interrupted
        In all cases the frames are kept, and so is an earlier file at ``output``.
    """
    return assemble_several(store, [output], workers=workers, progress=progress, stop=stop, **options)[0]


@takes(Timing, EncodeOptions, UseOptions)
def assemble_several(
    store: Store | HasStore | str | os.PathLike[str],
    outputs: Sequence[str | os.PathLike[str]],
    *,
    workers: int | None = None,
    progress: bool | ProgressCallback | None = None,
    stop: Stop | None = None,
    **options: Unpack[AssembleKeywords],
) -> tuple[Movie, ...]:
    """Build several movies, as `assemble`, with one scan of the frames.

    All are planned before the first is built, so that a conflict with one of them is reported at once.

    Parameters
    ----------
    store, outputs, workers, progress, stop
        See `assemble`.

    Returns
    -------
    tuple of Movie
    """
    timing, encode, use = split(options, Timing, EncodeOptions, UseOptions, verb="assemble")
    jobs = jobs_of(workers)
    for path in outputs:
        format_of(Path(path))
    where = open_store(store)
    record, status = scan_store(where)
    plans = [
        plan_assembly(where, path, timing, encode, use, record=record, status=status, jobs=jobs)
        for path in outputs
    ]
    with controlled(progress, stop) as control:
        return tuple(carry_out(plan, workers=jobs, control=control) for plan in plans)


@takes(Timing, EncodeOptions, UseOptions)
def encode_share(
    store: Store | HasStore | str | os.PathLike[str],
    output: str | os.PathLike[str],
    shard: str | tuple[int, int],
    *,
    workers: int | None = None,
    progress: bool | ProgressCallback | None = None,
    stop: Stop | None = None,
    **options: Unpack[AssembleKeywords],
) -> ShareReport:
    """Encode a share of a movie's segments, for one of several tasks; `assemble` then joins them.

    Parameters
    ----------
    store, output, workers, progress, stop
        See `assemble`. The options must be the same as for `assemble` later: segments of other settings
        are not used.
    shard : str or tuple of int
        ``"2/8"`` or ``(2, 8)``: the second of eight shares; every eighth segment.

    Returns
    -------
    ShareReport

    Raises
    ------
    UsageError, IncompleteStore, ToolMissing, EncoderFailed, Interrupted
        Finished segments stay in the store.
    """
    timing, encode, use = split(options, Timing, EncodeOptions, UseOptions, verb="assemble")
    plan, own_positions = plan_share(store, output, parse_shard(shard), timing, encode, use)
    recipe = plan.recipe
    if not recipe.cache_segments:
        return ShareReport(plan.output, 0, (), 0)
    total = len(recipe.segments)
    tool = tool_for_recipe(recipe, encode)
    frames = sum(len(recipe.segments[at].numbers) for at in own_positions)
    with controlled(progress, stop) as control, work_folder(plan) as folder:
        prepare(recipe, tool, folder, ignore_frames, encode.idle_timeout_s, control)
        encoding = segments_of(
            plan,
            tool,
            folder,
            jobs_of(workers),
            lambda done: control.tell("encode", done, frames, label=plan.output.name),
        )
        encoding.run(control, own_positions)
    return ShareReport(plan.output, total, tuple(own_positions), len(encoding.cached))
