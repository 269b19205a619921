"""A sine wave that runs through a cosine at rest, as FuncAnimation: its data changed, and its line replaced.

python scripts/gallery/travelling_sine.py
framepipe make scripts/gallery/travelling_sine.py:by_replotting -o sine.gif --encoder imagemagick
"""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.animation import FuncAnimation

import framepipe as fp

x = np.linspace(0, 4 * np.pi, 400)


def axes() -> plt.Axes:
    """Axes with the cosine at rest."""
    _, ax = plt.subplots(figsize=(6, 3.6), gridspec_kw={"bottom": 0.15})
    ax.plot(x, np.cos(x), color="0.75", linewidth=2, label="cos x")
    ax.set(xlim=(x[0], x[-1]), ylim=(-1.15, 1.5), xlabel="x")
    ax.set_xticks(np.pi * np.arange(5), ["0", "π", "2π", "3π", "4π"])
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def by_data(frames: int = 100) -> FuncAnimation:
    """The wave's y data are changed."""
    ax = axes()
    (wave,) = ax.plot(x, np.sin(x), color="tab:blue", linewidth=2.5, label="sin(x + i/10)")
    ax.legend(loc="upper right", ncols=2, frameon=False)

    def update(i: int) -> list:
        wave.set_ydata(np.sin(x + i / 10))
        return [wave]

    return FuncAnimation(ax.figure, update, frames=frames, interval=20, blit=True)


def by_replotting(frames: int = 100) -> FuncAnimation:
    """The old line is removed, and a new one plotted."""
    ax = axes()

    def update(i: int) -> None:
        for old in ax.lines[1:]:
            old.remove()
        ax.plot(x, np.sin(x + i / 10), color="tab:orange", linewidth=2.5, label=f"sin(x + {i / 10:.1f})")
        ax.legend(loc="upper right", ncols=2, frameon=False)

    return FuncAnimation(ax.figure, update, frames=frames, interval=20)


def main(frames: int = 100) -> None:
    progress = fp.ProgressBar()
    outputs = ["travelling_sine_data.mp4", "travelling_sine_data.gif"]
    made = [
        fp.make(by_data(frames), output=outputs, encoder="ffmpeg", progress=progress),
        fp.make(
            by_replotting(frames),
            output="travelling_sine_replotted.gif",
            encoder="imagemagick",
            progress=progress,
        ),
    ]
    for movie in [*made[0].movies, *made[1].movies]:
        print(f"{movie.path.name}: {movie.frames} frames in {movie.duration_s:g} s, by {movie.encoder.name}")


if __name__ == "__main__":
    main()
