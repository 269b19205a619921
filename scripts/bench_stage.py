#!/usr/bin/env python
"""What a start costs, and what workers share.

    scripts/bench_stage.py start [ROUNDS]    processor time of `make` of a script with two frames
    scripts/bench_stage.py memory            memory of a render with 4 workers over 500 MB of data

Quote ratios of two runs side by side, not single figures: a shared machine is noisy.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from processes import proportional_mb, tree

TWO_FRAMES = """
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.animation import FuncAnimation

fig, ax = plt.subplots()
(line,) = ax.plot(np.sin(np.linspace(0, 6)))
anim = FuncAnimation(fig, lambda k: line.set_ydata(np.sin(np.linspace(0, 6) + k)), 2)
"""
LARGE = """
import time
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.animation import FuncAnimation

data = np.ones(500_000_000 // 8)
fig, ax = plt.subplots()
(line,) = ax.plot(data[:100])


def update(k):
    line.set_ydata(data[k : k + 100] * k)
    time.sleep(0.5)


anim = FuncAnimation(fig, update, 24)
"""


def start(rounds: int) -> None:
    """Processor and wall time of each round."""
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "two.py").write_text(TWO_FRAMES)
            before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            command = [sys.executable, "-m", "framepipe", "make", "two.py", "-o", "two.mp4", "-q"]
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
            wall_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
            processor_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(f"{processor_s:.2f} s of processor time, {wall_s:.2f} s on the clock")


def memory() -> None:
    """The largest sum over all processes of a render, against a single process with the same data."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "large.py").write_text(LARGE)
        plain = "import runpy; all = runpy.run_path('large.py'); all['fig'].canvas.draw(); print(); input()"
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        single = subprocess.Popen([sys.executable, "-c", plain], cwd=folder, **pipes)  # type: ignore[call-overload]
        assert single.stdin is not None and single.stdout is not None
        single.stdout.readline()
        one = largest_mb(single.pid, 1)
        single.communicate(b"\n")
        command = [sys.executable, "-m", "framepipe", "render", "large.py", "-j", "4", "-q"]
        render = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
        all_of_them = largest_mb(render.pid, 60, render)
        print(f"one process {one:.0f} MB, the render with 4 workers {all_of_them:.0f} MB")
        print(f"ratio {all_of_them / one:.2f}")


def largest_mb(pid: int, seconds: float, until: subprocess.Popen[bytes] | None = None) -> float:
    """The largest sum of proportional set sizes below a process in MB, for so long or until it has ended."""
    most, end = 0.0, time.monotonic() + seconds
    while time.monotonic() < end and (until is None or until.poll() is None):
        most = max(most, sum(map(proportional_mb, tree(pid))))
        time.sleep(0.1)
    return most


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "Agg")
    if sys.argv[1:2] == ["memory"]:
        memory()
    else:
        start(int(sys.argv[2]) if len(sys.argv) > 2 else 3)
