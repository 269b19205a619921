"""A new figure each frame: an image with its colour bar and a title. 100 frames."""

import matplotlib.pyplot as plt
import numpy as np

FRAMES = 100
x, y = np.meshgrid(np.linspace(-3, 3, 200), np.linspace(-3, 3, 200))


def draw(i):
    fig, ax = plt.subplots()
    image = ax.imshow(np.sin(x + i / 10) * np.cos(y), vmin=-1, vmax=1, cmap="RdBu")
    fig.colorbar(image, label="u")
    ax.set_title(f"step {i}")
    return fig
