"""Frames that another version of the job drew: found, explained, drawn again; never mixed in silently."""

from __future__ import annotations

import pytest

from tests.faults.conftest import FRAMES, SCENE, Bench, pixels_of
from tests.support.waiting import PATIENCE_S, wait_for

RENDER = ("render", "tiny.py:draw", "--frames", FRAMES, "--store", "store", "--engine", "serial", "-q")
EDITED = SCENE.replace("linewidth=8", "linewidth=4")


@pytest.fixture
def drawn(bench: Bench) -> Bench:
    (bench.folder / "table.csv").write_text("1,2,3\n")
    bench.run(*RENDER, "--input", "table.csv", ok=True)
    bench.log.unlink()
    return bench


def check_stale(bench: Bench, *reasons: str) -> None:
    """`status` and `assemble` refuse and say why."""
    for verb in (("status", "store"), ("assemble", "store", "-o", "movie.gif", "-q")):
        done = bench.run(*verb)
        assert done.returncode == 3
        for reason in (f"0-{FRAMES - 1}", "stale", *reasons):
            assert reason in done.stdout + done.stderr
    assert not (bench.folder / "movie.gif").exists()


def test_edited_script_makes_all_frames_stale_and_is_named(drawn: Bench) -> None:
    old = drawn.frames()
    drawn.scene(EDITED)
    check_stale(drawn, "tiny.py changed")
    done = drawn.run("resume", "store", "--engine", "serial", "-q", ok=True)
    assert f"{FRAMES} stale: " in done.stdout and "tiny.py changed" in done.stdout
    assert drawn.draws() == list(range(FRAMES))
    assert all(drawn.frames()[name] != old[name] for name in old)
    drawn.run("status", "store", ok=True)


@pytest.mark.parametrize(
    "text",
    [
        SCENE.replace("    def draw", "    # a comment\n\n\n    def draw"),
        SCENE.replace("value, amp=1.0", "value,   amp = 1.0"),
    ],
    ids=["comment", "white-space"],
)
def test_edited_comment_or_white_space_makes_nothing_stale(drawn: Bench, text: str) -> None:
    assert text != SCENE
    drawn.scene(text)
    drawn.run("status", "store", ok=True)
    done = drawn.run(*RENDER, "--input", "table.csv", ok=True)
    assert f"0 frames drawn, {FRAMES} were done" in done.stdout
    assert drawn.draws() == []


def test_changed_input_makes_frames_stale_and_is_named(drawn: Bench) -> None:
    (drawn.folder / "table.csv").write_text("1,2,4\n")
    check_stale(drawn, "table.csv changed")
    drawn.run("resume", "store", "--engine", "serial", "-q", ok=True)
    assert drawn.draws() == list(range(FRAMES))


def test_touched_input_makes_nothing_stale(drawn: Bench) -> None:
    (drawn.folder / "table.csv").write_text("1,2,3\n")
    drawn.run("status", "store", ok=True)


def test_missing_input_leaves_frames_as_recorded_but_nothing_is_drawn_without_it(drawn: Bench) -> None:
    """A store that was moved to where the inputs are not can still be looked at and assembled."""
    (drawn.folder / "table.csv").unlink()
    assert drawn.run("status", "store").returncode == 0
    refused = drawn.run("resume", "store")
    assert refused.returncode == 2
    assert "table.csv' does not exist" in refused.stderr


CHANGES = {
    "param": (("--param", "amp=2"), "the parameters changed", "other parameters"),
    "dpi": (("--dpi", "60"), "dpi, tight or transparent changed", "another dpi"),
    "transparent": (("--transparent",), "dpi, tight or transparent changed", "transparent"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_option_draws_all_frames_again_if_it_is_told_so_and_says_why(
    drawn: Bench, change: str
) -> None:
    options, reason, film = CHANGES[change]
    old = drawn.frames()
    refused = drawn.run(*RENDER, "--input", "table.csv", *options)
    assert refused.returncode == 3
    assert f"{FRAMES} finished frames" in refused.stderr and film in refused.stderr
    assert "another --store" in refused.stderr and "--stale draw" in refused.stderr
    assert drawn.draws() == [] and drawn.frames() == old
    draw = (*RENDER, "--input", "table.csv", "--stale", "draw")
    done = drawn.run(*draw, *options, ok=True)
    assert f"{FRAMES} stale: {reason}" in done.stdout
    assert drawn.draws() == list(range(FRAMES))
    assert all(drawn.frames()[name] != old[name] for name in old)
    back = drawn.run(*draw, ok=True)
    assert f"{FRAMES} stale: {reason}" in back.stdout
    assert drawn.frames() == old


def test_other_rcparams_draw_all_frames_again_and_say_why(drawn: Bench) -> None:
    (drawn.folder / "style.rc").write_text("figure.facecolor: 333333\n")
    old = drawn.frames()
    done = drawn.run(*RENDER, "--input", "table.csv", MATPLOTLIBRC="style.rc", ok=True)
    assert f"{FRAMES} stale: rcParams or style changed" in done.stdout
    assert drawn.draws() == list(range(FRAMES))
    assert all(drawn.frames()[name] != old[name] for name in old)
    back = drawn.run(*RENDER, "--input", "table.csv", ok=True)
    assert f"{FRAMES} stale: rcParams or style changed" in back.stdout
    assert drawn.frames() == old


def test_stale_error_draws_nothing_and_touches_nothing(drawn: Bench) -> None:
    old, job = drawn.frames(), (drawn.store / "job.json").read_bytes()
    drawn.scene(EDITED)
    done = drawn.run(*RENDER, "--input", "table.csv", "--stale", "error")
    assert done.returncode == 3
    assert f"{FRAMES} of {FRAMES} frames" in done.stderr and "tiny.py changed" in done.stderr
    assert drawn.draws() == []
    assert drawn.frames() == old
    assert (drawn.store / "job.json").read_bytes() == job


def test_stale_keep_draws_only_what_is_missing(drawn: Bench) -> None:
    old = drawn.frames()
    (drawn.store / "frame_000003.png").unlink()
    drawn.scene(EDITED)
    drawn.run(*RENDER, "--input", "table.csv", "--stale", "keep", ok=True)
    new = drawn.frames()
    assert [name for name in old if new[name] != old[name]] == ["frame_000003.png"]
    assert drawn.run("assemble", "store", "-o", "movie.gif", "-q").returncode == 3
    done = drawn.run("assemble", "store", "-o", "movie.gif", "--stale", "keep", "-q", ok=True)
    assert f"{FRAMES - 1} stale frames were used" in done.stdout


def test_stale_frames_are_counted_only_if_the_movie_shows_them(drawn: Bench) -> None:
    (drawn.store / "frame_000003.png").unlink()
    drawn.scene(EDITED)
    drawn.run(*RENDER, "--input", "table.csv", "--stale", "keep", ok=True)
    movie = ("assemble", "store", "-o", "movie.gif", "-q", "--part")
    assert "stale" not in drawn.run(*movie, "3", ok=True).stdout
    assert "stale" not in drawn.run(*movie, "3", "--stale", "keep", ok=True).stdout
    assert "2 stale frames were used" in drawn.run(*movie, "2-4", "--stale", "keep", ok=True).stdout


def test_edit_undone_needs_no_drawing(drawn: Bench, undisturbed_movies: dict[str, str]) -> None:
    drawn.scene(EDITED)
    assert drawn.run("status", "store").returncode == 3
    drawn.scene(SCENE)
    drawn.run("assemble", "store", "-o", "movie.gif", "-q", ok=True)
    assert drawn.draws() == []
    assert pixels_of(drawn.folder / "movie.gif") == undisturbed_movies["gif"]


def test_script_edited_while_frames_are_drawn_mixes_no_versions(bench: Bench) -> None:
    render = bench.start(
        "make",
        "tiny.py:draw",
        "--frames",
        FRAMES,
        "--store",
        "store",
        "-j",
        2,
        "-o",
        "movie.gif",
        "-q",
        FB_SLEEP="0.15",
    )
    wait_for(lambda: len(bench.draws()) >= 3 or render.poll() is not None)
    bench.scene(EDITED)
    _, err = render.communicate(timeout=PATIENCE_S)
    frames = bench.frames()
    if render.returncode == 0:  # all were drawn with the old source: the movie is of one version
        assert not frames
        return
    assert render.returncode == 3, err
    assert "tiny.py changed" in err
    assert not (bench.folder / "movie.gif").exists()
