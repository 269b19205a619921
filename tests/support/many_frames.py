"""A store of many frames, without drawing them: each of its own pixels, with the stamp that framepipe gives it."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from framepipe.core import png
from framepipe.job.frames import file_name
from framepipe.job.stamp import stamp
from framepipe.store.store import Store
from tests.support.forked import run_python

_SCENE = """
import numpy as np

def draw(number):
    picture = np.full((24, 32, 3), 255, np.uint8)
    picture[4:20] = (number % 256, number // 256 % 256, number // 65536)
    return picture
"""
_NAMES: dict[str, Any] = {}
exec(_SCENE, _NAMES)


def pixels_of(number: int) -> np.ndarray:
    """A small picture that says its number in its colour."""
    return _NAMES["draw"](number)


def write_frame(store: Path, number: int) -> None:
    """Write a frame as a worker does: whole, under its name."""
    where = Store(store)
    record = where.known_job()
    assert record is not None
    where.commit(number, png.encode(pixels_of(number), stamp(number, record.frame_parts(number))))


@cache
def _job_of(count: int) -> Path:
    """A store of a job of so many frames, of which framepipe has drawn the first."""
    folder = Path(tempfile.mkdtemp(prefix="many-frames-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "many.py").write_text(_SCENE)
    command = ["render", "many.py:draw", "--frames", count, "--store", folder / "many", "--only", 0, "-q"]
    drawn = run_python(["-m", "framepipe", *command, "--engine", "serial"], folder, {})
    assert drawn.returncode == 0, drawn.stderr
    return folder / "many"


def many_frames(folder: Path, count: int, done: Iterable[int]) -> Path:
    """A store in ``folder`` of a job of ``count`` frames, of which these are done."""
    store = folder / "many"
    shutil.copytree(_job_of(count), store)
    first = store / file_name(0)
    record = Store(store).known_job()
    assert record is not None
    first.unlink()
    for number in done:
        data = png.encode(pixels_of(number), stamp(number, record.frame_parts(number)))
        (store / file_name(number)).write_bytes(data)
    return store
