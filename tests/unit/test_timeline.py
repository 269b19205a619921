"""When each frame is shown."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

from framepipe.errors import UsageError
from framepipe.timeline import FOREVER, Timeline, Timing, parse_fps, parse_loop


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
        f"{asked} fps requested; GIF supports at most 50 "
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
    assert Timeline.of([0, 1], fps=10, hold_last_s=1000).video_repeats() == (1, 10_000)


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


def shown(line):
    return [(number, float(duration)) for number, duration in zip(line.numbers, line.durations_s)]


def test_slow_videos_repeat_frames_so_that_every_player_shows_them():
    line = Timeline.of(range(3), fps=2)
    assert (line.video_fps, line.video_repeats()) == (10, (5, 5, 5))
    assert Timeline.of(range(3), fps=25).video_fps == 25


def test_a_hold_does_not_double_the_rate_of_a_video():
    line = Timeline.of(range(4), fps=25, hold_last_s=2.5)
    assert (line.video_fps, line.video_repeats()) == (25, (1, 1, 1, 63))


def test_the_rate_of_a_video_is_the_least_that_keeps_every_frames_time():
    line = Timeline.of(range(4), fps=10, durations_s=[0.1, 0.05, 0.15, 0.1])
    assert (line.video_fps, line.video_repeats()) == (20, (2, 1, 3, 2))


def test_speed_changes_all_but_holds_and_pause():
    line = Timeline.of(range(3), fps=10, speed=2, hold_last_s=1, pause_s=0.5)
    assert shown(line) == [(0, 0.05), (1, 0.05), (2, 1.5)]


def test_every_second_frame_keeps_the_rate():
    assert shown(Timeline.of(range(5), fps=10, every=2)) == [(0, 0.1), (2, 0.1), (4, 0.1)]


def test_a_part_is_shown_in_the_order_of_the_plan():
    assert Timeline.of(range(10, 20), part="12-14,18").numbers == [12, 13, 14, 18]
    with pytest.raises(UsageError, match="frames 20 are not in the plan"):
        Timeline.of(range(10, 20), part="18-20")


def test_backwards_and_there_and_back_again():
    assert Timeline.of(range(4), reverse=True).numbers == [3, 2, 1, 0]
    assert Timeline.of(range(4), bounce=True).numbers == [0, 1, 2, 3, 2, 1]
    assert Timeline.of([0, 1], bounce=True).numbers == [0, 1]
    assert Timeline.of([0], bounce=True).numbers == [0]
    line = Timeline.of(range(3), fps=10, reverse=True, hold_first_s=1, bounce=True, pause_s=2)
    assert shown(line) == [(2, 1.0), (1, 0.1), (0, 0.1), (1, 2.1)]


def test_durations_by_position_by_number_and_from_a_file(tmp_path):
    assert shown(Timeline.of([5, 6], durations_s=[0.5, "1/3"])) == [(5, 0.5), (6, 1 / 3)]
    assert shown(Timeline.of([5, 6], fps=10, durations_s={6: 2})) == [(5, 0.1), (6, 2.0)]
    path = tmp_path / "d.csv"
    for text in ("0.5\n2\n", "seconds\n0.5\n2\n", "frame,seconds\n5,0.5\n6, 2\n"):
        path.write_text(text)
        assert shown(Timeline.of([5, 6], durations_s=path)) == [(5, 0.5), (6, 2.0)]


@pytest.mark.parametrize(
    ("timing", "words"),
    [
        ({"durations_s": [1]}, "1 values for 3 frames"),
        ({"durations_s": [1, -1, 1]}, "durations_s is -1"),
        ({"durations_s": [1, 0, 1]}, "frames 1 have no time"),
        ({"durations_s": {7: 1}}, "frames 7, which are not in the plan"),
        ({"durations_s": "nowhere.csv"}, "cannot be read"),
        ({"speed": 0}, "speed 0"),
        ({"speed": "fast"}, "speed fast"),
        ({"every": 0}, "every 0"),
        ({"part": "x"}, "does not parse"),
        ({"pause_s": -1}, "pause_s is -1"),
    ],
    ids=str,
)
def test_a_timing_that_makes_no_sense_is_told(timing, words):
    with pytest.raises(UsageError, match=words):
        Timeline.of(range(3), **timing)


def test_a_frame_that_is_too_short_for_a_video_is_told():
    with pytest.raises(UsageError, match="frame 1 is shown for less than a tick"):
        Timeline.of(range(3), fps=10, durations_s=[0.1, 0.001, 0.1]).video_repeats()


def test_a_timing_survives_json():
    timing = Timing(
        fps=Fraction(30000, 1001), durations_s=[0.1, Fraction(1, 3)], speed=1.5, bounce=True, loop="forever"
    )
    again = Timing(**json.loads(json.dumps(timing.for_json())))
    assert again.timeline([3, 4]) == timing.timeline([3, 4])
