import numpy as np
import matplotlib.pyplot as plt
from mpl_toolkits.mplot3d import Axes3D  # noqa
from matplotlib import animation

fig = plt.figure(figsize=(2.2, 2), dpi=60)
ax = fig.add_subplot(projection='3d')
X, Y = np.meshgrid(np.arange(-5, 5, 0.8), np.arange(-5, 5, 0.8))
Z = np.sin(np.sqrt(X ** 2 + Y ** 2))


def init():
    ax.plot_surface(X, Y, Z, cmap='coolwarm', linewidth=0)
    return fig,


def animate(i):
    ax.view_init(elev=30., azim=30 * i)
    return fig,


anim = animation.FuncAnimation(fig, animate, init_func=init, frames=12, interval=20, blit=False)
plt.show()
