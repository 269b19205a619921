"""Which frames: texts of the film world, and file names."""

from __future__ import annotations

import pytest

from framepipe.errors import FrameRangeError, UsageError
from framepipe.job.frames import file_name, format_range, format_range_briefly, number_of, parse_range


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0-4", [0, 1, 2, 3, 4]),
        ("7", [7]),
        ("5-5", [5]),
        ("0-20x5", [0, 5, 10, 15, 20]),
        ("0-9x4", [0, 4, 8]),
        ("1-3,20-22", [1, 2, 3, 20, 21, 22]),
        ("3,1,2", [3, 1, 2]),
        ("5-1", [5, 4, 3, 2, 1]),
        ("10-1x3", [10, 7, 4, 1]),
        ("0-6:3", [0, 3, 6, 2, 4, 1, 5]),
        ("1-3,2-5", [1, 2, 3, 4, 5]),
        ("-5--3", [-5, -4, -3]),
        ("-1-1", [-1, 0, 1]),
        (" 1 - 3 ", [1, 2, 3]),
    ],
)
def test_a_frame_range_gives_its_numbers_in_its_order(text, numbers):
    assert parse_range(text) == numbers


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "x",
        "1-",
        "-",
        "1--",
        "a-b",
        "1-5x0",
        "1-2x0.5",
        "0.5",
        "1-10x-2",
        "0-9999999999",
        "@",
        "1;2",
        "9" * 5000,
    ],
)
def test_rubbish_is_refused_with_examples_and_one_line(text):
    with pytest.raises(FrameRangeError) as caught:
        parse_range(text)
    assert "Examples: 0-299  0-299x5  1-10,20-30" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, UsageError)


def test_a_range_of_ten_million_frames_and_one_is_too_long():
    with pytest.raises(FrameRangeError):
        parse_range("0-10000000")


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([], ""),
        ([4], "4"),
        ([3, 0, 1, 2, 8], "0-3,8"),
        ([5, 5, 5], "5"),
        ([-2, -1, 0], "-2-0"),
        (range(0, 10, 5), "0,5"),
        (iter([1, 2]), "1-2"),
        (range(2, 10_000, 8), "2-9994x8"),
        ([0, 1, 2, 5, 7, 9, 20], "0-2,5-9x2,20"),
        ([number for number in range(1_000) if number % 64 in (2, 17, 18)], "2-962x64,17-977x64,18-978x64"),
    ],
)
def test_numbers_are_told_as_a_short_range(numbers, text):
    assert format_range(numbers) == text


def test_what_shards_of_a_large_job_have_left_is_a_short_text():
    left = [number for number in range(100_000) if number % 64 in (3, 9, 30) and number > 40_000]
    assert len(format_range(left)) < 60
    assert sorted(parse_range(format_range(left))) == left


def test_numbers_without_any_order_are_cut_for_people_and_counted():
    numbers = [number for number in range(100_000) if number * number % 7919 < 800]
    text = format_range_briefly(numbers)
    assert len(text) < 160
    assert text.endswith(f" … {numbers[-1]} ({len(numbers):,} frames)")
    assert format_range_briefly([1, 2, 3]) == "1-3"


@pytest.mark.parametrize("number", [0, 7, 137, 999999, 1000000, 9999999, -1, -137, -99999, -100000])
def test_a_file_name_gives_its_number_back(number):
    assert number_of(file_name(number)) == number


def test_file_names_sort_like_their_numbers():
    names = [file_name(number) for number in range(0, 100_000, 997)]
    assert names == sorted(names)


@pytest.mark.parametrize(
    "name",
    [
        "frame_137.png",
        "frame_00137.png",
        "frame_0000137.png",
        "frame_000137.PNG",
        "frame_000137.png.aside-1",
        ".frame_000137.png.host.1.0.tmp",
        "Frame_000137.png",
        "frame_000137.png\n",
        "frame_-00000.png",
        "frame_00000٣.png",
        "frame_+00137.png",
        "frame_00 137.png",
        "",
    ],
)
def test_other_names_are_no_frames(name):
    assert number_of(name) is None
