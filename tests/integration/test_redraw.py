"""Frames of which only what has changed is drawn: compared as told, and all right in the end."""

from __future__ import annotations

import json

import numpy as np
import pytest
from matplotlib.backends.backend_agg import RendererAgg

import framepipe as fp
from framepipe.core.images import read_png
from framepipe.store.store import Store
from tests.support.sizes import all_if_long

SCRIPT = """
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.animation import FuncAnimation

figure, axes = plt.subplots(figsize=(3, 2))
x = np.linspace(0, 10, 100)
(line,) = axes.plot(x, np.sin(x))
axes.set(title="waves", xlabel="x")


def update(i):
    line.set_ydata(np.sin(x + i / 10))
    axes.set_title(f"step {i // 3}")
    {more}


animation = FuncAnimation(figure, update, frames=30)
"""
#: A change of the world that belongs to no artist: the way in which every text is drawn.
SHIFTED = """
from matplotlib.backends.backend_agg import RendererAgg
shift, draw_text = [0], RendererAgg.draw_text


def moved(self, gc, x, y, *rest, **named):
    draw_text(self, gc, x + shift[0], y, *rest, **named)


RendererAgg.draw_text = moved
"""


@pytest.fixture(autouse=True)
def undo(monkeypatch):
    """Engine serial runs the script in this process: what it does to matplotlib is undone."""

    def undo():
        RendererAgg.draw_text = original

    original = RendererAgg.draw_text
    monkeypatch.setattr(RendererAgg, "draw_text", original)
    return undo


def script(tmp_path, more="pass", before=""):
    path = tmp_path / "wave.py"
    path.write_text(before + SCRIPT.replace("{more}", more))
    return path


def pixel(store, number):
    return read_png(Store(store).frame_path(number))


def pixels(store):
    return {number: pixel(store, number) for number in range(30)}


def assert_same(one, other):
    for number, picture in one.items():
        assert np.array_equal(picture, other[number]), number


@pytest.mark.parametrize("workers", all_if_long([1, 2], 2))
def test_frames_are_those_of_full_drawing_and_some_are_compared(tmp_path, workers):
    address = f"{script(tmp_path)}:animation"
    full = fp.render(address, store=tmp_path / "full", redraw="full", engine="serial")
    report = fp.render(address, store=tmp_path / "auto", workers=workers)
    assert_same(pixels(tmp_path / "auto"), pixels(tmp_path / "full"))
    assert full.compared == 0
    assert 3 <= report.compared <= 20
    assert f"{report.compared} compared with full drawing" in report.summary()
    assert report.to_dict()["compared"] == report.compared


def test_option_is_no_part_of_the_fingerprint(tmp_path):
    address = f"{script(tmp_path)}:animation"
    fp.render(address, store=tmp_path / "frames")
    report = fp.render(address, store=tmp_path / "frames", redraw="full")
    assert (report.kept, report.drawn) == (30, ())


@pytest.mark.parametrize("engine", ["local", "serial"])
def test_wrong_recording_is_found_and_every_frame_is_right_in_the_end(tmp_path, engine, undo):
    address = f"{script(tmp_path, 'shift[0] = i // 5', SHIFTED)}:animation"
    fp.render(address, store=tmp_path / "full", redraw="full", engine=engine)
    undo()
    report = fp.render(address, store=tmp_path / "auto", engine=engine)
    assert_same(pixels(tmp_path / "auto"), pixels(tmp_path / "full"))
    assert any("came out different when only what had changed" in note for note in report.notes)
    assert json.loads((tmp_path / "auto" / "job.json").read_text())["redraw"] == "full"
    assert len(report.drawn) == 30
    undo()
    again = fp.render(address, store=tmp_path / "auto", engine=engine)
    assert again.kept == 30


def test_frames_of_an_earlier_run_are_drawn_again_too(tmp_path):
    address = f"{script(tmp_path, 'shift[0] = 9 * (i in (13, 20))', SHIFTED)}:animation"
    fp.render(address, store=tmp_path / "full", redraw="full")
    first = fp.render(address, store=tmp_path / "auto", only="5-15", workers=1)
    assert not any("came out different" in note for note in first.notes)
    assert not np.array_equal(pixel(tmp_path / "auto", 13), pixel(tmp_path / "full", 13))  # unseen so far
    fp.render(address, store=tmp_path / "auto", workers=1)
    assert_same(pixels(tmp_path / "auto"), pixels(tmp_path / "full"))


def test_function_that_gives_back_the_same_figure_is_compared(tmp_path):
    path = tmp_path / "scene.py"
    path.write_text(
        "import numpy as np\nfrom matplotlib import pyplot as plt\n"
        "figure, axes = plt.subplots(figsize=(3, 2))\n(line,) = axes.plot([0, 1, 2], [0, 1, 0])\n"
        "def draw(i):\n    line.set_ydata([0, i / 10, 1])\n    return figure\n"
    )
    report = fp.render(f"{path}:draw", 30, store=tmp_path / "auto")
    fp.render(f"{path}:draw", 30, store=tmp_path / "full", redraw="full", engine="serial")
    assert_same(pixels(tmp_path / "auto"), pixels(tmp_path / "full"))
    assert report.compared


SLOW = """
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.animation import FuncAnimation

places = np.random.default_rng(0).normal(size=(60_000, 2))
figure, axes = plt.subplots(figsize=(3, 2))
points = axes.scatter(*places.T, s=1, c=places[:, 0], vmin=-1, vmax=1)
animation = FuncAnimation(figure, lambda i: points.set_array(np.cos(places[:, 0] * 3 - i)), frames={count})
"""


@pytest.mark.parametrize("count", [4, pytest.param(52, marks=pytest.mark.long)])
def test_slow_frames_are_drawn_by_all_from_the_second_on_and_drawn_again_as_seldom_as_may_be(tmp_path, count):
    path = tmp_path / "points.py"
    path.write_text(SLOW.replace("{count}", str(count)))
    report = fp.render(f"{path}:animation", store=tmp_path / "auto", workers=2)
    fp.render(f"{path}:animation", store=tmp_path / "full", redraw="full", engine="serial")
    assert report.trials == (1 if count < 50 else 2)
    assert len(report.drawn) == count
    for number in range(count):
        assert np.array_equal(pixel(tmp_path / "auto", number), pixel(tmp_path / "full", number)), number
