"""Every frame is handed out exactly once, however many hands ask, die, are slow or are replaced."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from framepipe.engines.tasks import InOrder, Runs, Scripts
from tests.unit.test_tasks import compared, crew, frames, kept

DICE = st.integers(0, 2**32).map(random.Random)
HANDS = st.integers(1, 6)
RECYCLE = st.sampled_from([1, 2, 3, 7, 10_000])
DEATH = st.sampled_from([0.0, 0.1, 0.4])


@given(st.integers(0, 70), HANDS, DICE, DEATH, RECYCLE, st.booleans(), st.booleans())
@settings(max_examples=300, deadline=None)
def test_in_order_hands_out_every_frame_once(count, hands, dice, death, recycle, replay, check):
    source = InOrder(frames(count, replay=replay), check=check)
    handed, _ = crew(source, hands, dice, death=death, recycle=recycle)
    assert kept(handed) == list(range(count))


@given(st.integers(1, 70), HANDS, DICE, DEATH)
@settings(max_examples=200, deadline=None)
def test_frames_to_be_replayed_come_to_each_worker_in_rising_order(count, hands, dice, death):
    handed, _ = crew(InOrder(frames(count, replay=True), check=True), hands, dice, death=death)
    come_to = {}
    for worker, task in handed:
        assert come_to.get(worker, -1) < task.index
        come_to[worker] = task.index


@given(st.integers(0, 120), HANDS, HANDS, DICE, DEATH, RECYCLE)
@settings(max_examples=400, deadline=None)
def test_runs_hand_out_every_frame_once(count, runs, hands, dice, death, recycle):
    handed, _ = crew(Runs(frames(count), runs), hands, dice, death=death, recycle=recycle)
    assert sorted(kept(handed)) == list(range(count))


@given(st.integers(1, 120), HANDS, DICE, RECYCLE, st.integers(0, 120))
@settings(max_examples=400, deadline=None)
def test_state_that_begins_anywhere_is_seen_in_a_comparison_or_has_done_no_harm(
    count, hands, dice, recycle, since
):
    """The picture of a frame is how many updates from ``since`` on its process has run."""
    seen, harmed, found = {}, False, False
    state = {}
    handed, _ = crew(Runs(frames(count), hands), hands, dice, recycle=recycle)
    for worker, task in handed:
        state[worker] = state.get(worker, 0) + (task.index >= since)
        right = max(0, task.index - since + 1)
        if task.keep:
            harmed |= state[worker] != right
        found |= seen.setdefault(task.number, state[worker]) != state[worker]
    assert found or not harmed


@given(st.lists(st.integers(0, 6), max_size=6), HANDS, DICE, RECYCLE)
@settings(max_examples=200, deadline=None)
def test_scripts_are_played_whole_and_each_by_one_worker(lengths, hands, dice, recycle):
    scripts = [frames(length) for length in lengths]
    source = Scripts(scripts)
    handed, _ = crew(source, hands, dice, recycle=recycle)
    by_worker = {}
    for worker, task in handed:
        by_worker.setdefault(worker, []).append(task.index)
    assert sorted(map(len, by_worker.values())) == sorted(length for length in lengths if length)
    assert all(indices == sorted(indices) for indices in by_worker.values())
    assert not compared(handed)
