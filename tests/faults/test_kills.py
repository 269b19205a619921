"""kill -9 at random moments: what was finished stays, the rest is drawn, the movie is the same."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults.conftest import FRAMES, Bench, names_in, pixels_of
from tests.support.sizes import FAULTS
from tests.support.waiting import PATIENCE_S, wait_for

MAKE = ("make", "tiny.py:draw", "--frames", FRAMES, "--store", "store", "-j", 2, "-o", "movie.gif", "-q")
SLOW = {"FB_SLEEP": "0.08"}
#: Seconds in which the whole command is done, so that kills fall everywhere.
SPAN_S = 2.0


def stages_of(bench: Bench) -> dict[int, bool]:
    """Ids of the stage and of what was forked from it, and whether they were forked: then they are workers."""
    found = [
        pid for pid, command in bench.processes().items() if "framepipe.rendering.engines.stage" in command
    ]
    return {pid: parent_of(pid) in found for pid in found}


def parent_of(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return None


def workers_of(bench: Bench) -> list[int]:
    return [pid for pid, is_forked in stages_of(bench).items() if is_forked]


def check_what_is_there(bench: Bench, undisturbed: dict[str, bytes]) -> set[int]:
    """Every file under a final name must be whole; the frames that are there."""
    for name, data in bench.frames().items():
        assert data == undisturbed[name], f"{name} is not what an undisturbed run draws"
    if (bench.folder / "movie.gif").exists():
        assert pixels_of(bench.folder / "movie.gif")
    return {int(name[6:12]) for name in bench.frames()}


def writers_of_temporaries(bench: Bench) -> list[str]:
    """Process ids in the names of temporary files."""
    below = [path.name for path in bench.folder.rglob(".*.tmp")]
    return [match[1] for name in below if (match := re.search(r"\.(\d+)\.\d+\.tmp$", name))]


def kill(pid: int) -> None:
    """Kill a process, unless it has ended meanwhile, as with one of the others."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def go_on(bench: Bench, undisturbed: dict[str, bytes], movies: dict[str, str]) -> None:
    """Run the same again, and compare everything with a run that nobody disturbed."""
    wait_for(
        lambda: not any(Path("/proc", pid).exists() for pid in writers_of_temporaries(bench))
    )  # init reaps them
    finished, drawn_before = check_what_is_there(bench, undisturbed), len(bench.draws())
    bench.run(*MAKE, "--keep-frames", ok=True)
    assert not finished & set(bench.draws()[drawn_before:]), "a finished frame was drawn again"
    assert bench.frames() == undisturbed
    assert pixels_of(bench.folder / "movie.gif") == movies["gif"]
    assert bench.orphans() == {}
    assert names_in(bench.folder) == ["movie.gif", "store", "tiny.py"]
    assert names_in(bench.store) == sorted([*undisturbed, "job.json", "movies.json"])


@pytest.mark.parametrize("whom", ["parent", "parent and workers"] * FAULTS)
def test_killed_make_resumes_to_identical_frames_and_movie(
    bench: Bench,
    undisturbed: dict[str, bytes],
    undisturbed_movies: dict[str, str],
    whom: str,
    dice: random.Random,
) -> None:
    make = bench.start(*MAKE, "--keep-frames", **SLOW)
    time.sleep(dice.uniform(0.2, SPAN_S))
    if whom == "parent":
        make.kill()
    else:
        for pid in bench.processes():
            kill(pid)
        bench.kill_all()
    make.wait()
    assert bench.orphans() == {}, "processes outlive a killed framepipe"
    go_on(bench, undisturbed, undisturbed_movies)


@pytest.mark.parametrize("whom", ["worker", "stage"] * FAULTS)
def test_killed_worker_or_stage_costs_nothing(
    bench: Bench, undisturbed_movies: dict[str, str], whom: str, dice: random.Random
) -> None:
    make = bench.start(*MAKE, **SLOW)
    wait_for(lambda: workers_of(bench) or make.poll() is not None)
    time.sleep(dice.uniform(0.0, 1.2))
    found = [pid for pid, is_forked in stages_of(bench).items() if is_forked == (whom == "worker")]
    for pid in dice.sample(found, min(1, len(found))):
        kill(pid)
    out, err = make.communicate(timeout=PATIENCE_S)
    assert make.returncode == 0, out + err
    assert sorted(set(bench.draws())) == list(range(FRAMES))
    assert pixels_of(bench.folder / "movie.gif") == undisturbed_movies["gif"]
    assert bench.orphans() == {}
    assert names_in(bench.folder) == ["movie.gif", "tiny.py"], "the store was not cleaned to the last file"


def test_all_workers_killed_again_and_again_end_in_an_error_that_says_so(bench: Bench) -> None:
    make = bench.start(*MAKE, FB_SLEEP="1000")
    while make.poll() is None:
        for pid in workers_of(bench):
            kill(pid)
        time.sleep(0.05)
    _, err = make.communicate()
    assert make.returncode == 3, err
    assert "worker processes die while they start" in err or "tried twice" in err, err
    assert bench.orphans() == {}


def test_worker_that_is_busy_outside_python_ends_with_its_killed_parent(bench: Bench) -> None:
    bench.scene(
        """
        import ctypes
        import os

        def draw(value):
            with open(os.environ["FB_LOG"], "a") as file:
                file.write("busy")
            ctypes.PyDLL(None).sleep(600)  # holds the interpreter's lock, as C extensions do
        """
    )
    render = bench.start("render", "tiny.py:draw", "--frames", 2, "--store", "store", "-j", 1, "-q")
    wait_for(lambda: "busy" in bench.log.read_text() if bench.log.exists() else False)
    render.kill()
    render.wait()
    assert bench.orphans() == {}


def test_negative_control_a_redrawn_frame_is_noticed(
    bench: Bench, undisturbed: dict[str, bytes], undisturbed_movies: dict[str, str]
) -> None:
    bench.run(*MAKE, "--keep-frames", ok=True)
    frame = bench.store / "frame_000003.png"
    frame.write_bytes(undisturbed["frame_000004.png"])
    with pytest.raises(AssertionError, match="not what an undisturbed run draws"):
        check_what_is_there(bench, undisturbed)
    frame.write_bytes(undisturbed["frame_000003.png"])
    script = bench.folder / "tiny.py"
    script.write_text(script.read_text().replace("linewidth=8", "linewidth=7"))
    with pytest.raises(AssertionError, match="drawn again"):
        go_on(bench, undisturbed, undisturbed_movies)


def test_negative_control_an_orphan_is_noticed(bench: Bench) -> None:
    child = subprocess.Popen(["sleep", "600"], env={**os.environ, **bench.env})
    assert child.pid in bench.processes()
    child.kill()
    child.wait()
    assert bench.processes() == {}
