"""Shapes that are only given other colours look as if Agg had drawn them."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib import patheffects
from matplotlib.collections import EllipseCollection, RegularPolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from framepipe.job.canvas import Canvas
from framepipe.scenes import recolouring
from framepipe.scenes.incremental import Incremental

POINTS = 300


@pytest.fixture(autouse=True)
def worth_it_at_once(monkeypatch):
    monkeypatch.setattr(recolouring, "_SLOW_S", 0.0)


def scattered(seed=0, points=POINTS, **keywords):
    """Return axes with points that overlap, and of which some are cut by the edge of the axes."""
    random = np.random.default_rng(seed)
    axes = Figure(figsize=(2, 2)).subplots()
    axes.set(xlim=(-1.2, 1.2), ylim=(-1, 1))
    keywords = {"c": random.random(points), "s": 20, **keywords}
    return axes, axes.scatter(*random.normal(0, 0.6, (2, points)), **keywords)


def pixels(figure, **savefig):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="rgba", **savefig)
    return np.frombuffer(buffer.getvalue(), np.uint8)


def check(figure, change, frames=6, transparent=None):
    """Compare frames from memory with such as are drawn in full; return how often shapes were recoloured."""
    incremental = Incremental(figure)
    canvas = Canvas(transparent=transparent)
    geometry = None
    for number in range(frames):
        change(number)
        picture = incremental.rasterise(figure, canvas, geometry, "reuse")
        geometry = picture.geometry
        due = pixels(figure, **({} if transparent is None else {"transparent": transparent}))
        due = due.reshape(*picture.pixels.shape[:2], 4)[..., : picture.pixels.shape[2]]
        assert np.array_equal(picture.pixels, due), f"frame {number}"
    tapes = incremental._tapes
    return tapes._recolouring.reused if tapes else 0


def other_values(collection, seed=1, **between):
    random = np.random.default_rng(seed)
    return lambda number: collection.set_array(random.random(len(collection.get_array())))


KINDS = {
    "circles": {},
    "dots": {"marker": ".", "s": 3},
    "squares": {"marker": "s"},
    "squares that touch pixels": {"marker": "s", "s": 5.0, "linewidths": 1},
    "triangles": {"marker": "^", "linewidths": 1.5},
    "stars": {"marker": "*", "s": 30},
    "crosses": {"marker": "x", "linewidths": 2},
    "pluses": {"marker": "+"},
    "no outline": {"edgecolors": "none"},
    "black outline": {"edgecolors": "k", "linewidths": 0.7},
    "no line": {"linewidths": 0},
    "other sizes": {"s": np.linspace(1, 60, POINTS)},
    "other widths": {"linewidths": np.linspace(0, 3, POINTS)},
    "half transparent": {"alpha": 0.4},
    "each transparent by itself": {"alpha": np.linspace(0, 1, POINTS)},
    "over the edge": {"clip_on": False},
    "snapped": {"marker": "D", "snap": True},
    "not snapped": {"marker": "s", "snap": False},
    "mathtext": {"marker": "$a$"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_points_of_other_colours_are_as_agg_draws_them(kind):
    axes, points = scattered(**KINDS[kind])
    assert check(axes.figure, other_values(points)) == 4


@pytest.mark.parametrize(
    "kind",
    [
        {"antialiaseds": False},
        {"hatch": "///", "s": 60},
        {"linestyles": "--", "s": 60},
        {"path_effects": [patheffects.withStroke(linewidth=3, foreground="r")]},
        {"s": 4000},
        {"c": np.where(np.arange(POINTS) % 7, np.linspace(0, 1, POINTS), np.nan)},
    ],
    ids=["antialiased", "hatch", "dashes", "effects", "large", "values that are missing"],
)
def test_points_of_which_more_is_to_be_known_are_left_to_agg(kind):
    axes, points = scattered(**kind)
    assert check(axes.figure, other_values(points)) == 0


def test_points_within_a_circle_are_left_to_agg():
    axes, points = scattered()
    points.set_clip_path(Circle((0, 0), 0.7, transform=axes.transData))
    assert check(axes.figure, other_values(points)) == 0


def test_places_that_are_missing_are_left_to_agg():
    axes, points = scattered()
    points.set_offsets(np.where(np.arange(2 * POINTS).reshape(-1, 2) % 50, points.get_offsets(), np.nan))
    check(axes.figure, other_values(points))


def test_hexagons_and_other_collections():
    random = np.random.default_rng(0)
    figure = Figure(figsize=(3, 3))
    one, two, three = figure.subplots(1, 3)
    places = random.normal(0, 1, (POINTS, 2))
    collections = [one.hexbin(*places.T, gridsize=30, linewidths=0.2)]
    collections.append(RegularPolyCollection(5, sizes=(12,), offsets=places, offset_transform=two.transData))
    widths = random.uniform(2, 6, (2, POINTS))
    collections.append(
        EllipseCollection(*widths, random.uniform(0, 90, POINTS), units="points", offsets=places)
    )
    collections[2].set_offset_transform(three.transData)
    for axes, collection in zip((two, three), collections[1:]):
        collection.set_array(random.random(POINTS))
        axes.add_collection(collection)
        axes.set(xlim=(-3, 3), ylim=(-3, 3))

    def change(number):
        for each in collections:
            each.set_array(random.random(len(each.get_array())))

    assert check(figure, change) == 3 * 4


def test_colours_that_are_set_one_by_one():
    axes, points = scattered(c="k")
    random = np.random.default_rng(3)
    points.set_facecolor(random.random((POINTS, 3)))

    def change(number):
        points.set_facecolor(random.random((POINTS, 3)))
        points.set_edgecolor(random.random((2, 4)))

    assert check(axes.figure, change) == 4


def test_colours_that_become_transparent_and_opaque_again():
    axes, points = scattered()
    change = other_values(points)

    def fade(number):
        change(number)
        points.set_alpha(0.3 if number in (3, 5) else None)

    assert check(axes.figure, fade, 8) == 4, "what is hidden by opaque ones is not known"


@pytest.mark.parametrize("scale", ["log", "symlog"])
def test_other_scales(scale):
    axes, points = scattered()
    points.set_offsets(np.abs(points.get_offsets()) + 0.001)
    axes.set(xscale=scale, xlim=(0.01, 1))
    assert check(axes.figure, other_values(points)) == 4


def test_polar_and_solid_axes():
    random = np.random.default_rng(0)
    figure = Figure(figsize=(4, 2))
    polar, solid = figure.add_subplot(121, projection="polar"), figure.add_subplot(122, projection="3d")
    flat = polar.scatter(*random.random((2, POINTS)), c=random.random(POINTS), s=8)
    deep = solid.scatter(*random.random((3, POINTS)), c=random.random(POINTS), s=8)

    def change(number):
        for each in (flat, deep):
            each.set_array(random.random(POINTS))

    assert check(figure, change) >= 4


@pytest.mark.parametrize(
    "change",
    [
        lambda axes, points: points.set_offsets(points.get_offsets() * 0.9),
        lambda axes, points: np.multiply(points.get_offsets(), 0.9, out=points.get_offsets()),
        lambda axes, points: axes.set_xlim(-1, 1.3),
        lambda axes, points: axes.set_position([0.2, 0.2, 0.7, 0.6]),
        lambda axes, points: points.set_sizes([30]),
        lambda axes, points: points.set_linewidths([3]),
        lambda axes, points: points.set_paths([Circle((0, 0), 0.3).get_path()]),
        lambda axes, points: points.set_clip_on(False),
        lambda axes, points: points.set_clip_box(axes.get_figure().bbox),
        lambda axes, points: points.set_joinstyle("round"),
        lambda axes, points: points.set_capstyle("round"),
        lambda axes, points: points.set_snap(True),
        lambda axes, points: points.set_antialiased(False),
        lambda axes, points: points.set_hatch("//"),
        lambda axes, points: points.set_linestyle(":"),
        lambda axes, points: points.set_zorder(0),
        lambda axes, points: points.set_visible(False),
        lambda axes, points: points.set_transform(axes.transAxes),
        lambda axes, points: points.set_urls(["a"]),
        lambda axes, points: axes.set_facecolor("0.5"),
        lambda axes, points: axes.get_figure().set_facecolor("y"),
        lambda axes, points: points.set_path_effects([patheffects.withStroke(linewidth=3)]),
        lambda axes, points: points.set_agg_filter(lambda image, dpi: (image * 0.5, 0, 0)),
        lambda axes, points: points.set_sketch_params(2),
        lambda axes, points: points.set_rasterized(True),
        lambda axes, points: points.set_cmap("gray"),
        lambda axes, points: points.set_norm(plt.Normalize(-1, 2)),
        lambda axes, points: points.remove(),
        lambda axes, points: axes.plot([-1, 1], [-1, 1], lw=5, zorder=0.5),
    ],
)
def test_what_else_changes_shows(change):
    axes, points = scattered()
    line = axes.plot([-1, 1], [1, -1], lw=5)[0]
    values = other_values(points)

    def in_the_middle(number):
        values(number)
        line.set_ydata([1, -1 + number / 10])
        if number == 4:
            change(axes, points)

    check(axes.figure, in_the_middle, 9)


def test_points_that_come_and_go_are_learnt_once(monkeypatch):
    axes, points = scattered()
    learnt = []
    learn = recolouring.Recolouring._learn
    monkeypatch.setattr(
        recolouring.Recolouring, "_learn", lambda *arguments: learnt.append(1) or learn(*arguments)
    )
    values = other_values(points)

    def blink(number):
        values(number)
        points.set_visible(number % 3 != 2)

    check(axes.figure, blink, 12)
    assert len(learnt) == 1


def test_points_below_and_above_others():
    axes, below = scattered(zorder=1)
    random = np.random.default_rng(2)
    above = axes.scatter(
        *random.normal(0, 0.6, (2, POINTS)), c=random.random(POINTS), s=50, alpha=0.5, zorder=3
    )
    line = axes.plot([-1, 1], [0, 0], lw=8, zorder=2)[0]

    def change(number):
        if number % 3:
            below.set_array(random.random(POINTS))
        if number % 2:
            above.set_array(random.random(POINTS))
        line.set_ydata([0, number / 10])

    assert check(axes.figure, change, 9) > 0


@pytest.mark.parametrize("transparent", [True, False])
def test_a_transparent_figure(transparent):
    axes, points = scattered()
    assert check(axes.figure, other_values(points), transparent=transparent) == (0 if transparent else 4)


def test_a_half_transparent_ground():
    axes, points = scattered()
    axes.patch.set_alpha(0.5)
    axes.figure.patch.set_alpha(0.5)
    assert check(axes.figure, other_values(points)) == 0


@pytest.mark.parametrize("seed", range(6))
def test_points_anywhere(seed):
    """Many shapes of any size at places that may lie on pixels' edges, with any colours."""
    random = np.random.default_rng(seed)
    axes = Figure(figsize=(3, 2), dpi=random.choice([50, 100, 137])).subplots()
    axes.set(xlim=(0, 64), ylim=(0, 64), aspect=random.choice(["auto", "equal"]))
    places = random.integers(0, 128, (2000, 2)) / random.choice([2, 4, 8])
    points = axes.scatter(
        *places.T,
        c=random.random(2000),
        s=random.choice([1, 4, 9, 25]),
        marker=str(random.choice(["o", "s", "^", "h", "D"])),
        linewidths=random.choice([0, 0.5, 1, 2]),
        alpha=random.choice([None, 0.5]),
    )
    check(axes.figure, other_values(points), 5)


def test_an_outline_that_agg_draws_in_another_way_elsewhere_is_left_to_agg():
    """The inner corners of a triangle 1.9 px wide: whether they meet is decided by rounding errors."""
    random = np.random.default_rng(89)
    axes = Figure(figsize=(3, 2), dpi=random.choice([50, 100, 137])).subplots()
    axes.set(xlim=(0, 64), ylim=(0, 64), aspect=random.choice(["auto", "equal"]))
    places = random.integers(0, 128, (2000, 2)) / random.choice([2, 4, 8])
    values = random.random(2000)
    points = axes.scatter(*places.T, c=values, s=1, marker="^", linewidths=1, alpha=0.5)
    change = other_values(points)
    points.set_array(np.zeros(2000))  # in one colour nobody sees it
    assert check(axes.figure, lambda number: number > 1 and change(number), 6) == 0


def test_much_that_overlaps_takes_no_more_memory_than_it_may(monkeypatch):
    monkeypatch.setattr(recolouring, "MAX_BYTES", 1000)
    axes, points = scattered()
    assert check(axes.figure, other_values(points)) == 0
