"""Axes in 3-D whose camera turns: what mplot3d computes again and again is kept, and the pictures are the same."""

from __future__ import annotations

import contextlib
import threading

import numpy as np
import pytest
from matplotlib import patheffects
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator

from framepipe.job.canvas import Canvas
from framepipe.scenes.incremental import Incremental
from framepipe.scenes.rasterize import rasterise
from tests.support.figures import changes
from tests.support.sizes import LONG

pytestmark = pytest.mark.no_cover  # to trace each line of what walks through figures doubles its time

#: Labels stand elsewhere by their glyphs, which matplotlib draws one by one since 3.11.
HAS_GLYPHS = hasattr(RendererAgg, "_draw_text_glyphs_and_boxes")
#: Of the changes that each artist takes one in so many is tried.
EVERY = 1 if LONG else 24
_T = np.linspace(0, 1, 12)
#: Elevation, azimuth, roll: all quadrants, from below, and views along the axes.
VIEWS = [(25, 10, 0), (25, 15, 0), (25, 100, 0), (-30, 190, 20), (30, 280, 0), (0, 0, 0), (90, 0, 0)]


def plot(**keywords):
    """A small plot in 3-D."""
    figure = Figure((2.4, 1.8), dpi=50, **keywords)
    axes = figure.add_subplot(projection="3d")
    axes.plot(_T, _T**2, 1 - _T)
    axes.set(xlabel="x", ylabel="a long label", zlabel="z", title="t")
    axes.zaxis.label.set_path_effects([])  # a list of its own: else all artists have that of rcParams
    axes.xaxis.line.set_path_effects([])
    return figure, axes


class Twins:
    """Two figures that are the same: one is drawn from memory, the other in full."""

    def __init__(self, make):
        self.pair = (make(), make())
        self.incremental = Incremental(self.pair[0][0])

    def each(self, change):
        """Do the same to both axes."""
        for _, axes in self.pair:
            change(axes)

    def draw(self, *view):
        """Turn both to a view, draw them, and compare the pictures."""
        for _, axes in self.pair:
            axes.view_init(*view)
        picture = self.incremental.rasterise(self.pair[0][0], Canvas(), None, "reuse")
        assert np.array_equal(picture.pixels, rasterise(self.pair[1][0], Canvas()).pixels)
        return picture

    def turn(self, count=4):
        """Turn both a little, again and again."""
        for k in range(count):
            self.draw(25, 30 + k)

    @property
    def reused(self):
        """How often ticks, and texts and lines that stood elsewhere, were used again."""
        tapes = self.incremental._tapes
        return tapes._solid.reused, tapes._stencils.reused


def surface(axes):
    x = np.meshgrid(_T, _T)
    axes.plot_surface(*x, x[0] * x[1], cmap="viridis")
    axes.plot_trisurf(_T, _T**2, np.sin(9 * _T))


def wireframe(axes):
    x = np.meshgrid(_T, _T)
    axes.plot_wireframe(*x, x[0] * x[1], linestyle="--")
    axes.contour(*x, x[0] * x[1])
    axes.quiver(*[_T[:4]] * 3, 0.1, 0.2, 0.3)


def points(axes):
    axes.scatter(_T, _T, _T**2, c=_T, s=40 * _T)
    axes.scatter(_T, 1 - _T, _T**2, edgecolor="face", alpha=0.5, depthshade=False)
    axes.scatter([0.5], [0.5], [0.5], color="r", marker="^")
    axes.bar3d([0.1, 0.5], [0.2, 0.3], 0, 0.2, 0.2, [0.4, 0.8], color=["r", "g"])
    axes.text(0.5, 0.5, 0.5, "word", zdir="x")


def logarithmic(axes):
    with contextlib.suppress(ValueError, NotImplementedError):  # before matplotlib 3.11
        axes.set_xscale("log")
        axes.set_xlim(0.1, 30)
        axes.set_zscale("symlog")


def hidden(axes):
    axes.set_xticklabels([])
    axes.zaxis.set_tick_params(labelcolor=(1, 0, 0), labelrotation=30, labelsize=6)
    axes.yaxis.get_major_ticks()[1].set_visible(False)
    axes.zaxis.label.set_visible(False)


def on_both_sides(axes):
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_ticks_position("both")
        axis.set_label_position("both")


def upside_down(axes):
    axes.set(xlim=(1, -1), zlim=(2, 0), box_aspect=(1, 2, 1), proj_type="ortho")
    axes.grid(False)
    axes.invert_yaxis()


def minor(axes):
    axes.xaxis.set_minor_locator(MultipleLocator(0.07))
    axes.tick_params(axis="x", which="minor", labelsize=4)
    axes.set_zlim(1e6, 1e6 + 1)  # with an offset
    axes.zaxis.set_pane_color((0.5, 0.5, 1, 0.5))


def of_the_user(axes):
    seen = []

    def label(value, place):
        seen.append(value)
        return f"{value:.1f} {len(seen)}"

    axes.xaxis.set_major_formatter(FuncFormatter(label))
    axes.yaxis.set_major_formatter("{x:.3f}")
    axes.set_zticks([0, 0.5, 1], ["none", "$\\frac{1}{2}$", "two\nlines"])


def without_axes(axes):
    axes.set_axis_off()


def words_with_more(axes):
    axes.zaxis.label.set_path_effects([patheffects.withStroke(linewidth=3, foreground="y")])
    axes.yaxis.label.set_bbox({"facecolor": "y"})
    axes.yaxis.line.set(linestyle="--", gapcolor="r")
    axes.xaxis.line.set(marker="o", color="g")


DRESSES = [surface, wireframe, points, logarithmic, hidden, on_both_sides, upside_down, minor, of_the_user]
DRESSES += [without_axes, words_with_more]
LAID_OUT = [
    (dress, layout) for dress in DRESSES[2:6:3] + DRESSES * LONG for layout in ("constrained", "tight")
]


@pytest.mark.parametrize(("dress", "layout"), [(dress, None) for dress in DRESSES] + LAID_OUT)
@pytest.mark.filterwarnings("ignore")
def test_each_kind_of_plot_is_the_same_from_each_side(dress, layout):
    def make():
        figure, axes = plot(layout=layout)
        dress(axes)
        return figure, axes

    twins = Twins(make)
    for view in VIEWS:
        twins.draw(*view)


def test_ticks_labels_and_lines_of_a_turning_axis_are_used_again():
    twins = Twins(plot)
    twins.turn(3)
    before = twins.reused
    twins.draw(25, 50)
    ticks, artists = (now - then for now, then in zip(twins.reused, before))
    assert ticks >= 6  # for the grid and the axis, three times
    assert artists > (20 if HAS_GLYPHS else 5)


@pytest.mark.parametrize(
    "change",
    [
        lambda axes: axes.set_xlim(0, 3),
        lambda axes: axes.set_zlim(-1, 0.5),
        lambda axes: axes.set_yticks([0.2, 0.9]),
        lambda axes: axes.tick_params(labelsize=5, color="r", width=3, pad=9),
        lambda axes: axes.zaxis.get_major_ticks()[1].label1.set_text("mine"),
        lambda axes: axes.zaxis.get_major_ticks()[1].label1.get_fontproperties().set_size(4),
        lambda axes: axes.zaxis.get_major_ticks()[1].label1.set_color([1, 0, 0]),
        lambda axes: axes.zaxis.get_major_ticks()[1].tick1line.set_color("r"),
        lambda axes: axes.zaxis.get_major_ticks()[1].tick1line.set_drawstyle("steps"),
        lambda axes: axes.zaxis.label.get_path_effects().append(patheffects.withStroke(linewidth=4)),
        lambda axes: axes.xaxis.line.get_path_effects().append(patheffects.SimpleLineShadow()),
        lambda axes: axes.yaxis.major.formatter.set_powerlimits((0, 0)),
        lambda axes: axes.yaxis.major.locator.set_params(nbins=3),
        lambda axes: axes.figure.set_size_inches(2, 2),
        lambda axes: axes.set_position([0, 0, 0.5, 1]),
        lambda axes: axes.set_title("other"),
        lambda axes: axes.clear(),
    ],
)
def test_what_changes_while_the_camera_turns_is_seen(change):
    twins = Twins(plot)
    twins.turn()
    twins.each(change)
    twins.turn()


def parts_of(axes):
    tick = axes.zaxis.get_major_ticks()[1]
    return [axes.zaxis, tick, tick.label1, tick.tick1line, axes.xaxis.label, axes.yaxis.line, axes]


@pytest.mark.parametrize("which", range(7))
@pytest.mark.filterwarnings("ignore")
def test_each_setter_of_the_parts_of_a_turning_axis_shows_as_in_full_drawing(which):
    count = len(list(changes(parts_of(plot()[1])[which])))
    twins = Twins(plot)
    twins.turn(3)
    for change in range(which, count, EVERY):
        for _, axes in twins.pair:
            with contextlib.suppress(Exception):  # this artist takes it not
                list(changes(parts_of(axes)[which]))[change][1]()
        try:
            rasterise(twins.pair[1][0], Canvas())
        except Exception:  # it cannot be drawn so, in full
            twins = Twins(plot)
            continue
        twins.turn(3)


def test_a_colour_that_is_changed_in_place_is_seen():
    twins, colours = Twins(plot), iter(([1.0, 0.0, 0.0], [1.0, 0.0, 0.0]))
    kept = []

    def colour(axes):
        kept.append(next(colours))
        axes.zaxis.label.set_color(kept[-1])

    twins.each(colour)
    twins.turn()
    for each in kept:
        each[:] = [0.0, 0.0, 1.0]
    twins.turn(2)


def test_another_thread_asks_matplotlib_itself_meanwhile():
    (figure, axes), (_, other) = plot(), plot()
    expected = other.get_tightbbox().bounds
    seen = []

    class Asking(MultipleLocator):
        """Lets another thread measure another figure, in the middle of a frame."""

        def __call__(self):
            thread = threading.Thread(target=lambda: seen.append(other.get_tightbbox().bounds))
            thread.start()
            thread.join(60)
            return super().__call__()

    incremental = Incremental(figure)
    for k in range(4):
        axes.view_init(25, k)
        incremental.rasterise(figure, Canvas(), None, "reuse")
        axes.xaxis.set_major_locator(Asking(0.5))
    assert seen
    assert set(seen) == {expected}
    known = {id(each.axis) for each in incremental._tapes._solid._ticks.values()}
    assert known == {id(axes.yaxis), id(axes.zaxis)}


def test_what_is_kept_is_bounded():
    twins = Twins(plot)
    twins.turn(6)
    tapes = twins.incremental._tapes
    assert 0 < tapes._solid.size_bytes < 200_000
    assert 0 < tapes._stencils.size_bytes < 400_000
    twins.each(lambda axes: axes.figure.set_size_inches(2, 2))
    twins.draw(25, 0)
    assert tapes._solid.reused
