"""What a render finds in the store: which frames are pending, and whether it may draw there at all."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from framepipe.errors import IncompleteStore, StoreError, UsageError
from framepipe.job.frames import Frames, format_range, parse_range
from framepipe.job.job import Job
from framepipe.job.record import JobRecord, Order
from framepipe.job.shards import parse_shard
from framepipe.options import ShardOptions
from framepipe.scenes.base import Scene
from framepipe.scenes.picture import FrameGeometry
from framepipe.store.status import StoreStatus


@dataclass(frozen=True)
class Pending:
    """What a look at the store has found.

    Attributes
    ----------
    status : StoreStatus
    done : sequence of int
        Frames that are kept as they are.
    numbers : list of int
        Frames to draw; empty where nobody knows how many there are.
    kept : int
        How many frames of this run are done.
    """

    status: StoreStatus
    done: Sequence[int]
    numbers: list[int]
    kept: int

    def geometry(self, job: Job) -> FrameGeometry | None:
        """Return the geometry of finished frames, None if unknown (a tight box cannot be read from them)."""
        shape = self.status.shape
        return FrameGeometry(shape) if shape and not job.canvas.tight else None


def refuse_unfit(status: StoreStatus, record: JobRecord, previous: JobRecord | None, stale: str) -> None:
    """Refuse to draw over the frames of another job, and over stale ones where that is not wanted.

    Parameters
    ----------
    status : StoreStatus
    record, previous : JobRecord
        The job, and the one that the frames in the store were drawn for.
    stale : {"auto", "draw", "keep", "error"}

    Raises
    ------
    StoreError, IncompleteStore
    """
    if previous and status.stale and scene_name(previous) != scene_name(record):
        raise StoreError(
            f"{status.path} holds frames of {scene_name(previous)}, which {scene_name(record)} would "
            "overwrite: choose another --store, or remove that one"
        )
    is_strict = status.stale and stale == "auto"
    if is_strict and previous and (difference := _job_difference(previous, record)):
        raise StoreError(
            f"{status.path} holds {len(status.stale)} finished frames drawn with {difference}: "
            "choose another --store for these, or draw those again with --stale draw"
        )
    if status.stale and stale == "error":
        raise IncompleteStore(_stale_message(status), status=status)


def owner_of(previous: JobRecord | None, verb: str) -> str:
    """Return the verb that began the store; a job.json without it has a goal if it was `make`."""
    if previous is None:
        return verb
    return previous.owner or ("make" if previous.goal else "render")


def numbers_of(frames: Frames, part: ShardOptions) -> Sequence[int]:
    """Return the frames of a part of the job: its shard, or those of ``only``.

    Raises
    ------
    UsageError
        ``only`` has numbers that are not in the plan.
    """
    if frames.extent == "growing":
        return frames.numbers
    k, n = parse_shard(part.shard)
    numbers = list(frames.numbers)[k - 1 :: n]
    if part.only is None:
        return numbers
    selected = set(parse_range(str(part.only)))
    unknown = selected - set(frames.numbers)
    if unknown:
        raise UsageError(f"only {part.only}: frames {format_range(unknown)} are not in the plan")
    return [number for number in numbers if number in selected]


def _job_difference(previous: JobRecord, now: JobRecord) -> str:
    """Return which of the user's options differ from those of the frames in the store, "" if none."""
    names = {"canvas": "another dpi, tight or transparent", "params": "other parameters"}
    return " and ".join(text for name, text in names.items() if previous.parts.get(name) != now.parts[name])


def continue_record(record: JobRecord, previous: JobRecord | None, order: str, scene: Scene) -> JobRecord:
    """Return the record with the goal and the order of an earlier run of the same job."""
    is_same_job = previous is not None and previous.undecided().parts == record.parts
    if previous and is_same_job and record.goal is None:
        record = replace(record, goal=previous.goal)  # `render` continues a `make` without ending it
    if previous and is_same_job and previous.redraw == "full":
        record = record.redrawn_in_full()
    if order != "auto":
        return record.in_order(cast(Order, order))
    if (
        previous
        and is_same_job
        and (previous.order != "free" or previous.order_checked or not scene.runs_updates)
    ):
        return replace(record.in_order(previous.order), order_checked=previous.order_checked)
    # updates usually cost little compared with drawing: they run in order, once
    return record.in_order("replay" if scene.runs_updates and not scene.begins_anew else "free")


def without(numbers: Sequence[int], excluded: Iterable[int]) -> list[int]:
    """Return the numbers that are not excluded, in their order."""
    excluded_set = set(excluded)
    return [number for number in numbers if number not in excluded_set]


def endless(excluded: set[int]) -> Iterator[int]:
    """Yield all numbers that are not excluded."""
    return (number for number in itertools.count() if number not in excluded)


def scene_name(record: JobRecord) -> str:
    """Return the scene's name with its file's, for messages."""
    place = (record.ref or "").rpartition(":")[0]
    return f"{Path(place).name}:{record.name}" if place else record.name


def redrawn_reasons(status: StoreStatus, numbers: set[int]) -> dict[str, int]:
    """Return why frames are drawn again, and how many of these for each reason."""
    reasons = [(f"stale: {why}", number) for number, why in status.stale.items()]
    reasons += [(f"broken: {why}", number) for number, why in status.broken.items()]
    return dict(Counter(reason for reason, number in reasons if number in numbers))


def _stale_message(status: StoreStatus) -> str:
    return (
        f"{len(status.stale)} of {status.total} frames in {status.path} are stale:\n  "
        + "\n  ".join(line for line in status.problems() if line.startswith("stale"))
        + "\nDraw them again with --stale draw, or use them as they are with --stale keep"
    )
