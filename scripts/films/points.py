"""200,000 points whose colours change. 18 frames."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation

FRAMES = 18
rng = np.random.default_rng(0)
places = rng.normal(size=(200_000, 2))
distance = np.hypot(*places.T)
fig, ax = plt.subplots(figsize=(6, 6))
scatter = ax.scatter(*places.T, s=0.3, c=distance, vmin=-1, vmax=1)
ax.set(xticks=[], yticks=[])


def update(k):
    scatter.set_array(np.cos(distance * 3 - k / 3))
    return (scatter,)


anim = FuncAnimation(fig, update, frames=FRAMES, interval=100)
