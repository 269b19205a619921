import numpy as np
import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation

fig, ax = plt.subplots(figsize=(2.2, 2), dpi=60)
Y, X = np.mgrid[-2:2:12j, -2:2:12j]


def animate(iter):
    ax.clear()
    dx = -1 - X ** 2 + Y + iter / 5
    dy = 1 + X - Y * X
    ax.streamplot(X, Y, dx, dy, density=0.5, arrowsize=0.7, color=np.hypot(dx, dy), cmap='winter')
    ax.set_title('t = ' + str(iter))


anim = FuncAnimation(fig, animate, frames=8, interval=50, blit=False, repeat=False)
plt.show()
