"""A heat map of 8 x 10 cells with their values as text, all of which change, and a colour bar. 60 frames."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation

FRAMES = 60
history = np.random.default_rng(0).random((8, 10)) * np.linspace(0.2, 1, FRAMES)[:, None, None]
fig, ax = plt.subplots()
image = ax.imshow(history[0], vmin=0, vmax=1, cmap="YlGn")
fig.colorbar(image)
texts = [[ax.text(j, i, "", ha="center", va="center", fontsize=8) for j in range(10)] for i in range(8)]


def update(k):
    image.set_data(history[k])
    for row, values in zip(texts, history[k]):
        for text, value in zip(row, values):
            text.set_text(f"{value:.2f}")
            text.set_color("white" if value > 0.5 else "black")
    ax.set_title(f"step {k}")


anim = FuncAnimation(fig, update, frames=FRAMES, interval=100)
