"""Many frames: looking at a store of 20,000 takes little memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from framepipe.core import png
from framepipe.job.fingerprint import digest_value
from framepipe.job.stamp import stamp
from tests.faults.conftest import Bench

COUNT = 20_000
MAX_KB = 300_000


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of many frames of few pixels; framepipe draws the first, which shows how."""
    bench = Bench(tmp_path_factory.mktemp("many"))
    bench.run(
        "render",
        "tiny.py:draw",
        "--frames",
        COUNT,
        "--store",
        "store",
        "--only",
        0,
        "--engine",
        "serial",
        "-q",
        ok=True,
    )
    bench.close()
    info = png.inspect(bench.store / "frame_000000.png")
    assert info is not None
    parts = json.loads(info.stamp)["parts"]
    assert parts["value"] == digest_value(0)
    pixels = np.zeros((2, 2, 3), np.uint8)
    for number in range(COUNT):
        data = png.encode(pixels, stamp(number, {**parts, "value": digest_value(number)}))
        (bench.store / f"frame_{number:06d}.png").write_bytes(data)
    return bench.folder


#: The peak of a child begins with its parent's, so the parent is to be a lean one.
LAUNCHER = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stderr=subprocess.STDOUT)
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
"""


def memory_of(folder: Path, *args: str) -> tuple[int, int, str]:
    """Exit code, peak memory in kB and output of a command."""
    command = [sys.executable, "-m", "framepipe", *args]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", LAUNCHER, *command], cwd=folder, capture_output=True, text=True
    )
    code, kilobytes = map(int, done.stderr.split()[-2:])
    return code, kilobytes, done.stdout


def test_status_of_20000_frames_needs_little_memory(many: Path) -> None:
    for options in ("--deep",), ("--json",):  # without options it is asked for holes below
        code, kilobytes, text = memory_of(many, "status", "store", *options)
        assert code == 0, text
        assert f"{COUNT}" in text or f"0-{COUNT - 1}" in text
        assert kilobytes < MAX_KB


def test_render_of_20000_finished_frames_draws_none_and_needs_little_memory(many: Path) -> None:
    frame = many / "store" / "frame_012345.png"
    inode = frame.stat().st_ino
    code, kilobytes, text = memory_of(
        many, "render", "tiny.py:draw", "--frames", str(COUNT), "--store", "store", "--engine", "serial", "-q"
    )
    assert code == 0, text
    assert f"0 frames drawn, {COUNT} were done" in text
    assert kilobytes < MAX_KB
    assert frame.stat().st_ino == inode


def test_holes_in_20000_frames_are_told_in_few_words(many: Path) -> None:
    store = many / "store"
    kept = {number: (store / f"frame_{number:06d}.png").read_bytes() for number in (5, 6, 7, 19_999)}
    for number in kept:
        (store / f"frame_{number:06d}.png").unlink()
    code, kilobytes, text = memory_of(many, "status", "store")
    for number, data in kept.items():
        (store / f"frame_{number:06d}.png").write_bytes(data)
    assert code == 3
    assert kilobytes < MAX_KB
    assert "missing: 5-7,19999" in text
    assert len(text) < 1000
