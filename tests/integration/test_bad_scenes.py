"""Scenes that cannot be drawn: one clear message, the next step in it, and nothing lost."""

from __future__ import annotations

import textwrap
import threading

import pytest
from matplotlib import pyplot as plt
from matplotlib.animation import ArtistAnimation, FuncAnimation

import framepipe as fp
from tests.integration.animations import quietly
from tests.support.sizes import all_if_long

HEAD = """
    from matplotlib import pyplot as plt
    from matplotlib.animation import FuncAnimation

    def anim(frames=3, **keywords):
        fig = plt.figure(figsize=(0.4, 0.4), dpi=50)
        return FuncAnimation(fig, lambda k: fig.set_facecolor(str(k / 10)), frames, **keywords)
"""
#: End of the script, arguments, and what the message must say.
REFUSED = {
    "no frames": ("a = anim([])", ["scene.py:a"], ["animation a has no frames", "frames="]),
    "a count of 0": ("a = anim(0)", ["scene.py:a"], ["animation a has no frames", "frames="]),
    "two animations": (
        "a, b = anim(), anim()",
        ["scene.py"],
        ["scene.py has 2 animations", "  1  a", "  2  b", "Choose one: --animation a", "--all"],
    ),
    "no animation": (
        "x = 1",
        ["scene.py"],
        ["scene.py made no figure and no animation", "Write a function of one frame that returns a Figure"],
    ),
    "no end": (
        "a = anim(None, cache_frame_data=False)",
        ["scene.py:a"],
        ["animation a has no end", "--frames 300"],
    ),
    "frames beyond the end": (
        "a = anim(3)",
        ["scene.py:a", "--frames", "0-9"],
        ["frame 9 requested; animation a has frames 0 to 2"],
    ),
    "frames before the beginning": (
        "a = anim(3)",
        ["scene.py:a", "--frames", "-2-1"],
        ["selected by index", "from 0"],
    ),
    "frames by value": (
        "a = anim([3, 4]); v = ['x', 'y']",
        ["scene.py:a", "--frames", "v"],
        ["frame range 'v' does not parse"],
    ),
    "parameters for an animation": (
        "a = anim()",
        ["scene.py:a", "--param", "n=3"],
        ["an animation takes no parameters (n)"],
    ),
    "a function without a frame that returns a figure": (
        "def draw(): return plt.figure()",
        ["scene.py:draw"],
        ["draw() takes no frame and returned a Figure", "must take one frame's value"],
    ),
    "a function without a frame that returns nothing": (
        "def draw(): pass",
        ["scene.py:draw"],
        ["draw() takes no frame and returned a NoneType"],
    ),
    "a function whose frames are not told": (
        "def draw(k): return plt.figure()",
        ["scene.py:draw"],
        ["say which frames: a count (300)"],
    ),
    "a name that is not there": ("a = anim()", ["scene.py:b"], ["has no 'b'"]),
    "a script that raises": ("1 / 0", ["scene.py:a"], ["cannot be loaded: ZeroDivisionError"]),
    "a script that makes its movie when it is loaded": (
        "import framepipe; a = anim(); framepipe.make(a, output='m.gif')",
        ["scene.py:a"],
        ["calls framepipe.make while it is loaded", 'if __name__ == "__main__":'],
    ),
}


def flat(level):
    return plt.figure(figsize=(0.4, 0.4), dpi=50, facecolor=str(level / 255))


def shades(frames, **keywords):
    fig = plt.figure(figsize=(0.4, 0.4), dpi=50)
    return quietly(FuncAnimation, fig, lambda v: fig.set_facecolor(str(v / 25.5)), frames, **keywords)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


#: Those that the process which has loaded the script sends to the one that draws: one of each place that refuses.
SENT = (
    "two animations",
    "frames beyond the end",
    "a function whose frames are not told",
    "a script that raises",
)


@pytest.mark.parametrize(
    ("name", "engine"),
    all_if_long(
        [*((name, "serial") for name in REFUSED), *((name, "local") for name in SENT)],
        *((name, "serial") for name in (*REFUSED,)[1::2] if name not in SENT),
        *((name, "local") for name in SENT),
    ),
)
def test_what_cannot_be_drawn_is_refused_in_one_message_and_leaves_no_trace(
    folder, cli_process, name, engine
):
    end, arguments, words = REFUSED[name]
    (folder / "scene.py").write_text(textwrap.dedent(HEAD) + end + "\n")
    done = cli_process("render", *arguments, "--store", "s", "--engine", engine, "-q")
    assert done.returncode == 2, done.stderr
    for word in words:
        assert word in done.stderr
    assert len(done.stderr.splitlines()[0]) < 160
    assert "Traceback" not in done.stderr or name == "a script that raises"
    assert not list(folder.rglob("frame_*.png"))


def ends_early():
    yield from range(3)


@pytest.mark.parametrize("workers", all_if_long([1, 2], 2))
def test_frames_that_end_early_keep_what_there_is_and_say_how_to_go_on(tmp_path, workers):
    with pytest.raises(
        fp.FramesFailed, match="ended after 3 frames; 5 requested frames do not exist"
    ) as caught:
        fp.render(shades(ends_early), 8, store=tmp_path / "s", workers=workers)
    assert "--frames 3" in str(caught.value)
    assert fp.Store(tmp_path / "s").numbers() == [0, 1, 2]
    assert fp.render(shades(ends_early), 3, store=tmp_path / "s", engine="serial").drawn == ()


def test_frames_that_never_come_are_refused(tmp_path):
    with pytest.raises(fp.UsageError, match="has no frames: it ended before the first one"):
        fp.render(shades(lambda: iter(())), store=tmp_path / "s", workers=2)


def test_no_artists_are_no_frames(tmp_path):
    fig = plt.figure()
    with pytest.raises(fp.UsageError, match="has no frames"):
        fp.render(ArtistAnimation(fig, []), store=tmp_path / "s")


def test_a_function_that_returns_no_figure_fails_and_says_what_it_must_return(tmp_path):
    with pytest.raises(fp.FramesFailed, match="returned a int: return a Figure, an Axes, a Pillow image"):
        fp.render(lambda k: 42, 3, store=tmp_path / "s", workers=2)


def test_an_update_that_raises_is_told_with_its_frame_its_traceback_and_the_next_step(tmp_path):
    fig = plt.figure(figsize=(0.4, 0.4), dpi=50)

    def update(k):
        fig.set_facecolor(str(1 / (5 - k)))

    with pytest.raises(fp.FramesFailed) as caught:
        fp.render(FuncAnimation(fig, update, 5 + 1), store=tmp_path / "s", workers=2)
    text = str(caught.value)
    assert "frame 5: " in text and "ZeroDivisionError" in text
    assert "in update" in text and "engine/" not in text.partition("Traceback")[2].partition("in update")[0]
    assert 'only="5", engine="serial"' in text
    assert fp.Store(tmp_path / "s").numbers() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("engine", ["local", "serial"])
def test_an_initial_draw_that_raises_is_told(tmp_path, engine):
    fig = plt.figure(figsize=(0.4, 0.4), dpi=50)

    def init():
        raise ZeroDivisionError("init")

    anim = FuncAnimation(fig, lambda k: None, 3, init_func=init)
    with pytest.raises(fp.FramesFailed, match="ZeroDivisionError: init"):
        fp.render(anim, store=tmp_path / "s", workers=2 if engine == "local" else None, engine=engine)
    assert not fp.Store(tmp_path / "s").numbers()


def test_an_animation_that_no_worker_can_get_is_drawn_here_and_says_so(tmp_path):
    fig = plt.figure(figsize=(0.4, 0.4), dpi=50)
    lock, state = threading.Lock(), [0]

    def update(k):
        with lock:
            state[0] += k
            fig.set_facecolor(str(state[0] / 255))

    report = fp.render(FuncAnimation(fig, update, 4), store=tmp_path / "s", workers=2)
    assert (report.engine, report.order, len(report.drawn)) == ("serial", "replay", 4)
    assert "drawn in this process" in report.notes[0] and "lock" in report.notes[0]


def test_a_class_of_animation_that_draws_nothing_is_told(tmp_path):
    from matplotlib.animation import TimedAnimation

    class Empty(TimedAnimation):
        def new_frame_seq(self):
            return iter(range(3))

    with pytest.raises(fp.FramesFailed, match="NotImplementedError"):
        fp.render(Empty(plt.figure(figsize=(0.4, 0.4), dpi=50)), store=tmp_path / "s", workers=1)
