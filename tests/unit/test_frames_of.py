"""Frames from whatever a user has at hand."""

from __future__ import annotations

from collections import deque

import numpy as np
import pandas as pd
import pytest

from framepipe.errors import UsageError
from framepipe.job.frames import Frames, parse_range


def plan(frames, **keywords):
    found = Frames.of(frames, **keywords)
    return list(found.numbers), [found.values[index] for index in range(len(found))]


@pytest.mark.parametrize("count", [3, np.int64(3), np.uint8(3), "3", " 3 ", "003"])
def test_a_count_is_that_many_frames_from_0(count):
    assert plan(count) == ([0, 1, 2], [0, 1, 2])


@pytest.mark.parametrize("frames", [4, range(4), "0-3", np.int32(4)])
def test_numbered_frames_have_their_numbers_as_values(frames):
    assert Frames.of(frames).are_numbers


@pytest.mark.parametrize(
    ("frames", "numbers"),
    [
        (range(2, 9, 3), [2, 5, 8]),
        (range(9, 2, -3), [9, 6, 3]),
        (range(5, 6), [5]),
        ("2-8x3", [2, 5, 8]),
        ("8-2", [8, 7, 6, 5, 4, 3, 2]),
    ],
)
def test_a_range_keeps_its_numbers_and_its_order(frames, numbers):
    assert plan(frames) == (numbers, numbers)


@pytest.mark.parametrize(
    "frames",
    [range(4), range(1), range(7, 8), range(2, 9, 3), range(9, 2, -3), range(-4, 3), range(0, -9, -4), 5],
)
def test_the_text_of_numbered_frames_gives_the_same_frames(frames):
    found = Frames.of(frames)
    assert found.spec is not None
    assert list(Frames.of(found.spec).numbers) == list(found.numbers)


@pytest.mark.parametrize("values", [["a", "b", "c"], ("a", "b", "c"), np.array(["a", "b", "c"])])
def test_elements_of_a_sequence_are_the_values_numbered_from_0(values):
    assert plan(values) == ([0, 1, 2], ["a", "b", "c"])
    assert not Frames.of(values).are_numbers


def test_an_array_is_taken_by_its_first_axis():
    array = np.arange(24).reshape(4, 3, 2)
    found = Frames.of(array)
    assert len(found) == 4
    assert np.array_equal(found.values[2], array[2])


def test_a_list_that_looks_like_numbers_is_values_all_the_same():
    found = Frames.of([0, 1, 2])
    assert not found.are_numbers
    assert found.spec is None


class Lazy:
    """A sequence that says what was read from it."""

    def __init__(self, length):
        self.length, self.read = length, []

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        self.read.append(index)
        return index * 10


def test_values_are_read_only_when_asked_for():
    lazy = Lazy(1_000_000)
    found = Frames.of(lazy)
    assert lazy.read == []
    assert found.values[7] == 70
    assert lazy.read == [7]


class Table:
    """Like a pandas.DataFrame: its elements are columns, not rows."""

    columns = ("a", "b")

    def __len__(self):
        return 5

    def __getitem__(self, name):
        return [name] * 5


class Labelled:
    """Like a pandas.Series: ``[3]`` is the row with the label 3, ``iloc[3]`` the fourth row."""

    def __init__(self, labels, values):
        self.labels, self.rows = labels, values

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, label):
        return self.rows[self.labels.index(label)]

    @property
    def iloc(self):
        return self.rows


def test_a_labelled_series_is_never_read_by_its_labels():
    series = Labelled([2, 1, 0], ["first", "second", "third"])
    try:
        _, values = plan(series)
    except UsageError:
        return  # refusing is as good as reading by position
    assert values == ["first", "second", "third"]


@pytest.mark.parametrize(
    "frames",
    [
        None,
        True,
        False,
        2.5,
        b"123",
        bytearray(b"123"),
        (k for k in range(3)),
        iter([1]),
        map(str, [1]),
        Table(),
        object(),
        len,
        np.array(2.5),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_what_has_no_length_and_order_is_refused(frames):
    with pytest.raises(UsageError) as caught:
        Frames.of(frames)
    assert "give a count, a range or a sequence" in str(caught.value)


@pytest.mark.parametrize("frames", [{1, 2}, frozenset("ab")], ids=lambda thing: type(thing).__name__)
def test_a_set_is_refused_for_having_no_order(frames):
    with pytest.raises(UsageError, match=r"set, which has no order; .* sorted\(…\)"):
        Frames.of(frames)


class Dealt:
    """A collection that can be iterated, and no more."""

    def __len__(self):
        return 2

    def __iter__(self):
        return iter("ab")


class Once(Dealt):
    """An iterator that knows its length."""

    def __iter__(self):
        return self

    def __next__(self):
        raise StopIteration


DRAWERS = {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("frames", "values"),
    [
        (DRAWERS, ["a", "b"]),
        (DRAWERS.keys(), ["a", "b"]),
        (DRAWERS.values(), [1, 2]),
        (DRAWERS.items(), [("a", 1), ("b", 2)]),
        (deque("ab"), ["a", "b"]),
        (Dealt(), ["a", "b"]),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_what_has_a_length_is_iterated_as_funcanimation_does(frames, values):
    assert plan(frames) == ([0, 1], values)


def test_an_iterator_with_a_length_is_refused_since_it_can_be_run_once():
    with pytest.raises(UsageError, match=r"frames is a Once.*list\(…\)"):
        Frames.of(Once())


# --- pandas -----------------------------------------------------------------------------------------

TABLE = pd.DataFrame({"name": ["b", "a", "b"], "x": [1.5, 2.5, 3.5], "n": [7, 8, 9]}, index=[30, 10, 20])


def test_a_table_is_taken_row_by_row_as_named_tuples():
    _, rows = plan(TABLE)
    assert rows == list(TABLE.itertuples())
    assert (rows[1].Index, rows[1].name, rows[1].x, rows[1].n) == (10, "a", 2.5, 8)


def test_a_column_is_taken_by_position_and_an_index_by_its_labels():
    assert plan(TABLE["x"])[1] == [1.5, 2.5, 3.5]
    assert plan(TABLE.index)[1] == [30, 10, 20]
    days = pd.date_range("2020-02-28", periods=3)
    assert plan(days)[1] == list(days)
    assert plan(pd.Series(days))[1] == list(days)


def test_groups_are_pairs_of_a_name_and_its_rows():
    numbers, groups = plan(TABLE.groupby("name"))
    assert numbers == [0, 1]
    assert [(name, list(rows["n"])) for name, rows in groups] == [("a", [8]), ("b", [7, 9])]
    _, columns = plan(TABLE.groupby("name")["x"])
    assert [(name, list(column)) for name, column in columns] == [("a", [2.5]), ("b", [1.5, 3.5])]


@pytest.mark.parametrize("empty", [TABLE.head(0), TABLE["x"].head(0), {}, deque()], ids=str)
def test_an_empty_table_or_collection_has_no_frames(empty):
    with pytest.raises(UsageError, match="a movie has 1 to 10,000,000"):
        Frames.of(empty)


def test_an_iterator_is_refused_with_the_way_to_make_it_a_list():
    with pytest.raises(UsageError, match=r"generator.*list\(…\)"):
        Frames.of(k for k in range(3))


@pytest.mark.parametrize(
    "frames", [0, -1, "0", [], (), np.zeros((0, 3)), range(0), range(5, 5), 10_000_001, range(10_000_001)]
)
def test_a_movie_has_between_one_and_ten_million_frames(frames):
    with pytest.raises(UsageError, match="a movie has 1 to 10,000,000"):
        Frames.of(frames)


def test_a_count_of_thousands_of_digits_is_refused_like_any_other():
    with pytest.raises(UsageError):
        Frames.of("9" * 5000)


def test_an_array_of_no_axes_is_a_count_or_refused():
    try:
        assert plan(np.array(3)) == ([0, 1, 2], [0, 1, 2])
    except UsageError as error:
        assert "frames" in str(error)


NAMES = {"history": ["a", "b"], "count": 3, "steps": range(2, 6, 2), "bad": object()}


def test_a_name_is_looked_up_and_kept_as_the_text_of_the_frames():
    found = Frames.of("history", lookup=NAMES.__getitem__)
    assert (list(found.numbers), list(found.values), found.spec) == ([0, 1], ["a", "b"], "history")


@pytest.mark.parametrize(("name", "numbers"), [("count", [0, 1, 2]), ("steps", [2, 4])])
def test_a_name_of_a_count_or_range_means_that_count_or_range(name, numbers):
    found = Frames.of(name, lookup=NAMES.__getitem__)
    assert list(found.numbers) == numbers
    assert found.are_numbers
    assert parse_range(found.spec) == numbers or found.spec == "3"


def test_a_name_of_something_else_is_refused():
    with pytest.raises(UsageError, match="frames is a object"):
        Frames.of("bad", lookup=NAMES.__getitem__)


def test_a_name_without_a_script_is_no_frame_range():
    with pytest.raises(UsageError, match="frame range 'history' does not parse"):
        Frames.of("history")
