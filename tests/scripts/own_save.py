import numpy as np
import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation, PillowWriter

t = np.linspace(0, 2 * np.pi, 60)
fig, ax = plt.subplots(figsize=(2.5, 2))
ax.set_aspect('equal')
ax.fill(16 * np.sin(t) ** 3, 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t), 'pink')
pen, = ax.plot([], [], 'r-', lw=2)
xs, ys = [], []


def heart(i):
    s = t[i * 5]
    xs.append(16 * np.sin(s) ** 3)
    ys.append(13 * np.cos(s) - 5 * np.cos(2 * s) - 2 * np.cos(3 * s) - np.cos(4 * s))
    pen.set_data(xs, ys)
    return pen,


anim = FuncAnimation(fig, heart, frames=12, interval=100, blit=True)
anim.save('heart.gif', writer=PillowWriter(fps=20), dpi=50, savefig_kwargs={'facecolor': 'lightyellow'})
plt.close(fig)
print('saved')
