"""matplotlib's private names that framepipe needs: a release that renames one fails here, by its name."""

from __future__ import annotations

import itertools
import operator
import re
import sys
from pathlib import Path

import matplotlib.animation
import matplotlib.image
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.animation import ArtistAnimation, FuncAnimation
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

import framepipe
from framepipe.scenes import matplotlib_private, mplot3d_private
from framepipe.scenes.in_3d import InThreeD
from framepipe.scenes.stencils import Stencils
from framepipe.scenes.texts import Texts


@pytest.fixture
def animation():
    figure, axes = plt.subplots()
    (line,) = axes.plot([0, 1])

    def update(k, factor):
        line.set_ydata([0, k * factor])

    made = FuncAnimation(figure, update, frames=7, fargs=(3,), init_func=lambda: None, interval=40)
    matplotlib_private.mark_as_drawn(made)
    yield made
    plt.close(figure)


def test_what_an_animation_was_made_of(animation):
    assert matplotlib_private.figure_of(animation) is plt.gcf()
    assert (
        matplotlib_private.update_of(animation).__name__ == "update"
        or matplotlib_private.update_of(animation).func is not None
    )
    assert len(matplotlib_private.functions_of(animation)) == 2
    assert matplotlib_private.init_of(animation)() is None
    assert matplotlib_private.interval_ms_of(animation) == 40
    assert matplotlib_private.count_of(animation) == 7
    assert list(matplotlib_private.maker_of(animation)()) == list(range(7))
    assert not matplotlib_private.has_usual_init(animation)


def test_arguments_of_the_update(animation):
    bound = getattr(matplotlib_private.update_of(animation), "args", ())
    assert (*matplotlib_private.arguments_of(animation), *bound) == (3,)


def test_an_animation_without_an_end_gives_numbers():
    figure, axes = plt.subplots()
    endless = FuncAnimation(figure, lambda k: axes.set_title(str(k)), cache_frame_data=False)
    matplotlib_private.mark_as_drawn(endless)
    assert matplotlib_private.maker_of(endless) is itertools.count
    assert matplotlib_private.has_usual_init(endless)
    plt.close(figure)


def test_lists_of_artists():
    figure, axes = plt.subplots()
    artists = [axes.plot([0, k]) for k in range(3)]
    listed = ArtistAnimation(figure, artists)
    matplotlib_private.mark_as_drawn(listed)
    assert matplotlib_private.artists_of(listed) == artists
    assert matplotlib_private.functions_of(listed) == []
    plt.close(figure)


def test_steps_come_to_a_frame_without_drawing(animation):
    drawn = []
    matplotlib_private.figure_of(animation).canvas.mpl_connect("draw_event", drawn.append)
    matplotlib_private.init_draw(animation)
    drawn.clear()
    matplotlib_private.step(animation, 2)
    (line,) = plt.gca().lines
    assert list(line.get_ydata()) == [0, 6]
    assert drawn == []


def test_what_belongs_to_a_screen_and_to_the_frames_is_there():
    figure = plt.figure()
    animation = FuncAnimation(figure, lambda k: (), frames=[3, 1])
    matplotlib_private.mark_as_drawn(animation)
    matplotlib_private.init_draw(animation)
    plt.close(figure)
    shown = {"_resize_id", "_blit_cache"}  # of one that was shown with blit
    for name in {*matplotlib_private.OF_THE_SCREEN, *matplotlib_private.OF_THE_FRAMES} - shown:
        assert name in vars(animation), name


def test_a_canvas_as_when_saving():
    figure = plt.figure()
    before = figure.canvas.manager
    with matplotlib_private.as_when_saving(figure):
        assert figure.canvas.is_saving()
        assert figure.canvas.manager is None
    assert not figure.canvas.is_saving()
    assert figure.canvas.manager is before
    assert not getattr(figure.canvas, matplotlib_private.IS_IDLE_DRAWING)
    plt.close(figure)


def test_what_pyplot_and_the_writers_know():
    one, two = plt.figure(), plt.figure()
    assert {one.number, two.number} <= set(matplotlib_private.managers())
    matplotlib_private.make_active(one.canvas.manager)
    assert plt.gcf() is one
    assert "ffmpeg" in matplotlib_private.registered_writers(matplotlib.animation.writers)
    plt.close("all")


def test_savefig_knows_the_dpi_that_a_figure_was_made_with():
    figure = plt.figure(dpi=50)
    assert getattr(figure, matplotlib_private.ORIGINAL_DPI) == 50
    plt.close(figure)


class Drawer:
    """Notes what it is given instead of drawing it."""

    def __init__(self):
        self.seen, self.own = [], None

    def owns(self, renderer):
        return renderer is self.own

    takes = is_within = owns

    def artists(self, renderer, artists):
        self.seen.append(list(artists))

    def artist(self, artist, way, draw, renderer):
        self.seen.append((artist, way))

    def box(self, axis, original, renderer, **keywords):
        self.seen.append(axis)
        return original(axis, renderer, **keywords)


def taken_over(drawer):
    texts = Texts()
    return matplotlib_private.drawing_taken_over(drawer, texts, Stencils(texts), InThreeD())


def test_drawing_is_taken_over_for_one_renderer_and_given_back():
    figure, axes = plt.subplots()
    drawer, renderer = Drawer(), figure.canvas.get_renderer()
    draw, listed = type(axes.patch).draw, matplotlib.image._draw_list_compositing_images
    with taken_over(drawer):
        figure.draw(renderer)
        assert drawer.seen == []
        drawer.own = renderer
        figure.draw(renderer)
        assert drawer.seen == [(figure.patch, "draw"), [axes]]
        axes.draw(renderer)
        assert axes.xaxis in drawer.seen[-1]
        axes.xaxis.get_tightbbox(renderer)
        assert drawer.seen[-1] is axes.xaxis
        # as from another thread: nothing is taken over twice
        with taken_over(Drawer()):
            figure.draw(renderer)
        assert drawer.seen[-1] == [axes]
    assert type(axes.patch).draw is draw
    assert matplotlib.image._draw_list_compositing_images is listed
    plt.close(figure)


def test_an_axes_in_3d_draws_each_axis_in_three_ways():
    figure = plt.figure()
    axes = figure.add_subplot(projection="3d")
    drawer, renderer = Drawer(), figure.canvas.get_renderer()
    drawer.own = renderer
    with taken_over(drawer):
        axes.draw(renderer)
    for axis in matplotlib_private.axes_of(axes):
        assert [way for artist, way in drawer.seen[:-1] if artist is axis] == [
            "draw_pane",
            "draw_grid",
            "draw",
        ]
    plt.close(figure)


def test_what_a_figure_is_drawn_with():
    figure = plt.figure(layout="constrained")
    assert matplotlib_private.is_drawn_by_agg(figure)
    assert not matplotlib_private.calls_while_drawing(figure)
    engine = figure.get_layout_engine()
    with matplotlib_private.without_layout(figure):
        assert figure.get_layout_engine() is None
    assert figure.get_layout_engine() is engine
    plt.close(figure)


def test_a_figure_that_calls_others_is_known():
    figure = plt.figure()

    def called(event):
        """Something of the user's."""

    figure.canvas.mpl_connect("draw_event", called)
    assert matplotlib_private.calls_while_drawing(figure)
    figure.suppressComposite = True
    assert not matplotlib_private.is_drawn_by_agg(figure)
    plt.close(figure)


def test_axes_that_stand_alone():
    _, (one, two) = plt.subplots(1, 2)
    assert matplotlib_private.stands_alone(one)
    one.sharey(two)
    assert not matplotlib_private.stands_alone(one)
    assert not matplotlib_private.stands_alone(two)
    _, (holder, other) = plt.subplots(1, 2)
    holder.inset_axes((0, 0, 0.5, 0.5))
    other.twiny()
    assert not matplotlib_private.stands_alone(holder)
    assert not matplotlib_private.stands_alone(other)


@pytest.mark.parametrize("part", ["", "xaxis", "yaxis.label"])
def test_who_is_told_of_changes(part):
    _, axes = plt.subplots()
    artist = operator.attrgetter(part)(axes) if part else axes
    assert not matplotlib_private.has_listeners(axes)
    artist.add_callback(print)
    assert matplotlib_private.has_listeners(axes)
    _, axes = plt.subplots()
    artist = operator.attrgetter(part)(axes) if part else axes
    artist.stale_callback = print
    assert matplotlib_private.has_listeners(axes)


@pytest.mark.parametrize("blit", [True, False])
def test_animations_for_windows_that_draw_only_what_changed(blit):
    figure, axes = plt.subplots()
    animation = FuncAnimation(figure, lambda _: axes.plot([]), frames=2, blit=blit)
    assert matplotlib_private.is_blitted(animation) == blit
    matplotlib_private.mark_as_drawn(animation)


def test_what_stands_beside_an_axis():
    figure, (left, right) = plt.subplots(1, 2)
    assert matplotlib_private.axes_of(left) == [left.xaxis, left.yaxis]
    figure.align_xlabels()
    beside = list(matplotlib_private.beside(left.xaxis))
    assert {*left.spines.values(), right.xaxis} <= set(beside)
    left.plot([0, 1], label="a")
    renderer = figure.canvas.get_renderer()
    assert len(matplotlib_private.bounds_of_legend(left.legend(), renderer)) == 4
    assert matplotlib_private.interpolation_steps(left.lines[0].get_path()) == 1
    assert matplotlib_private.tick_settings(left.xaxis) is left.xaxis._major_tick_kw
    rcparams, lists, colours, _, fonts = matplotlib_private.style_of_drawing()
    assert matplotlib.rcParams["font.serif"] in lists
    assert colours["tab:blue"]
    assert rcparams["lines.linewidth"] == matplotlib.rcParams["lines.linewidth"]
    with matplotlib.rc_context():
        matplotlib_private.set_rcparams({"lines.linewidth": 7.5})
        assert matplotlib_private.values_of_rcparams()["lines.linewidth"] == 7.5
        assert matplotlib.rcParams["lines.linewidth"] == 7.5
    assert fonts
    plt.close(figure)


def test_no_other_module_names_them():
    homes = [Path(each.__file__) for each in (matplotlib_private, mplot3d_private)]
    text = "".join(each.read_text() for each in homes)
    own = set(re.findall(r"\._([a-z]\w+)|\"_([a-z]\w+)\"", text))
    names = {each for pair in own for each in pair if each} - {"blit_cache", "func"}
    assert len(names) > 15
    found = []
    for path in Path(framepipe.__file__).parent.rglob("*.py"):
        if path not in homes and path.name != "figures.py":
            text = path.read_text()
            found += [
                f"{path.name}: _{name}" for name in names if re.search(rf"(?<!self)(?<!_)\._{name}\b", text)
            ]
    assert found == []


def test_the_figure_of_an_artist_in_a_part_of_a_part():
    figure = Figure()
    part = figure.subfigures(1, 2)[1].subfigures(2, 1)[0]
    assert matplotlib_private.root_figure(part.add_subplot()) is figure
    assert matplotlib_private.root_figure(figure.text(0, 0, "a")) is figure


def test_axes_in_3d_are_taken_over_by_name_and_given_back():
    figure = plt.figure()
    axes = figure.add_subplot(projection="3d")
    axes.scatter([0, 1], [0, 1], [0, 1])
    axis3d, art3d = sys.modules["mpl_toolkits.mplot3d.axis3d"], sys.modules["mpl_toolkits.mplot3d.art3d"]
    places = [
        *((axis3d.Axis, "_get_coord_info"), (Axis, "_update_ticks"), (axis3d, "_tick_update_position")),
        *((axis3d.proj3d, "proj_transform"), (art3d.Path3DCollection, "draw")),
        *((art3d.Path3DCollection, "_maybe_depth_shade_and_sort_colors"), (PolyCollection, "set_verts")),
    ]
    before = [getattr(*place) for place in places]
    with taken_over(Drawer()):
        taken = [getattr(*place) for place in places]
    assert not {*map(id, before)} & {*map(id, taken)}
    assert [getattr(*place) for place in places] == before
    plt.close(figure)


def test_points_are_projected_to_the_same_bits():
    solid, drawer, rng = InThreeD(), Drawer(), np.random.default_rng(0)
    figure = plt.figure()
    axes = figure.add_subplot(projection="3d")
    figure.draw(figure.canvas.get_renderer())
    proj3d = sys.modules["mpl_toolkits.mplot3d.proj3d"]
    points = [*rng.normal(size=(200, 3)) * 10.0 ** rng.integers(-9, 9, (200, 1)), [0.0, -0.0, np.inf]]
    points = [[np.float64(number) for number in each] for each in points]
    with np.errstate(all="ignore"):
        expected = [proj3d.proj_transform(*each, axes.M) for each in points]
        texts = Texts()
        solid.begin_frame()
        with matplotlib_private.drawing_taken_over(drawer, texts, Stencils(texts), solid):
            got = [proj3d.proj_transform(*each, axes.M) for each in points]
            arrays = proj3d.proj_transform(*np.array(points).T, axes.M)
    assert np.array(got).tobytes() == np.array(expected).tobytes()
    assert np.shape(arrays) == (3, 201)
    plt.close(figure)


def test_what_stencils_look_at_is_there():
    figure, axes = plt.subplots()
    text, (line,) = axes.text(0, 0, "a"), axes.plot([0, 1])
    renderer = figure.canvas.get_renderer()
    figure.draw(renderer)
    for artist, place in (
        (text, matplotlib_private.PLACE_OF_A_TEXT),
        (line, matplotlib_private.PLACE_OF_A_LINE),
    ):
        assert {*place} <= {*vars(artist)}
        assert {"_transform", "clipbox", "_clippath", "_path_effects", "_visible"} <= {*vars(artist)}
    assert {"_usetex", "_wrap", "_bbox_patch", "_transform_rotates_text"} <= {*vars(text)}
    if hasattr(RendererAgg, "_draw_text_glyphs_and_boxes"):  # matplotlib 3.11
        assert len(matplotlib_private.places_of_lines(text, renderer)) == 1
    assert matplotlib_private.about_text(text)[1] == figure.dpi
    plt.close(figure)
