"""Fingerprints of values: equal things alike, in any process; different things not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections import OrderedDict, deque, namedtuple
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pytest
import xarray as xr

from framepipe.job.fingerprint import combine, digest_file, digest_value

ZOO = """
    import collections, dataclasses, datetime, decimal, enum, fractions, functools, math, pathlib, uuid
    import numpy as np

    WORDS = ["one", "two", "three", "four", "five", "six", "seven"]

    @dataclasses.dataclass
    class Point:
        x: float
        tags: set

    @dataclasses.dataclass(frozen=True, slots=True)
    class Slotted:
        name: str
        tags: frozenset

    class Nested:
        def __init__(self, depth):
            self.names = {word: {word, word * 2} for word in WORDS}
            self.below = Nested(depth - 1) if depth else None

    class Colour(enum.Enum):
        RED = 1

    Pair = collections.namedtuple("Pair", "a b")
    cycle = [1]
    cycle.append(cycle)

    THINGS = {
        "none": None, "numbers": [1, 2.5, 3j, True, -0.0, 1e300, math.inf, 10**40],
        "text": "añ\\ud800\\n", "bytes": [b"ab", bytearray(b"ab"), memoryview(b"ab")],
        "set": set(WORDS), "frozenset": frozenset(WORDS), "set of tuples": {(word, 1) for word in WORDS},
        "dict": {word: len(word) for word in WORDS}, "dict of sets": {word: set(word) for word in WORDS},
        "dict by objects": {frozenset(WORDS): 1, (1, "x"): 2},
        "array": np.arange(5.0), "big array": np.arange(2000) * 0.5, "2-d": np.eye(3),
        "object array": np.array([{1, 2}, "x", None, set(WORDS)], object),
        "masked": np.ma.masked_array([1, 2, 3], [0, 1, 0]), "scalar": np.float32(0.1),
        "structured": np.zeros(3, [("x", "f4"), ("y", "i2")]), "strings": np.array(WORDS),
        "big-endian": np.arange(3, dtype=">f8"), "complex": np.array([1j]), "half": np.arange(3, dtype="f2"),
        "empty": np.zeros((0, 3)), "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "times": np.array(["2020-01-01", "2020-01-02"], "datetime64[D]"),
        "time steps": np.array([1, 2], "timedelta64[s]"),
        "moment": np.datetime64("2020-01-01T00:00"),
        "dataclass": Point(1.0, set(WORDS)), "slots": Slotted("a", frozenset(WORDS)), "nested": Nested(3),
        "enum": Colour.RED, "namedtuple": Pair(1, set(WORDS)), "deque": collections.deque(WORDS),
        "default dict": collections.defaultdict(set, a=set(WORDS)), "counter": collections.Counter(WORDS),
        "date": datetime.date(2020, 1, 2), "fraction": fractions.Fraction(1, 3),
        "decimal": decimal.Decimal("0.1"), "path": pathlib.PurePosixPath("/a"),
        "range": range(3), "slice": slice(1),
        "random": np.random.default_rng(1), "class": Point, "module": np, "builtin": len, "ufunc": np.sin,
        "lambda": lambda k: k + 1, "partial": functools.partial(max, 1, key=abs), "cycle": cycle,
        "method": "abc".upper, "uuid": uuid.UUID(int=5),
    }
"""


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zoo")
    (folder / "zoo.py").write_text(textwrap.dedent(ZOO))
    each = "import json, zoo, sys; from framepipe.job.fingerprint import digest_value\nfound = {}\n"
    each += "for name, thing in zoo.THINGS.items():\n"
    each += "    try: found[name] = digest_value(thing)\n"
    each += "    except Exception as error: found[name] = f'{type(error).__name__}: {error} {sys.argv[1]}'\n"
    each += "print(json.dumps(found))"

    def digests(seed):
        done = subprocess.run(
            [sys.executable, "-c", each, seed],
            cwd=folder,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    return [digests(seed) for seed in ("1", "2", "77")]


KINDS = [
    "none",
    "numbers",
    "text",
    "bytes",
    "set",
    "frozenset",
    "dict",
    "array",
    "masked",
    "scalar",
    "structured",
    "strings",
    "big-endian",
    "complex",
    "half",
    "empty",
    "fortran",
    "times",
    "moment",
    "dataclass",
    "slots",
    "nested",
    "enum",
    "namedtuple",
    "deque",
    "counter",
    "date",
    "fraction",
    "decimal",
    "path",
    "range",
    "slice",
    "random",
    "class",
    "module",
    "builtin",
    "ufunc",
    "lambda",
    "partial",
    "cycle",
    "method",
    "uuid",
]
KINDS += ["set of tuples", "dict of sets", "dict by objects", "big array", "2-d", "object array"]
KINDS += ["time steps", "default dict"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_has_one_digest_in_every_process_and_under_every_hash_seed(zoo, kind):
    first, *others = (digests[kind] for digests in zoo)
    assert all(len(each) == 64 for each in (first, *others)), first
    assert set(others) == {first}


def test_things_of_different_kinds_have_different_digests(zoo):
    digests = zoo[0]
    assert set(digests) == set(KINDS)
    assert len(set(digests.values())) == len(digests)


@dataclass
class Box:
    content: object
    extra: dict = field(default_factory=dict)


class Plain:
    def __init__(self, **fields):
        vars(self).update(fields)


Pair = namedtuple("Pair", "a b")


def wrong_at(index, count=2000):
    array = np.zeros(count)
    array[index] = 1e-300
    return array


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 2),
        (1, 1.0),
        (1, True),
        (0.0, -0.0),
        (0.1, np.nextafter(0.1, 1)),
        ("1", 1),
        ("1", b"1"),
        ("", None),
        ([1, 2], [2, 1]),
        ([1, 2], (1, 2)),
        ([[1], 2], [1, [2]]),
        (["ab", "c"], ["a", "bc"]),
        ([], [[]]),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"b": 1}),
        ({"a": {"b": 1}}, {"a": {"b": 2}}),
        ({1, 2}, {1, 3}),
        ({1}, frozenset({1})),
        (Box([1]), Box([2])),
        (Box(Box(1)), Box(Box(2))),
        (Plain(a=1), Plain(a=2)),
        (Plain(a=1), Box(1)),
        (Pair(1, 2), Pair(2, 1)),
        (deque([1, 2]), deque([2, 1])),
        (Fraction(1, 3), Fraction(1, 4)),
        (np.zeros(3), np.zeros(4)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.zeros(3), np.zeros(3, np.float32)),
        (np.zeros(3, "<f8"), np.zeros(3, ">f8")),
        (np.zeros(2000), wrong_at(1000)),
        (np.zeros((2000, 2)), np.stack([wrong_at(3), np.zeros(2000)], 1)),
        (np.array([1, [2]], object), np.array([1, [3]], object)),
        (np.ma.masked_array([1, 2], [0, 0]), np.ma.masked_array([1, 2], [0, 1])),
        (np.zeros(2, [("x", "f4"), ("y", "f4")]), np.zeros(2, [("y", "f4"), ("x", "f4")])),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),  # as a bar chart would show
        (range(3), range(4)),
        (slice(1), slice(2)),
        (lambda k: k + 1, lambda k: k + 2),
    ],
    ids=lambda thing: f"{type(thing).__name__}",
)
def test_different_values_have_different_digests(one, other):
    assert digest_value(one) != digest_value(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (set(range(100)), set(range(99, -1, -1))),
        (np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3))),
        (np.arange(6)[::2], np.array([0, 2, 4])),
        (Plain(a=1, b=2), Plain(a=1, b=2)),
        ([1.5] * 2, [float("1.5"), float("1.5")]),
        (OrderedDict(a=1), OrderedDict(a=1)),
        (float("nan"), float("nan")),
        (deque(["x", "x"]), deque(["x", "".join(["x"])])),
    ],
    ids=lambda thing: f"{type(thing).__name__}",
)
def test_equal_values_have_equal_digests(one, other):
    assert digest_value(one) == digest_value(other)


@pytest.mark.parametrize("dtype", ["datetime64[ns]", "timedelta64[s]"])
def test_an_array_of_times_has_a_digest_that_changes_with_one_element(dtype):
    times = np.arange(2000).astype(dtype)
    later = times.copy()
    later[1234] += np.timedelta64(1, np.datetime_data(dtype)[0])
    assert digest_value(times) == digest_value(times.copy())
    assert digest_value(times) != digest_value(later)


LABELLED = xr.DataArray(np.eye(2), dims=("y", "x"), coords={"x": [1, 2]}, name="u", attrs={"units": "K"})
OTHERWISE = {
    "unit": lambda u: u.assign_attrs(units="°C"),
    "dimension": lambda u: u.rename(y="z"),
    "unit of a coordinate": lambda u: u.assign_coords(x=u.x.assign_attrs(units="m")),
}


@pytest.mark.parametrize("otherwise", OTHERWISE.values(), ids=OTHERWISE)
@pytest.mark.parametrize("shape", [xr.DataArray.copy, xr.DataArray.to_dataset], ids=["DataArray", "Dataset"])
def test_a_labelled_array_counts_with_its_attributes_and_dimensions(shape, otherwise):
    assert digest_value(shape(LABELLED)) == digest_value(shape(LABELLED.copy(deep=True)))
    assert digest_value(shape(LABELLED)) != digest_value(shape(otherwise(LABELLED)))


def test_looking_at_a_labelled_array_does_not_change_its_digest():
    array = xr.DataArray([1.0, 2.0], dims="x", coords={"x": [1, 2]})
    before = digest_value(array)
    assert repr(array) and array.x.attrs == array.encoding == array.x.encoding == {}
    assert digest_value(array) == before


def test_a_strided_memoryview_has_a_digest():
    assert digest_value(memoryview(b"abcd")[::2]) == digest_value(memoryview(b"ac"))


def test_a_value_that_contains_itself_has_a_digest():
    cycle = {"name": "x"}
    cycle["self"] = cycle
    other = {"name": "y"}
    other["self"] = other
    assert digest_value(cycle) != digest_value(other)
    person = Plain(name="x")
    person.friend = Plain(friend=person)
    assert digest_value(person) == digest_value(person)


class Button:
    """Keeps its own bound method, as programs with callbacks do."""

    def __init__(self, label):
        self.label = label
        self.on_click = self.click

    def click(self, event):
        return self.label


def test_an_object_that_keeps_its_own_method_has_a_digest():
    assert digest_value(Button("a")) == digest_value(Button("a"))
    assert digest_value(Button("a")) != digest_value(Button("b"))


def test_what_cannot_be_pickled_counts_by_its_class():
    class Slots:
        __slots__ = ("handle",)

    one = Slots()
    one.handle = lambda: 1
    assert len(digest_value(one)) == 64


def test_a_fingerprint_depends_on_names_and_texts_but_not_on_their_order():
    assert combine({"a": "1", "b": "2"}) == combine({"b": "2", "a": "1"})
    assert len({combine(p) for p in ({"a": "1"}, {"a": "2"}, {"b": "1"}, {"a": "1", "b": "2"}, {})}) == 5


def test_a_file_counts_by_its_bytes_and_a_folder_by_its_names_too(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    (tmp_path / "b").write_bytes(b"x" * 3_000_000)
    assert digest_file(tmp_path / "a") == digest_file(tmp_path / "b")
    seen = {digest_file(tmp_path / "d")}
    for name, text in (("d/one", "1"), ("d/two", "1"), ("d/two", "2"), ("d/e/one", "1")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
        seen.add(digest_file(tmp_path / "d"))
    assert len(seen) == 5
    (tmp_path / "d/e/one").rename(tmp_path / "d/e/other")
    assert digest_file(tmp_path / "d") not in seen
