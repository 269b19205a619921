"""Slots for workers that several renders share: the first render first, and never more than there are."""

from __future__ import annotations

from framepipe.rendering.engines.slots import Share, Slots


def use(share: Share, wanted: int, used: int, more: bool = True) -> int:
    """Take slots, and use so many of those that were granted; return these."""
    used = min(share.take(wanted), used)
    share.keep(used, lambda: more)
    return used


def test_the_first_render_takes_all_that_it_can_use_and_the_next_one_the_rest():
    slots = Slots(4)
    first, second = slots.share(), slots.share()
    assert use(first, 4, used=4) == 4 and use(second, 4, used=4) == 0
    assert second.short == 4
    assert use(first, 4, used=1, more=False) == 1, "it has one frame left"
    assert use(second, 4, used=4) == 3


def test_a_later_render_gives_way_when_an_earlier_one_needs_more():
    slots = Slots(4)
    first, second = slots.share(), slots.share()
    assert use(first, 1, used=1) == 1, "a first frame alone"
    assert use(second, 4, used=4) == 3
    assert use(first, 4, used=4) == 1 and first.short == 3, "the others draw"
    second.keep(2, lambda: True)  # one of its frames is drawn
    assert second.take(4) == 0, "its workers go on to no other frame"
    second.keep(2, lambda: True)
    assert use(first, 4, used=4) == 2


def test_an_earlier_render_waits_for_no_slot_without_frames_for_it():
    slots = Slots(2)
    first, second = slots.share(), slots.share()
    assert use(first, 2, used=1, more=False) == 1 and use(second, 2, used=2) == 1
    assert use(first, 2, used=1, more=False) == 1 and first.short == 0
    assert second.take(2) == 1


def test_what_ends_gives_all_back():
    slots = Slots(2)
    first, second = slots.share(), slots.share()
    use(first, 2, used=2)
    first.end()
    assert use(second, 2, used=2) == 2
