"""Animations whose updates clear their Axes are drawn in any order, and come out as ``anim.save`` draws them."""

from __future__ import annotations

import textwrap
import time

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.animation import FuncAnimation

import framepipe as fp
from framepipe.scenes import animation as animations
from tests.integration.animations import assert_same, drawn, saved

FRAMES, LATE, EARLY = 16, 11, 4
X = np.linspace(0, 6, 40)


def clearing(color=None, at=LATE, sleep_s=0.0):
    """An animation that clears its Axes, and in one frame may set what `Axes.clear` does not reset."""
    fig, (ax, other) = plt.subplots(1, 2, figsize=(3, 1.5), dpi=50)
    other.plot(X, X)

    def update(k):
        ax.clear()
        ax.plot(X, np.sin(X + k / 3), label=f"t = {k}")
        ax.legend(loc="upper right")
        if k > LATE:
            ax.set_title("late")

    def update_late(k):
        ax.clear()
        ax.plot(X, np.sin(X + k / 3))
        time.sleep(sleep_s)
        if k == at:
            ax.set_facecolor(color)

    return FuncAnimation(fig, update if color is None else update_late, FRAMES)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize("workers", [1, 3])
def test_frames_that_begin_anew_are_drawn_in_any_order(tmp_path, workers):
    report = fp.render(clearing(), store=tmp_path / "s", workers=workers)
    assert (report.order, report.notes) == ("free", ())
    assert_same(drawn(report), saved(clearing()))


def test_a_part_of_them_and_then_the_others(tmp_path):
    fp.render(clearing(), store=tmp_path / "s", workers=2, only="3,9-12")
    report = fp.render(clearing(), store=tmp_path / "s", workers=2)
    assert (report.kept, report.order) == (5, "free")
    assert_same(drawn(report), saved(clearing()))


def test_what_is_left_by_one_update_shows_in_all_later_frames(tmp_path):
    report = fp.render(clearing("C1"), store=tmp_path / "s", workers=3)
    assert report.order == "replay"
    assert_same(drawn(report), saved(clearing("C1")))


def test_a_function_that_was_misread_is_found_out_by_its_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr(animations, "begins_anew", lambda *_: True)
    scene = clearing("C1", EARLY, sleep_s=0.1)  # so slow that all workers take part
    report = fp.render(scene, store=tmp_path / "s", workers=3)
    assert report.order == "replay"
    assert "the scene keeps state" in report.notes[0]
    assert_same(drawn(report), saved(clearing("C1", EARLY)))


SCRIPT = """
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation

x, seen = np.linspace(0, 6, 40), []
fig, ax = plt.subplots(figsize=(2, 1.5), dpi=50)

def update(k):
    ax.clear()
    ax.plot(x, np.sin(x + k / 3)){more}

anim = FuncAnimation(fig, update, frames=12)
"""


@pytest.mark.parametrize(("more", "order"), [("", "free"), ("; seen.append(k)", "replay")])
def test_a_script_as_it_is(tmp_path, more, order):
    script = tmp_path / "film.py"
    script.write_text(textwrap.dedent(SCRIPT).format(more=more))
    report = fp.make(script, output=tmp_path / "film.mp4", store=tmp_path / "s", workers=2)
    assert report.render.order == order
    assert report.movies[0].report.passed
