"""Filled contours on axes that are cleared and drawn anew each time. 100 frames."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation

FRAMES = 100
x, y = np.meshgrid(np.linspace(-3, 3, 120), np.linspace(-3, 3, 120))
fig, ax = plt.subplots()


def update(k):
    ax.clear()
    ax.contourf(x, y, np.sin(x + k / 10) * np.cos(y - k / 20), levels=np.linspace(-1, 1, 15))
    ax.set_title(f"t = {k / 10:.1f}")


anim = FuncAnimation(fig, update, frames=FRAMES, interval=50)
