"""Three Lorenz trajectories that grow, in 3-D, while the camera turns. 200 frames."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation

FRAMES = 200
STEPS = 5
state = np.array([[1.0, 1.0, 1.0], [1.01, 1.0, 1.0], [1.0, 1.01, 1.0]])
path = np.empty((FRAMES * STEPS + 1, 3, 3))
for k in range(len(path)):
    path[k] = state
    x, y, z = state.T
    state = state + 0.01 * np.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z], axis=1)

fig = plt.figure()
ax = fig.add_subplot(projection="3d")
lines = [ax.plot([], [], [], lw=0.8)[0] for _ in state]
ax.set(xlim=(-20, 20), ylim=(-25, 25), zlim=(0, 50), title="Lorenz")


def update(k):
    for j, line in enumerate(lines):
        line.set_data_3d(*path[: STEPS * k + 2, j].T)
    ax.view_init(25, k * 0.5)
    return lines


anim = FuncAnimation(fig, update, frames=FRAMES, interval=40)
