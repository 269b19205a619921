"""Many at once: two renders of one store, any number of workers, shards; always the same bytes."""

from __future__ import annotations

import subprocess

import pytest

from tests.faults.conftest import FRAMES, Bench, names_in, pixels_of
from tests.support.sizes import FAULTS, all_if_long
from tests.support.waiting import PATIENCE_S

RENDER = ("render", "tiny.py:draw", "--frames", FRAMES, "--store", "store", "-q")


@pytest.mark.parametrize("turn", range(FAULTS))
def test_two_renders_of_one_store_at_once_both_end_well(
    bench: Bench, undisturbed: dict[str, bytes], turn: int
) -> None:
    both = [bench.start(*RENDER, "-j", 2, FB_SLEEP="0.05") for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, out + err
        assert err == ""
    assert bench.frames() == undisturbed
    assert names_in(bench.store) == sorted([*undisturbed, "job.json"])
    assert bench.orphans() == {}


@pytest.mark.long
def test_two_makes_of_one_movie_at_once_leave_a_right_movie(
    bench: Bench, undisturbed_movies: dict[str, str]
) -> None:
    """The one that comes later may find frames gone that the first has cleaned up; it says so."""
    make = ("make", "tiny.py:draw", "--frames", FRAMES, "--store", "store", "-o", "movie.gif", "-j", 1, "-q")
    both = [bench.start(*make, "--keep-frames") for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, out + err
    assert pixels_of(bench.folder / "movie.gif") == undisturbed_movies["gif"]
    assert names_in(bench.folder) == ["movie.gif", "store", "tiny.py"]


def test_two_makes_that_clean_up_never_lose_the_movie(
    bench: Bench, undisturbed_movies: dict[str, str]
) -> None:
    make = ("make", "tiny.py:draw", "--frames", FRAMES, "--store", "store", "-o", "movie.gif", "-j", 1, "-q")
    both = [bench.start(*make) for _ in range(2)]
    codes = []
    for process in both:
        _out, err = process.communicate(timeout=PATIENCE_S)
        assert "Traceback" not in err, err
        codes.append(process.returncode)
    assert 0 in codes and set(codes) <= {0, 3, 5, 6}
    assert pixels_of(bench.folder / "movie.gif") == undisturbed_movies["gif"]
    bench.run(*make, ok=True)
    assert names_in(bench.folder) == ["movie.gif", "tiny.py"]


WAYS = {
    "serial": [("--engine", "serial")],
    "1 worker": [("-j", 1)],
    "2 workers": [("-j", 2)],
    "3 workers, replaced all the time": [("-j", 3, "--max-frames-per-worker", 1)],
    "shards": [
        ("--shard", "1/3", "-j", 1),
        ("--shard", "2/3", "--engine", "serial"),
        ("--shard", "3/3", "-j", 2),
    ],
    "shards backwards": [("--shard", f"{k}/3", "--engine", "serial") for k in (3, 2, 1)],
    "frame by frame": [("--only", f"{n}", "--engine", "serial") for n in (7, 0, 3)]
    + [("--engine", "serial")],
}


@pytest.mark.parametrize(
    "way", all_if_long(WAYS, "serial", "3 workers, replaced all the time", "shards", "frame by frame")
)
def test_frames_are_the_same_bytes_however_they_are_drawn(
    bench: Bench, undisturbed: dict[str, bytes], way: str
) -> None:
    for options in WAYS[way]:
        bench.run(*RENDER, *options, ok=True)
    assert bench.frames() == undisturbed
    assert bench.run("status", "store", "--deep").returncode == 0


def test_shards_at_once_draw_every_frame_and_store_only_their_own(
    bench: Bench, undisturbed: dict[str, bytes]
) -> None:
    shards: list[subprocess.Popen[str]] = [
        bench.start(*RENDER, "--shard", f"{k}/3", "--engine", "serial") for k in (1, 2, 3)
    ]
    for process in shards:
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, out + err
    assert bench.frames() == undisturbed


def test_negative_control_another_job_gives_other_bytes(bench: Bench, undisturbed: dict[str, bytes]) -> None:
    bench.run(*RENDER, "--param", "amp=2", "--engine", "serial", ok=True)
    assert all(undisturbed[name] != data for name, data in bench.frames().items())
