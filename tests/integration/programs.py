"""Programs in processes of their own, what they have started, and the frames that they leave behind."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
from PIL import Image

from framepipe.job.frames import file_name
from tests.support.forked import Python, run_python
from tests.support.waiting import PATIENCE_S

BEGIN = """
    import os, sys
    from matplotlib import pyplot as plt
    import framepipe as fp

    def level(number):
        fig = plt.figure("level", figsize=(0.4, 0.4), dpi=50, clear=True)
        fig.set_facecolor(str(number / 255))
        return fig
"""


def start(folder, text, begin=BEGIN, name="program.py", program=Python, **env):
    """A Python program, running; warnings are errors."""
    return program(
        [sys.executable, "-W", "error", _written(folder, text, begin, name)],
        cwd=folder,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder, text, code=0, begin=BEGIN, name="program.py", **env):
    """What a program printed on standard output and standard error; warnings are errors."""
    done = run_python(["-W", "error", _written(folder, text, begin, name)], folder, env, PATIENCE_S)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


def run_anew(folder, text, **keywords):
    """The same in a process that has loaded nothing yet: where the loading is the subject."""
    with start(folder, text, program=subprocess.Popen, **keywords) as process:
        out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, out + err
    return out, err


def _written(folder, text, begin, name):
    path = Path(folder) / name
    path.write_text(textwrap.dedent(begin) + textwrap.dedent(text))
    return path


def workers(pid=None):
    """Process ids of the workers of a process: they are forked from its stages."""
    return [worker for stage in _children(pid or os.getpid()) for worker in started(stage)]


def started(pid=None):
    """Process ids of all that was started to draw for a process: stages and their workers."""
    found = _children(pid or os.getpid())
    return found + [worker for stage in found for worker in started(stage)]


def _children(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            children = (task / "children").read_text().split()
        except OSError:  # the thread has ended
            continue
        found += [int(child) for child in children if b"engines.stage" in _command(child)]
    return found


def _command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def stored(store, number):
    """A stored frame's pixels as RGBA."""
    with Image.open(Path(store) / file_name(number)) as picture:
        return np.asarray(picture.convert("RGBA"))


def saved(fig, **options):
    """The pixels that matplotlib's savefig gives, as RGBA."""
    file = io.BytesIO()
    fig.savefig(file, format="png", **options)
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGBA"))


def levels(store):
    """Grey levels by number, of all stored frames."""
    names = sorted(path.name for path in Path(store).glob("frame_*.png"))
    return {int(name[6:12]): int(stored(store, int(name[6:12]))[0, 0, 0]) for name in names}


def times(store):
    """Modification times by number."""
    paths = sorted(Path(store).glob("frame_*.png"))
    return {int(path.name[6:12]): path.stat().st_mtime_ns for path in paths}
