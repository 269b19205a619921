"""A store from elsewhere: its job.json and movies.json run nothing, and nothing outside is read or deleted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.faults.conftest import Bench, one_line
from tests.support.sizes import all_if_long
from tests.support.waiting import PATIENCE_S


@pytest.fixture
def foreign(bench: Bench) -> Bench:
    """A store that somebody else made: its seal is that of another account."""
    for verb in (("render", "tiny.py:draw", "--frames", 3, "--store", "store", "--engine", "serial", "-q"),):
        bench.run(*verb, ok=True, XDG_STATE_HOME=str(bench.folder.parent / "their-state"))
    shutil.rmtree(bench.folder.parent / "their-state")
    bench.log.unlink()
    return bench


def edit(bench: Bench, **fields: object) -> None:
    data = json.loads((bench.store / "job.json").read_text())
    (bench.store / "job.json").write_text(json.dumps(data | fields))


def pwn(bench: Bench, name: str = "evil.py") -> Path:
    """Code that leaves a trace when anything runs it."""
    trace = bench.folder.parent / "pwned"
    (bench.folder / "theirs").mkdir(exist_ok=True)
    (bench.folder / "theirs" / name).write_text(f"open({str(trace)!r}, 'w').close()\ndef draw(value): pass\n")
    return trace


@pytest.mark.parametrize("seal", all_if_long(["", "0" * 64, None, 3, "kept"], "0" * 64, None, "kept"))
def test_job_from_elsewhere_runs_nothing(foreign: Bench, seal: object) -> None:
    trace = pwn(foreign)
    fields = {} if seal == "kept" else {"seal": seal}
    edit(foreign, ref=f"{foreign.folder}/theirs/evil.py:draw", **fields)
    done = foreign.run("resume", "store", "-q")
    assert done.returncode == 3
    assert "--scene" in one_line(done.stderr)
    assert not trace.exists()
    assert foreign.draws() == []


def test_own_job_that_was_edited_runs_nothing(bench: Bench) -> None:
    bench.render("--engine", "serial", "-q", ok=True)
    trace = pwn(bench)
    edit(bench, ref=f"{bench.folder}/theirs/evil.py:draw")
    assert bench.run("resume", "store", "-q").returncode == 3
    assert not trace.exists()


MODULES = (
    "matplotlib",
    "numpy",
    "tqdm",
    "PIL",
    "ffmpeg",
    "kiwisolver",
    "cycler",
    "dateutil",
    "shlex",
    "hmac",
    "isal",
)


@pytest.mark.parametrize("scene", [(), ("--scene", "tiny.py:draw")], ids=["bare", "with-scene"])
@pytest.mark.parametrize("relative", all_if_long([False, True], True), ids=["absolute", "relative"])
def test_working_folder_of_a_job_from_elsewhere_lends_no_modules(
    foreign: Bench, scene: tuple[str, ...], relative: bool
) -> None:
    """Its ``cwd`` must not get onto the import path: a module there would run."""
    for name in MODULES:
        trace = pwn(foreign, f"{name}.py")
    edit(foreign, cwd="theirs" if relative else str(foreign.folder / "theirs"))
    foreign.run("resume", "store", *scene, "-j", 1, "-q", apart=True)  # one that has loaded none of them yet
    assert not trace.exists(), "resume imported a module from the folder that a foreign job.json names"


def test_goal_of_a_job_from_elsewhere_writes_and_deletes_nothing(foreign: Bench) -> None:
    frames = foreign.frames()
    target = foreign.folder.parent / "target.gif"
    target.write_bytes(b"precious")
    goal = {
        "outputs": [str(target)],
        "fps": "25",
        "hold_first_s": 0,
        "hold_last_s": 0,
        "loop": "0",
        "encoder": "auto",
    }
    goal |= {
        "palette": "global",
        "colors": 256,
        "dither": "none",
        "crf": 18,
        "preset": "medium",
        "keep_frames": False,
    }
    edit(foreign, goal=goal)
    foreign.run("resume", "store", "-q")
    foreign.run("resume", "store", "--scene", "tiny.py:draw", "--engine", "serial", "-q")
    assert target.read_bytes() == b"precious"
    assert foreign.frames() == frames


@pytest.mark.parametrize("device", ["/dev/zero", "fifo"])
@pytest.mark.parametrize("field", ["inputs", "source"])
def test_job_from_elsewhere_cannot_make_status_read_for_ever(foreign: Bench, field: str, device: str) -> None:
    if device == "fifo":
        os.mkfifo(foreign.folder / "fifo")
        device = str(foreign.folder / "fifo")
    if field == "inputs":
        edit(foreign, inputs=[device])
    else:
        details = json.loads((foreign.store / "job.json").read_text())["details"]
        edit(foreign, details=details | {"source": {device: "0" * 64}})
    process = foreign.start("status", "store")
    try:
        process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"status reads {device}, which a foreign job.json names, for ever")
    assert process.returncode in (0, 3)


@pytest.mark.parametrize("name", ["/dev/zero", "fifo"])
def test_movies_noted_by_others_cannot_make_clean_read_for_ever(drawn: Bench, name: str) -> None:
    if name == "fifo":
        os.mkfifo(drawn.folder / "fifo")
        name = str(drawn.folder / "fifo")
    noted = {name: {"passed": True, "sha256": "0" * 64, "fingerprints": {}}}
    (drawn.store / "movies.json").write_text(json.dumps(noted))
    process = drawn.start("clean", "store")
    try:
        process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"clean reads {name}, which movies.json names, for ever")
    assert process.returncode == 6
