"""Programs in processes of their own, what they have started, and the frames that they leave behind."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
from PIL import Image

from framepipe.frames import file_name

BEGIN = """
    import os, sys
    from matplotlib import pyplot as plt
    import framepipe as fp

    def level(number):
        fig = plt.figure("level", figsize=(0.4, 0.4), dpi=50, clear=True)
        fig.set_facecolor(str(number / 255))
        return fig
"""


def start(folder, text, begin=BEGIN, name="program.py", **env):
    """A Python program, running; warnings are errors."""
    path = Path(folder) / name
    path.write_text(textwrap.dedent(begin) + textwrap.dedent(text))
    return subprocess.Popen(
        [sys.executable, "-W", "error", path],
        cwd=folder,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder, text, code=0, **keywords):
    """What a program printed on standard output and standard error."""
    with start(folder, text, **keywords) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == code, out + err
    return out, err


def wait_for(what, seconds=30.0):
    """The answer of ``what`` as soon as it is true."""
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)
    return found


def workers(pid=None):
    """Process ids of the workers of a process."""
    found = []
    for task in Path(f"/proc/{pid or os.getpid()}/task").iterdir():
        try:
            children = (task / "children").read_text().split()
        except OSError:  # the thread has ended
            continue
        found += [int(child) for child in children if b"engines.worker" in _command(child)]
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
