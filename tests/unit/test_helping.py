"""Which frames a task that is through draws of others."""

from __future__ import annotations

import pytest

from framepipe.rendering.helping import shards_in_need, share_of
from framepipe.store.heartbeats import Heartbeat

PLAN = {number: number for number in range(400)}


def beat(shard, state="drawing", done=0, order="free"):
    return Heartbeat(shard=shard, state=state, done=done, total=10, order=order)


def test_only_shards_that_a_task_has_begun_and_not_ended_are_in_need():
    beats = [
        beat("1/9"),
        beat("2/9", "ended", 10),
        beat("3/9", "ended", 4),
        beat("4/9", "stopped", 4),
        beat("5/9", "ended", 10, order="replay"),
        beat("6/8"),
        beat(""),
        beat("7/9"),
    ]
    assert shards_in_need(beats, (7, 9), "free") == [1, 3, 4, 5]


def test_helpers_begin_at_different_places_and_none_has_nothing_while_something_is_left():
    left = [list(range(0, 200, 4)), list(range(1, 200, 4))]
    shares = [share_of(left, (k, 8), PLAN) for k in range(1, 9)]
    assert len({share[0] for share in shares}) == 8
    assert shares[0] == sorted(left[0][25:] + left[1][25:])
    assert share_of([[7]], (8, 8), PLAN) == [7]
    assert share_of([[], []], (1, 8), PLAN) == []


@pytest.mark.parametrize("helpers", [1, 7])
def test_whatever_is_left_is_drawn_in_few_looks(helpers):
    """One task of 8 is dead and has left all of its 100 frames; helpers draw what they see, then look again."""
    left, looks = set(range(100)), 0
    while left:
        looks += 1
        for k in range(1, helpers + 1):
            left -= set(share_of([sorted(left)], (k, 8), PLAN))
    assert looks <= 8
