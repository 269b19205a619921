"""Four fields of 100 x 100 cells with their colour bars and titles. 60 frames."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation

FRAMES = 60
x, y = np.meshgrid(np.linspace(-3, 3, 100), np.linspace(-3, 3, 100))
fig, axes = plt.subplots(2, 2, figsize=(10, 8))


def field(k, j):
    return np.sin(x * (j + 1) / 2 + k / 10) * np.cos(y + k / 20 * j)


meshes = [ax.pcolormesh(x, y, field(0, j), vmin=-1, vmax=1) for j, ax in enumerate(axes.flat)]
for j, (ax, mesh) in enumerate(zip(axes.flat, meshes)):
    fig.colorbar(mesh, ax=ax)
    ax.set_title(f"mode {j}")


def update(k):
    for j, mesh in enumerate(meshes):
        mesh.set_array(field(k, j))
    return meshes


anim = FuncAnimation(fig, update, frames=FRAMES, interval=50)
