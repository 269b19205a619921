"""Who draws which frame, with hands that are slow, that die and that are replaced: no process is started."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from itertools import repeat
from typing import NamedTuple

import pytest

from framepipe.rendering.engines.base import Replace, Task, position_after
from framepipe.rendering.schedule import Chunks, ContiguousChunks, FixedSequences, InOrder, Live, WithChecks


@dataclass(eq=False)
class Worker:
    """A hand: what an engine knows of a worker, and what it has in hand."""

    frame_count: int = 0
    position: int | None = 0
    max_frames_per_worker: int = 10_000
    holds: Task | None = None

    @property
    def exhausted(self):
        return self.frame_count >= self.max_frames_per_worker

    def take(self, task):
        self.holds, self.frame_count, self.position = (
            task,
            self.frame_count + 1,
            position_after(self.position, task),
        )


class Handed(NamedTuple):
    """A task, to whom, where that worker stood then, and whether it was its first."""

    worker: Worker
    task: Task
    position: int | None
    fresh: bool


def frames(count, *, replay=False, step=1):
    return [Task(number, number, None, replay=replay) for number in range(0, count * step, step)]


def pool(source, hands, dice, *, death=0.0, max_frames_per_worker=10_000, forks=True):
    """Let workers begin, ask, finish, die and be replaced, in any order, until nobody has anything to do.

    As engines do: a worker is begun where the source says, or at the first update if the crew cannot
    fork, and comes when it has run so far. Returns what was handed out, as `Handed`, and which tasks were
    lost.
    """
    workers, coming, handed, lost = [], [], [], []
    was_idle = False

    def ask_for(at):
        coming.append(Worker(position=at if forks else 0, max_frames_per_worker=max_frames_per_worker))

    def is_gone(worker):
        source.on_worker_exit(worker)
        workers.remove(worker)

    for _ in range(100_000):
        for worker in dice.sample(coming, dice.randint(min(1, len(coming)), len(coming))):
            coming.remove(worker)
            workers.append(worker)
            if dice.random() < death / 2:  # before it was given anything
                is_gone(worker)
        asked = [worker for worker in workers if worker.holds is None]
        for worker in dice.sample(asked, len(asked)):
            answer = source.next(worker)
            if isinstance(answer, Task):
                handed.append(Handed(worker, answer, worker.position, worker.frame_count == 0))
                worker.take(answer)
            elif answer is not None:
                assert isinstance(answer, Replace)
                assert worker.frame_count or isinstance(source, (Chunks, WithChecks)), (
                    "a fresh one was sent away"
                )
                is_gone(worker)
                ask_for(answer.at)
        while len(workers) + len(coming) < hands and (at := source.start()) is not None:
            ask_for(at)
        busy = [worker for worker in workers if worker.holds is not None]
        if not busy and not coming:
            if not source.more:
                return handed, lost
            assert not was_idle, "tasks are left and nobody gets one"
        was_idle = not busy and not coming
        for worker in dice.sample(busy, dice.randint(min(1, len(busy)), len(busy))):
            if dice.random() < death:
                lost.append(worker.holds)
                is_gone(worker)
            worker.holds = None
    raise AssertionError("it comes to no end")


def kept(handed):
    return [each.task.number for each in handed if each.task.keep]


def compared(handed):
    return [(each.worker, each.task.number) for each in handed if not each.task.keep]


@pytest.fixture
def dice():
    return random.Random(7)


@pytest.mark.parametrize("hands", [1, 2, 5])
def test_frames_in_order_are_handed_out_in_order(dice, hands):
    handed, _ = pool(InOrder(frames(20)), hands, dice)
    assert kept(handed) == list(range(20))
    assert not compared(handed)


def test_a_frame_to_be_replayed_goes_to_nobody_who_has_come_further():
    source, far = InOrder(frames(3, replay=True)), Worker(frame_count=4, position=2)
    assert source.next(far) == Replace(0)
    assert source.next(Worker(frame_count=1, position=None)) == Replace(0), (
        "after a jump nobody knows where it is"
    )
    assert source.next(Worker()).number == 0
    assert source.next(far) == Replace(1), "the fresh one is to begin where the frame is"
    assert source.start() == 1


def test_a_worn_worker_gets_no_frame_that_another_may_draw_but_goes_on_replaying():
    exhausted = Worker(frame_count=5, position=1, max_frames_per_worker=5)
    assert InOrder(frames(3)).next(exhausted) == Replace()
    assert ContiguousChunks(frames(3), 1).next(exhausted) == Replace()
    assert Live(frames(1).pop, lambda: False).next(exhausted) == Replace()
    replayed = InOrder(frames(3, replay=True)[1:])
    assert replayed.next(exhausted).number == 1


def test_nothing_is_handed_out_after_the_end():
    source = InOrder(frames(9))
    assert source.next(Worker()).number == 0
    source.end(1)
    assert source.next(Worker()) is None and not source.more and source.start() is None


def test_each_script_is_for_one_worker_that_begins_fresh(dice):
    scripts = [[Task(10 * s + k, k, None) for k in range(3)] for s in range(3)]
    handed, _ = pool(FixedSequences(scripts), 2, dice)
    assert sorted(kept(handed)) == sorted(task.number for script in scripts for task in script)
    for script in scripts:
        owners = {each.worker for each in handed if each.task in script}
        assert len(owners) == 1
    assert len({each.worker for each in handed}) == 3


def test_a_script_of_replays_may_go_to_a_worker_that_is_not_beyond_it():
    source = FixedSequences([[Task(5, 5, None, replay=True)]])
    assert source.next(Worker(frame_count=3, position=6)) == Replace()
    assert source.next(Worker(frame_count=3, position=5)).number == 5


@pytest.mark.parametrize("hands", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 40])
def test_runs_hand_out_every_frame_once(dice, count, hands):
    handed, _ = pool(ContiguousChunks(frames(count), hands), hands, dice)
    assert sorted(kept(handed)) == list(range(count))


def test_workers_draw_neighbours_one_after_the_other():
    source, one, two = ContiguousChunks(frames(20), 2), Worker(), Worker()
    first = [source.next(worker).number for worker in (one, two, one, two, one)]
    assert first == [0, 10, 1, 11, 2]


def test_who_comes_to_the_next_run_draws_its_first_frame_to_compare():
    source, one, two = ContiguousChunks(frames(8), 2), Worker(), Worker()
    assert source.next(two).number == 0
    assert source.next(one).number == 4
    for number in (1, 2, 3):
        assert source.next(two).number == number
    check = source.next(two)
    assert (check.number, check.keep) == (4, False)


def test_who_is_done_takes_the_second_half_of_the_longest_run():
    source, one, two = ContiguousChunks(frames(20), 2), Worker(), Worker()
    source.next(one)
    for number in range(10, 20):
        assert source.next(two).number == number
    assert source.next(two).number == 6
    assert [source.next(one).number for _ in range(5)] == [1, 2, 3, 4, 5]
    check = source.next(one)
    assert (check.number, check.keep) == (6, False)


def test_a_worn_worker_draws_where_it_has_come_to_for_comparison_and_leaves():
    source, old = ContiguousChunks(frames(9), 1), Worker(max_frames_per_worker=3)
    for number in range(3):
        task = source.next(old)
        assert (task.number, task.keep) == (number, True)
        old.take(task)
    check = source.next(old)
    assert (check.number, check.keep) == (3, False)
    assert source.next(old) == Replace()
    assert source.next(Worker()).number == 3


def test_who_goes_on_for_a_dead_worker_first_draws_its_last_good_frame_again():
    source, dead, heir = ContiguousChunks(frames(9), 1), Worker(), Worker()
    for _ in range(4):
        source.next(dead)
    source.on_worker_exit(dead)  # over frame 3
    again = source.next(heir)
    assert (again.number, again.keep) == (2, False)
    assert [source.next(heir).number for _ in range(5)] == [4, 5, 6, 7, 8]


def test_a_comparison_that_kills_is_not_tried_for_ever():
    source = ContiguousChunks(frames(9), 1)
    worker = Worker()
    for _ in range(4):
        source.next(worker)
    source.on_worker_exit(worker)
    heir = Worker()
    assert not source.next(heir).keep
    source.on_worker_exit(heir)
    assert source.next(Worker()).number == 4


def test_a_run_whose_worker_died_over_its_last_frame_is_still_compared():
    source, dead = ContiguousChunks(frames(4), 1), Worker()
    for _ in range(4):
        source.next(dead)
    source.on_worker_exit(dead)
    assert source.more
    heir = Worker()
    again = source.next(heir)
    assert (again.number, again.keep) == (2, False)
    assert source.next(heir) is None and not source.more


def chunks(count, size=4, compared=0, step=1, **about):
    return Chunks(frames(count, replay=True, step=step), repeat(size), compared, **about)


def takes(source, worker):
    """The number of the next task, which the worker has drawn then."""
    task = source.next(worker)
    assert isinstance(task, Task) and task.replay
    worker.take(task)
    return task.number if task.keep else (task.number, "compared")


def test_each_chunk_is_begun_where_its_first_frame_is():
    source = chunks(10)
    assert [source.start() for _ in range(4)] == [0, 4, 8, None]
    late, early, middle = Worker(position=8), Worker(position=0), Worker(position=4)
    assert [takes(source, late), takes(source, late)] == [8, 9]
    assert [takes(source, middle), takes(source, early)] == [4, 0]
    assert source.more


def test_who_has_come_to_the_next_chunk_goes_on_with_it():
    source, alone = chunks(10, compared=9), Worker()
    assert source.start() == 0
    assert [takes(source, alone) for _ in range(10)] == list(range(10))
    assert source.next(alone) is None and not source.more


def test_who_comes_before_the_worker_that_was_asked_for_goes_on_and_that_one_is_sent_elsewhere():
    source, alone = chunks(12), Worker()
    assert [source.start(), source.start()] == [0, 4]
    assert [takes(source, alone) for _ in range(6)] == list(range(6))
    asked_for = Worker(position=4)
    assert source.next(asked_for) == Replace(8)
    source.on_worker_exit(asked_for)
    assert takes(source, Worker(position=8)) == 8


def test_where_two_workers_meet_a_frame_is_drawn_by_both():
    source, one, two = chunks(12, compared=1), Worker(), Worker(position=4)
    assert [source.start(), source.start()] == [0, 4]
    assert [takes(source, two), takes(source, one)] == [4, 0]
    assert [takes(source, one) for _ in range(4)] == [1, 2, 3, (4, "compared")]
    assert source.next(one) == Replace(8)
    assert [takes(source, two) for _ in range(4)] == [5, 6, 7, 8], "it comes there before the fresh one"
    assert source.next(Worker(position=8)) is None


def test_no_more_meetings_are_compared_than_may_be():
    source, crowd = chunks(12, compared=1), [Worker(), Worker(position=4), Worker(position=8)]
    assert [source.start() for _ in crowd] == [0, 4, 8]
    assert [takes(source, worker) for worker in reversed(crowd)] == [8, 4, 0]
    assert [takes(source, crowd[0]) for _ in range(4)] == [1, 2, 3, (4, "compared")]
    assert [takes(source, crowd[1]) for _ in range(3)] == [5, 6, 7]
    assert source.next(crowd[1]) is None


def test_frames_between_which_others_are_done_come_in_chunks_too():
    source, one = chunks(5, size=2, step=3), Worker()
    assert [source.start() for _ in range(4)] == [0, 6, 12, None]
    assert [takes(source, one), takes(source, one)] == [0, 3]
    assert source.next(one) is None, "it stands at 4, and others are on their way to 6 and 12"
    assert takes(source, Worker(position=6)) == 6


def test_a_lost_workers_rest_is_begun_anew_where_it_begins():
    source, dead = chunks(8), Worker()
    assert [source.start(), source.start()] == [0, 4]
    assert [takes(source, dead), takes(source, dead)] == [0, 1]
    source.on_worker_exit(dead)
    assert source.more
    assert source.start() == 2
    assert takes(source, Worker(position=4)) == 4
    assert takes(source, Worker(position=2)) == 2


def test_a_worker_that_arrives_where_it_was_asked_for_begins_there_and_not_further_on():
    source, dead = chunks(8), Worker()
    assert [source.start(), source.start()] == [0, 4]
    assert takes(source, dead) == 0
    source.on_worker_exit(dead)
    assert source.start() == 1
    assert takes(source, Worker(position=1)) == 1, "not 4, which was promised before"
    assert takes(source, Worker(position=4)) == 4


def test_a_worker_that_dies_before_it_was_given_anything_costs_nothing():
    source = chunks(8)
    assert [source.start(), source.start(), source.start()] == [0, 4, None]
    source.on_worker_exit(Worker(position=4))
    assert source.start() == 4
    assert [takes(source, Worker(position=4)), takes(source, Worker())] == [4, 0]


def test_where_nobody_forks_a_fresh_worker_runs_on_to_its_chunk_and_a_dead_one_frees_one_chunk_only():
    source = chunks(12, forks=False)
    assert [source.start(), source.start(), source.start()] == [0, 4, 8]
    source.on_worker_exit(Worker())
    assert [takes(source, Worker()), takes(source, Worker())] == [4, 8]
    assert [source.start(), source.start()] == [0, None]
    assert takes(source, Worker()) == 0


def test_a_worn_worker_leaves_the_rest_of_its_chunk_to_a_fresh_one():
    source, old = chunks(8), Worker(max_frames_per_worker=2)
    assert source.start() == 0
    assert [takes(source, old), takes(source, old)] == [0, 1]
    assert source.next(old) == Replace(2)
    source.on_worker_exit(old)
    assert [takes(source, new := Worker(position=2)), takes(source, new)] == [2, 3]


def test_the_one_worker_that_draws_all_is_never_worn():
    source, alone = chunks(8, compared=0, one_worker=True), Worker(max_frames_per_worker=2)
    assert source.start() == 0
    assert [takes(source, alone) for _ in range(8)] == list(range(8))


def test_no_chunk_goes_to_who_has_jumped_or_stands_elsewhere():
    source = chunks(8)
    for astray in (Worker(frame_count=3, position=None), Worker(frame_count=3, position=2)):
        answer = source.next(astray)
        assert isinstance(answer, Replace)


def test_chunks_that_have_ended_hand_out_nothing_and_compare_nothing():
    source, one, two = chunks(12, compared=9), Worker(), Worker(position=4)
    assert [source.start(), source.start()] == [0, 4]
    assert [takes(source, two), *(takes(source, one) for _ in range(4))] == [4, 0, 1, 2, 3]
    source.end(5)
    assert [source.next(worker) for worker in (one, two, Worker(), Worker(position=8))] == [None] * 4
    assert source.start() is None and not source.more


def test_frames_before_the_end_are_still_handed_out_by_whoever_has_them():
    source, one, two = chunks(16), Worker(), Worker(position=4)
    assert [source.start(), source.start(), source.start()] == [0, 4, 8]
    assert [takes(source, two), takes(source, one)] == [4, 0]
    source.end(6)
    assert [takes(source, one) for _ in range(3)] == [1, 2, 3]
    assert takes(source, two) == 5
    assert [source.next(worker) for worker in (one, two, Worker(position=8))] == [None] * 3
    assert source.start() is None and not source.more


def test_live_frames_come_as_they_arrive():
    waiting, open_ = frames(2), [True]
    source = Live(lambda: waiting.pop(0) if waiting else None, lambda: not open_[0])
    assert [source.next(Worker()), source.next(Worker())] == frames(2)
    assert source.next(Worker()) is None and source.more
    open_[0] = False
    assert not source.more


@pytest.mark.parametrize("hands", [1, 2, 3])
@pytest.mark.parametrize("death", [0.0, 0.2])
def test_frames_to_compare_go_to_fresh_workers_and_all_others_are_drawn_once(dice, hands, death):
    for _ in range(30):
        checks = [
            Task(number, number, None, keep=False, replay=True) for number in (1, 2)[: dice.randint(0, 2)]
        ]
        inner = chunks(dice.randint(0, 12), compared=0, reach=dice.choice([0, 4, 100]))
        handed, _ = pool(WithChecks(inner, checks, lambda task: task), hands, dice, death=death)
        again = [each for each in handed if not each.task.keep]
        assert [each.task.number for each in again] == [each.number for each in checks]
        assert all(each.fresh and each.position == 0 for each in again)
        drawn = kept(handed)
        assert len(drawn) == len({*drawn})


def test_a_worker_with_memories_stays_while_a_fresh_one_compares():
    source, begun = WithChecks(InOrder([]), frames(2, replay=True)[1:], lambda task: task), Worker()
    begun.take(Task(0, 0, None, replay=True))
    assert source.next(begun) is None and source.start() == 0
    fresh = Worker()
    assert source.next(begun) is None, "it is not replaced"
    assert source.next(fresh).number == 1
    assert not source.more


def test_without_room_for_a_fresh_worker_one_is_replaced_to_compare():
    source, begun = WithChecks(InOrder([]), frames(2, replay=True)[1:], lambda task: task), Worker()
    begun.take(Task(0, 0, None, replay=True))
    assert source.next(begun) is None
    assert source.next(begun) == Replace(0), "asked again: nobody was begun meanwhile"


def test_each_frame_is_told_how_it_is_drawn_when_it_is_handed_out():
    ways = iter(["auto", "reuse"])
    source = WithChecks(InOrder(frames(2)), [], lambda task: replace(task, redraw=next(ways)))
    one = Worker()
    assert [source.next(one).redraw for _ in range(2)] == ["auto", "reuse"]


def test_a_worker_whose_updates_cost_nothing_goes_on_with_a_chunk_that_is_near():
    near, far = chunks(12, reach=4), chunks(12, reach=3)
    for source, answer in ((near, 8), (far, Replace(8))):
        one, two = Worker(), Worker(position=4)
        assert [source.start(), source.start()] == [0, 4]
        assert [takes(source, one), takes(source, two)] == [0, 4]
        assert [takes(source, one) for _ in range(3)] == [1, 2, 3]
        assert (source.next(one) if answer != 8 else takes(source, one)) == answer
