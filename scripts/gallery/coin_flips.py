"""How surely a biased coin shows heads at least half of the time: one more curve a frame.

python scripts/gallery/coin_flips.py
"""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot as plt
from scipy.stats import binom

from framepipe import Camera


def main(curves: int = 40, most: int = 1024) -> None:
    flips = np.unique(2 * np.round(np.geomspace(1, most / 2, curves)).astype(int))
    log_bias = np.linspace(-3, 3, 601)
    chances = [binom.sf(k // 2 - 1, k, 1 / (1 + np.exp(-log_bias))) for k in flips]
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.85, len(flips)))

    fig, ax = plt.subplots(figsize=(7, 4.5), layout="tight")
    ax.set(xlim=(-3, 3), ylim=(-0.02, 1.02))
    ax.set(xlabel="log-bias of the coin, log p / (1 - p)", ylabel="P(at least half heads)")
    ax.grid(color="0.92")
    ax.spines[["top", "right"]].set_visible(False)

    camera = Camera(fig, dpi=120)
    for newest, k in enumerate(flips):
        for older, shade in zip(chances[:newest], shades):
            ax.plot(log_bias, older, color=shade, linewidth=0.7)
        (line,) = ax.plot(log_bias, chances[newest], color="crimson", linewidth=2.4)
        ax.legend([line], [f"k = {k:,}"], loc="upper left", frameon=False, fontsize=12)
        ax.set_title(f"A biased coin, flipped {k:,} times")
        camera.snap()

    for name in ("coin_flips.mp4", "coin_flips.gif"):
        movie = camera.animate(interval=100).save(name, hold_last_s=2)
        print(f"{name}: {len(flips)} curves in {movie.duration_s:g} s")


if __name__ == "__main__":
    main()
