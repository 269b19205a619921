"""What is recorded of a figure, when it is used, and when it is given up."""

from __future__ import annotations

import functools
import locale
import threading

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path
from matplotlib.projections.polar import PolarAxes
from matplotlib.text import OffsetFrom
from matplotlib.ticker import FixedLocator, FuncFormatter, IndexLocator, ScalarFormatter
from matplotlib.transforms import Affine2D, IdentityTransform, TransformWrapper
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredDirectionArrows

from framepipe.job.canvas import Canvas
from framepipe.scenes import axis_records, texts
from framepipe.scenes import tapes as taping
from framepipe.scenes.incremental import Incremental
from framepipe.scenes.rasterize import rasterise


def drawn(figure, incremental, redraw="auto", **savefig):
    """The picture, after it was compared with that of full drawing."""
    picture = incremental.rasterise(figure, Canvas(), None, redraw, **savefig)
    assert np.array_equal(picture.pixels, rasterise(figure, Canvas(), None, **savefig).pixels)
    return picture


@pytest.fixture
def plot():
    figure = Figure((2, 1.5), dpi=50)
    axes = figure.add_subplot()
    (line,) = axes.plot([0, 1, 2], [0, 1, 0])
    axes.set(title="title", ylim=(0, 2))
    return figure, axes, line, Incremental(figure)


def tapes(incremental):
    return incremental._tapes


def test_only_what_has_changed_is_drawn(plot):
    figure, _, line, incremental = plot
    for _ in range(2):
        drawn(figure, incremental)
    for k in range(2):
        line.set_ydata([0, k / 2, 1])
        drawn(figure, incremental)
        assert tapes(incremental).drawn == 1
    for _ in range(2):
        drawn(figure, incremental)
    assert tapes(incremental).drawn == 0


def test_array_with_the_same_values_is_no_change(plot):
    figure, _, line, incremental = plot
    drawn(figure, incremental)
    line.set_ydata(np.array([0, 1, 0]))
    line.set_ydata(np.array([0.0, 1.0, 0.0]))
    drawn(figure, incremental)
    line.set_ydata(np.array([0.0, 1.0, 0.0]))
    drawn(figure, incremental)
    assert tapes(incremental).drawn == 0


def test_frames_say_whether_they_were_compared(plot):
    figure, _, _, incremental = plot
    said = [
        drawn(figure, incremental, redraw).redraw for redraw in ("auto", "auto", "auto", "compare", "full")
    ]
    assert said == ["reused", "same", "reused", "same", "full"]  # of the first one, sizes of texts


def test_another_dpi_or_another_style_begins_anew(plot):
    figure, _, _, incremental = plot
    drawn(figure, incremental)
    drawn(figure, incremental)
    for change in ({"dpi": 70}, {"facecolor": "y"}, {"transparent": True}):
        assert np.array_equal(
            incremental.rasterise(figure, Canvas(), None, "compare", **change).pixels,
            rasterise(figure, Canvas(), None, **change).pixels,
        )
    with plt.rc_context({"path.simplify": False, "text.hinting": "none"}):
        drawn(figure, incremental)
        assert tapes(incremental).replayed == 0


@pytest.mark.parametrize("size", [(9.2, 5), (4.6, 3), (3.33, 2.77)])
def test_sizes_that_are_no_whole_pixels_are_rounded_alike(size):
    figure = Figure(size, dpi=50)
    figure.add_subplot().plot([0, 1])
    incremental = Incremental(figure)
    for _ in range(3):
        drawn(figure, incremental)


def test_tight_box_and_padding_are_kept(plot):
    figure, axes, _, incremental = plot
    for title in ("one", "two", "a long title that goes over the edge of the figure"):
        axes.set_title(title)
        for _ in range(2):
            drawn(figure, incremental, bbox_inches="tight", pad_inches=0.2)


def test_what_is_taken_away_and_put_back_is_drawn(plot):
    figure, axes, line, incremental = plot
    for _ in range(2):
        drawn(figure, incremental)
    line.remove()
    drawn(figure, incremental)
    axes.add_line(line)
    drawn(figure, incremental)
    axes.plot([2, 0], zorder=0)
    for _ in range(4):
        drawn(figure, incremental)


def test_transform_that_is_changed_in_place(plot):
    figure, axes, line, incremental = plot
    turned, moved = Affine2D(), Affine2D()
    line.set_transform(turned + axes.transData)
    axes.title.set_transform(axes.transAxes + moved)
    for _ in range(5):
        drawn(figure, incremental)
        drawn(figure, incremental)
        turned.rotate_deg(5)
        moved.translate(1, -2)


def test_limits_and_place_that_are_changed(plot):
    figure, axes, _, incremental = plot
    for k in range(4):
        drawn(figure, incremental)
        axes.set_xlim(0, 3 + k // 2)
        drawn(figure, incremental)
        axes.set_position((0.2, 0.2, 0.5, 0.5 + k / 20))


def test_axes_that_are_cleared_and_plotted_anew(plot):
    figure, axes, _, incremental = plot
    for k in range(6):
        axes.clear()
        axes.contourf(np.outer(np.arange(4), np.arange(4)) * (k + 1))
        axes.set_title(f"{k // 2}")
        drawn(figure, incremental)


def test_what_changes_each_time_is_not_taped_again_and_again(plot, monkeypatch):
    figure, _, line, incremental = plot
    made = []
    watch = taping.Watch
    monkeypatch.setattr(taping, "Watch", lambda roots: made.append(roots) or watch(roots))
    for k in range(40):
        line.set_ydata([0, k, 1])
        incremental.rasterise(figure, Canvas(), None, "auto")
        made[:] = [roots for roots in made if roots[0] is line]
    assert 3 <= len(made) < 15


def test_tapes_have_a_limit(plot, monkeypatch):
    figure, _, _, incremental = plot
    for module in (taping, axis_records, texts):
        monkeypatch.setattr(module, "_MAX_BYTES", 50_000)
    for _ in range(3):
        drawn(figure, incremental)
    assert 0 < tapes(incremental).size_bytes <= 150_000
    assert tapes(incremental).drawn > 1


class Shy(Line2D):
    """A user's class that draws as matplotlib does."""

    colour = "r"

    def get_color(self):
        return Shy.colour


class Counting(Line2D):
    """A user's class that draws itself, and counts."""

    calls = 0

    def draw(self, renderer):
        Counting.calls += 1
        super().draw(renderer)


def test_artists_of_a_users_class_are_drawn_anew(plot):
    figure, axes, _, incremental = plot
    axes.add_line(Shy([0, 2], [1, 1]))
    for colour in "rrgb":
        Shy.colour = colour
        drawn(figure, incremental)
        assert tapes(incremental).drawn


def test_figure_with_an_artist_that_draws_itself_is_drawn_in_full(plot):
    figure, axes, _, incremental = plot
    axes.add_line(Counting([0, 2], [1, 1]))
    Counting.calls = 0
    for _ in range(3):
        assert incremental.rasterise(figure, Canvas(), None, "compare").redraw == "full"
    assert Counting.calls == 3


def test_ticks_that_a_users_function_words_are_drawn_anew(plot):
    figure, axes, _, incremental = plot
    factor = [1]
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * factor[0]:g}"))
    for k in range(4):
        factor[0] = k + 1
        drawn(figure, incremental)


def test_figure_that_calls_others_while_it_is_drawn_is_drawn_in_full():
    figure = plt.figure(figsize=(2, 1), dpi=50)
    calls = []
    figure.canvas.mpl_connect("draw_event", calls.append)
    incremental = Incremental(figure)
    for _ in range(3):
        assert incremental.rasterise(figure, Canvas(), None, "compare").redraw == "full"
    assert len(calls) == 3
    plt.close(figure)


def test_failure_of_the_figure_is_its_own(plot):
    figure, axes, _, incremental = plot
    drawn(figure, incremental)
    axes.set_title(r"$\nosuchcommand$")
    with pytest.raises(ValueError, match="nosuchcommand"):
        incremental.rasterise(figure, Canvas(), None, "auto")
    assert figure.canvas is not incremental._canvas


def test_difference_ends_it_and_the_full_picture_is_given(plot):
    figure, _, _, incremental = plot
    drawn(figure, incremental)
    drawn(figure, incremental)
    for tape in tapes(incremental)._known.values():
        tape.primitives.clear()
    full = rasterise(figure, Canvas(), None).pixels
    picture = incremental.rasterise(figure, Canvas(), None, "compare")
    assert picture.redraw == "differs"
    assert np.array_equal(picture.pixels, full)
    assert incremental.rasterise(figure, Canvas(), None, "compare").redraw == "full"


def test_another_figure_each_time_is_drawn_in_full():
    incremental = Incremental()
    for _ in range(3):
        figure = Figure((1, 1), dpi=20)
        assert incremental.rasterise(figure, Canvas(), None, "auto").redraw == "full"
    assert [drawn(figure, incremental).redraw for _ in range(3)] == ["full", "same", "reused"]


def test_layout_comes_as_far_as_without_comparing():
    def frames(redraw):
        figure = Figure((2, 1.5), dpi=50, layout="constrained")
        axes = figure.add_subplot()
        incremental, pictures = Incremental(figure), []
        for k in range(5):
            axes.set_ylabel("wide\n" * k)
            pictures.append(incremental.rasterise(figure, Canvas(), None, redraw).pixels)
        return pictures

    for full, compared in zip(frames("full"), frames("compare")):
        assert np.array_equal(full, compared)


def test_other_threads_draw_as_usual(plot):
    figure, _, _, incremental = plot
    other = Figure((2, 1.5), dpi=50)
    other.add_subplot().plot([1, 2])
    full, seen = rasterise(other, Canvas(), None).pixels, []

    def draw():
        for _ in range(20):
            seen.append(np.array_equal(rasterise(other, Canvas(), None).pixels, full))

    thread = threading.Thread(target=draw)
    thread.start()
    while thread.is_alive():
        incremental.rasterise(figure, Canvas(), None, "auto")
    thread.join()
    assert all(seen)


def shows_the_same(scene):
    """Draw two runs of a scene, one of them in full; a scene is a generator that gives its figure again and again."""
    incremental, before, changes, replayed = Incremental(), None, 0, 0
    for figure, other in zip(scene(), scene()):
        picture, full = (
            incremental.rasterise(figure, Canvas(), None, "reuse"),
            rasterise(other, Canvas(), None),
        )
        assert np.array_equal(picture.pixels, full.pixels)
        changes += before is not None and not np.array_equal(before, full.pixels)
        replayed += incremental._tapes.replayed
        before = full.pixels
    assert changes
    return replayed


def small():
    figure = Figure((2, 1.5), dpi=50)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1])
    return figure, axes


@pytest.mark.parametrize("kind", ["artist", "offset", "arrow"])
def test_what_is_placed_by_what_is_drawn_after_it(kind):
    def scene():
        figure, axes = small()
        label, note = axes.set_ylabel("y"), axes.text(0.5, 0.5, "note", bbox={})
        if kind == "artist":
            axes.annotate("at", (0, 0.5), (20, 0), xycoords=label, textcoords="offset points", zorder=0.1)
        elif kind == "offset":
            axes.annotate("at", (0.5, 0.5), (9, 9), textcoords=OffsetFrom(label, (1, 1)), zorder=0.1)
        else:
            patch = note.get_bbox_patch()
            axes.add_patch(FancyArrowPatch((0, 0), (0.5, 0.5), patchB=patch, zorder=0.1, mutation_scale=9))
        for k in range(6):
            yield figure
            if k == 3:
                axes.set_ylim(0, 1e5)
                note.set_text("a longer note")

    assert shows_the_same(scene)


def test_label_at_the_centre_of_a_bar_moves_with_the_bar():
    def scene():
        figure, axes = small()
        bars = axes.bar([1, 2], [1, 2])
        axes.bar_label(bars, label_type="center")
        for k in range(4):
            yield figure
            bars[0].set_height(1 + k / 4)

    assert shows_the_same(scene)


def test_axis_whose_ticks_another_one_of_the_same_locator_decides():
    def scene():
        figure = Figure((3, 1.5), dpi=50)
        left, right = figure.subplots(1, 2, sharex=True)
        right.plot([0, 100], [0, 1])
        for k in range(4):
            yield figure
            left.tick_params(labelsize=5 + 8 * k)
            left.set_position((0.1, 0.2, 0.3 / (k + 1), 0.6))

    assert shows_the_same(scene)


def test_locator_that_looks_at_the_data():
    def scene():
        figure, axes = small()
        axes.xaxis.set_major_locator(IndexLocator(2, 0))
        axes.set_xlim(0, 10)
        for k in range(4):
            yield figure
            axes.update_datalim([(3 + 2 * k, 0)])

    assert shows_the_same(scene)


def test_formatter_that_is_a_method_of_a_dict():
    def scene():
        figure, axes = small()
        names = {0.0: "zero", 1.0: "one"}
        axes.xaxis.set_major_locator(FixedLocator([0, 1]))
        axes.xaxis.set_major_formatter(FuncFormatter(names.get))
        for k in range(4):
            yield figure
            names[0.0] = f"zero {k}"

    assert shows_the_same(scene)


def test_scale_of_a_users_function_that_numpy_wraps():
    def scene():
        figure, axes = small()
        power = [2.0]
        functions = [
            np.frompyfunc(lambda y, sign=sign: abs(float(y)) ** power[0] ** sign, 1, 1) for sign in (-1, 1)
        ]
        axes.set_yscale("function", functions=functions)
        for _ in range(4):
            yield figure
            power[0] += 1

    shows_the_same(scene)


def test_marker_of_the_user_that_is_changed_in_place():
    def scene():
        figure, axes = small()
        marker = Path([[0, 0], [1, 0], [1, 1], [0, 0]])
        axes.plot([0.5], [0.5], marker=marker, markersize=20)
        for _ in range(6):
            yield figure
            marker.vertices[1] *= 0.7

    assert shows_the_same(scene)


def test_transform_that_is_straight_no_more():
    def scene():
        figure, axes = small()
        wrapper = TransformWrapper(IdentityTransform())
        axes.plot([0.1, 1], [0.1, 1], transform=wrapper + axes.transData)
        for k in range(4):
            yield figure
            wrapper.set(PolarAxes.PolarTransform() if k % 2 else IdentityTransform())

    assert shows_the_same(scene)


def test_lists_in_rcparams_that_are_changed_in_place():
    def scene():
        figure, axes = small()
        axes.set_title("title")
        for name in ("DejaVu Serif", "DejaVu Sans Mono", "STIXGeneral"):
            yield figure
            matplotlib.rcParams["font.sans-serif"].insert(0, name)

    with matplotlib.rc_context({"font.sans-serif": ["DejaVu Sans"]}):
        shows_the_same(scene)


def test_colour_that_gets_another_value_under_its_name():
    colours = matplotlib.colors.get_named_colors_mapping()

    def scene():
        for value in ("#ff0000", "#ff0000", "#00ff00", "#0000ff"):
            colours["framepipe:test"] = value
            if value == "#ff0000":
                figure, axes = small()
                axes.tick_params(color="framepipe:test")
                axes.lines[0].set_color("framepipe:test")
            yield figure

    try:
        shows_the_same(scene)
    finally:
        del colours["framepipe:test"]


def test_numbers_in_the_way_of_another_country(monkeypatch):
    def scene():
        figure, axes = small()
        axes.yaxis.set_major_formatter(ScalarFormatter(useLocale=True))
        for point in ".,.":
            monkeypatch.setattr(locale, "_override_localeconv", {"decimal_point": point})
            yield figure

    shows_the_same(scene)


def test_drawing_of_the_user_under_the_name_of_matplotlibs(monkeypatch):
    original, width = Line2D.draw, [1]

    @functools.wraps(original)
    def draw(line, renderer):
        line._linewidth = width[0]
        original(line, renderer)

    def scene():
        figure, _ = small()
        for k in range(4):
            width[0] = 1 + 2 * k
            yield figure

    monkeypatch.setattr(Line2D, "draw", draw)
    shows_the_same(scene)


def test_arrows_that_measure_themselves_as_they_were_drawn_last():
    def scene():
        figure, axes = small()
        figure.set_dpi(90)
        axes.add_artist(AnchoredDirectionArrows(axes.transAxes, "x", "y", color="k"))
        for _ in range(4):
            yield figure

    assert shows_the_same(scene)


def slow(incremental, artist):
    """Let it have taken nearly all of a frame that takes long to draw this artist."""
    took = tapes(incremental)._took
    for key, (_, by_tape) in took.items():
        took[key] = (9.0 if key[0] == id(artist) else 0.01), by_tape


@pytest.fixture
def points(monkeypatch):
    """Points with colours, which set themselves when they are drawn first, and take long."""
    monkeypatch.setattr(taping, "_SLOW_S", 0.0)
    figure = Figure((2, 1.5), dpi=50)
    return figure, figure.add_subplot().scatter([0, 1, 2], [0, 1, 0], c=[0.0, 0.5, 1.0])


def test_a_slow_frame_of_which_nearly_all_has_changed_is_drawn_in_full_and_that_once_for_all(points):
    figure, scatter = points
    incremental = Incremental(figure)
    drawn(figure, incremental)
    slow(incremental, scatter)
    scatter.set_array([1.0, 0.5, 0.0])
    assert drawn(figure, incremental, "compare").redraw == "useless"
    assert incremental.size_bytes == 0
    assert drawn(figure, incremental, "compare").redraw == "full"


def test_a_slow_frame_of_which_little_has_changed_is_drawn_from_memory(points):
    figure, scatter = points
    incremental = Incremental(figure)
    drawn(figure, incremental)
    for k in range(3):
        slow(incremental, scatter)
        figure.axes[0].set_title(str(k))
        assert drawn(figure, incremental).redraw in ("same", "reused")


def test_figures_that_are_made_anew_and_are_mostly_points_are_drawn_in_full():
    def make():
        figure = Figure((2, 1.5), dpi=50)
        return figure, figure.add_subplot().scatter([0, 1, 2], [0, 1, 0])

    (figure, scatter), incremental = make(), Incremental()
    drawn(figure, incremental)
    slow(incremental, figure.axes[0].xaxis)
    assert drawn(make()[0], incremental).redraw != "useless"
    (figure, scatter), incremental = make(), Incremental()
    drawn(figure, incremental)
    slow(incremental, scatter)
    assert drawn(make()[0], incremental).redraw == "useless"


def test_a_picture_stays_when_the_next_one_is_drawn():
    figure = Figure((2, 1.5), dpi=50)
    (line,) = figure.add_subplot().plot([0, 1])
    incremental, canvas = Incremental(figure), Canvas(transparent=True)
    pictures = []
    for k in range(4):
        line.set_ydata([k, 1])
        picture = incremental.rasterise(figure, canvas, None, "reuse")
        pictures.append((picture.pixels, picture.pixels.copy()))
    assert pictures[0][0].shape[2] == 4
    assert all(np.array_equal(one, other) for one, other in pictures)
    assert not np.array_equal(pictures[0][0], pictures[3][0])
