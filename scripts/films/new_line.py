"""A new figure each frame: a curve with a title. 200 frames."""

import matplotlib.pyplot as plt
import numpy as np

FRAMES = 200
x = np.linspace(0, 10, 500)


def draw(i):
    fig, ax = plt.subplots()
    ax.plot(x, np.sin(x + i / 10))
    ax.set(ylim=(-1.2, 1.2), title=f"step {i}", xlabel="x")
    return fig
