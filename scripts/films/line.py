"""A curve of 500 points that moves; axes, labels, title and grid stay. 400 frames."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation

FRAMES = 400
x = np.linspace(0, 10, 500)
fig, ax = plt.subplots()
(line,) = ax.plot(x, np.sin(x))
ax.set(title="travelling wave", xlabel="x", ylabel="y", ylim=(-1.2, 1.2))
ax.grid()


def update(i):
    line.set_ydata(np.sin(x + i / 10))
    return (line,)


anim = FuncAnimation(fig, update, frames=FRAMES, interval=40)
