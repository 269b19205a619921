"""Who draws which frame, with hands that are slow, that die and that are replaced: no process is started."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from framepipe.engines.base import Fresh, Task, after
from framepipe.engines.tasks import InOrder, Live, Runs, Scripts


@dataclass(eq=False)
class Worker:
    """A hand: what an engine knows of a worker, and what it has in hand."""

    drawn: int = 0
    position: int | None = 0
    recycle: int = 10_000
    holds: Task | None = None

    @property
    def worn(self):
        return self.drawn >= self.recycle

    def take(self, task):
        self.holds, self.drawn, self.position = task, self.drawn + 1, after(self.position, task)


def frames(count, *, replay=False, step=1):
    return [Task(number, number, None, replay=replay) for number in range(0, count * step, step)]


def crew(source, hands, dice, *, death=0.0, recycle=10_000):
    """Let workers ask, finish, die and be replaced, in any order, until nobody has anything to do.

    Returns what was handed out, as (worker, task), and which tasks were lost.
    """
    workers = [Worker(recycle=recycle) for _ in range(hands)]
    handed, lost = [], []
    for _ in range(100_000):
        asked = [worker for worker in workers if worker.holds is None]
        busy = [worker for worker in workers if worker.holds is not None]
        if not busy and not source.more:
            return handed, lost
        progress = False
        for worker in dice.sample(asked, len(asked)):
            answer = source.next(worker)
            if isinstance(answer, Task):
                worker.take(answer)
                handed.append((worker, answer))
                progress = True
            elif answer is not None:
                assert answer is Fresh and worker.drawn, "a fresh worker was sent away"
                source.gone(worker)
                workers[workers.index(worker)] = Worker(recycle=recycle)
                progress = True
        busy = [worker for worker in workers if worker.holds is not None]
        assert progress or busy or not source.more, "tasks are left and nobody gets one"
        for worker in dice.sample(busy, dice.randint(min(1, len(busy)), len(busy))):
            if dice.random() < death:
                lost.append(worker.holds)
                source.gone(worker)
                workers[workers.index(worker)] = Worker(recycle=recycle)
            worker.holds = None
    raise AssertionError("it comes to no end")


def kept(handed):
    return [task.number for _, task in handed if task.keep]


def compared(handed):
    return [(worker, task.number) for worker, task in handed if not task.keep]


@pytest.fixture
def dice():
    return random.Random(7)


@pytest.mark.parametrize("hands", [1, 2, 5])
def test_frames_in_order_are_handed_out_in_order(dice, hands):
    handed, _ = crew(InOrder(frames(20)), hands, dice)
    assert kept(handed) == list(range(20))
    assert not compared(handed)


def test_a_frame_to_be_replayed_goes_to_nobody_who_has_come_further():
    source, far = InOrder(frames(3, replay=True)), Worker(drawn=4, position=2)
    assert source.next(far) is Fresh
    assert source.next(Worker(drawn=1, position=None)) is Fresh, "after a jump nobody knows where it is"
    assert source.next(Worker()).number == 0


def test_a_worn_worker_gets_no_frame_that_another_may_draw_but_goes_on_replaying():
    worn = Worker(drawn=5, position=1, recycle=5)
    assert InOrder(frames(3)).next(worn) is Fresh
    assert Runs(frames(3), 1).next(worn) is Fresh
    assert Live(frames(1).pop, lambda: False).next(worn) is Fresh
    replayed = InOrder(frames(3, replay=True)[1:])
    assert replayed.next(worn).number == 1


def test_checked_frames_are_drawn_by_two_workers_early_and_every_fifty(dice):
    handed, _ = crew(InOrder(frames(120, replay=True), check=True), 2, dice)
    assert kept(handed) == list(range(120))
    twice = {number: worker for worker, number in compared(handed)}
    assert {1, 3, 7, 49} <= set(twice)
    first = {task.number: worker for worker, task in handed if task.keep}
    assert all(first[number] is not worker for number, worker in twice.items())


def test_one_worker_alone_is_not_asked_to_compare_with_itself(dice):
    handed, _ = crew(InOrder(frames(120, replay=True), check=True), 1, dice)
    assert not compared(handed)


def test_nothing_is_handed_out_after_the_end():
    source = InOrder(frames(9))
    assert source.next(Worker()).number == 0
    source.end()
    assert source.next(Worker()) is None and not source.more


def test_each_script_is_for_one_worker_that_begins_fresh(dice):
    scripts = [[Task(10 * s + k, k, None) for k in range(3)] for s in range(3)]
    handed, _ = crew(Scripts(scripts), 2, dice)
    assert sorted(kept(handed)) == sorted(task.number for script in scripts for task in script)
    for script in scripts:
        owners = {worker for worker, task in handed if task in script}
        assert len(owners) == 1
    assert len({worker for worker, _ in handed}) == 3


def test_a_script_of_replays_may_go_to_a_worker_that_is_not_beyond_it():
    source = Scripts([[Task(5, 5, None, replay=True)]])
    assert source.next(Worker(drawn=3, position=6)) is Fresh
    assert source.next(Worker(drawn=3, position=5)).number == 5


@pytest.mark.parametrize("hands", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 40])
def test_runs_hand_out_every_frame_once(dice, count, hands):
    handed, _ = crew(Runs(frames(count), hands), hands, dice)
    assert sorted(kept(handed)) == list(range(count))


def test_workers_draw_neighbours_one_after_the_other():
    source, one, two = Runs(frames(20), 2), Worker(), Worker()
    first = [source.next(worker).number for worker in (one, two, one, two, one)]
    assert first == [0, 10, 1, 11, 2]


def test_who_comes_to_the_next_run_draws_its_first_frame_to_compare():
    source, one, two = Runs(frames(8), 2), Worker(), Worker()
    assert source.next(two).number == 0
    assert source.next(one).number == 4
    for number in (1, 2, 3):
        assert source.next(two).number == number
    check = source.next(two)
    assert (check.number, check.keep) == (4, False)


def test_who_is_done_takes_the_second_half_of_the_longest_run():
    source, one, two = Runs(frames(20), 2), Worker(), Worker()
    source.next(one)
    for number in range(10, 20):
        assert source.next(two).number == number
    assert source.next(two).number == 6
    assert [source.next(one).number for _ in range(5)] == [1, 2, 3, 4, 5]
    check = source.next(one)
    assert (check.number, check.keep) == (6, False)


def test_a_worn_worker_draws_where_it_has_come_to_for_comparison_and_leaves():
    source, old = Runs(frames(9), 1), Worker(recycle=3)
    for number in range(3):
        task = source.next(old)
        assert (task.number, task.keep) == (number, True)
        old.take(task)
    check = source.next(old)
    assert (check.number, check.keep) == (3, False)
    assert source.next(old) is Fresh
    assert source.next(Worker()).number == 3


def test_who_goes_on_for_a_dead_worker_first_draws_its_last_good_frame_again():
    source, dead, heir = Runs(frames(9), 1), Worker(), Worker()
    for _ in range(4):
        source.next(dead)
    source.gone(dead)  # over frame 3
    again = source.next(heir)
    assert (again.number, again.keep) == (2, False)
    assert [source.next(heir).number for _ in range(5)] == [4, 5, 6, 7, 8]


def test_a_comparison_that_kills_is_not_tried_for_ever():
    source = Runs(frames(9), 1)
    worker = Worker()
    for _ in range(4):
        source.next(worker)
    source.gone(worker)
    heir = Worker()
    assert not source.next(heir).keep
    source.gone(heir)
    assert source.next(Worker()).number == 4


def test_a_run_whose_worker_died_over_its_last_frame_is_still_compared():
    source, dead = Runs(frames(4), 1), Worker()
    for _ in range(4):
        source.next(dead)
    source.gone(dead)
    assert source.more
    heir = Worker()
    again = source.next(heir)
    assert (again.number, again.keep) == (2, False)
    assert source.next(heir) is None and not source.more


def test_live_frames_come_as_they_arrive():
    waiting, open_ = frames(2), [True]
    source = Live(lambda: waiting.pop(0) if waiting else None, lambda: not open_[0])
    assert [source.next(Worker()), source.next(Worker())] == frames(2)
    assert source.next(Worker()) is None and source.more
    open_[0] = False
    assert not source.more
