"""When each frame is shown."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from framepipe.errors import UsageError
from framepipe.timeline import FOREVER, Timeline, parse_fps, parse_loop


def delays(count, **keywords):
    return Timeline.of(range(count), **keywords).gif_delays_cs()


@pytest.mark.parametrize(
    ("value", "fps"),
    [
        (24, Fraction(24)),
        ("24", Fraction(24)),
        (" 24 ", Fraction(24)),
        (12.5, Fraction(25, 2)),
        (29.97, Fraction(2997, 100)),
        (0.1, Fraction(1, 10)),
        ("30000/1001", Fraction(30000, 1001)),
        (Fraction(24000, 1001), Fraction(24000, 1001)),
        (np.float64(12.345), Fraction(12345, 1000)),
        (np.int64(30), Fraction(30)),
        ("1e2", Fraction(100)),
        (1000, Fraction(1000)),
    ],
)
def test_a_rate_is_exact(value, fps):
    assert parse_fps(value) == fps


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        "0",
        "-24",
        "",
        "abc",
        "24fps",
        None,
        True,
        [],
        "nan",
        "inf",
        float("nan"),
        float("inf"),
        "1/0",
        1000.1,
        "1001",
        "24,5",
        "9" * 5000,
    ],
)
def test_what_is_no_rate_is_refused_with_examples(value):
    with pytest.raises(
        UsageError, match=r"not a rate above 0 and up to 1000. Examples: 24  12.5  30000/1001"
    ):
        parse_fps(value)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("value", ["1e99999999", "1e-99999999"])
def test_a_rate_of_a_hundred_million_digits_is_refused_before_it_is_computed(value):
    with pytest.raises(UsageError):
        parse_fps(value)


@pytest.mark.parametrize(
    ("value", "plays"),
    [(0, FOREVER), ("forever", FOREVER), (" Forever ", FOREVER), ("0", 0), (1, 1), ("3", 3), (65536, 65536)],
)
def test_plays_are_a_count_or_for_ever(value, plays):
    assert parse_loop(value) == plays


@pytest.mark.parametrize("value", [-1, "-1", "", "ever", 1.5, "1.0", None, True, 65537, "٣", "²", "9" * 5000])
def test_what_is_no_count_of_plays_is_refused(value):
    with pytest.raises(UsageError, match="neither 'forever'"):
        parse_loop(value)


def test_thirty_frames_a_second_are_3_and_4_centiseconds_and_exact_every_tenth_of_a_second():
    found = delays(30, fps=30)
    assert found[:6] == (3, 4, 3, 3, 4, 3)
    assert [sum(found[k : k + 3]) for k in range(0, 30, 3)] == [10] * 10


def test_twenty_four_frames_a_second_last_one_second_in_all():
    found = delays(24, fps=24)
    assert set(found) == {4, 5}
    assert sum(found) == 100


def test_twenty_five_frames_a_second_are_kept_exactly():
    assert delays(10) == (4,) * 10


def test_the_rate_of_ntsc_never_runs_away():
    found = delays(3000, fps="30000/1001")
    assert sum(found) == 10010
    assert set(found) == {3, 4}


def test_durations_of_video_add_up_to_an_exact_fraction():
    line = Timeline.of(range(30000), fps="30000/1001")
    assert line.duration_s == 1001
    assert line.video_repeats() == (1,) * 30000


def test_fifty_frames_a_second_are_the_most_that_gif_plays():
    assert delays(4, fps=50) == (2, 2, 2, 2)


@pytest.mark.parametrize(
    ("fps", "asked"), [(60, "60"), ("50.01", "50.01"), (1000, "1000"), ("60000/1001", "59.9401")]
)
def test_more_than_fifty_frames_a_second_are_refused_for_gif_with_the_way_out(fps, asked):
    line = Timeline.of(range(3), fps=fps)
    with pytest.raises(UsageError) as caught:
        line.gif_delays_cs()
    assert str(caught.value) == (
        f"asked {asked} fps; GIF plays at 50 at most "
        "(browsers slow shorter delays to 10 fps): use --fps 50 or mp4"
    )


def test_one_held_frame_does_not_hide_that_the_others_are_too_fast():
    with pytest.raises(UsageError, match="use --fps 50"):
        delays(3, fps=100, hold_last_s=1)


def test_first_and_last_frame_are_held_for_the_time_asked_for():
    line = Timeline.of(range(5), fps=10, hold_first_s=1, hold_last_s=2.5)
    assert line.gif_delays_cs() == (100, 10, 10, 10, 250)
    assert line.video_repeats() == (10, 1, 1, 1, 25)
    assert line.duration_s == Fraction(38, 10)


def test_a_hold_shorter_than_a_frame_changes_nothing():
    assert delays(3, fps=10, hold_first_s=0.01, hold_last_s=0.05) == (10, 10, 10)


@pytest.mark.parametrize(("first_s", "last_s"), [(1, 2), (2, 1), (0, 2), (2, 0)])
def test_a_single_frame_takes_the_longer_of_the_two_holds(first_s, last_s):
    line = Timeline.of([7], fps=25, hold_first_s=first_s, hold_last_s=last_s)
    assert line.gif_delays_cs() == (200,)
    assert line.video_repeats() == (50,)


def test_a_single_frame_without_a_hold_lasts_one_frame():
    assert Timeline.of([7], fps=25).duration_s == Fraction(1, 25)


def test_gif_holds_a_frame_for_655_35_seconds_and_not_longer():
    assert delays(2, hold_last_s=655.35) == (4, 65535)
    with pytest.raises(UsageError, match=r"a frame is held 655.36 s; GIF holds at most 655.35 s: use mp4"):
        delays(2, hold_last_s=655.36)


def test_video_holds_longer_than_gif():
    assert Timeline.of([0, 1], fps=1, hold_last_s=1000).video_repeats() == (1, 1000)


@pytest.mark.parametrize("seconds", [-0.1, 86401, float("nan"), float("inf"), "x", None, True, ""])
@pytest.mark.parametrize("name", ["hold_first_s", "hold_last_s"])
def test_a_hold_that_is_no_time_is_refused_by_its_name(name, seconds):
    with pytest.raises(UsageError, match=f"{name} is .*; give seconds, 0 to 86400"):
        Timeline.of([0, 1], **{name: seconds})


@pytest.mark.parametrize("numbers", [[], (), range(0), np.array([], int)])
def test_a_movie_without_frames_is_refused(numbers):
    with pytest.raises(UsageError, match="at least one frame"):
        Timeline.of(numbers)


def test_the_note_says_what_gif_makes_of_an_uneven_rate():
    assert (
        Timeline.of(range(24), fps=24).gif_note() == "24 fps in GIF: delays of 4 and 5 cs, exact on average"
    )


@pytest.mark.parametrize(
    "keywords", [{"fps": 25}, {"fps": 10, "hold_last_s": 2}, {"fps": 50, "hold_first_s": 1}]
)
def test_there_is_no_note_where_gif_keeps_the_rate(keywords):
    assert Timeline.of(range(6), **keywords).gif_note() == ""
