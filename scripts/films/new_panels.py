"""A new figure each frame: two axes, curves with a legend and bars. 100 frames."""

import matplotlib.pyplot as plt
import numpy as np

FRAMES = 100
x = np.linspace(0, 10, 500)
heights = np.random.default_rng(0).random((FRAMES, 12))


def draw(i):
    fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    for j in range(3):
        left.plot(x, np.sin(x * (j + 1) / 2 + i / 10), label=f"mode {j}")
    left.set(ylim=(-1.2, 1.2), xlabel="x", ylabel="amplitude")
    left.legend(loc="upper right")
    right.bar(range(12), heights[i])
    right.set(ylim=(0, 1), title=f"step {i}")
    return fig
