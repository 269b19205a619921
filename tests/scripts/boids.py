# flocking birds, following Craig Reynolds' three rules
import numpy as np
import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation

np.random.seed(42)
N = 25
SIZE = 100
pos = np.random.rand(N, 2) * SIZE
vel = np.random.randn(N, 2) * 3


def limit(v, vmax=4.0):
    speed = np.linalg.norm(v, axis=1, keepdims=True)
    return np.where(speed > vmax, v / speed * vmax, v)


def step():
    global pos, vel
    d = np.linalg.norm(pos[:, None] - pos[None], axis=-1)
    near = (d < 25) & (d > 0)
    close = (d < 8) & (d > 0)
    for i in range(N):
        if near[i].any():
            vel[i] += 0.02 * (pos[near[i]].mean(0) - pos[i])      # cohesion
            vel[i] += 0.10 * (vel[near[i]].mean(0) - vel[i])      # alignment
        if close[i].any():
            vel[i] += 0.15 * (pos[i] - pos[close[i]]).sum(0)      # separation
    vel = limit(vel)
    pos = (pos + vel) % SIZE


fig, ax = plt.subplots(figsize=(2.5, 2), dpi=60)
ax.set_xlim(0, SIZE); ax.set_ylim(0, SIZE)
ax.set_xticks([]); ax.set_yticks([])
Q = ax.quiver(pos[:, 0], pos[:, 1], vel[:, 0], vel[:, 1], np.arctan2(vel[:, 1], vel[:, 0]),
              cmap="hsv", scale=60, width=0.02)


def animate(frame):
    step()
    Q.set_offsets(pos)
    Q.set_UVC(vel[:, 0], vel[:, 1], np.arctan2(vel[:, 1], vel[:, 0]))
    return Q,


anim = FuncAnimation(fig, animate, frames=12, interval=50)
plt.show()
