"""Parallel equals serial: however frames depend on each other, with any number of workers, after a kill."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from matplotlib import pyplot as plt
from matplotlib.animation import FuncAnimation

import framepipe as fp
from framepipe.core.images import read_png
from framepipe.scenes.matplotlib_private import mark_as_drawn
from tests.integration.animations import assert_same, drawn
from tests.support.forked import Python
from tests.support.sizes import all_if_long
from tests.support.waiting import wait_for

FRAMES = 16
#: State that begins after the last frame that is looked at before the work is split: of a function.
LATE = 7
#: The same for an animation, of which more frames are looked at.
FAR, FAR_FRAMES = 101, 206

SCRIPT = """
    import itertools, os, random, signal, time
    import numpy as np
    from matplotlib import pyplot as plt
    from matplotlib.animation import FuncAnimation

    clock, walk, chance = itertools.count(), {"steps": 0}, {"now": 0, "before": 0}

    def show(fig, value):
        fig.set_facecolor((value % 256 / 255, value // 256 % 256 / 255, 0))
        time.sleep(float(os.environ.get("FB_SLEEP", 0)))
        while sum(os.path.exists(f"s/frame_{k:06d}.png") for k in range(16)) >= int(os.environ.get("HOLD_AT", 99)):
            time.sleep(0.01)

    def animation(update, frames=16, **keywords):
        fig = plt.figure(figsize=(0.4, 0.4), dpi=50)
        return FuncAnimation(fig, lambda k: show(fig, update(k)), frames, init_func=lambda: None, **keywords)

    def stateless(k):
        return 7 * k

    def stateful(k):
        walk["steps"] += k
        return walk["steps"]

    def draw_late(k):
        walk["steps"] += k >= 7
        return picture(k + 300 * walk["steps"])

    def chancy(k):
        walk["start"] = walk.get("start", int.from_bytes(os.urandom(2), "big"))
        return walk["start"] + k

    def of_the_day(k):
        return time.monotonic_ns() // 100_000

    free_anim, replay_anim = animation(stateless), animation(stateful)
    chancy_anim, clock_anim = animation(chancy), animation(of_the_day)

    def picture(value):
        fig = plt.figure(figsize=(0.4, 0.4), dpi=50)
        show(fig, value)
        return fig

    def draw_counter(k):
        return picture(stateful(k))
"""
STATEFUL = [sum(range(k + 1)) for k in range(FRAMES)]
LATE_VALUES = [k + 300 * max(0, k - LATE + 1) for k in range(FRAMES)]
EXPECTED = {
    "free_anim": ([7 * k for k in range(FRAMES)], "replay"),
    "replay_anim": (STATEFUL, "replay"),
    "draw_counter": (STATEFUL, "replay"),
    "draw_late": (LATE_VALUES, "replay"),
}


def plan_of(name):
    """What must be told of a function: its frames."""
    return ["--frames", FRAMES] if name.startswith("draw") else []


def shown(fig, value):
    """Put a number into a figure, so that the picture says which updates were run."""
    fig.set_facecolor((value % 256 / 255, value // 256 % 256 / 255, 0))


def values(store):
    """The numbers in a store's pictures."""
    where = fp.Store(store)
    corners = [read_png(where.frame_path(number))[0, 0] for number in where.numbers()]
    return [int(red) + 256 * int(green) for red, green, *_ in corners]


def animation(update, frames=FRAMES, **keywords):
    """An animation whose picture k says ``update(k)``."""
    fig = plt.figure(figsize=(0.4, 0.4), dpi=50)
    return FuncAnimation(fig, lambda k: shown(fig, update(k)), frames, init_func=lambda: None, **keywords)


def drawing(update):
    """A function of which picture k says ``update(k)``."""

    def draw(k):
        fig = plt.figure(figsize=(0.4, 0.4), dpi=50)
        shown(fig, update(k))
        return fig

    return draw


def counter(since=0, gain=300):
    state = {"count": 0}

    def update(k):
        state["count"] += k >= since
        return k + gain * state["count"]

    return update


def counting(frames=FRAMES, since=0, gain=300):
    """An animation with a counter that goes up from frame ``since`` on."""
    return animation(counter(since, gain), frames)


def counted(frames=FRAMES, since=0, gain=300):
    return [k + gain * max(0, k - since + 1) for k in range(frames)]


@pytest.fixture
def script(folder):
    (folder / "scene.py").write_text(textwrap.dedent(SCRIPT))
    return folder


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def start(folder, *args, **env):
    return Python(
        [sys.executable, "-m", "framepipe", *map(str, args)],
        cwd=folder,
        env={**os.environ, **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill_held(process, folder, frames):
    """kill -9 as soon as there are so many frames: with HOLD_AT, it draws no more until then."""
    wait_for(lambda: len(list(folder.glob("frame_*.png"))) >= frames or process.poll() is not None)
    assert process.poll() is None, "it was done before it could be killed"
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize(
    ("name", "workers"),
    all_if_long(
        [
            *((name, 2) for name in EXPECTED),
            *((name, each) for name in ("replay_anim", "draw_late") for each in (1, 3)),
        ],
        ("free_anim", 2),
        ("replay_anim", 3),
        ("draw_late", 1),
    ),
)
def test_each_scene_gets_its_order_and_the_pixels_of_a_serial_run(script, name, workers):
    expected, order = EXPECTED[name]
    frames = FRAMES if plan_of(name) else None
    report = fp.render(f"scene.py:{name}", frames, store="s", workers=workers)
    assert values("s") == expected
    assert report.order == order
    assert bool(report.notes) == name.startswith("draw"), "that updates run in order is no news"


@pytest.mark.parametrize("name", all_if_long(["replay_anim", "draw_late"], "replay_anim"))
def test_a_killed_run_is_resumed_to_the_pixels_of_a_serial_run(script, cli_process, name):
    expected, _ = EXPECTED[name]
    half = len(expected) // 2
    render = ("render", f"scene.py:{name}", *plan_of(name), "--store", "s", "-j", 2, "-q")
    kill_held(start(script, *render, FB_SLEEP="0.05", HOLD_AT=f"{half}"), script / "s", half)
    cli_process("resume", "s", "-j", 2, "-q", ok=True)
    assert values(script / "s") == expected


def test_a_run_of_one_worker_that_was_killed_past_a_late_state_is_resumed_to_the_pixels_of_a_serial_run(
    script, cli_process
):
    render = ("render", "scene.py:draw_late", *plan_of("draw_late"), "--store", "s", "-j", 1, "-q")
    kill_held(start(script, *render, HOLD_AT=f"{LATE + 2}"), script / "s", LATE + 2)
    cli_process("resume", "s", "-j", 1, "-q", ok=True)
    assert values(script / "s") == LATE_VALUES


@pytest.mark.parametrize(
    ("name", "workers"),
    all_if_long(
        [("chancy_anim", 1), ("chancy_anim", 3), ("clock_anim", 2)], ("chancy_anim", 3), ("clock_anim", 2)
    ),
)
def test_chance_and_the_time_of_day_are_drawn_in_one_process_and_told_with_the_remedy(script, name, workers):
    report = fp.render(f"scene.py:{name}", store="s", workers=workers)
    assert report.order == "serial"
    assert "came out different each time" in report.notes[-1]
    assert "the time of day" in report.notes[-1] and "order serial" in report.notes[-1]
    found = values("s")
    if name == "chancy_anim":
        assert found == [(found[0] + k) % 65536 for k in range(FRAMES)]
    else:
        assert len(set(found)) == FRAMES


def test_a_killed_run_of_a_random_walk_is_begun_anew_and_not_spliced(script, cli_process):
    run = start(script, "render", "scene.py:chancy_anim", "--store", "s", "-j", 2, "-q", HOLD_AT="12")
    job = script / "s" / "job.json"
    wait_for(lambda: job.exists() and '"order": "serial"' in job.read_text())
    for number in range(4, FRAMES):  # of before that was found out: they would hold the run at once
        (script / "s" / f"frame_{number:06d}.png").unlink(missing_ok=True)
    kill_held(run, script / "s", 12)
    said = cli_process("resume", "s", "-j", 2, "-q", ok=True).stdout
    found = values(script / "s")
    assert found == [(found[0] + k) % 65536 for k in range(FRAMES)]
    assert "of an earlier run came out different now" in said


def test_an_order_that_was_found_out_is_kept_for_the_next_run(script):
    fp.render("scene.py:replay_anim", store="s", workers=2)
    (script / "s" / "frame_000007.png").unlink()
    report = fp.render("scene.py:replay_anim", store="s", workers=2)
    assert (report.drawn, report.kept, report.order) == ((7,), FRAMES - 1, "replay")
    assert values("s") == STATEFUL


@pytest.mark.parametrize(("name", "engine"), [("replay_anim", "local"), ("draw_counter", "serial")])
def test_one_frame_of_a_scene_with_state_is_the_one_of_a_whole_run(script, cli_process, name, engine):
    cli_process(
        "render", f"scene.py:{name}", *plan_of(name), "--store", "s", "--only", 7, "--engine", engine, ok=True
    )
    assert values(script / "s") == [STATEFUL[7]]


def test_what_the_serial_engine_began_is_resumed_to_the_pixels_of_a_serial_run(script, cli_process):
    render = ("render", "scene.py:replay_anim", "--store", "s", "--engine", "serial")
    kill_held(start(script, *render, HOLD_AT="8"), script / "s", 8)
    cli_process("resume", "s", "--engine", "serial", ok=True)
    assert values(script / "s") == STATEFUL


def test_two_shards_of_a_scene_with_state_make_the_whole(script):
    for shard in ("1/2", "2/2"):
        report = fp.render("scene.py:replay_anim", store="s", workers=2, shard=shard)
        assert report.total == FRAMES // 2
    assert values("s") == STATEFUL
    assert fp.status("s").complete


@pytest.mark.parametrize("order", all_if_long(["free", "replay", "serial"], "free", "serial"))
def test_an_order_that_is_named_is_used_and_not_checked(tmp_path, order):
    report = fp.render(counting(), store=tmp_path / "s", workers=2, order=order)
    assert (report.order, report.notes) == (order, ())
    assert order == "free" or values(tmp_path / "s") == counted()


def test_an_unknown_order_is_refused_with_the_ones_there_are(tmp_path):
    animation = counting()
    mark_as_drawn(animation)  # it is refused before anybody sees it, and matplotlib would warn of that
    with pytest.raises(fp.UsageError, match="order is 'fast'; give one of auto, free, replay, serial"):
        fp.render(animation, store=tmp_path / "s", order="fast")


@pytest.mark.long
@pytest.mark.parametrize("workers", all_if_long([1, 2], 2))
def test_workers_that_are_replaced_lose_no_late_state(tmp_path, workers):
    scene = drawing(counter(LATE))
    report = fp.render(scene, 16, store=tmp_path / "s", workers=workers, max_frames_per_worker=5)
    assert values(tmp_path / "s") == counted(16, LATE)
    assert report.order == "replay"


@pytest.mark.parametrize("workers", all_if_long([1, 2], 2))
def test_late_state_of_an_animation_is_there_because_all_updates_run_in_order(tmp_path, workers):
    report = fp.render(counting(FAR_FRAMES, FAR), store=tmp_path / "s", workers=workers)
    assert values(tmp_path / "s") == counted(FAR_FRAMES, FAR)
    assert (report.order, report.notes) == ("replay", ())
    assert report.trials <= 0.06 * FAR_FRAMES


@pytest.mark.parametrize("max_frames_per_worker", all_if_long([1, 3], 1))
def test_workers_that_are_replaced_often_draw_the_same(tmp_path, max_frames_per_worker):
    free = drawing(lambda k: 9 * k)
    assert (
        fp.render(free, 8, store=tmp_path / "f", workers=2, max_frames_per_worker=max_frames_per_worker).order
        == "free"
    )
    assert values(tmp_path / "f") == [9 * k for k in range(8)]
    assert (
        fp.render(
            counting(8), store=tmp_path / "r", workers=2, max_frames_per_worker=max_frames_per_worker
        ).order
        == "replay"
    )
    assert values(tmp_path / "r") == counted(8)


def test_limits_that_grow_late_as_in_matplotlibs_decay_are_those_of_a_serial_run(tmp_path):
    def scene():
        fig, ax = plt.subplots(figsize=(1, 1), dpi=50)
        (line,) = ax.plot([], [])
        ax.set(xlim=(0, LATE), ylim=(-1, 1))

        def draw(k):
            line.set_data(range(k + 1), [(-0.97) ** n for n in range(k + 1)])
            if k >= ax.get_xlim()[1]:
                ax.set_xlim(0, 1.02 * ax.get_xlim()[1])
            return fig

        return draw

    local = fp.render(scene(), 24, store=tmp_path / "l", workers=2)
    assert local.order == "replay"
    assert_same(drawn(local), drawn(fp.render(scene(), 24, store=tmp_path / "s", engine="serial")))


def flagged(path):
    """True once."""
    if path.exists():
        return False
    path.touch()
    return True


@pytest.mark.parametrize(
    ("since", "order", "workers", "death"),
    all_if_long(
        [
            (0, "replay", 2, "kill"),
            (LATE, "replay", 1, "exit"),
            (LATE, "replay", 2, "kill"),
            (99, "free", 2, "exit"),
        ],
        (LATE, "replay", 2, "kill"),
        (99, "free", 2, "exit"),
    ),
)
def test_a_worker_that_dies_once_costs_no_state(tmp_path, since, order, death, workers):
    flag, count = tmp_path / "died", counter(since)

    def update(k):
        value = count(k)
        if k == 12 and flagged(flag):
            os._exit(3) if death == "exit" else os.kill(os.getpid(), signal.SIGKILL)
        return value

    report = fp.render(drawing(update), 16, store=tmp_path / "s", workers=workers)
    assert flag.exists()
    assert values(tmp_path / "s") == counted(16, since)
    assert report.order == order


def test_a_frame_that_hangs_once_is_drawn_by_another_worker(tmp_path):
    flag, count = tmp_path / "hung", counter()

    def update(k):
        if k == 2 and flagged(flag):
            time.sleep(600)
        return count(k)

    fp.render(animation(update, 8), store=tmp_path / "s", workers=2, frame_timeout_s=5, order="replay")
    assert flag.exists()
    assert values(tmp_path / "s") == counted(8)


@pytest.mark.parametrize(
    ("since", "workers", "error"),
    all_if_long(
        [
            (0, 1, ZeroDivisionError),
            (0, 3, ZeroDivisionError),
            (0, 3, SystemExit),
            (99, 2, ZeroDivisionError),
        ],
        (0, 3, SystemExit),
        (99, 2, ZeroDivisionError),
    ),
)
def test_an_update_that_raises_fails_its_own_frame_and_no_other(tmp_path, workers, since, error):
    count = counter(since)

    def update(k):
        value = count(k)
        if k == 5:
            raise error("five")
        return value

    with pytest.raises(fp.FramesFailed, match=rf"frame 5: .*{error.__name__}: five") as caught:
        fp.render(animation(update, 12), store=tmp_path / "s", workers=workers)
    assert [each.number for each in caught.value.report.failed] == [5]
    expected = counted(12, since)
    assert values(tmp_path / "s") == expected[:5] + expected[6:]


def test_a_drawing_that_changes_the_next_ones_is_drawn_in_one_process(tmp_path):
    fig = plt.figure(figsize=(0.4, 0.4), dpi=50)
    drawn = fig.text(0, 0, "")

    class Counts(type(drawn)):
        times = 0

        def draw(self, renderer):
            Counts.times += 1
            shown(self.figure, 300 * Counts.times)

    fig.add_artist(Counts(0, 0, "x"))
    anim = FuncAnimation(fig, lambda k: None, 12, init_func=lambda: None)
    report = fp.render(anim, store=tmp_path / "s", workers=2)
    assert report.order == "serial"
    found = values(tmp_path / "s")
    assert [b - a for a, b in itertools.pairwise(found[1:])] == [300] * 10


def test_changed_code_and_changed_data_of_an_animation_draw_all_frames_again(script):
    text = (script / "scene.py").read_text()
    fp.render("scene.py:free_anim", store="s", workers=2)
    assert fp.render("scene.py:free_anim", store="s", workers=2).kept == FRAMES
    (script / "scene.py").write_text(text.replace("7 * k", "8 * k"))
    report = fp.render("scene.py:free_anim", store="s", workers=2)
    assert len(report.drawn) == FRAMES and any("stale" in why for why in report.redrawn)
    assert values("s") == [8 * k for k in range(FRAMES)]


def test_a_value_that_frames_change_in_place_comes_out_the_same_in_every_engine(tmp_path):
    def draw(state):
        state[0] += 10
        return plt.figure(figsize=(0.4, 0.4), dpi=50, facecolor=str(state[0] / 255))

    found = {}
    for engine in ("serial", "local"):
        report = fp.render(
            draw, [[0]] * 5, store=tmp_path / engine, engine=engine, workers=2 if engine == "local" else None
        )
        found[engine] = [fp.Store(report.store).frame_path(k) for k in range(5)]
    shown = {name: [int(read_png(path)[3, 3, 0]) for path in paths] for name, paths in found.items()}
    assert shown["local"] == shown["serial"] == [10, 20, 30, 40, 50]
