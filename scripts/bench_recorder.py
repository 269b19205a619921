"""What a Recorder costs a training loop; ratios, one run.

    .venv/dev/bin/python scripts/bench_recorder.py [epochs] [rounds]

The same training (numpy, about 0.25 s an epoch) runs without drawing, with a Recorder that draws in
the background, and with one that draws in the program, in turn, in alternating order; the median of
each is compared: of the time on the clock, to which a core must be free to mean something, and of the
program's own processor time, without its worker's. All use one thread of numpy's, as a training on
one processor would. The figure is made once, and its data are set anew each epoch.
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


class Monitor:
    """The weights and the loss so far, 800x400."""

    def __init__(self, epochs: int) -> None:
        self.figure, (left, right) = plt.subplots(1, 2, figsize=(8, 4), dpi=100)
        self._image = left.imshow(np.zeros((100, 100)), vmin=0, vmax=1)
        (self._line,) = right.plot([], "o-", label="loss")
        right.set(xlabel="epoch", xlim=(0, epochs), ylim=(0, 1))
        right.legend()

    def show(self, matrix: np.ndarray, losses: list[float]) -> plt.Figure:
        self._image.set_data(matrix[:100, :100])
        self._line.set_data(range(len(losses)), losses)
        return self.figure


def train(epochs: int, steps: int, snap: Callable[[plt.Figure], object] | None) -> None:
    """``snap`` takes each epoch's figure."""
    matrix, losses = np.random.default_rng(7).random((SIZE, SIZE)), []
    monitor = Monitor(epochs) if snap else None
    for _ in range(epochs):
        for _ in range(steps):
            matrix = step(matrix)
        losses.append(float(matrix.mean()))
        if snap and monitor:
            snap(monitor.show(matrix, losses))
    plt.close("all")


def without(epochs: int, steps: int) -> None:
    train(epochs, steps, None)


def recorded(epochs: int, steps: int, workers: int) -> None:
    """Closing included: all frames are in the store."""
    with tempfile.TemporaryDirectory() as folder, fp.Recorder(folder, workers=workers) as recorder:
        train(epochs, steps, recorder.snap)


WAYS: dict[str, Callable[[int, int], None]] = {
    "no drawing": without,
    "background": lambda epochs, steps: recorded(epochs, steps, 1),
    "foreground": lambda epochs, steps: recorded(epochs, steps, 0),
}


def main() -> None:
    epochs, rounds = (*map(int, sys.argv[1:]), *(40, 3)[len(sys.argv) - 1 :])[:2]
    steps = work_of_an_epoch()
    clock: dict[str, list[float]] = {name: [] for name in WAYS}
    own: dict[str, list[float]] = {name: [] for name in WAYS}
    for turn in range(rounds):
        for name in list(WAYS)[:: 1 if turn % 2 == 0 else -1]:
            began, began_own = time.perf_counter(), time.process_time()
            WAYS[name](epochs, steps)
            clock[name].append(time.perf_counter() - began)
            own[name].append(time.process_time() - began_own)
    epoch_s = statistics.median(clock["no drawing"]) / epochs
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{epochs} epochs of {epoch_s:.2f} s, {rounds} rounds, {os.cpu_count()} processors{load}")
    for name in WAYS:
        ratios = [
            statistics.median(times[name]) / statistics.median(times["no drawing"]) for times in (clock, own)
        ]
        print(f"  {name:<12} {ratios[0]:.3f} on the clock, {ratios[1]:.3f} of the program's processor time")


if __name__ == "__main__":
    main()
