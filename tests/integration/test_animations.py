"""Matplotlib animations: every kind of frames, and the pixels that ``Animation.save`` would write."""

from __future__ import annotations

import functools
import itertools
import os
import textwrap
from fractions import Fraction

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.animation import ArtistAnimation, FuncAnimation
from PIL import Image

import framepipe as fp
from framepipe.job.frames import parse_range
from framepipe.store.store import Store
from tests.integration.animations import assert_moves, assert_same, drawn, quietly, saved
from tests.support.forked import run_python
from tests.support.sizes import LONG, all_if_long

X = np.linspace(0, 6, 40)
SCENES = {}


def scene(make):
    """A maker of an animation whose frames are to be those that matplotlib saves."""
    SCENES[make.__name__.replace("_", " ")] = make
    return make


def small(**keywords):
    return plt.subplots(**{"figsize": (2, 1.5), "dpi": 60, **keywords})


def nothing():
    """An ``init_func``: without one, ``save`` runs the first update twice."""
    return ()


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@scene
def lines():
    fig, ax = small()
    (line,) = ax.plot([], [])
    ax.set(xlim=(0, 6), ylim=(-1, 1))
    return FuncAnimation(fig, lambda k: line.set_data(X, np.sin(X + k)), 4)


@scene
def three_dimensions():
    fig, ax = small(subplot_kw={"projection": "3d"})
    x, y = np.meshgrid(np.arange(5), np.arange(5))
    ax.plot_surface(x, y, x * y)
    return FuncAnimation(fig, lambda k: ax.view_init(30, 20 * k), 3)


@scene
def constrained_layout():
    fig, axes = small(figsize=(4, 3), layout="constrained", nrows=2, ncols=2)
    image = axes[0, 0].imshow(np.eye(4))
    fig.colorbar(image, ax=axes[0, 0])

    def update(k):
        axes[0, 1].set_ylabel("y\n" * (k + 1))
        axes[1, 1].plot([0, 10 ** (k * 3)])
        image.set_data(np.eye(4) * k)
        image.autoscale()

    return FuncAnimation(fig, update, 4, init_func=nothing)


@scene
def compressed_layout():
    fig, axes = small(layout="compressed", nrows=2, ncols=2)
    images = [ax.imshow(np.eye(4)) for ax in axes.flat]
    fig.colorbar(images[0], ax=axes)

    def update(k):
        fig.suptitle("title\n" * (k % 3))
        images[0].set_clim(0, 10 ** (4 * k))

    return FuncAnimation(fig, update, 4, init_func=nothing)


@scene
def tight_layout_in_each_update():
    fig, axes = small(figsize=(4, 3), nrows=2, ncols=2)

    def update(k):
        for ax in axes.flat:
            ax.set_ylabel("y\n" * (k % 3))
            ax.set_ylim(0, 10 ** (k * 2))
        fig.tight_layout()

    return FuncAnimation(fig, update, 4, init_func=nothing)


@scene
def limits_from_an_aspect():
    fig, ax = small()
    ax.set_aspect("equal", adjustable="datalim")
    (line,) = ax.plot([0, 1], [0, 1])

    def update(k):
        line.set_data([0, k], [0, 3 * k])
        ax.relim()
        ax.autoscale_view()

    return FuncAnimation(fig, update, 4, init_func=nothing)


@scene
def blit():
    fig, ax = small()
    (line,) = ax.plot([], [])
    text = ax.text(0.5, 0.5, "", transform=ax.transAxes, zorder=1)
    ax.set(xlim=(0, 6), ylim=(-1, 1))

    def init():
        line.set_data([], [])
        return line, text

    def update(k):
        line.set_data(X, np.sin(X + k))
        text.set_text(f"k={k}")
        return text, line

    return FuncAnimation(fig, update, 4, init_func=init, blit=True)


@scene
def blit_that_was_shown_before():
    fig, ax = small()
    (line,) = ax.plot([], [])
    ax.set(xlim=(0, 6), ylim=(-1, 1))

    def update(k):
        line.set_data(X, np.sin(X + k))
        return (line,)

    anim = FuncAnimation(fig, update, 4, init_func=lambda: (line,), blit=True)
    fig.canvas.draw()
    return anim


@scene
def face_colours():
    fig, ax = small(facecolor="lightblue")
    (line,) = ax.plot([0, 1], [0, 1])

    def update(k):
        fig.set_facecolor((k / 5, 0.5, 0.5))
        line.set_ydata([0, k])

    return FuncAnimation(fig, update, 4, init_func=nothing)


@scene
def transparency():
    fig, ax = small(facecolor="none")
    (line,) = ax.plot([0, 1], [0, 1])
    return FuncAnimation(fig, lambda k: line.set_ydata([0, k]), 4)


@scene
def a_size_that_the_update_changes():
    fig, ax = small()

    def update(k):
        fig.set_size_inches(2 + k, 1.5)
        ax.set_title(str(k))

    return FuncAnimation(fig, update, 4, init_func=nothing)


@scene
def annotations():
    fig, ax = small()
    note = ax.annotate("here", (0.1, 0.1), (0.5, 0.5), arrowprops={"arrowstyle": "->"})

    def update(k):
        note.xy = (0.1 * k, 0.2)
        note.set_text("x" * k)

    return FuncAnimation(fig, update, 4)


@scene
def an_image_whose_colour_bar_follows():
    fig, ax = small()
    image = ax.imshow(np.eye(4))
    fig.colorbar(image)

    def update(k):
        image.set_data(np.eye(4) * 10.0**k)
        image.autoscale()
        image.set_cmap(["viridis", "hot"][k % 2])

    return FuncAnimation(fig, update, 4)


@scene
def points_whose_norm_changes():
    fig, ax = small()
    points = ax.scatter([1, 2, 3], [1, 2, 3], c=[1, 2, 3])
    fig.colorbar(points)

    def update(k):
        points.norm.vmax = k + 3

    return FuncAnimation(fig, update, 4)


@scene
def limits_that_follow_others():
    fig, ax = small()
    twin = ax.twinx()
    ax.callbacks.connect("ylim_changed", lambda axes: twin.set_ylim(*(2 * y for y in axes.get_ylim())))
    return FuncAnimation(fig, lambda k: ax.set_ylim(0, k + 1), 4)


@scene
def shared_secondary_and_inset_axes():
    fig, axes = small(nrows=2, ncols=2, sharex=True, sharey="row")
    axes[0, 0].secondary_xaxis("top", functions=(lambda x: x * 2, lambda x: x / 2))
    inset = axes[1, 1].inset_axes([0.4, 0.4, 0.5, 0.5])
    axes[1, 1].indicate_inset_zoom(inset)

    def update(k):
        axes[0, 0].set_xlim(0, k + 1)
        inset.set_xlim(0, 0.3 + k / 5)

    return FuncAnimation(fig, update, 4)


@scene
def axes_that_are_cleared():
    fig, ax = small()

    def update(k):
        ax.cla() if k % 2 else ax.clear()
        ax.bar(range(4), [k, 1, 2, 3])

    return FuncAnimation(fig, update, 4)


@scene
def artists_that_are_removed_and_made_anew():
    fig, ax = small()
    ax.set(xlim=(0, 6), ylim=(0, 6))
    now = []

    def update(k):
        while now:
            now.pop().remove()
        now.append(ax.quiver([1, 2], [1, 2], [k, 1], [1, k]))

    return FuncAnimation(fig, update, 4, init_func=nothing)


@scene
def artists_that_pile_up():
    fig, ax = small()
    return FuncAnimation(fig, lambda k: ax.plot([0, k], [k, 0]), 5, init_func=nothing)


@scene
def pyplot_in_the_update():
    fig, _ = small()

    def update(k):
        plt.cla()
        plt.plot([k, 1, 2])
        plt.title(k)
        plt.draw()
        plt.gcf().canvas.draw()
        plt.pause(0.001)

    return FuncAnimation(fig, update, 4)


@scene
def a_figure_that_pyplot_knows_by_its_number():
    plt.figure(7)
    fig = plt.figure(9, figsize=(2, 1.5), dpi=60)
    fig.add_subplot()

    def update(k):
        plt.figure(9)
        plt.cla()
        plt.plot([k, 1, 2])

    return FuncAnimation(fig, update, 4, init_func=nothing)


@scene
def another_figure_in_the_update():
    (fig, ax), (_, other) = small(), small()

    def update(k):
        other.set_title("x" * k)
        ax.set_title(other.get_title())

    return FuncAnimation(fig, update, 4, init_func=nothing)


@scene
def rc_parameters_that_the_update_changes():
    fig, ax = small()

    def update(k):
        ax.clear()
        if k == 2:
            plt.rcParams["lines.linewidth"] = 7
        ax.plot([0, k])

    return FuncAnimation(fig, update, 5, init_func=nothing)


@scene
def an_update_that_stops_the_animation():
    fig, ax = small()
    (line,) = ax.plot([], [])
    ax.set(xlim=(0, 6), ylim=(0, 2))
    box = {}

    def update(k):
        line.set_data([0, k], [0, 1])
        if k == 1:
            box["anim"].pause()
            box["anim"].resume()
        if k == 3:
            box["anim"].event_source.stop()

    box["anim"] = FuncAnimation(fig, update, 4, init_func=nothing)
    return box["anim"]


@scene
def an_object_with_its_own_animation():
    class Drawing:
        def __init__(self):
            self.fig, ax = small()
            (self.line,) = ax.plot([0, 5], [0, 5])
            self.anim = FuncAnimation(self.fig, self.update, 4, init_func=self.init)

        def init(self):
            return (self.line,)

        def update(self, k):
            self.line.set_ydata([k, 5])

    return Drawing().anim


@scene
def a_subclass():
    class Drawing(FuncAnimation):
        def __init__(self):
            fig, ax = small()
            (self.line,) = ax.plot([0, 5], [0, 5])
            super().__init__(fig, self.step, frames=4, init_func=nothing)

        def step(self, k):
            self.line.set_ydata([k, 5])

    return Drawing()


@scene
def a_partial():
    fig, ax = small()
    (line,) = ax.plot([0, 5], [0, 5])

    def update(k, line, *, end):
        line.set_ydata([k, end])

    return FuncAnimation(fig, functools.partial(update, line=line, end=3), 4)


@scene
def further_arguments():
    fig, ax = small()
    (line,) = ax.plot([0, 5], [0, 5])
    return FuncAnimation(fig, lambda k, line, end: line.set_ydata([k, end]), 4, fargs=(line, 3))


@scene
def a_list_that_is_changed_in_place():
    fig, ax = small()
    (line,) = ax.plot([0, 5], [0, 5])
    pair = [0, 0]

    def frames():
        for k in range(5):
            pair[0] = k
            yield pair

    return FuncAnimation(fig, line.set_ydata, frames, save_count=5)


@scene
def sets_of_artists():
    fig, ax = small()
    sets = [[ax.imshow(np.full((3, 3), k), vmin=0, vmax=4), ax.text(1, 1, str(k))] for k in range(4)]
    return ArtistAnimation(fig, sets, interval=50, blit=True)


#: Each frame of these depends on those before it: they are drawn as is usual, all others by jumping, some of which in
#: a worker, and in the long run all.
WITH_STATE = {
    "constrained layout",
    "compressed layout",
    "tight layout in each update",
    "artists that pile up",
    "rc parameters that the update changes",
    "lines",  # of all others: the one that shows that all are drawn in this order by themselves
}
IN_A_WORKER = {"blit that was shown before", "sets of artists"}
#: Of layouts the constrained one, which moves most, stands for the others; of ways to hold an update, a partial.
RARE = {"compressed layout", "tight layout in each update", "a subclass", "further arguments"}


@pytest.mark.parametrize("name", all_if_long(SCENES, *(name for name in SCENES if name not in RARE)))
@pytest.mark.filterwarnings(
    "ignore:.*layout not applied:UserWarning", "ignore:FigureCanvasAgg is non-inter:UserWarning"
)
def test_frames_are_those_that_matplotlib_would_save(tmp_path, name):
    with matplotlib.rc_context():
        in_a_worker = {"workers": 1} if LONG or name in IN_A_WORKER else {"engine": "serial"}
        how = {"workers": 2} if name in WITH_STATE else {"order": "free", **in_a_worker}
        report = fp.render(SCENES[name](), store=tmp_path / "s", **how)
        plt.close("all")
        expected = saved(SCENES[name]())
    assert_moves(expected)
    assert_same(drawn(report), expected)
    assert report.order == ("replay" if name in WITH_STATE else "free")


RC = {
    "savefig dpi": {"savefig.dpi": 90},
    "savefig face colour": {"savefig.facecolor": "0.3"},
    "savefig transparent": {"savefig.transparent": True},
    "tight box": {"savefig.bbox": "tight"},
    "figure face colour": {"figure.facecolor": "orange"},
}


@pytest.mark.parametrize("name", RC)
def test_rc_parameters_are_honoured_as_matplotlib_does(tmp_path, name):
    how = {"workers": 1} if name == "savefig dpi" else {"engine": "serial"}
    with matplotlib.rc_context(RC[name]):
        report = fp.render(lines(), store=tmp_path / "s", order="free", **how)
        assert_same(drawn(report), saved(lines()))
    assert (drawn(report)[0].shape[0] == 90) == (name != "savefig dpi")


def test_a_style_sheet_is_honoured(tmp_path):
    with plt.style.context("dark_background"):
        report = fp.render(lines(), store=tmp_path / "s", workers=1, order="free")
        assert_same(drawn(report), saved(lines()))
    assert drawn(report)[0][0, 0].tolist() == [0, 0, 0, 255]


def shades(frames, **keywords):
    """Of which picture k has the grey level of the value of frame k, times ten."""
    fig = plt.figure(figsize=(0.4, 0.4), dpi=50)
    return quietly(FuncAnimation, fig, lambda v: fig.set_facecolor(str(v / 25.5)), frames, **keywords)


def levels(report):
    return [round(int(frame[0, 0, 0]) / 10) for frame in drawn(report)]


def test_a_frame_drawn_after_a_replay_was_not_drawn_from_what_that_has_read(tmp_path):
    files = [tmp_path / f"{k}.txt" for k in range(5)]
    for file in files:
        file.write_text("1")
    fig = plt.figure(figsize=(0.4, 0.4), dpi=50)

    def update(k):
        fig.set_facecolor(str(int(files[k].read_text()) / 10 * k))

    anim = quietly(FuncAnimation, fig, update, 5)
    store = fp.render(anim, store=tmp_path / "s", engine="serial").store
    for number in (2, 4):
        Store(store).frame_path(number).unlink()
        fp.render(anim, store=tmp_path / "s", engine="serial")
    files[1].write_text("2")
    assert dict(fp.status(store).stale) == {1: "1.txt changed"}


def three_values():
    yield from (3, 1, 2)


class Odd:
    """Can be run through again and again, and has no length."""

    def __iter__(self):
        return iter((3, 1, 2))


KINDS = {
    "a count": (lambda: 3, [0, 1, 2]),
    "a range": (lambda: range(5, 20, 5), [5, 10, 15]),
    "a list": (lambda: [3, 1, 2], [3, 1, 2]),
    "an array": (lambda: np.array([3, 1, 2]), [3, 1, 2]),
    "a dictionary": (lambda: {3: "a", 1: "b", 2: "c"}, [3, 1, 2]),
    "a set": (lambda: {1, 2, 3}, [1, 2, 3]),
    "a generator function": (lambda: three_values, [3, 1, 2]),
    "a generator": (three_values, [3, 1, 2]),
    "an iterator": (lambda: iter([3, 1, 2]), [3, 1, 2]),
    "an iterable": (Odd, [3, 1, 2]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_frames_of_every_kind_are_drawn(tmp_path, kind):
    frames, expected = KINDS[kind]
    how = {"workers": 1} if kind in ("an array", "a generator function") else {"engine": "serial"}
    report = fp.render(shades(frames()), store=tmp_path / "s", order="replay", **how)
    assert levels(report) == expected
    assert report.total == 3


@pytest.mark.parametrize("engine", ["local", "serial"])
@pytest.mark.parametrize(
    "kind", all_if_long(["a list", "a generator function", "an iterator"], "an iterator")
)
def test_an_animation_that_does_not_repeat_is_drawn(tmp_path, kind, engine):
    frames, expected = KINDS[kind]
    report = fp.render(
        shades(frames(), repeat=False),
        store=tmp_path / "s",
        workers=2 if engine == "local" else None,
        engine=engine,
    )
    assert levels(report) == expected


def test_a_series_of_pandas_gives_its_values(tmp_path):
    pandas = pytest.importorskip("pandas")
    series = pandas.Series([3, 1, 2], index=["x", "y", "z"])
    fig = plt.figure(figsize=(0.4, 0.4), dpi=50)
    anim = FuncAnimation(fig, lambda v: fig.set_facecolor(str(v / 25.5)), series)
    assert levels(fp.render(anim, store=tmp_path / "s", engine="serial")) == [3, 1, 2]


@pytest.mark.parametrize("engine", ["local", "serial"])
def test_frames_of_unknown_number_are_not_cut_at_a_hundred(tmp_path, engine):
    def frames():
        yield from (k % 20 for k in range(110))

    report = fp.render(
        shades(frames), store=tmp_path / "s", workers=2 if engine == "local" else None, engine=engine
    )
    assert levels(report) == [k % 20 for k in range(110)]
    assert fp.render(shades(frames), store=tmp_path / "s", engine="serial").kept == 110


@pytest.mark.parametrize("frames", [itertools.count, None], ids=["a function without end", "None"])
def test_a_save_count_ends_what_has_no_end(tmp_path, frames):
    report = fp.render(shades(frames, save_count=7), store=tmp_path / "s", engine="serial")
    assert levels(report) == list(range(7))
    assert fp.render(shades(frames, save_count=7), store=tmp_path / "s", engine="serial").kept == 7


def test_frames_that_have_no_end_are_counted_by_the_user(tmp_path):
    assert levels(fp.render(shades(None), 4, store=tmp_path / "s", engine="serial")) == [0, 1, 2, 3]


@pytest.mark.parametrize("asked", ["1-2", "2,0", range(0, 3, 2)])
def test_frames_are_chosen_by_their_place(tmp_path, asked):
    how = {"workers": 2} if asked == "1-2" else {"engine": "serial"}
    report = fp.render(shades([3, 1, 2]), asked, store=tmp_path / "s", **how)
    numbers = sorted(parse_range(asked) if isinstance(asked, str) else asked)
    assert levels(report) == [[3, 1, 2][number] for number in numbers]


@pytest.mark.parametrize("init", [True, False], ids=["with init_func", "without"])
def test_the_initial_draw_is_done_once_and_no_frame_is_updated_twice(tmp_path, init):
    calls = []
    fig = plt.figure(figsize=(0.4, 0.4), dpi=50)
    anim = FuncAnimation(fig, calls.append, 3, init_func=(lambda: calls.append("init")) if init else None)
    fp.render(anim, store=tmp_path / "s", engine="serial")
    assert calls == (["init", 0, 1, 2] if init else [0, 1, 2])


def test_a_worker_does_the_initial_draw_once_too(tmp_path):
    log = tmp_path / "log"

    def init():
        with log.open("a") as file:
            file.write(f"init {os.getpid()}\n")

    fig = plt.figure(figsize=(0.4, 0.4), dpi=50)
    anim = FuncAnimation(fig, lambda k: None, 12, init_func=init)
    fp.render(anim, store=tmp_path / "s", workers=2, order="replay")
    told = log.read_text().splitlines()
    assert told and len(set(told)) == len(told)


@pytest.mark.parametrize(
    ("interval", "fps"),
    all_if_long(
        [(50, 20), (200, 5), (33.3, Fraction(10000, 333)), (np.int64(40), 25)],
        (33.3, Fraction(10000, 333)),
        (np.int64(40), 25),
    ),
)
def test_the_interval_is_the_rate_of_the_movie(tmp_path, monkeypatch, interval, fps):
    monkeypatch.chdir(tmp_path)
    (movie,) = fp.make(shades(list(range(9)), interval=interval), output="m.mp4", engine="serial").movies
    assert 9 / movie.duration_s == pytest.approx(float(fps), rel=0.01)


def test_a_rate_that_is_named_wins_over_the_interval(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fp.make(shades(3, interval=50), output="m.gif", fps=10, engine="serial")
    with Image.open("m.gif") as movie:
        assert movie.info["duration"] == 100


def test_changed_artists_are_drawn_again_though_no_code_changed(tmp_path):
    def anim(last):
        fig, ax = small()
        return ArtistAnimation(fig, [ax.plot([0, 1]), ax.plot([0, last])])

    first = fp.render(anim(2), store=tmp_path / "s", engine="serial")
    assert fp.render(anim(2), store=tmp_path / "s", engine="serial").kept == 2
    report = fp.render(anim(3), store=tmp_path / "s", engine="serial")
    assert dict(report.redrawn) == {"stale: data that the function uses changed (figure)": 2}
    assert first.store == report.store


SCRIPT = """
    import numpy as np
    from matplotlib import pyplot as plt
    from matplotlib.animation import ArtistAnimation, FuncAnimation
    import framepipe as fp

    fig, ax = plt.subplots(figsize=(1, 1), dpi=50)
    (line,) = ax.plot([0, 1], [0, 1], label="x")
    ax.legend()
    image = ax.imshow(np.eye(3))
    fig.colorbar(image)

    def update(k):
        line.set_ydata([0, k])
        image.set_clim(0, k + 1)
"""
NOTEBOOK = textwrap.dedent(SCRIPT) + "anim = FuncAnimation(fig, update, 4, interval=50)"


@pytest.fixture
def script(folder):
    def write(end="", *, made=True):
        anim = "anim = FuncAnimation(fig, update, 4, interval=50)\n" if made else ""
        (folder / "scene.py").write_text(textwrap.dedent(SCRIPT) + anim + textwrap.dedent(end))
        return folder

    return write


@pytest.mark.parametrize(
    "address", all_if_long(["scene.py:anim", "scene.py", "scene.py:build"], "scene.py:build")
)
def test_an_animation_of_a_script_is_drawn_by_its_address_and_resumed(script, cli_process, address):
    folder = script("" if address != "scene.py:build" else "def build(): return anim\n")
    cli_process("render", address, "--store", "s", "-j", 2, "-q", ok=True)
    (folder / "s" / "frame_000002.png").unlink()
    said = cli_process("resume", "s", "-j", 2, ok=True)
    assert "1 frame" in said.stdout + said.stderr
    assert fp.status(folder / "s").complete


def test_a_function_that_makes_an_animation_takes_parameters(script, cli_process):
    folder = script("""
        def build(count=2, *, height=1):
            fig, ax = plt.subplots(figsize=(1, height), dpi=50)
            return FuncAnimation(fig, lambda k: ax.plot([0, k]), count)
    """)
    cli_process(
        "render",
        "scene.py:build",
        "--param",
        "count=3",
        "--param",
        "height=2",
        "--store",
        "s",
        "--engine",
        "serial",
        "-q",
        ok=True,
    )
    with Image.open(folder / "s" / "frame_000002.png") as picture:
        assert picture.size == (50, 100)
    assert fp.Store(folder / "s").numbers() == [0, 1, 2]


@pytest.mark.parametrize(
    "end", ["plt.show()", 'anim.save("own.gif", writer="pillow")'], ids=["shows it", "saves it"]
)
def test_a_script_that_shows_or_saves_its_animation_by_itself_is_drawn(script, cli_process, end):
    folder = script(end)
    cli_process("make", "scene.py", "-o", "m.gif", "--engine", "serial", "-q", ok=True)
    with Image.open(folder / "m.gif") as movie:
        assert (movie.n_frames, movie.info["duration"]) == (4, 50)


def python(folder):
    return run_python(["-W", "error", "scene.py"], folder, {}, 120)


OWNED = {
    "an update": "",
    "sets of artists": "anim = ArtistAnimation(fig, [ax.plot([0, k]) for k in range(4)], interval=50)",
    "an update that stops it": """
        def update(k):
            line.set_ydata([0, k])
            if k == 3:
                anim.event_source.stop()
        anim = FuncAnimation(fig, update, 4, interval=50)
    """,
    "an object that holds it": """
        class Show:
            def __init__(self):
                self.anim = FuncAnimation(fig, self.update, 4, interval=50)
            def update(self, k):
                line.set_ydata([0, k])
        show = Show()
        anim = show.anim
    """,
    "an iterator": "anim = FuncAnimation(fig, update, iter([3, 1, 2, 0]), interval=50, save_count=9)",
}


@pytest.mark.parametrize("name", all_if_long(OWNED, "an update", "an object that holds it"))
def test_a_program_without_a_main_guard_makes_the_movie_of_its_animation(script, name):
    folder = script(
        textwrap.dedent(OWNED[name]) + '\nfp.make(anim, output="m.gif", workers=2)\n',
        made=name == "an update",
    )
    done = python(folder)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    with Image.open(folder / "m.gif") as movie:
        assert (movie.n_frames, movie.info["duration"]) == (4, 50)


def test_a_notebooks_animation_is_drawn(tmp_path):
    names = {"__name__": "__main__"}
    exec(NOTEBOOK, names)
    report = fp.render(names["anim"], store=tmp_path / "s", workers=2)
    assert len(drawn(report)) == 4
    again = {"__name__": "__main__"}
    exec(NOTEBOOK, again)
    assert fp.render(again["anim"], store=tmp_path / "s", engine="serial").kept == 4
