"""The first layer of a small neural network while it trains: one annotated heatmap a step.

python scripts/gallery/weights_heatmap.py
framepipe make scripts/gallery/weights_heatmap.py:draw --frames history -o weights.gif --fps 12
"""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot as plt

import framepipe as fp

INPUTS, HIDDEN, STEPS = 30, 10, 40


def train() -> list[np.ndarray]:
    """Gradient descent on a two-layer network; each input's share in each hidden unit, every ten updates."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(400, INPUTS))
    y = np.tanh(x[:, 3] + x[:, 11] * x[:, 12] - 0.8 * x[:, 25])[:, None]
    first = rng.normal(scale=0.05, size=(INPUTS, HIDDEN))
    second = rng.normal(scale=0.5, size=(HIDDEN, 1))
    shares = []
    for _ in range(STEPS):
        for _ in range(10):
            hidden = np.tanh(x @ first)
            error = hidden @ second - y
            back = error @ second.T * (1 - hidden**2)
            first -= 0.3 * (x.T @ back / len(x) + 0.004 * np.sign(first))
            second -= 0.3 * hidden.T @ error / len(x)
        shares.append(np.abs(first) / np.abs(first).sum(axis=0))
    return shares


history = train()


def draw(shares: np.ndarray, threshold: float = 0.025) -> plt.Figure:
    """A heatmap with the value in every cell, black on light and white on dark."""
    fig, ax = plt.subplots(figsize=(15, 10), layout="constrained")
    image = ax.imshow(shares.T, cmap="YlGn", vmin=0, vmax=0.05, aspect="auto")
    fig.colorbar(image, ax=ax, label="share of the input")
    ax.set_xticks(range(INPUTS), [f"input {k}" for k in range(INPUTS)], rotation=-30, ha="right")
    ax.set_yticks(range(HIDDEN), [f"unit {k}" for k in range(HIDDEN)])
    ax.tick_params(top=True, bottom=False, labeltop=True, labelbottom=False, length=0)
    ax.set_xticks(np.arange(INPUTS + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(HIDDEN + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="white", linewidth=2)
    ax.tick_params(which="minor", length=0)
    ax.spines[:].set_visible(False)
    for (unit, number), share in np.ndenumerate(shares.T):
        color = "white" if share > threshold else "black"
        ax.text(number, unit, f"{share:.2f}", ha="center", va="center", color=color, fontsize=8)
    return fig


if __name__ == "__main__":
    # 8 ms a frame, as such scripts often ask, is no GIF delay: browsers play it at 100 ms.
    # 12 frames a second are what the eye can follow here; the last step stays for two seconds.
    fp.make(
        draw,
        frames=history,
        output=["weights_heatmap.gif", "weights_heatmap.mp4"],
        fps=12,
        hold_last_s=2,
        dpi=60,
        progress=fp.ProgressBar(),
    )
