"""Two labels spread over 200,000 points along the graph of their nearest neighbours.

python scripts/gallery/label_propagation.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.colors import LinearSegmentedColormap
from scipy import sparse
from scipy.spatial import KDTree
from scipy.stats import rankdata

from framepipe import Camera

COLORS = LinearSegmentedColormap.from_list("labels", ["#16c7ff", "#23408c", "#484854", "#95264c", "#ff8a35"])


def galaxy(points: int) -> np.ndarray:
    """Points on two spiral arms in six dimensions; the first two lie near the tips of the arms."""
    rng = np.random.default_rng(1)
    along, arm = rng.beta(1.1, 1.3, size=points), rng.integers(2, size=points)
    along[:2], arm[:2] = 0.93, (0, 1)
    radius, angle = 0.25 + 3 * along, np.pi * arm + 2.3 * np.pi * along**0.8
    thickness = 0.05 * rng.gamma(4, 0.6, size=points) * (0.35 + along)
    places = rng.normal(size=(points, 6)) * np.where(np.arange(points) < 2, 0, thickness)[:, None]
    places[:, :2] += (radius * [np.cos(angle), np.sin(angle)]).T
    return places


def spread(places: np.ndarray, iterations: int, neighbours: int = 12, alpha: float = 0.999) -> Iterator:
    """Scores after each iteration: one label counts as 1, the other as -1."""
    count = len(places)
    nearest = KDTree(places).query(places, neighbours + 1)[1][:, 1:]
    edges = np.repeat(np.arange(count), neighbours), nearest.ravel()
    graph = sparse.csr_array((np.ones(nearest.size), edges), shape=(count, count))
    graph = graph.maximum(graph.T)
    weight = sparse.diags_array(graph.sum(axis=1) ** -0.5)
    graph = weight @ graph @ weight
    seed = np.zeros(count)
    seed[:2] = 1, -1
    score = seed
    for _ in range(iterations):
        score = alpha * (graph @ score) + (1 - alpha) * seed
        yield score


def main(points: int = 200_000, iterations: int = 18, dpi: int = 200) -> None:
    places = galaxy(points)
    fig = plt.figure(figsize=(6, 6), facecolor="black")
    ax = fig.add_axes((0, 0, 1, 1))
    ax.set(xlim=(-3.4, 3.4), ylim=(-3.4, 3.4))
    ax.axis("off")

    camera = Camera(fig, dpi=dpi)
    for iteration, score in enumerate(spread(places, iterations), 1):
        rank = rankdata(score) / points
        order = np.argsort(abs(rank - 0.5))  # what is sure of its label lies on top
        ax.scatter(*places[order, :2].T, c=rank[order], s=0.3, linewidths=0, cmap=COLORS, vmin=0, vmax=1)
        ax.plot(*places[:2, :2].T, "o", color="white", fillstyle="none")
        ax.text(-3.2, 3.1, f"iteration {iteration}", color="white", fontsize=12)
        camera.snap()

    animation = camera.animate()
    movie = animation.save("label_propagation.mp4", fps=20, hold_last_s=2)
    print(f"{movie.path.name}: {iterations} iterations in {movie.duration_s:.1f} s")
    player = Path("label_propagation.html")
    player.write_text(animation.to_jshtml(fps=5), encoding="utf-8")
    print(f"{player}: a player for the browser, {player.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
