"""What a Recorder costs a training loop; ratios, one run.

    .venv/dev/bin/python scripts/bench_recorder.py [epochs] [rounds]

The same training (numpy, about 0.25 s an epoch) runs without drawing, with a Recorder that draws in
the background, and with one that draws in the program, in turn, in alternating order; the median of
each is compared. All use one thread of numpy's, as a training on one processor would.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

os.environ["MPLBACKEND"] = "Agg"
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
from matplotlib import pyplot as plt

import framepipe as fp

EPOCH_S = 0.25
SIZE = 400


def work_of_an_epoch() -> int:
    """How many steps take about a quarter of a second here."""
    rng = np.random.default_rng(7)
    matrix = rng.random((SIZE, SIZE))
    steps, began = 0, time.perf_counter()
    while time.perf_counter() - began < 2 * EPOCH_S:
        matrix = step(matrix)
        steps += 1
    return max(1, steps // 2)


def step(matrix: np.ndarray) -> np.ndarray:
    moved = matrix @ matrix.T
    return moved / np.abs(moved).max()


def draw(matrix: np.ndarray, losses: list[float]) -> plt.Figure:
    """The weights and the loss so far, 800x400."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(8, 4), dpi=100)
    left.imshow(matrix[:100, :100])
    right.plot(losses, "o-", label="loss")
    right.set(xlabel="epoch", ylim=(0, 1))
    right.legend()
    return fig


def train(epochs: int, steps: int, snap: Callable[[plt.Figure], object] | None) -> float:
    """Seconds of a training; ``snap`` takes each epoch's figure."""
    matrix, losses = np.random.default_rng(7).random((SIZE, SIZE)), []
    began = time.perf_counter()
    for _ in range(epochs):
        for _ in range(steps):
            matrix = step(matrix)
        losses.append(float(matrix.mean()))
        if snap:
            fig = draw(matrix, losses)
            snap(fig)
            plt.close(fig)
    return time.perf_counter() - began


def without(epochs: int, steps: int) -> float:
    return train(epochs, steps, None)


def recorded(epochs: int, steps: int, workers: int) -> float:
    """Closing included: all frames are in the store."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with fp.Recorder(folder, workers=workers) as recorder:
            train(epochs, steps, recorder.snap)
        return time.perf_counter() - began


WAYS: dict[str, Callable[[int, int], float]] = {
    "no drawing": without,
    "background": lambda epochs, steps: recorded(epochs, steps, 1),
    "foreground": lambda epochs, steps: recorded(epochs, steps, 0),
}


def main() -> None:
    epochs, rounds = (*map(int, sys.argv[1:]), *(40, 3)[len(sys.argv) - 1 :])[:2]
    steps = work_of_an_epoch()
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for turn in range(rounds):
        for name in list(WAYS)[:: 1 if turn % 2 == 0 else -1]:
            seconds[name].append(WAYS[name](epochs, steps))
    median = {name: statistics.median(values) for name, values in seconds.items()}
    base = median["no drawing"]
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{epochs} epochs of {base / epochs:.2f} s, {rounds} rounds, {os.cpu_count()} processors{load}")
    for name, value in median.items():
        print(f"  {name:<12} {value / base:.3f}   ({value:.1f} s)")


if __name__ == "__main__":
    main()
