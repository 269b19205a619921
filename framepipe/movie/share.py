"""Plan a share of a movie's segments: only its own frames are looked at."""

from __future__ import annotations

import os
from pathlib import Path

from framepipe.errors import UsageError
from framepipe.formats import targets
from framepipe.job.record import JobRecord
from framepipe.movie.plan import (
    Assembly,
    HasStore,
    format_of_output,
    open_store,
    plan_assembly,
    scan_store,
)
from framepipe.options import EncodeOptions, UseOptions
from framepipe.store.status import StoreStatus
from framepipe.store.store import Store
from framepipe.timeline import Timing


def plan_share(
    store: Store | HasStore | str | os.PathLike[str],
    output: str | os.PathLike[str],
    shard: tuple[int, int],
    timing: Timing,
    encode: EncodeOptions,
    use: UseOptions,
) -> tuple[Assembly, range]:
    """Plan a movie for one of several tasks that encode its segments.

    Parameters
    ----------
    store, output, timing, encode, use
        See `framepipe.movie.plan.plan_assembly`.
    shard : tuple of int
        K and N.

    Returns
    -------
    Assembly
        Its ``frame_states`` are those of the share's frames.
    range
        The positions of the share's segments.

    Raises
    ------
    UsageError, IncompleteStore
    """
    if use.so_far:
        raise UsageError("a movie so far is built at once, from what is there: leave --shard or --so-far out")
    where, timing = open_store(store), timing.with_file_read()
    record, status = _scan(where, Path(output), shard, timing, encode, use)
    plan = plan_assembly(where, output, timing, encode, use, record=record, status=status)
    return plan, _positions(shard, len(plan.recipe.segments))


def _positions(shard: tuple[int, int], count: int) -> range:
    return range(shard[0] - 1, count, shard[1])


def _scan(
    store: Store, output: Path, shard: tuple[int, int], timing: Timing, encode: EncodeOptions, use: UseOptions
) -> tuple[JobRecord, StoreStatus]:
    """Return the job, and the state of a share's frames; of all where others decide what is encoded."""
    format_ = format_of_output(output)
    before, _ = store.read_job()
    others_decide = use.missing != "error" or before.extent == "recorded"
    if others_decide or format_.needs_all_frames(targets.apply_target(encode, format_)):
        return scan_store(store)
    planned = store.plan(before)
    segments = format_.segment_frames(timing.timeline(planned, before.fps)) if planned else []
    if not segments:
        return scan_store(store)
    own = {number for at in _positions(shard, len(segments)) for number in segments[at]}
    own.add(planned[0])  # its background is that of the movie
    return scan_store(store, [number for number in planned if number in own])
