"""Fingerprints of objects that pickle takes apart wrongly or not at all, by what they are made of."""

from __future__ import annotations

import datetime
import decimal
import enum
import io
import itertools
import json
import os
import pathlib
import random
import subprocess
import sys
import textwrap
import threading
import uuid

import matplotlib
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib import (
    colors,
    dates,
    font_manager,
    gridspec,
    markers,
    path,
    patheffects,
    ticker,
    transforms,
    tri,
)

from framepipe.job.fingerprint import digest_function, digest_value

matplotlib.use("Agg")


class Slots:
    __slots__ = ("__hidden", "lock", "x")

    def __init__(self, x, hidden=0):
        self.x, self.__hidden, self.lock = x, hidden, threading.Lock()


class Refusing:
    """Cannot be pickled."""

    def __init__(self, x):
        self.x = x

    def __reduce_ex__(self, protocol):
        raise TypeError("no")


class RefusingSlots(Refusing):
    __slots__ = ("y",)

    def __init__(self, x, y):
        self.x, self.y = x, y


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class WithUnit(np.ndarray):
    pass


def with_unit(unit):
    array = np.zeros(3).view(WithUnit)
    array.unit = unit
    return array


def colour_map(**changes):
    one = colors.LinearSegmentedColormap.from_list("mine", changes.pop("table", ["red", "blue"]))
    return one.with_extremes(**changes)


def counted(steps, **kwargs):
    count = itertools.count(**kwargs)
    for _ in range(steps):
        next(count)
    return count


def advanced(iterator, steps):
    for _ in range(steps):
        next(iterator)
    return iterator


def numbers(limit, scale=1):
    for k in range(limit):
        total = k * scale
        yield total


def chained(limit):
    yield from numbers(limit)


def frame(**changes):
    data = {"a": [1, 2, 3], "b": ["x", "y", "z"], "t": pd.to_datetime(["2020-01-01"] * 3, utc=True)}
    data |= {"c": pd.Categorical(["u", "v", "u"]), "n": pd.array([1, None, 3], dtype="Int64")}
    return pd.DataFrame(data | changes)


def sparse(kind, values):
    import scipy.sparse

    return getattr(scipy.sparse, kind)(np.array([[0, values[0]], [values[1], 0]]))


def drawn(generator, count):
    generator.random(count)
    return generator


TRIANGLES = ([0, 1, 0, 1], [0, 0, 1, 1.5], [[0, 1, 2], [1, 2, 3]])

#: kind -> things that are all different, each built anew by calling it
DIFFERENT = {
    "slots": [lambda: Slots(1), lambda: Slots(2), lambda: Slots(1, 1)],
    "what cannot be pickled": [lambda: Refusing(1), lambda: Refusing(2)],
    "slots that cannot be pickled": [lambda: RefusingSlots(1, 1), lambda: RefusingSlots(1, 2)],
    "enum": [lambda: Colour.RED, lambda: Colour.BLUE],
    "date": [lambda: datetime.date(2020, 1, 1), lambda: datetime.date(2020, 1, 2)],
    "moment": [
        lambda: datetime.datetime(2020, 1, 1),
        lambda: datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc),
        lambda: datetime.datetime(2020, 1, 1, 0, 0, 1),
    ],
    "decimal": [lambda: decimal.Decimal("0.1"), lambda: decimal.Decimal("0.10")],
    "uuid": [lambda: uuid.UUID(int=1), lambda: uuid.UUID(int=2)],
    "path of a file": [lambda: pathlib.PurePosixPath("/a"), lambda: pathlib.PurePosixPath("/b")],
    "array with a unit": [lambda: with_unit("m"), lambda: with_unit("km"), lambda: np.zeros(3)],
    "colour map": [
        lambda: colour_map(),
        lambda: colour_map(table=["red", "green"]),
        lambda: colour_map(bad="k"),
        lambda: colour_map(over="k"),
        lambda: colour_map(under="k"),
        lambda: colors.ListedColormap(["red", "blue"]),
        lambda: colors.ListedColormap(["red", "green"]),
        lambda: matplotlib.colormaps["viridis"],
        lambda: matplotlib.colormaps["magma"],
        lambda: matplotlib.colormaps["viridis"].resampled(5),
    ],
    "norm": [
        lambda: colors.Normalize(0, 1),
        lambda: colors.Normalize(0, 2),
        lambda: colors.Normalize(0.5, 1),
        lambda: colors.Normalize(0, 1, clip=True),
        lambda: colors.LogNorm(1, 10),
        lambda: colors.LogNorm(1, 100),
        lambda: colors.BoundaryNorm([0, 1, 2], 10),
        lambda: colors.BoundaryNorm([0, 1, 3], 10),
        lambda: colors.TwoSlopeNorm(0, -1, 1),
        lambda: colors.TwoSlopeNorm(0.1, -1, 1),
        lambda: colors.PowerNorm(2, 0, 1),
        lambda: colors.PowerNorm(3, 0, 1),
        lambda: colors.SymLogNorm(1, vmin=0, vmax=1),
        lambda: colors.SymLogNorm(2, vmin=0, vmax=1),
    ],
    "path": [
        lambda: path.Path([[0, 0], [1, 1]]),
        lambda: path.Path([[0, 0], [1, 2]]),
        lambda: path.Path([[0, 0], [1, 1]], [1, 2]),
    ],
    "triangulation": [
        lambda: tri.Triangulation(*TRIANGLES),
        lambda: tri.Triangulation(TRIANGLES[0], TRIANGLES[1], [[0, 1, 3], [0, 3, 2]]),
        lambda: tri.Triangulation(TRIANGLES[0], [0, 0, 1, 2], TRIANGLES[2]),
        lambda: tri.Triangulation(*TRIANGLES, mask=[True, False]),
    ],
    "transform": [
        lambda: transforms.Affine2D(),
        lambda: transforms.Affine2D().rotate(1),
        lambda: transforms.Affine2D().scale(2) + transforms.Affine2D().rotate(1),
        lambda: transforms.Bbox([[0, 0], [1, 1]]),
        lambda: transforms.Bbox([[0, 0], [1, 2]]),
    ],
    "marker": [
        lambda: markers.MarkerStyle("o"),
        lambda: markers.MarkerStyle("s"),
        lambda: markers.MarkerStyle("o", fillstyle="left"),
        lambda: markers.MarkerStyle("s", transform=transforms.Affine2D().rotate(1)),
    ],
    "font": [
        lambda: font_manager.FontProperties(family="serif"),
        lambda: font_manager.FontProperties(family="serif", size=20),
        lambda: font_manager.FontProperties(fname="/my.ttf"),
    ],
    "ticker": [
        lambda: ticker.MultipleLocator(1),
        lambda: ticker.MultipleLocator(2),
        lambda: ticker.FixedLocator([1, 2]),
        lambda: ticker.FixedLocator([1, 3]),
        lambda: ticker.FormatStrFormatter("%d"),
        lambda: ticker.FormatStrFormatter("%f"),
        lambda: ticker.StrMethodFormatter("{x}"),
        lambda: ticker.FuncFormatter(lambda x, pos: "a"),
        lambda: ticker.FuncFormatter(lambda x, pos: "b"),
        lambda: dates.DateFormatter("%H"),
        lambda: dates.DateFormatter("%M"),
    ],
    "path effect": [
        lambda: patheffects.Stroke(linewidth=3),
        lambda: patheffects.Stroke(linewidth=4),
    ],
    "light": [lambda: colors.LightSource(10), lambda: colors.LightSource(20)],
    "grid": [lambda: gridspec.GridSpec(1, 2), lambda: gridspec.GridSpec(1, 2, width_ratios=[1, 2])],
    "random generator": [
        lambda: np.random.default_rng(1),
        lambda: np.random.default_rng(2),
        lambda: drawn(np.random.default_rng(1), 1),
        lambda: np.random.Generator(np.random.MT19937(1)),
        lambda: np.random.PCG64(1),
        lambda: np.random.PCG64(2),
        lambda: np.random.RandomState(1),
        lambda: np.random.RandomState(2),
        lambda: random.Random(1),
        lambda: random.Random(2),
    ],
    "table": [
        lambda: frame(),
        lambda: frame(a=[1, 2, 4]),
        lambda: frame(a=[1.0, 2, 3]),
        lambda: frame(b=["x", "y", "w"]),
        lambda: frame(c=pd.Categorical(["u", "v", "u"], ["u", "v", "w"])),
        lambda: frame(n=pd.array([1, 2, 3], dtype="Int64")),
        lambda: frame(t=pd.to_datetime(["2020-01-02"] * 3, utc=True)),
        lambda: frame().rename(columns={"a": "A"}),
        lambda: frame().set_index("a"),
        lambda: frame().set_index(["a", "b"]),
        lambda: frame()[["b", "a", "c", "n", "t"]],
        lambda: frame().groupby("b"),
        lambda: frame().groupby("c", observed=True),
    ],
    "column": [
        lambda: pd.Series([1, 2]),
        lambda: pd.Series([1, 3]),
        lambda: pd.Series([1, 2], name="a"),
        lambda: pd.Series([1, 2], index=[1, 2]),
        lambda: pd.Index([1, 2]),
        lambda: pd.Index([1, 2], name="a"),
        lambda: pd.date_range("2020-01-01", periods=2),
        lambda: pd.date_range("2020-01-01", periods=2, tz="UTC"),
        lambda: pd.interval_range(0, 2),
        lambda: pd.interval_range(0, 3),
    ],
    "sparse": [
        lambda: sparse("csr_array", (1, 2)),
        lambda: sparse("csr_array", (1, 3)),
        lambda: sparse("csc_array", (1, 2)),
        lambda: sparse("csr_matrix", (1, 2)),
        lambda: sparse("coo_array", (1, 2)),
        lambda: sparse("lil_array", (1, 2)),
    ],
    "labelled": [
        lambda: xr.DataArray([1, 2], dims="x"),
        lambda: xr.DataArray([1, 3], dims="x"),
        lambda: xr.DataArray([1, 2], dims="x", coords={"x": [1, 2]}),
        lambda: xr.DataArray([1, 2], dims="x", name="u"),
        lambda: xr.Dataset({"u": ("x", [1, 2])}),
        lambda: xr.Dataset({"v": ("x", [1, 2])}),
        lambda: xr.Dataset({"u": ("x", [1, 2])}, attrs={"a": 1}),
        lambda: xr.Dataset(coords={"u": ("x", [1, 2])}),
    ],
    "iterator": [
        lambda: counted(0),
        lambda: counted(1),
        lambda: counted(0, step=2),
        lambda: counted(0, start=0.5),
        lambda: itertools.cycle("abc"),
        lambda: advanced(itertools.cycle("abc"), 1),
        lambda: advanced(itertools.cycle("abc"), 4),
        lambda: itertools.cycle("abd"),
        lambda: itertools.repeat(1),
        lambda: itertools.repeat(1, 3),
        lambda: itertools.chain([1], [2]),
        lambda: advanced(itertools.chain([1], [2]), 1),
        lambda: itertools.islice([1, 2, 3], 2),
        lambda: itertools.product("ab", repeat=2),
        lambda: advanced(itertools.product("ab", repeat=2), 1),
        lambda: iter([1, 2]),
        lambda: advanced(iter([1, 2]), 1),
        lambda: iter((1, 2)),
        lambda: iter({"a": 1}),
        lambda: iter({"a", "b", "c"}),
        lambda: enumerate([1, 2]),
        lambda: enumerate([1, 2], 1),
        lambda: zip([1], [2]),
        lambda: map(abs, [1]),
        lambda: map(str, [1]),
        lambda: reversed([1, 2]),
        lambda: iter(range(3)),
        lambda: iter(range(4)),
    ],
    "generator": [
        lambda: numbers(5),
        lambda: numbers(6),
        lambda: advanced(numbers(5), 1),
        lambda: advanced(numbers(5), 2),
        lambda: numbers(5, 2),
        lambda: chained(5),
        lambda: advanced(chained(5), 1),
        lambda: advanced(chained(5), 2),
        lambda: (k for k in [1, 2]),
        lambda: (k for k in [1, 3]),
        lambda: advanced((k for k in [1, 2]), 1),
    ],
    "text in memory": [
        lambda: io.StringIO("ab"),
        lambda: io.StringIO("ac"),
        lambda: advanced(io.StringIO("a\nb"), 1),
        lambda: io.BytesIO(b"ab"),
        lambda: io.BytesIO(b"ac"),
    ],
}


@pytest.mark.parametrize("kind", DIFFERENT)
def test_different_things_differ_and_equal_ones_do_not(kind):
    builders = DIFFERENT[kind]
    digests = [digest_value(build()) for build in builders]
    assert [digest_value(build()) for build in builders] == digests
    assert len(set(digests)) == len(digests), [n for n, each in enumerate(digests) if digests.count(each) > 1]


@pytest.mark.parametrize("kind", DIFFERENT)
def test_a_digest_changes_nothing(kind):
    for build in DIFFERENT[kind]:
        thing = build()
        digest = digest_value(thing)
        assert digest_value(thing) == digest
        if hasattr(thing, "__next__"):
            assert list(itertools.islice(thing, 10)) == list(itertools.islice(build(), 10))


def used(thing):
    """The same thing, after it was looked at and drawn with."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    try:
        if isinstance(thing, colors.Colormap):
            axes.imshow(np.eye(3), cmap=thing)
        elif isinstance(thing, ticker.Locator):
            axes.xaxis.set_major_locator(thing)
        elif isinstance(thing, ticker.Formatter):
            axes.xaxis.set_major_formatter(thing)
        elif isinstance(thing, colors.Normalize):
            axes.imshow(np.eye(3) + 0.5, norm=thing)
        elif isinstance(thing, tri.Triangulation):
            axes.triplot(thing)
            axes.tricontour(thing, [1, 2, 3, 4])
        elif isinstance(thing, markers.MarkerStyle):
            axes.plot([1], [1], marker=thing)
        elif isinstance(thing, font_manager.FontProperties):
            thing.get_name() if thing.get_file() is None else None
            hash(thing)
        elif isinstance(thing, path.Path):
            thing.get_extents(), thing.contains_point((0, 0))
        elif isinstance(thing, (pd.DataFrame, pd.Series, pd.Index)):
            repr(thing), thing.T, thing.values, thing.is_unique if hasattr(thing, "is_unique") else None
            hasattr(thing, "dtypes") and thing.dtypes
            isinstance(thing, pd.Index) and thing.get_indexer(thing)
        elif isinstance(thing, (xr.DataArray, xr.Dataset)):
            repr(thing), thing.mean(), thing.copy()
        elif hasattr(thing, "tocsr"):
            thing.tocsr().has_canonical_format, thing.sum(), thing @ thing
        if not isinstance(thing, dates.DateFormatter):
            figure.canvas.draw()
    finally:
        plt.close(figure)
    return thing


USED = (
    "colour map",
    "norm",
    "path",
    "triangulation",
    "marker",
    "font",
    "ticker",
    "table",
    "column",
    "sparse",
    "labelled",
)


@pytest.mark.parametrize("kind", USED)
@pytest.mark.filterwarnings("ignore")
def test_using_a_thing_does_not_change_its_digest(kind):
    for build in DIFFERENT[kind]:
        assert digest_value(used(build())) == digest_value(build())


def test_a_file_counts_by_its_name_and_position(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text("one\ntwo\nthree\n")
    with open(tmp_path / "a") as one, open(tmp_path / "a") as two, open(tmp_path / "b", "rb") as three:
        assert digest_value(one) == digest_value(two) != digest_value(three)
        two.readline()
        assert digest_value(one) != digest_value(two)
        one.readline()
        assert digest_value(one) == digest_value(two)
        before = digest_value(three)
        assert three.read(1) == b"o" and digest_value(three) != before
        assert one.readline() == "two\n"
        assert next(one) and len(digest_value(one)) == 64
    assert len({digest_value(one), digest_value(three)}) == 2


def test_how_far_a_log_was_written_does_not_count(tmp_path):
    with open(tmp_path / "log", "w") as log:
        before = digest_value(log)
        log.write("one line\n")
        assert digest_value(log) == before


def test_figures_and_artists_count_by_their_class():
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    try:
        (line,) = axes.plot([1, 2])
        before = [digest_value(each) for each in (figure, axes, line, axes.transData)]
        line.set_color("red")
        axes.set_xlim(0, 100)
        figure.canvas.draw()
        assert [digest_value(each) for each in (figure, axes, line, axes.transData)] == before
    finally:
        plt.close(figure)


class Ball(matplotlib.patches.Circle):
    def __init__(self, speed):
        super().__init__((0, 0), 1)
        self.speed = speed

    def step(self):
        self.speed += 1


def test_an_artist_of_the_users_counts_by_what_its_methods_name():
    one, two = Ball(1), Ball(1)
    assert digest_value(one) == digest_value(two)
    two.step()
    assert digest_value(one) != digest_value(two)


def test_the_environment_and_the_style_are_counted_elsewhere(monkeypatch):
    before = digest_value(os.environ), digest_value(matplotlib.rcParams)
    monkeypatch.setenv("FRAMEPIPE_TEST", "1")
    with matplotlib.rc_context({"lines.linewidth": 7}):
        assert (digest_value(os.environ), digest_value(matplotlib.rcParams)) == before


@pytest.mark.parametrize(
    "build", [threading.Lock, threading.RLock, lambda: threading.Thread(target=print), object]
)
def test_locks_and_threads_count_by_their_class(build):
    assert digest_value(build()) == digest_value(build())


class Hostile:
    @property
    def __class__(self):
        raise RuntimeError("class")


class HostileMapping(dict):
    def items(self):
        raise ValueError("items")


class HostileAttributes:
    def __getattr__(self, name):
        raise RuntimeError(name)


class Endless:
    """Each attribute is another."""

    def __reduce_ex__(self, protocol):
        return Endless, (), {"next": [Endless.__reduce_ex__]}


@pytest.mark.parametrize(
    "build",
    [
        Hostile,
        HostileMapping,
        HostileAttributes,
        Endless,
        lambda: type("T", (), {"dtype": 1, "__array__": 2})(),
    ],
)
def test_a_hostile_object_has_a_digest(build):
    digest = digest_value([build()])
    assert len(digest) == 64 and digest == digest_value([build()])
    thing = build()
    assert digest_function(lambda k: thing)["thing"]


def test_depth_does_not_hide_what_is_different():
    def nested(depth, end):
        value = end
        for _ in range(depth):
            value = [value]
        return value

    def linked(length, end):
        value = Slots(end)
        for _ in range(length):
            value = Refusing(value)
        return value

    for build in (nested, linked):
        assert digest_value(build(5000, 1)) == digest_value(build(5000, 1))
        assert digest_value(build(5000, 1)) != digest_value(build(5000, 2))
        assert digest_value([build(90, 1), 0]) != digest_value([build(90, 2), 0])
        ones, twos = build(90, 1), build(90, 2)
        assert digest_value([ones, twos]) != digest_value([ones, ones])


def deep_in_the_stack(depth, value):
    return digest_value(value) if not depth else deep_in_the_stack(depth - 1, value)


def test_a_digest_does_not_depend_on_how_deep_its_caller_is():
    value = [[[Slots(n)] for n in range(3)], DIFFERENT["norm"][4](), frame()]
    nested = value
    for _ in range(200):
        nested = [nested]
    assert deep_in_the_stack(300, nested) == digest_value(nested)


def test_a_long_list_of_numbers_counts_by_each_of_them():
    numbers = [0.5] * 100_000
    other = [*numbers]
    other[77_777] = 0.25
    assert (
        digest_value(numbers) == digest_value([float("0.5") for _ in range(100_000)]) != digest_value(other)
    )
    assert digest_value([1] * 1000) != digest_value([True] * 1000) != digest_value([1.0] * 1000)
    assert digest_value([0.0] * 1000) != digest_value([-0.0] * 1000)


OBJECTS = """
    import json, sys, itertools, random, threading, enum
    import numpy as np, pandas as pd, matplotlib
    matplotlib.use("Agg")
    from matplotlib import colors, markers, font_manager, ticker, tri, path, patheffects
    from framepipe.job.fingerprint import digest_value
    class Slots:
        __slots__ = ("x",)
    slots = Slots(); slots.x = {"a", "b", "c"}
    def generate():
        words = {"a", "b", "c", "d"}
        yield 1
        yield words
    running = generate(); next(running)
    things = [slots, running, iter({"a", "b", "c"}), colors.LogNorm(1, 2), matplotlib.colormaps["jet"],
              markers.MarkerStyle("s"), font_manager.FontProperties(size=3), ticker.MultipleLocator(2),
              ticker.FuncFormatter(lambda x, pos: str(x)), tri.Triangulation([0, 1, 0], [0, 0, 1]), path.Path.unit_circle(),
              pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), np.random.default_rng(1), random.Random(3),
              itertools.cycle("ab"), patheffects.withStroke(linewidth=2), threading.Lock(), colors.BoundaryNorm([0, 1, 2], 5),
              np.vectorize(abs), matplotlib.rcParams, colors.SymLogNorm(1), threading.current_thread()]
    print(json.dumps([digest_value(thing) for thing in things]))
"""


def test_objects_have_one_digest_in_every_process():
    texts = {
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(OBJECTS)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1
    assert len(json.loads(texts.pop())) == 22
