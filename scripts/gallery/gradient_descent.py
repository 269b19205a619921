"""A cost surface that turns while gradient descent walks down it: 180 frames, a new figure each.

python scripts/gallery/gradient_descent.py
framepipe make scripts/gallery/gradient_descent.py:draw --frames 180 -o descent.mp4
"""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot as plt

import framepipe as fp

FRAMES = 180


def cost(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A bowl with two hollows."""
    return (
        0.12 * (a**2 + b**2) - np.exp(-((a - 1) ** 2) - b**2) - 0.7 * np.exp(-((a + 1.5) ** 2) - (b - 1) ** 2)
    )


def descend(start: tuple[float, float], rate: float = 0.06) -> np.ndarray:
    """The points (a, b, cost) of FRAMES steps downhill, by central differences."""
    point, path, h = np.array(start), [], 1e-5
    for _ in range(FRAMES):
        path.append([*point, cost(*point)])
        slope = [(cost(*(point + e)) - cost(*(point - e))) / (2 * h) for e in np.eye(2) * h]
        point = point - rate * np.array(slope)
    return np.array(path)


def draw(index: int) -> plt.Figure:
    """The surface seen from angle ``2 * index`` degrees, with the path so far."""
    path = descend((-0.2, 2.6))[: index + 1]
    a, b = np.meshgrid(np.linspace(-3, 3, 60), np.linspace(-3, 3, 60))
    fig = plt.figure(figsize=(6.4, 4.8))
    ax = fig.add_subplot(projection="3d", computed_zorder=False)
    ax.plot_surface(a, b, cost(a, b), cmap="viridis", alpha=0.85, zorder=1)
    ax.plot(*path.T, color="crimson", linewidth=2, zorder=2)
    ax.plot(*path[-1:].T, "o", color="crimson", zorder=3)
    ax.view_init(elev=40, azim=2 * index)
    ax.set(xlabel="a", ylabel="b", zlabel="cost", zlim=(-1, 2.2))
    ax.set_title(f"step {index}: cost {path[-1, 2]:.3f}")
    return fig


if __name__ == "__main__":
    fp.make(draw, frames=FRAMES, output="gradient_descent.mp4", fps=30, progress=fp.ProgressBar())
