"""kill -9 at random moments: what was finished stays, the rest is drawn, the movie is the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time

import pytest

from tests.faults.conftest import FAULTS, FRAMES, Bench, names_in, pixels_of, wait_for

MAKE = ("make", "tiny.py:draw", "--frames", FRAMES, "--store", "store", "-j", 2, "-o", "movie.gif", "--keep-frames", "-q")
SLOW = {"FB_SLEEP": "0.1"}
#: Seconds in which the whole command is done, so that kills fall everywhere.
SPAN_S = 2.2


def workers_of(bench: Bench) -> list[int]:
    return [pid for pid, command in bench.processes().items() if "framepipe.engines.worker" in command]


def check_what_is_there(bench: Bench, undisturbed: dict[str, bytes]) -> set[int]:
    """Every file under a final name must be whole; the frames that are there."""
    for name, data in bench.frames().items():
        assert data == undisturbed[name], f"{name} is not what an undisturbed run draws"
    if (bench.folder / "movie.gif").exists():
        assert pixels_of(bench.folder / "movie.gif")
    return {int(name[6:12]) for name in bench.frames()}


def go_on(bench: Bench, undisturbed: dict[str, bytes], movies: dict[str, str]) -> None:
    """Run the same again, and compare everything with a run that nobody disturbed."""
    finished, drawn_before = check_what_is_there(bench, undisturbed), len(bench.draws())
    bench.run(*MAKE, ok=True)
    assert not finished & set(bench.draws()[drawn_before:]), "a finished frame was drawn again"
    assert bench.frames() == undisturbed
    assert pixels_of(bench.folder / "movie.gif") == movies["gif"]
    assert bench.orphans() == {}
    assert names_in(bench.folder) == ["movie.gif", "store", "tiny.py"]
    assert names_in(bench.store) == sorted([*undisturbed, "job.json", "movies.json"])


@pytest.mark.parametrize("whom", ["parent", "parent and workers"] * (7 * FAULTS))
def test_killed_make_resumes_to_identical_frames_and_movie(
    bench: Bench, undisturbed: dict[str, bytes], undisturbed_movies: dict[str, str], whom: str, dice: random.Random
) -> None:
    make = bench.start(*MAKE, **SLOW)
    time.sleep(dice.uniform(0.2, SPAN_S))
    if whom == "parent":
        make.kill()
    else:
        for pid in bench.processes():
            os.kill(pid, signal.SIGKILL)
        bench.kill_all()
    make.communicate()
    assert bench.orphans() == {}, "processes outlive a killed framepipe"
    go_on(bench, undisturbed, undisturbed_movies)


@pytest.mark.parametrize("turn", range(6 * FAULTS))
def test_killed_worker_costs_nothing(
    bench: Bench, undisturbed: dict[str, bytes], undisturbed_movies: dict[str, str], turn: int, dice: random.Random
) -> None:
    make = bench.start(*MAKE, **SLOW)
    wait_for(lambda: workers_of(bench) or make.poll() is not None)
    time.sleep(dice.uniform(0.0, 1.2))
    for pid in dice.sample(found := workers_of(bench), min(1, len(found))):
        os.kill(pid, signal.SIGKILL)
    out, err = make.communicate(timeout=60)
    assert make.returncode == 0, out + err
    assert bench.frames() == undisturbed
    go_on(bench, undisturbed, undisturbed_movies)


def test_all_workers_killed_again_and_again_end_in_an_error_that_says_so(bench: Bench) -> None:
    make = bench.start(*MAKE, FB_SLEEP="1000")
    while make.poll() is None:
        for pid in workers_of(bench):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    _, err = make.communicate()
    assert make.returncode == 3, err
    assert "worker processes die while they start" in err or "tried twice" in err, err
    assert bench.orphans() == {}


def test_worker_that_is_busy_outside_python_ends_with_its_killed_parent(bench: Bench) -> None:
    bench.scene(
        """
        import ctypes

        def draw(value):
            ctypes.PyDLL(None).sleep(600)  # holds the interpreter's lock, as C extensions do
        """
    )
    render = bench.start("render", "tiny.py:draw", "--frames", 2, "--store", "store", "-j", 1, "-q")
    wait_for(lambda: workers_of(bench))
    pid = workers_of(bench)[0]
    wait_for(lambda: "clock_nanosleep" in _wchan(pid))
    render.kill()
    render.communicate()
    assert bench.orphans() == {}


def _wchan(pid: int) -> str:
    """Where the kernel has the main thread of a process."""
    number = open(f"/proc/{pid}/syscall").read().split()[0]
    return "clock_nanosleep" if number in ("230", "35", "115", "101") else number


def test_negative_control_a_redrawn_frame_is_noticed(bench: Bench, undisturbed: dict[str, bytes], undisturbed_movies: dict[str, str]) -> None:
    bench.run(*MAKE, ok=True)
    frame = bench.store / "frame_000003.png"
    frame.write_bytes(undisturbed["frame_000004.png"])
    with pytest.raises(AssertionError, match="not what an undisturbed run draws"):
        check_what_is_there(bench, undisturbed)
    frame.write_bytes(undisturbed["frame_000003.png"])
    bench.scene("import tiny_copy").write_text((bench.folder / "tiny.py").read_text().replace("linewidth=8", "linewidth=7"))
    with pytest.raises(AssertionError, match="drawn again"):
        go_on(bench, undisturbed, undisturbed_movies)


def test_negative_control_an_orphan_is_noticed(bench: Bench) -> None:
    child = subprocess.Popen(["sleep", "600"], env={**os.environ, **bench.env})
    assert child.pid in bench.processes()
    child.kill()
    child.wait()
    assert bench.processes() == {}
