"""Three Lorenz trajectories from almost equal starts, in 3-D, the camera turning; drawn anew each frame.

python scripts/gallery/lorenz.py
framepipe make scripts/gallery/lorenz.py:animation --param frames=100 -o lorenz.gif
"""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.animation import FuncAnimation
from scipy.integrate import solve_ivp

import framepipe as fp

COLORS = ("#ffd166", "#ef476f", "#06d6a0")


def flow(_: float, place: np.ndarray) -> list[float]:
    """Lorenz's equations with his own constants."""
    x, y, z = place
    return [10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z]


def animation(frames: int = 300, seconds: float = 24) -> FuncAnimation:
    """The last stretch of each trajectory bright, what came before faint."""
    times = np.linspace(0, seconds, 8 * 300)
    starts = [(1, 1, 25 + shift) for shift in (0, 1e-3, 2e-3)]
    paths = [solve_ivp(flow, (0, seconds), start, t_eval=times, rtol=1e-9).y for start in starts]
    fig = plt.figure(figsize=(6, 6), facecolor="black")

    def update(frame: int) -> None:
        now = round((frame + 1) / frames * (times.size - 1))
        fig.clear()
        ax = fig.add_axes((0, 0, 1, 1), projection="3d", facecolor="black")
        ax.set(xlim=(-20, 20), ylim=(-26, 26), zlim=(0, 48))
        ax.set_box_aspect((40, 52, 48), zoom=1.3)
        ax.set_axis_off()
        ax.view_init(elev=18, azim=-60 + 180 * frame / frames)
        for path, color in zip(paths, COLORS):
            ax.plot(*path[:, : now + 1], color=color, linewidth=0.8, alpha=0.45)
            ax.plot(*path[:, max(0, now - 60) : now + 1], color=color, linewidth=2)
            ax.plot(*path[:, now : now + 1], "o", color=color, markersize=6)
        fig.text(0.04, 0.94, "Three starts, 0.001 apart", fontsize=13, color="white")
        fig.text(0.96, 0.94, f"t = {times[now]:4.1f}", fontsize=13, color="white", ha="right")

    return FuncAnimation(fig, update, frames=frames, interval=40)


def main(frames: int = 300) -> None:
    report = fp.make(
        animation(frames),
        output=["lorenz.mp4", "lorenz.webm", "lorenz.gif"],
        hold_last_s=2,
        colors=64,
        progress=fp.ProgressBar(),
    )
    for movie in report.movies:
        print(f"{movie.path.name}: {movie.duration_s:g} s, {movie.size_bytes / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
