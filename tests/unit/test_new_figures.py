"""Figures that are made anew in each frame: what looks as before is used again, and shows what drawing all shows."""

from __future__ import annotations

import contextlib

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FuncFormatter, IndexLocator
from matplotlib.transforms import Affine2D

from framepipe.job.canvas import Canvas
from framepipe.scenes.incremental import Incremental
from framepipe.scenes.rasterize import rasterise
from tests.support.figures import FIGURES, changes
from tests.support.sizes import LONG

pytestmark = pytest.mark.no_cover  # to trace each line of what walks through figures doubles its time

#: Of the changes that each artist can see one in so many is tried.
EVERY = 2 if LONG else 96


def drawn(incremental, make):
    """The picture of a new figure, after it was compared with that of another one, drawn in full."""
    picture = incremental.rasterise(make(), Canvas(), None, "reuse")
    full = rasterise(make(), Canvas(), None)
    assert np.array_equal(picture.pixels, full.pixels)
    return picture


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.filterwarnings("ignore")
def test_each_figure_with_each_change_shows_as_in_full_drawing(name):
    incremental = Incremental()
    for which, artist in enumerate(FIGURES[name]()[1]):
        for change in range(which % EVERY, len(list(changes(artist))), EVERY):

            def make(which=which, change=change):
                figure, artists = FIGURES[name]()
                with contextlib.suppress(Exception):  # this artist takes it not
                    list(changes(artists[which]))[change][1]()
                return figure

            try:
                full = rasterise(make(), Canvas(), None).pixels
            except Exception:  # it cannot be drawn so, in full
                continue
            for _ in range(2):
                picture = incremental.rasterise(make(), Canvas(), None, "reuse")
                assert np.array_equal(picture.pixels, full), (which, change)


def plot(k=0, **settings):
    """A plot with labels, of which a curve and the title change."""
    figure = Figure((3, 2), dpi=60)
    axes = figure.add_subplot()
    axes.plot([0, 1, 2], [0, k, 1], label="one")
    axes.legend(loc="upper right")
    axes.set(**{"title": f"step {k}", "xlabel": "time", "ylim": (0, 9), **settings})
    return figure


def test_an_axis_that_looks_as_before_is_not_drawn():
    incremental = Incremental()
    for k in range(4):
        drawn(incremental, lambda k=k: plot(k))
    records = incremental._tapes._axis_records
    before = records.reused
    drawn(incremental, lambda: plot(5))
    assert records.reused == before + 2


def test_limits_labels_ticks_and_grids_that_change_are_drawn():
    incremental = Incremental()
    for settings in (
        {},
        {"ylim": (0, 5)},
        {"xlabel": "other"},
        {"xticks": [0, 2]},
        {"yscale": "symlog"},
        {"position": (0.3, 0.3, 0.5, 0.5)},
    ):
        for k in range(2):
            drawn(incremental, lambda k=k, settings=settings: plot(k, **settings))


def test_an_offset_moves_the_title_also_where_the_axis_is_not_drawn():
    def make(k=0):
        figure = Figure((3, 2), dpi=60)
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1e-9])
        axes.set_title(f"a title above the offset {k}", loc="left")
        return figure

    incremental = Incremental()
    for k in range(3):
        drawn(incremental, lambda k=k: make(k))


def test_a_formatter_of_the_user_is_asked_in_each_frame():
    incremental = Incremental()
    for k in range(3):

        def make(k=k):
            figure = plot(k)
            figure.axes[0].xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x + k:.0f}"))
            return figure

        drawn(incremental, make)


def test_texts_turned_scaled_and_in_formulas():
    incremental = Incremental()
    for k in range(4):

        def make(k=k):
            figure = plot(k)
            axes = figure.axes[0]
            for turn in (0, 30, 90, 200 + k):
                axes.text(
                    0.3 + k / 7, 1 + turn / 50, f"turned {turn}", rotation=turn, transform=axes.transData
                )
            axes.text(1, 5, rf"$\sqrt{{x_{k}}} \frac{{1}}{{2}}$", fontsize=8 + k, color="r", alpha=0.5)
            axes.text(1, 3, "two\nlines", multialignment="right", linespacing=1 + k / 10, antialiased=k != 2)
            axes.text(
                0.1, 2, "bold", weight="bold" if k % 2 else "normal", family=["serif", "sans-serif"][k % 2]
            )
            axes.annotate("in a box", (1, 1), (1.5, 4), arrowprops={}, bbox={"boxstyle": "round"})
            return figure

        drawn(incremental, make)
        with matplotlib.rc_context({"text.hinting": "none", "mathtext.fontset": "stix"}):
            drawn(incremental, make)


def test_a_script_that_draws_texts_in_its_own_way_has_its_way(monkeypatch):
    draw_text = RendererAgg.draw_text

    def moved(self, gc, x, y, *rest, **named):
        draw_text(self, gc, x + 7, y, *rest, **named)

    incremental = Incremental()
    before = drawn(incremental, plot).pixels
    monkeypatch.setattr(RendererAgg, "draw_text", moved)
    incremental = Incremental()
    for _ in range(3):
        assert not np.array_equal(drawn(incremental, plot).pixels, before)


def test_an_axes_that_is_cleared_in_each_frame():
    figure = Figure((3, 2), dpi=60)
    other = Figure((3, 2), dpi=60)
    incremental = Incremental(figure)
    for k in range(6):
        for each in (figure, other):
            axes = each.axes[0] if each.axes else each.add_subplot()
            axes.clear()
            axes.contourf(np.outer(np.arange(8), np.arange(8)) + k)
            axes.set_title(f"step {k}")
        picture = incremental.rasterise(figure, Canvas(), None, "reuse")
        assert np.array_equal(picture.pixels, rasterise(other, Canvas(), None).pixels)
    assert incremental._tapes._axis_records.reused


def test_an_axis_with_a_filter_is_no_other_one_without():
    def make(k=0):
        figure = plot(0)
        if k:
            figure.axes[0].xaxis.set_agg_filter(lambda image, dpi: (image * 0.5, 0, 0))
        return figure

    incremental = Incremental()
    for k in (0, 0, 1, 1, 0):
        drawn(incremental, lambda k=k: make(k))


def test_layouts_that_move_axes():
    def make(k=0):
        figure, axes = plt.subplots(1, 2, figsize=(4, 2), dpi=60, layout="constrained")
        for at, each in enumerate(axes):
            each.plot([0, 10**k])
            each.set(title=f"{at} {'long ' * k}", ylabel="y" * (1 + k))
        plt.close(figure)
        return figure

    incremental = Incremental()
    for k in (0, 1, 1, 2, 0):
        drawn(incremental, lambda k=k: make(k))


def test_transforms_of_the_user():
    incremental = Incremental()
    for k in range(3):

        def make(k=k):
            figure = plot(k)
            axes = figure.axes[0]
            axes.text(
                0.5,
                2,
                "turned",
                transform=Affine2D().rotate_deg(10 * k) + axes.transData,
                transform_rotates_text=True,
            )
            return figure

        drawn(incremental, make)


def test_words_of_ticks_that_are_equal_numbers():
    incremental = Incremental()
    for words in ([1, 2], [1.0, 2.0], [True, 2]):

        def make(words=words):
            figure = plot(xticks=[1, 2])
            figure.axes[0].xaxis.set_major_formatter(FixedFormatter(words))
            return figure

        for _ in range(2):
            drawn(incremental, make)


def test_formatter_that_is_a_method_of_a_dict_is_asked_what_the_dict_has():
    incremental, names = Incremental(), {}
    for k in range(4):

        def make():
            figure = plot(xticks=[0, 1])
            figure.axes[0].xaxis.set_major_formatter(FuncFormatter(names.get))
            return figure

        names[0.0] = f"zero {k // 2}"
        drawn(incremental, make)


def test_locator_that_looks_at_data_of_new_figures():
    incremental = Incremental()
    for k in range(4):

        def make(k=k):
            figure = plot(xlim=(0, 9))
            axes = figure.axes[0]
            axes.plot([0, 3 + 2 * (k // 2)], [0, 1])
            axes.set(xlim=(0, 9))
            axes.xaxis.set_major_locator(IndexLocator(2, 0))
            return figure

        drawn(incremental, make)


def test_axes_of_one_locator_of_which_another_decides_how_many_ticks_fit():
    incremental = Incremental()
    for k in (0, 1, 2, 3, 0, 1, 2, 3):

        def make(k=k):
            figure = Figure((4, 2), dpi=60)
            left, right = figure.subplots(1, 2, sharex=True)
            for axes in (left, right):
                axes.plot([0, 100], [0, 1])
            left.set_position((0.1, 0.1, 0.4 / (k + 1), 0.8))
            return figure

        drawn(incremental, make)
