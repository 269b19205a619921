"""Changes that matplotlib heeds later than they are made, and what drawing leaves behind: as drawn in full."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch
from matplotlib.path import Path
from matplotlib.ticker import LogitLocator

from framepipe.job.canvas import Canvas
from framepipe.scenes import recolouring
from framepipe.scenes.incremental import Incremental
from framepipe.scenes.rasterize import rasterise


def check(build, change, frames=9):
    """Compare frames from memory with those of a twin, built and changed by the same calls, drawn in full."""
    (one, *its), (twin, *twins) = build(), build()
    incremental, canvas = Incremental(one), Canvas()
    for number in range(frames):
        change(number, *its)
        change(number, *twins)
        shown, due = incremental.rasterise(one, canvas, None, "reuse"), rasterise(twin, canvas)
        assert np.array_equal(shown.pixels, due.pixels), f"frame {number}"
    return incremental


def test_limits_that_another_axes_finds_later():
    def build():
        figure = Figure((4, 2), dpi=50)
        left, right = figure.subplots(1, 2)
        (line,) = right.plot([0, 1], [0, 1])
        left.add_artist(ConnectionPatch((0.5, 0.5), (0.5, 0.5), "data", "data", axesA=left, axesB=right))
        return figure, line, right

    def change(number, line, right):
        if number > 2:
            line.set_data([0, 1], [0, number])
            right.relim()
            right.autoscale()

    check(build, change)


@pytest.mark.parametrize("draw", ["plot", "step"])
def test_data_of_a_line_that_are_changed_in_place_and_set_later(draw):
    def build():
        figure = Figure((2, 2), dpi=50)
        axes = figure.subplots()
        axes.set(ylim=(0, 5))
        return figure, getattr(axes, draw)([0, 1, 2], [0.0, 1, 2])[0]

    def change(number, line):
        if number == 4:
            line.get_ydata()[1] = 4
        if number == 6:
            line.set_ydata(line.get_ydata())

    check(build, change)


def test_axes_in_axes_in_axes_that_are_moved():
    def build():
        figure = Figure((4, 3), dpi=50)
        outer = figure.add_axes([0.1, 0.1, 0.6, 0.6])
        outer.plot([0, 1], [0, 1])
        inner = outer.inset_axes([0.4, 0.1, 0.55, 0.8])
        inner.plot([0, 1], [1, 0])
        innermost = inner.inset_axes([0.5, 0.1, 0.4, 0.4])
        innermost.set(xlim=(0.2, 0.4), ylim=(0.2, 0.4))
        innermost.annotate("N", (0.3, 0.3), xycoords="axes fraction")
        inner.indicate_inset_zoom(innermost)
        return figure, outer

    def change(number, outer):
        if number >= 4:
            outer.set_position([0.1 + 0.03 * number, 0.1, 0.6, 0.6])

    check(build, change)


def test_codes_of_a_marker_that_are_changed_in_place():
    def build():
        figure = Figure((2, 2), dpi=50)
        marker = Path([[-1, -1], [1, -1], [1, 1], [-1, 1]], [1, 2, 2, 2])
        figure.subplots().plot([0, 1, 2], [0, 1, 2], marker=marker, ms=20, mfc="none", ls="none")
        return figure, marker

    def change(number, marker):
        if number == 4:
            marker.codes[2] = 1

    check(build, change)


def test_a_locator_that_looks_at_the_data_though_its_scale_does_not():
    def build():
        figure = Figure((3, 2), dpi=50)
        axes = figure.subplots()
        axes.plot([0.1, 0.5], [0.1, 0.5])
        axes.set_xlim(-1, 0.9)
        axes.xaxis.set_major_locator(LogitLocator())
        return figure, axes

    def change(number, axes):
        if number == 4:
            axes.update_datalim([[1e-4, 0.5]])

    check(build, change)


def cleared():
    figure = Figure((3, 2), dpi=50)
    return figure, figure.subplots()


def test_an_offset_that_a_script_asks_for():
    def change(number, axes):
        if number < 4:
            axes.clear()
            axes.plot([0, 1], [1e6 + 1, 1e6 + 2])
            axes.set_ylim(1e6, 1e6 + 3)
        else:
            axes.set_title("offset " + axes.yaxis.get_major_formatter().get_offset())

    check(cleared, change)


def test_labels_of_ticks_that_are_coloured_when_there_are_fewer():
    def change(number, axes):
        if number < 4:
            axes.clear()
            axes.set_xlim(0, 8)
        if number == 4:
            axes.set_xlim(0, 3)
        if number == 5:
            plt.setp(axes.get_xticklabels(), color="r")
        if number == 6:
            axes.set_xlim(0, 8)

    check(cleared, change)


def few_shapes(seed, count, **how):
    def build():
        random = np.random.default_rng(seed)
        figure = Figure((1, 0.7), dpi=137)
        axes = figure.add_axes([0, 0, 1, 1])
        axes.axis("off")
        axes.set(xlim=(0, 64), ylim=(0, 64))
        places = random.integers(0, 128, (2, count)) / 8
        return figure, axes.scatter(*places, c=random.random((count, 3)), **how)

    return build


@pytest.mark.parametrize(
    ("seed", "count", "how"),
    [
        (13, 30, {"s": 2, "marker": "*", "linewidths": 0.5}),
        (601, 3, {"s": 2, "marker": "^", "linewidths": 1.5}),
    ],
)
def test_few_shapes_of_which_one_is_drawn_in_another_way_elsewhere(monkeypatch, seed, count, how):
    monkeypatch.setattr(recolouring, "_SLOW_S", 0.0)

    def change(number, points):
        random = np.random.default_rng(number)
        points.set_facecolor(random.integers(0, 2, (count, 3)).astype(float))
        points.set_edgecolor(random.integers(0, 2, (count, 3)).astype(float))

    check(few_shapes(seed, count, **how), change, 5)


def test_shapes_that_are_all_but_invisible_at_first(monkeypatch):
    monkeypatch.setattr(recolouring, "_SLOW_S", 0.0)

    def build():
        axes = Figure(figsize=(3, 2), dpi=137).subplots()
        axes.set(xlim=(0, 64), ylim=(0, 64), aspect="equal")
        random = np.random.default_rng(89)
        places = random.integers(0, 128, (2000, 2)) / 4
        values = random.random(2000)
        return axes.figure, axes.scatter(*places.T, c=values, s=1, marker="^", linewidths=1, alpha=0.5)

    def change(number, points):
        points.set_array(np.random.default_rng(number).random(2000))
        points.set_alpha(0.001 if number < 3 else 1.0 if number % 2 else 0.6)

    check(build, change, 6)
