"""Which number a recorded frame gets, in a new store and in one that a killed program left."""

from __future__ import annotations

from pathlib import Path

import pytest

from framepipe.errors import UsageError
from framepipe.rendering.numbering import Numbering, whole
from framepipe.store.status import StoreStatus


def numbering(done=(), missing=()):
    return Numbering(StoreStatus(Path("s"), tuple(done), tuple(missing)))


def test_a_new_store_counts_from_zero_and_has_nothing_to_settle():
    numbers = numbering()
    assert numbers.is_settled and numbers.next == 0
    numbers.draw(numbers.append())
    assert (numbers.next, numbers.append(), numbers.count) == (1, 1, 1)


def test_who_reads_the_next_number_continues_at_the_first_hole():
    numbers = numbering(done=[0, 1, 3, 4], missing=[2])
    assert not numbers.is_settled
    assert numbers.next == 2
    numbers.draw(2)
    assert numbers.append() == 3 and numbers.has(3)
    numbers.leave(3)
    assert numbers.unchanged == [], "the program was told where the hole is"
    assert numbers.next == 4


def test_who_does_not_read_it_continues_after_the_last():
    numbers = numbering(done=[0, 1, 3, 4], missing=[2])
    assert numbers.append() == 5 and numbers.is_settled and numbers.next == 5


def test_frames_before_the_hole_and_frames_that_come_twice_are_listed():
    numbers = numbering(done=[0, 1])
    numbers.leave(0)
    numbers.draw(7)
    numbers.leave(7)
    assert (numbers.unchanged, numbers.repeated) == ([0], [7])
    assert (numbers.after_last, numbers.next, numbers.count) == (8, 8, 3)


def test_a_frame_that_failed_may_be_recorded_again():
    numbers = numbering()
    numbers.draw(0)
    numbers.forget(0)
    assert not numbers.has(0)


def test_each_frame_says_which_were_recorded_before_it():
    numbers = numbering(done=[0, 1], missing=[2])
    assert str(numbers.recording) == "0-2"
    numbers.draw(3)
    assert str(numbers.recording) == "0-3"


@pytest.mark.parametrize("number", [2.5, "2", None, -1])
def test_a_number_is_a_whole_one(number):
    with pytest.raises(UsageError, match="number is"):
        whole(number)
