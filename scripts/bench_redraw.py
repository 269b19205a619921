#!/usr/bin/env python
"""What drawing only the changes saves: seven animations drawn in full and so, frame by frame in turn.

    scripts/bench_redraw.py [NAME ...] [--frames N]

Drawing alone is timed: no update, no PNG, no comparing. Each frame is drawn in both ways one after the other,
so the ratio holds on a machine that has other work; milliseconds are those of the processor, medians over the
frames. Both pictures are held against each other. Memory is what the tapes of a figure take.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import matplotlib

matplotlib.use("agg")

import numpy as np
from matplotlib import pyplot as plt

from framepipe.job.canvas import Canvas
from framepipe.scenes.incremental import Incremental
from framepipe.scenes.rasterize import rasterise

Film = tuple[Any, Callable[[int], None]]
_WARM_UP = 4


def moving_line() -> Film:
    """A curve of 500 points, and the number of the step in the title."""
    figure, axes = plt.subplots()
    x = np.linspace(0, 10, 500)
    (line,) = axes.plot(x, np.sin(x))
    axes.set(title="wave", xlabel="x", ylabel="y", ylim=(-1.2, 1.2))
    return figure, lambda k: line.set_ydata(np.sin(x + k / 10))


def heat_map() -> Film:
    """80 fields, each with its number, which all change."""
    figure, axes = plt.subplots()
    rng = np.random.default_rng(0)
    image = axes.imshow(rng.random((8, 10)), vmin=0, vmax=1)
    figure.colorbar(image)
    texts = [axes.text(j, i, "0", ha="center", va="center") for i in range(8) for j in range(10)]

    def update(k: int) -> None:
        values = rng.random((8, 10))
        image.set_array(values)
        for text, value in zip(texts, values.ravel()):
            text.set_text(f"{value:.2f}")

    return figure, update


def points() -> Film:
    """200,000 points, of which some change their colour."""
    figure, axes = plt.subplots()
    rng = np.random.default_rng(0)
    colours = rng.random(200_000)
    scatter = axes.scatter(*rng.random((2, 200_000)), s=1, c=colours)

    def update(k: int) -> None:
        colours[100 * k : 100 * (k + 1)] = 0
        scatter.set_array(colours)

    return figure, update


def lorenz() -> Film:
    """A curve in 3-D that grows."""
    figure = plt.figure()
    axes = figure.add_subplot(projection="3d")
    t = np.linspace(0, 20, 2000)
    places = np.array([np.cos(t), np.sin(t), t])
    (line,) = axes.plot(*places[:, :1])
    axes.set(xlim=(-1, 1), ylim=(-1, 1), zlim=(0, 20))
    return figure, lambda k: line.set_data_3d(*places[:, : 20 * k + 1])


def turning() -> Film:
    """The same, while the camera turns: all that stands in 3-D is somewhere else in each frame."""
    figure, grow = lorenz()
    (axes,) = figure.axes

    def update(k: int) -> None:
        grow(k)
        axes.view_init(25, k / 2)

    return figure, update


def contours() -> Film:
    """An Axes that is cleared, with filled contours drawn anew."""
    figure, axes = plt.subplots()
    x = np.linspace(0, 5, 60)

    def update(k: int) -> None:
        axes.clear()
        axes.contourf(x, x, np.sin(x[:, None] + k / 10) * np.cos(x))
        axes.set_title(f"{k}")

    update(0)
    return figure, update


def meshes() -> Film:
    """Four fields with colour bars."""
    figure, grid = plt.subplots(2, 2)
    rng = np.random.default_rng(0)
    fields = [axes.pcolormesh(rng.random((50, 50))) for axes in grid.flat]
    for field, axes in zip(fields, grid.flat):
        figure.colorbar(field, ax=axes)

    def update(k: int) -> None:
        for field in fields:
            field.set_array(rng.random((50, 50)))

    return figure, update


FILMS = {make.__name__: make for make in (moving_line, heat_map, points, lorenz, turning, contours, meshes)}


def measure(name: str, frames: int) -> None:
    """Draw one film in both ways, and say what each took."""
    (figure, update), (other, update_other) = FILMS[name](), FILMS[name]()
    incremental, canvas = Incremental(figure), Canvas()
    took: dict[str, list[float]] = {"full": [], "auto": []}
    same = True
    for k in range(frames + _WARM_UP):
        update(k)
        update_other(k)
        began = time.process_time()
        full = rasterise(other, canvas)
        between = time.process_time()
        picture = incremental.rasterise(figure, canvas, None, "auto")
        ended = time.process_time()
        same &= np.array_equal(full.pixels, picture.pixels)
        if k >= _WARM_UP:  # the first ones are taped, or compared
            took["full"].append(1e3 * (between - began))
            took["auto"].append(1e3 * (ended - between))
    full_ms, auto_ms = map(statistics.median, took.values())
    print(
        f"{name:12} {full_ms:8.1f} ms  {auto_ms:8.1f} ms  {full_ms / auto_ms:5.1f}x  "
        f"{incremental.size_bytes / 1e6:6.1f} MB  {'same pixels' if same else 'PIXELS DIFFER'}",
        flush=True,
    )
    plt.close("all")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*FILMS, []], metavar="NAME")
    parser.add_argument("--frames", type=int, default=24)
    given = parser.parse_args()
    print(f"{'':12} {'full':>8}     {'changes':>8}     ratio    on tape")
    for name in given.names or FILMS:
        measure(name, min(given.frames, 3) if name == "points" else given.frames)


if __name__ == "__main__":
    main()
