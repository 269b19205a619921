"""Frame ranges and names, for any numbers."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from framepipe.errors import FrameRangeError
from framepipe.job.frames import Frames, file_name, format_range, number_of, parse_range
from tests.support.sizes import examples

NUMBERS = st.integers(-(10**7), 10**7)


@given(st.lists(NUMBERS, min_size=1, max_size=40) | st.lists(st.integers(-5, 30), min_size=1, max_size=40))
@settings(max_examples=examples(300), deadline=None)
def test_numbers_come_back_from_the_text_of_their_range(numbers):
    assert sorted(parse_range(format_range(numbers))) == sorted(set(numbers))


@given(st.integers(-1000, 1000), st.integers(-1000, 1000), st.integers(-50, 50).filter(bool))
@settings(max_examples=examples(300), deadline=None)
def test_any_range_comes_back_from_its_text(start, stop, step):
    numbers = range(start, stop, step)
    if len(numbers):
        found = Frames.of(numbers)
        assert list(Frames.of(found.spec).numbers) == list(numbers)


@given(st.text(alphabet="0123456789-x,:y# .@abc", max_size=14) | st.text(max_size=10))
@settings(max_examples=examples(400), deadline=None)
def test_any_text_gives_distinct_whole_numbers_or_a_frame_range_error(text):
    try:
        numbers = parse_range(text)
    except FrameRangeError as error:
        assert "Examples:" in str(error)
        return
    assert numbers
    assert len(set(numbers)) == len(numbers)
    assert all(type(number) is int for number in numbers)


@given(NUMBERS)
def test_any_number_comes_back_from_its_file_name(number):
    assert number_of(file_name(number)) == number


@given(st.text(max_size=24) | st.from_regex(r"frame_-?\d{3,8}\.png", fullmatch=True))
@settings(max_examples=examples(300))
def test_only_the_name_of_a_number_has_that_number(name):
    number = number_of(name)
    assert number is None or file_name(number) == name
