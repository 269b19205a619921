import numpy as np
import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation

rng = np.random.default_rng()
x = rng.uniform(-1, 1, 60)
y = rng.uniform(-1, 1, 60)

fig, ax = plt.subplots(figsize=(2, 2), dpi=60)
dots, = ax.plot(x, y, '.')
ax.set(xlim=(-2, 2), ylim=(-2, 2))


def brownian(frame):
    global x, y
    x = x + rng.normal(0, 0.1, x.size)
    y = y + rng.normal(0, 0.1, y.size)
    dots.set_data(x, y)
    return [dots]


ani = FuncAnimation(fig, brownian, frames=10, blit=True)
plt.show()
