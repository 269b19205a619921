"""Generator functions that yield figures: run once, in order, drawn side by side, and gone on with."""

from __future__ import annotations

import os
import signal
import sys
import textwrap

import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

import framepipe as fp
from framepipe.core.images import read_png
from tests.support.forked import Python
from tests.support.sizes import all_if_long
from tests.support.waiting import wait_for

SCRIPT = """
    import os, time
    from matplotlib import pyplot as plt

    def flat(level):
        return plt.figure(figsize=(0.4, 0.4), dpi=50, facecolor=str(level / 255))

    def simulation(count=12, noise=0):
        state = 0
        for step in range(count):
            state += step
            with open("steps.txt", "a") as log:
                log.write(f"{step}\\n")
            while sum(os.path.exists(f"s/frame_{k:06d}.png") for k in range(12)) >= int(os.environ.get("HOLD_AT", 99)):
                time.sleep(0.01)
            yield flat(state)
"""
LEVELS = [sum(range(step + 1)) for step in range(12)]


def flat(level):
    return plt.figure(figsize=(0.4, 0.4), dpi=50, facecolor=str(level / 255))


def levels(store):
    where = fp.Store(store)
    return [int(read_png(where.frame_path(number))[0, 0, 0]) for number in where.numbers()]


def numbers(store):
    return fp.Store(store).numbers()


@pytest.fixture
def script(folder):
    (folder / "scene.py").write_text(textwrap.dedent(SCRIPT))
    return folder


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize("workers", all_if_long([1, 3], 3))
def test_a_generator_is_run_in_order_whatever_the_number_of_workers(script, workers):
    report = fp.render("scene.py:simulation", store="s", workers=workers)
    assert levels("s") == LEVELS
    assert (report.total, report.ended) == (12, 12)
    steps = (script / "steps.txt").read_text().split()
    assert sorted(set(map(int, steps))) == list(range(12))
    assert len(steps) <= (12 if workers == 1 else 24), "once to come to the next frame, once to draw this one"


def test_its_movie_has_all_frames_and_the_store_goes(script, cli_process):
    cli_process("make", "scene.py:simulation", "-o", "m.gif", "--engine", "serial", "-q", ok=True)
    with Image.open(script / "m.gif") as movie:
        assert movie.n_frames == 12
    assert not list(script.rglob("*.png"))


def test_a_killed_run_is_resumed_and_draws_only_what_is_missing(script, cli_process):
    run = Python(
        [sys.executable, "-m", "framepipe", "render", "scene.py:simulation", "--store", "s", "-j", "2", "-q"],
        env={**os.environ, "HOLD_AT": "5"},
    )
    wait_for(lambda: len(list((script / "s").glob("frame_*.png"))) >= 5 or run.poll() is not None)
    run.send_signal(signal.SIGKILL)
    run.wait()
    there = {path.name: path.stat().st_mtime_ns for path in (script / "s").glob("frame_*.png")}
    assert 5 <= len(there) < 12
    cli_process("resume", "s", "-j", 2, "-q", ok=True)
    assert levels(script / "s") == LEVELS
    assert {name: (script / "s" / name).stat().st_mtime_ns for name in there} == there


def test_a_complete_run_draws_nothing_again(script):
    fp.render("scene.py:simulation", store="s", engine="serial")
    again = fp.render("scene.py:simulation", store="s", engine="serial")
    assert (again.drawn, again.kept) == ((), 12)


@pytest.mark.parametrize(
    ("asked", "there"), [(5, range(5)), ("2-8x3", [2, 5, 8]), (range(3, 6), range(3, 6))]
)
def test_frames_are_chosen_by_their_place(script, asked, there):
    how = {"workers": 2} if isinstance(asked, str) else {"engine": "serial"}
    fp.render("scene.py:simulation", asked, store="s", **how)
    assert numbers("s") == list(there)
    assert levels("s") == [LEVELS[number] for number in there]


def test_parameters_reach_the_generator(script, cli_process):
    cli_process(
        "render",
        "scene.py:simulation",
        "--param",
        "count=3",
        "--store",
        "s",
        "--engine",
        "serial",
        "-q",
        ok=True,
    )
    assert levels(script / "s") == LEVELS[:3]


@pytest.mark.parametrize("engine", ["local", "serial"])
def test_each_frame_is_the_figure_as_it_was_when_it_was_yielded(tmp_path, engine):
    def evolving():
        fig, ax = plt.subplots(figsize=(0.4, 0.4), dpi=50)
        ax.set_axis_off()
        for step in range(6):
            fig.set_facecolor(str(step * 20 / 255))
            yield fig

    fp.render(evolving, store=tmp_path / "s", workers=2 if engine == "local" else None, engine=engine)
    assert levels(tmp_path / "s") == [0, 20, 40, 60, 80, 100]


def test_a_colour_bar_follows_its_image_where_drawing_sets_the_limits(tmp_path):
    def scene():
        fig, ax = plt.subplots(figsize=(2, 1.5), dpi=50)
        image = ax.imshow(np.eye(3))
        fig.colorbar(image)
        for step in range(3):
            image.set_data(np.eye(3) * 10.0**step)
            image.set_clim(0, 10.0**step)
            yield fig

    local = fp.render(scene, store=tmp_path / "l", workers=2)
    serial = fp.render(scene, store=tmp_path / "s", engine="serial")
    pictures = [[read_png(fp.Store(each.store).frame_path(k)) for k in range(3)] for each in (local, serial)]
    assert all(np.array_equal(one, other) for one, other in zip(*pictures))
    assert not np.array_equal(pictures[0][0], pictures[0][2])


@pytest.mark.parametrize("kind", ["array", "pillow", "axes"])
def test_pixels_and_what_belongs_to_a_figure_are_frames_too(tmp_path, kind):
    def scene():
        for level in (10, 20, 30):
            pixels = np.full((20, 20, 3), level, np.uint8)
            fig = flat(level)
            yield {"array": pixels, "pillow": Image.fromarray(pixels), "axes": fig.add_axes((0, 0, 0, 0))}[
                kind
            ]

    fp.render(scene, store=tmp_path / "s", **({"workers": 2} if kind == "axes" else {"engine": "serial"}))
    assert levels(tmp_path / "s") == [10, 20, 30]


def test_figures_that_it_leaves_open_are_closed(tmp_path):
    def scene():
        for level in range(30):
            yield flat(level)

    fp.render(scene, store=tmp_path / "s", engine="serial")
    assert not plt.get_fignums()


def test_module_state_of_a_generator_counts_once(tmp_path):
    calls = []

    def scene():
        for _ in range(4):
            calls.append(1)
            yield flat(10 * len(calls))

    fp.render(scene, store=tmp_path / "s", workers=3)
    assert levels(tmp_path / "s") == [10, 20, 30, 40]


def test_what_it_raises_is_told_with_its_frame_and_what_was_yielded_is_kept(tmp_path):
    def scene():
        yield flat(1)
        yield flat(2)
        raise ZeroDivisionError("third")

    with pytest.raises(fp.FramesFailed, match=r"frame 2: failed in scene.*ZeroDivisionError: third"):
        fp.render(scene, store=tmp_path / "s", workers=2)
    assert levels(tmp_path / "s") == [1, 2]


def test_one_that_ends_early_names_what_there_is_and_how_to_go_on(tmp_path):
    def scene():
        yield flat(1)
        yield flat(2)

    with pytest.raises(
        fp.FramesFailed, match="ended after 2 frames; 3 requested frames do not exist"
    ) as caught:
        fp.render(scene, 5, store=tmp_path / "s", workers=2)
    assert "--frames 2" in str(caught.value)
    assert fp.render(scene, 2, store=tmp_path / "s", engine="serial").kept == 2


def test_one_that_yields_nothing_is_refused(tmp_path):
    def scene():
        yield from ()

    with pytest.raises(fp.UsageError, match="has no frames: it ended before the first one"):
        fp.render(scene, store=tmp_path / "s", workers=2)


def test_one_that_yields_no_figure_says_what_it_yielded(tmp_path):
    def scene():
        yield flat(1)
        yield 42

    with pytest.raises(fp.FramesFailed, match=r"frame 1: scene\(\) returned a int|frame 1: .*int"):
        fp.render(scene, store=tmp_path / "s", engine="serial")
    assert levels(tmp_path / "s") == [1]


@pytest.mark.parametrize("asked", ["5-1", range(-2, 3), ["a", "b"]])
def test_frames_that_it_cannot_have_are_refused(tmp_path, asked):
    def scene():
        yield flat(1)

    with pytest.raises(fp.UsageError, match="selected by index, rising from 0"):
        fp.render(scene, asked, store=tmp_path / "s", workers=2)
