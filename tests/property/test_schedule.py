"""Every frame is handed out exactly once, however many hands ask, die, are slow or are replaced."""

from __future__ import annotations

import random
from itertools import repeat

from hypothesis import given, settings
from hypothesis import strategies as st

from framepipe.rendering.engines.base import Task
from framepipe.rendering.schedule import Chunks, ContiguousChunks, FixedSequences, InOrder
from tests.support.sizes import examples
from tests.unit.test_schedule import compared, frames, kept, pool

DICE = st.integers(0, 2**32).map(random.Random)
HANDS = st.integers(1, 6)
SIZES = st.integers(0, 70)
RECYCLE = st.sampled_from([1, 2, 3, 7, 10_000])
DEATH = st.sampled_from([0.0, 0.1, 0.4])


@given(st.integers(0, 70), HANDS, DICE, DEATH, RECYCLE, st.booleans(), st.booleans())
@settings(max_examples=examples(300), deadline=None)
def test_in_order_hands_out_every_frame_once(count, hands, dice, death, max_frames_per_worker, replay, forks):
    source = InOrder(frames(count, replay=replay))
    handed, _ = pool(
        source, hands, dice, death=death, max_frames_per_worker=max_frames_per_worker, forks=forks
    )
    assert kept(handed) == list(range(count))
    assert not compared(handed)


@given(st.integers(1, 70), HANDS, DICE, DEATH, st.booleans())
@settings(max_examples=examples(200), deadline=None)
def test_frames_to_be_replayed_come_to_nobody_who_is_beyond_them(count, hands, dice, death, forks):
    handed, _ = pool(InOrder(frames(count, replay=True)), hands, dice, death=death, forks=forks)
    assert all(each.position <= each.task.index for each in handed)


@given(SIZES, SIZES, HANDS, DICE, DEATH, RECYCLE, st.booleans(), st.integers(0, 9), st.integers(1, 3))
@settings(max_examples=examples(150), deadline=None)
def test_chunks_hand_out_every_frame_once(
    count, size, hands, dice, death, max_frames_per_worker, forks, most, step
):
    source = Chunks(frames(count, replay=True, step=step), repeat(max(1, size)), most, forks=forks)
    handed, _ = pool(
        source, hands, dice, death=death, max_frames_per_worker=max_frames_per_worker, forks=forks
    )
    assert sorted(kept(handed)) == list(range(0, count * step, step))
    assert len(compared(handed)) <= most


@given(SIZES, SIZES, HANDS, DICE, DEATH, RECYCLE, st.booleans())
@settings(max_examples=examples(150), deadline=None)
def test_a_chunk_is_begun_by_who_stands_there_or_is_fresh_and_before(
    count, size, hands, dice, death, max_frames_per_worker, forks
):
    source = Chunks(frames(count, replay=True), repeat(max(1, size)), 0, forks=forks)
    handed, _ = pool(
        source, hands, dice, death=death, max_frames_per_worker=max_frames_per_worker, forks=forks
    )
    for each in handed:
        stands_there = each.position == each.task.index
        assert stands_there or (each.fresh and each.position < each.task.index)
        assert stands_there or not forks or death or max_frames_per_worker < 10_000, (
            "updates are run twice for nothing"
        )


@given(SIZES, SIZES, HANDS, DICE, DEATH, RECYCLE, st.booleans(), st.integers(0, 9))
@settings(max_examples=examples(100), deadline=None)
def test_what_is_compared_is_what_another_worker_has_begun_with(
    count, size, hands, dice, death, max_frames_per_worker, forks, most
):
    source = Chunks(frames(count, replay=True), repeat(max(1, size)), most, forks=forks)
    handed, _ = pool(
        source, hands, dice, death=death, max_frames_per_worker=max_frames_per_worker, forks=forks
    )
    first = {each.task.number: each.worker for each in handed if each.task.keep}
    for worker, number in compared(handed):
        assert first[number] is not worker
    assert all(each.position <= each.task.index for each in handed)


@given(SIZES, SIZES, HANDS, DICE, DEATH, st.integers(0, 120))
@settings(max_examples=examples(100), deadline=None)
def test_of_chunks_that_end_early_all_frames_before_the_end_are_handed_out(
    count, size, hands, dice, death, last
):
    class Ending(Chunks):
        def next(self, worker):
            answer = super().next(worker)
            if isinstance(answer, Task) and answer.index >= last:
                self.end(answer.index)
            return answer

    handed, _ = pool(Ending(frames(count, replay=True), repeat(max(1, size)), 9), hands, dice, death=death)
    numbers = kept(handed)
    assert len(set(numbers)) == len(numbers)
    assert set(range(min(count, last))) <= set(numbers)


@given(st.integers(1, 120), st.integers(1, 30), HANDS, DICE, st.booleans(), st.integers(0, 120))
@settings(max_examples=examples(150), deadline=None)
def test_state_that_drawing_changes_is_seen_where_chunks_meet_or_has_done_no_harm(
    count, size, hands, dice, forks, since
):
    """The picture of a frame is how many frames from ``since`` on its process has drawn."""
    seen, state, harmed, found = {}, {}, False, False
    handed, _ = pool(
        Chunks(frames(count, replay=True), repeat(size), count, forks=forks), hands, dice, forks=forks
    )
    for worker, task, _, _ in handed:
        state[worker] = state.get(worker, 0) + (task.index >= since)
        if task.keep:
            harmed |= state[worker] != max(0, task.index - since + 1)
        found |= seen.setdefault(task.number, state[worker]) != state[worker]
    assert found or not harmed


@given(st.integers(0, 120), HANDS, HANDS, DICE, DEATH, RECYCLE)
@settings(max_examples=examples(400), deadline=None)
def test_runs_hand_out_every_frame_once(count, runs, hands, dice, death, max_frames_per_worker):
    handed, _ = pool(
        ContiguousChunks(frames(count), runs),
        hands,
        dice,
        death=death,
        max_frames_per_worker=max_frames_per_worker,
    )
    assert sorted(kept(handed)) == list(range(count))


@given(st.integers(1, 120), HANDS, DICE, RECYCLE, st.integers(0, 120))
@settings(max_examples=examples(400), deadline=None)
def test_state_that_begins_anywhere_is_seen_in_a_comparison_or_has_done_no_harm(
    count, hands, dice, max_frames_per_worker, since
):
    """The picture of a frame is how many updates from ``since`` on its process has run."""
    seen, harmed, found = {}, False, False
    state = {}
    handed, _ = pool(
        ContiguousChunks(frames(count), hands), hands, dice, max_frames_per_worker=max_frames_per_worker
    )
    for worker, task, _, _ in handed:
        state[worker] = state.get(worker, 0) + (task.index >= since)
        right = max(0, task.index - since + 1)
        if task.keep:
            harmed |= state[worker] != right
        found |= seen.setdefault(task.number, state[worker]) != state[worker]
    assert found or not harmed


@given(st.lists(st.integers(0, 6), max_size=6), HANDS, DICE, RECYCLE)
@settings(max_examples=examples(200), deadline=None)
def test_scripts_are_played_whole_and_each_by_one_worker(lengths, hands, dice, max_frames_per_worker):
    scripts = [frames(length) for length in lengths]
    source = FixedSequences(scripts)
    handed, _ = pool(source, hands, dice, max_frames_per_worker=max_frames_per_worker)
    by_worker = {}
    for worker, task, _, _ in handed:
        by_worker.setdefault(worker, []).append(task.index)
    assert sorted(map(len, by_worker.values())) == sorted(length for length in lengths if length)
    assert all(indices == sorted(indices) for indices in by_worker.values())
    assert not compared(handed)
