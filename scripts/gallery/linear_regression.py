"""Gradient descent fits a line to 50 noisy points; at the end the cost curve appears on an axis of its own.

python scripts/gallery/linear_regression.py
framepipe make scripts/gallery/linear_regression.py:animation -o regression.gif --hold-last 3
"""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.animation import FuncAnimation
from scipy.interpolate import make_interp_spline

import framepipe as fp


def descend(x: np.ndarray, y: np.ndarray, epochs: int, rate: float = 0.02) -> np.ndarray:
    """Slope, intercept and cost before the first epoch and after each."""
    slope = intercept = 0.0
    traces = []
    for _ in range(epochs + 1):
        error = slope * x + intercept - y
        traces.append((slope, intercept, np.mean(error**2) / 2))
        slope -= rate * np.mean(error * x)
        intercept -= rate * np.mean(error)
    return np.array(traces)


def animation(epochs: int = 400, points: int = 50) -> FuncAnimation:
    """Each of the first 10 epochs, every 10th up to 100, then every 40th."""
    rng = np.random.default_rng(3)
    x = rng.uniform(0, 10, size=points)
    y = 1.4 * x + 6 + rng.normal(scale=2, size=points)
    traces = descend(x, y, epochs)
    shown = [e for e in range(epochs + 1) if e <= 10 or (e <= 100 and e % 10 == 0) or e % 40 == 0]

    fig, ax = plt.subplots(figsize=(7, 4.8))
    ax.scatter(x, y, s=28, color="tab:blue", alpha=0.6, linewidths=0, label="data")
    (fit,) = ax.plot([], [], "--", color="crimson", linewidth=2.5)
    ax.set(xlim=(-0.3, 10.3), ylim=(-1, 27), xlabel="x", ylabel="y")

    def update(epoch: int) -> None:
        slope, intercept, cost = traces[epoch]
        fit.set_data([0, 10], [intercept, slope * 10 + intercept])
        fit.set_label(f"fit: y = {slope:.2f} x + {intercept:.2f}")
        ax.set_title(f"epoch {epoch}, cost {cost:.2f}")
        lines = ax.get_legend_handles_labels()[0]
        if epoch == shown[-1]:
            lines += show_costs(ax.twinx(), shown, traces[shown, 2])
        ax.legend(lines, [line.get_label() for line in lines], loc="upper left")

    return FuncAnimation(fig, update, frames=shown, interval=150)


def show_costs(ax: plt.Axes, epochs: list[int], costs: np.ndarray) -> list:
    """The cost curve: a spline through the epochs that were shown, over their logarithm."""
    at = np.log1p(epochs) * 10 / np.log1p(epochs[-1])
    smooth = np.linspace(0, 10, 300)
    label = f"cost, epoch 0 to {epochs[-1]} (logarithmic)"
    (curve,) = ax.plot(smooth, make_interp_spline(at, costs)(smooth), color="darkorange", lw=2, label=label)
    ax.set(ylim=(0, costs[0] / 0.7), ylabel="cost")
    ax.text(10, 0.07 * costs[0], f"final cost {costs[-1]:.2f}", color="darkorange", ha="right")
    return [curve]


def main(epochs: int = 400) -> None:
    report = fp.make(
        animation(epochs),
        output=["linear_regression.gif", "linear_regression.mp4"],
        hold_last_s=3,
        progress=fp.ProgressBar(),
    )
    for movie in report.movies:
        print(f"{movie.path.name}: {len(report.render.drawn)} frames in {movie.duration_s:g} s")


if __name__ == "__main__":
    main()
