import numpy as np
import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation

A = np.sin(np.linspace(0, 6, 100))
B = np.cos(np.linspace(0, 6, 100))
C = np.linspace(-1, 1, 100)
exec("D = A * B")

fig, ax = plt.subplots(figsize=(2.5, 2), dpi=60)
line, = ax.plot(A)
ax.set_ylim(-1.2, 1.2)


def update(i):
    name = "ABCD"[i % 4]
    line.set_ydata(globals()[name] * (1 - i / 20))
    ax.set_title("signal " + name)


ani = FuncAnimation(fig, update, frames=12)
plt.show()
