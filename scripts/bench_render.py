"""How long framepipe takes to draw frames, against the ways people do it today; ratios, one run.

    .venv/dev/bin/python scripts/bench_render.py [frames]

Each way draws the same figures at the same size into PNG files, in turn, three rounds; the median
of each is compared. "loop" is savefig in a loop; "pool" a multiprocessing.Pool of savefig; "tmp+fsync"
the same loop with what makes files safe (temporary name, fsync, rename) added.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

os.environ["MPLBACKEND"] = "Agg"

import numpy as np
from matplotlib import pyplot as plt

import framepipe as fp

X = np.linspace(0, 10, 400)


def draw(index: int) -> plt.Figure:
    """Six moving curves with a legend, 1000x700."""
    fig, ax = plt.subplots(figsize=(10, 7), dpi=100)
    for shift in range(6):
        ax.plot(X, np.sin(X + index / 10 + shift), label=f"curve {shift}")
    ax.legend(loc="upper right")
    return fig


def save(task: tuple[int, str]) -> None:
    index, folder = task
    fig = draw(index)
    fig.savefig(Path(folder) / f"frame_{index:06d}.png")
    plt.close(fig)


def loop(frames: int, folder: str) -> None:
    for index in range(frames):
        save((index, folder))


def safe_loop(frames: int, folder: str) -> None:
    for index in range(frames):
        fig = draw(index)
        temporary = Path(folder) / f"tmp{index}.png"
        fig.savefig(temporary)
        plt.close(fig)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(Path(folder) / f"frame_{index:06d}.png")


def pool(frames: int, folder: str) -> None:
    with get_context("spawn").Pool() as workers:
        workers.map(save, [(index, folder) for index in range(frames)], chunksize=1)


def framepipe_serial(frames: int, folder: str) -> None:
    fp.render(draw, frames, store=folder, engine="serial")


def framepipe_local(frames: int, folder: str) -> None:
    fp.render(draw, frames, store=folder)


WAYS: tuple[Callable[[int, str], None], ...] = (loop, safe_loop, framepipe_serial, pool, framepipe_local)


def main() -> None:
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    seconds: dict[str, list[float]] = {way.__name__: [] for way in WAYS}
    for _ in range(3):
        for way in WAYS:
            with tempfile.TemporaryDirectory() as folder:
                began = time.perf_counter()
                way(frames, folder)
                seconds[way.__name__].append(time.perf_counter() - began)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"{frames} frames of 1000x700, {os.cpu_count()} processors, matplotlib's savefig in a loop = 1")
    for name, value in median.items():
        print(f"  {name:<18} {value / median['loop']:.2f}   ({value / frames * 1000:.0f} ms a frame)")


if __name__ == "__main__":
    main()
