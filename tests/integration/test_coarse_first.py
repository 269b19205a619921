"""Frames that are not drawn from the first to the last: coarse passes, the movie so far, copies of a process."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

import framepipe as fp
from framepipe.core.images import read_png
from framepipe.errors import IncompleteStore, UsageError
from framepipe.rendering.engines import local
from framepipe.rendering.frame_plan import coarsest_first

FRAMES = 40
#: Frame k shows k + 1, the number of updates that have run.
COUNTING = """
    import time
    DRAW_S, UPDATE_S = 0, 0
    from matplotlib import pyplot as plt
    from matplotlib.artist import Artist
    from matplotlib.animation import FuncAnimation

    class Slow(Artist):
        def draw(self, renderer):
            time.sleep(DRAW_S)

    fig = plt.figure(figsize=(0.4, 0.4), dpi=50)
    fig.add_artist(Slow())
    count = [0]

    def update(k):
        count[0] += 1
        time.sleep(UPDATE_S)
        fig.set_facecolor((count[0] / 255, 0, 0))

    anim = FuncAnimation(fig, update, init_func=lambda: None, frames=FRAMES)

    def draw(k):
        figure = plt.figure(figsize=(0.4, 0.4), dpi=50)
        figure.set_facecolor(((k + 1) / 255, 0, 0))
        return figure
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "film.py"
    path.write_text(textwrap.dedent(COUNTING).replace("FRAMES", str(FRAMES)))
    return path


def shown(store: Path) -> dict[int, int]:
    """What each frame of a store shows."""
    pixels = {number: read_png(fp.Store(store).frame_path(number)) for number in fp.Store(store).numbers()}
    return {number: int(each[5, 5, 0]) for number, each in pixels.items()}


def order_of_drawing(store: Path) -> list[int]:
    """The frames in the order in which they came into the store."""
    times = {n: fp.Store(store).frame_path(n).stat().st_mtime_ns for n in fp.Store(store).numbers()}
    return sorted(times, key=lambda number: times[number])


@pytest.mark.parametrize("coarse_first", [False, True])
def test_a_copy_that_is_kept_of_a_process_has_run_each_update_once(script, monkeypatch, coarse_first):
    """A process that runs through slow updates is copied, in case a worker is lost; it never goes back."""
    monkeypatch.setattr(local, "_COSTLY_S", 0.01)
    script.write_text(script.read_text().replace("DRAW_S, UPDATE_S = 0, 0", "DRAW_S, UPDATE_S = 0.1, 0.02"))
    fp.render(f"{script}:anim", store="s", workers=4, order="replay", coarse_first=coarse_first)
    assert shown(Path("s")) == {k: k + 1 for k in range(FRAMES)}


@pytest.mark.parametrize("name", ["anim", "draw"])
def test_every_sixteenth_frame_is_drawn_before_those_between(script, name):
    frames = None if name == "anim" else FRAMES
    report = fp.render(f"{script}:{name}", frames, store="s", workers=2, coarse_first=True)
    assert shown(Path("s")) == {k: k + 1 for k in range(FRAMES)}
    assert report.order == ("replay" if name == "anim" else "free")
    first, order = 2 if name == "anim" or report.trials else 1, order_of_drawing(Path("s"))
    assert order[:first] == [*range(first)]
    coarse = range(first, FRAMES, 16)
    assert set(order[first : first + len(coarse)]) == {*coarse}


def test_a_scene_that_cannot_jump_about_is_drawn_in_order(script):
    fp.render(f"{script}:anim", store="s", order="serial", workers=2, coarse_first=True)
    assert order_of_drawing(Path("s")) == list(range(FRAMES))


def test_coarse_passes_have_each_frame_once_whatever_is_left():
    numbers = [3, 4, 8, 9, 10, 20, 21, 50, 51, 90]
    passes = coarsest_first(numbers, (16, 8, 4, 2, 1))
    assert sorted(each for one in passes for each in one) == numbers
    assert passes[0] == [3]
    assert coarsest_first([], (16, 1)) == []


def test_too_many_failures_end_all_passes(script):
    script.write_text(script.read_text() + "\ndef bad(k):\n    raise ValueError(k)\n")
    with pytest.raises(fp.FramesFailed) as failed:
        fp.render(
            f"{script}:bad", 64, store="s", engine="serial", order="free", coarse_first=True, max_failures=4
        )
    assert len(failed.value.report.failed) == 5


@pytest.fixture
def half(script: Path) -> Path:
    """A store in which every third frame of the first thirty is drawn."""
    fp.render(f"{script}:draw", FRAMES, store="s", engine="serial", order="free", only="0-27x3")
    return Path("s").resolve()


@pytest.mark.parametrize("suffix", ["gif", "mp4"])
def test_the_movie_so_far_holds_gaps_and_ends_with_the_last_frame(half, suffix, capsys):
    movie = fp.assemble(half, f"m.{suffix}", fps=10, so_far=True)
    assert movie.so_far == (10, FRAMES)
    assert movie.duration_s == pytest.approx(2.8)
    assert movie.to_dict()["so_far"] == {"drawn": 10, "frames": FRAMES}
    assert "not whole; what it shows is verified" in movie.summary()
    assert "30 frames are not drawn yet: it ends with frame 27" in movie.details()


def test_the_movie_so_far_lets_no_frame_be_deleted(half):
    fp.assemble(half, "m.gif", fps=10, so_far=True)
    with pytest.raises(fp.errors.FramepipeError, match="no verified movie"):
        fp.clean(half)
    assert len(fp.Store(half).numbers()) == 10


def test_gaps_can_be_left_out_of_the_movie_so_far(half):
    assert fp.assemble(half, "m.gif", fps=10, so_far=True, missing="skip").duration_s == pytest.approx(1)


def test_a_movie_so_far_of_a_whole_store_is_the_movie(half, script):
    fp.render(f"{script}:draw", FRAMES, store="s", engine="serial", order="free")
    movie = fp.assemble(half, "m.gif", fps=10, so_far=True)
    assert movie.so_far is None
    assert "so far" not in movie.details()
    assert fp.clean(half).deleted == FRAMES


def test_a_share_of_a_movie_so_far_is_refused(half):
    with pytest.raises(UsageError, match="--shard or --so-far"):
        fp.encode_share(half, "m.mp4", "1/2", so_far=True)


def test_no_frame_makes_no_movie_so_far(half):
    for number in fp.Store(half).numbers():
        fp.Store(half).frame_path(number).unlink()
    with pytest.raises(IncompleteStore, match="no frame that can be used"):
        fp.assemble(half, "m.gif", so_far=True)
