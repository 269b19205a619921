"""Functions of every origin reach the workers, with their data, parameters and style."""

from __future__ import annotations

import functools
import textwrap
import threading

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

import framepipe as fp

ENGINES = ["serial", "local"]


def flat(level):
    """A figure of one grey level, so that the picture tells what the function was called with."""
    return plt.figure(figsize=(0.4, 0.4), dpi=50, facecolor=str(level / 255))


def levels(store, count=3):
    found = []
    for number in range(count):
        with Image.open(store / f"frame_{number:06d}.png") as picture:
            colours = picture.convert("L").getcolors()
        assert len(colours) == 1
        found.append(colours[0][1])
    return found


def drawn(scene, folder, frames=3, engine="local", **keywords):
    return levels(
        fp.render(
            scene,
            frames,
            store=folder / "s",
            engine=engine,
            workers=2 if engine == "local" else None,
            **keywords,
        ).store
    )


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


class Drawer:
    def __init__(self, base):
        self.base = base

    def draw(self, k):
        return flat(self.base + k)

    def __call__(self, k):
        return flat(self.base + k)


def with_offset(k, offset):
    return flat(offset + k)


def closure(base):
    data = np.arange(base, base + 10)

    def draw(k):
        return flat(int(data[k]))

    return draw


def typed():
    """As in a notebook: code without a file."""
    names = {"__name__": "__main__"}
    exec(
        textwrap.dedent("""
        from matplotlib import pyplot as plt
        BASE = 100
        def helper(k): return str((BASE + k) / 255)
        def draw(k): return plt.figure(figsize=(0.4, 0.4), dpi=50, facecolor=helper(k))
        """),
        names,
    )
    return names["draw"]


SCENES = {
    "closure": closure(100),
    "lambda": lambda k: flat(100 + k),
    "partial": functools.partial(with_offset, offset=100),
    "bound method": Drawer(100).draw,
    "callable object": Drawer(100),
    "typed": typed(),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", SCENES)
def test_a_function_of_any_origin_is_drawn(tmp_path, kind, engine):
    assert drawn(SCENES[kind], tmp_path, engine=engine) == [100, 101, 102]


@pytest.mark.timeout(20)
def test_a_function_that_draws_on_a_figure_of_the_module_is_drawn_and_kept(tmp_path):
    fig, ax = plt.subplots(figsize=(1, 1), dpi=50)
    (line,) = ax.plot([0, 1], [0, 1])

    def draw(k):
        line.set_ydata([0, k])
        return fig

    first = fp.render(draw, 3, store=tmp_path / "s", workers=2)
    assert first.drawn and not first.failed
    again = fp.render(draw, 3, store=tmp_path / "s", workers=2)
    assert (again.drawn, again.kept) == ((), 3), again.redrawn


def test_what_no_worker_can_get_is_told_with_the_way_out(tmp_path):
    lock = threading.Lock()

    def draw(k):
        with lock:
            return flat(k)

    with pytest.raises(
        fp.FramepipeError, match=r"cannot be sent to worker processes.*SCRIPT.py:NAME"
    ) as caught:
        drawn(draw, tmp_path)
    assert "engine='serial'" in str(caught.value)
    assert drawn(draw, tmp_path, engine="serial") == [0, 1, 2]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "values",
    [
        [50, 60, 70],
        np.array([50, 60, 70]),
        [np.full((2, 2), v) for v in (50, 60, 70)],
        np.full((3, 2), [[50], [60], [70]]),
    ],
    ids=["list", "array", "list of arrays", "2-d array"],
)
def test_values_of_any_kind_reach_the_function(tmp_path, values, engine):
    assert drawn(lambda value: flat(int(np.max(value))), tmp_path, values, engine) == [50, 60, 70]


def test_rc_parameters_of_the_caller_reach_the_workers(tmp_path):
    with matplotlib.rc_context({"figure.facecolor": "0.2", "figure.figsize": (0.4, 0.4), "figure.dpi": 50}):
        assert drawn(lambda k: plt.figure(), tmp_path) == [51, 51, 51]


def test_another_function_in_the_same_store_is_refused_and_draws_over_nothing(tmp_path):
    def one(k):
        return flat(10)

    def two(k):
        return flat(20)

    assert drawn(one, tmp_path, engine="serial") == [10, 10, 10]
    with pytest.raises(fp.StoreError, match=r"holds frames of .*one, which .*two would overwrite"):
        drawn(two, tmp_path, engine="serial")
    assert drawn(one, tmp_path, engine="serial") == [10, 10, 10]


def test_two_lambdas_of_one_line_are_told_apart(tmp_path):
    one, two = (lambda k: flat(10)), (lambda k: flat(20))
    assert drawn(one, tmp_path, engine="serial") == [10, 10, 10]
    assert drawn(two, tmp_path, engine="serial") == [20, 20, 20]


@pytest.mark.parametrize("change", ["data", "default", "parameter"])
def test_changed_data_defaults_and_parameters_are_drawn_again(tmp_path, change):
    def variant(base):
        data = [base if change == "data" else 0]

        def draw(k, default=base if change == "default" else 0, parameter=0):
            return flat(k + default + parameter + data[0])

        keywords = {"params": {"parameter": base}, "stale": "draw"} if change == "parameter" else {}
        return fp.render(draw, 2, store=tmp_path / "s", engine="serial", **keywords)

    assert variant(5).drawn == (0, 1)
    assert variant(5).kept == 2
    report = variant(6)
    assert report.drawn == (0, 1)
    assert list(report.redrawn.values()) == [2]


def draw_mean(value):
    return flat(100 * value.mean())


def test_a_changed_element_of_one_value_draws_that_frame_again(tmp_path):
    first = [np.zeros(2000), np.ones(2000), np.ones(2000)]
    second = [array.copy() for array in first]
    second[1][1234] = 2
    keywords = {"store": tmp_path / "s", "engine": "serial"}
    assert fp.render(draw_mean, first, **keywords).drawn == (0, 1, 2)
    report = fp.render(draw_mean, second, **keywords)
    assert (report.drawn, dict(report.redrawn)) == ((1,), {"stale: the frame's value changed": 1})


def test_a_changed_style_draws_all_frames_again_and_names_the_parameter(tmp_path):
    keywords = {"store": tmp_path / "s", "engine": "serial"}
    fp.render(flat, 2, **keywords)
    with matplotlib.rc_context({"lines.linewidth": 7}):
        report = fp.render(flat, 2, **keywords)
    assert dict(report.redrawn) == {"stale: rcParams or style changed (lines.linewidth)": 2}


def test_a_make_from_a_function_leaves_a_movie_and_no_frames(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = fp.make(
        lambda k: flat(20 * k),
        [1, 2, 3],
        "m.gif",
        fps=10,
        colors=np.int64(16),
        hold_last_s=np.float32(0.5),
        workers=2,
    )
    assert [movie.path.name for movie in report.movies] == ["m.gif"]
    assert report.cleanup.deleted == 3
    assert not list(tmp_path.rglob("*.png"))
