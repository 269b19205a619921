"""Which frames a task that has drawn its shard draws of others: from their far ends, beside other helpers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from framepipe.job.shards import parse_shard
from framepipe.store.heartbeats import Heartbeat


def shards_in_need(beats: Iterable[Heartbeat], shard: tuple[int, int], order: str) -> list[int]:
    """Return the other shards that a task has begun and not drawn to the end, in this order of frames.

    A shard that nobody has begun is not among them: its task is still to come.

    Parameters
    ----------
    beats : iterable of Heartbeat
    shard : tuple of int
        (K, N) of the helper.
    order : {"free", "replay"}
    """
    k, n = shard
    needy = set()
    for beat in beats:
        is_through = beat.state == "ended" and beat.done + beat.failed >= beat.total and beat.order == order
        if beat.shard.endswith(f"/{n}") and not is_through:
            needy.add(parse_shard(beat.shard)[0])
    return sorted(needy - {k})


def share_of(left: Sequence[Sequence[int]], shard: tuple[int, int], index: Mapping[int, int]) -> list[int]:
    """Return the frames that a helper draws now: of the far half of what each shard has left.

    Helpers begin at different places of it, so that they meet late; whoever is through looks again.

    Parameters
    ----------
    left : sequence of sequence of int
        Of each shard in need, the numbers of frames that are not done, in the order of the movie.
    shard : tuple of int
        (K, N) of the helper.
    index : mapping of int to int
        The place of each frame in the order of updates.

    Returns
    -------
    list of int
        In the order of updates; empty only if nothing is left.

    >>> share_of([[0, 3, 6, 9]], (1, 3), {n: n for n in range(10)})
    [6, 9]
    """
    k, n = shard
    far = [number for numbers in left for number in numbers[len(numbers) // 2 :]]
    far.sort(key=lambda number: index[number])
    return far[(k - 1) * len(far) // n :]
