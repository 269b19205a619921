import numpy as np
import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation

x = np.linspace(0, 10, 200)
y = np.exp(-x / 5) * np.cos(2 * x)

fig, ax = plt.subplots(figsize=(2.5, 2), dpi=60)
ax.plot(x, y)
note = ax.annotate('', xy=(0, 1), xytext=(6, 0.8), fontsize=7, arrowprops=dict(arrowstyle='->'))
best = ax.text(0.4, 0.05, '', transform=ax.transAxes, fontsize=7, bbox=dict(fc='w'))


def move(k, step, history):
    i = k * step
    note.xy = (x[i], y[i])
    note.set_text('x=%.2f\ny=%.2f' % (x[i], y[i]))
    history.append(y[i])
    best.set_text('lowest so far %.2f' % min(history))
    return note, best


ani = FuncAnimation(fig, move, frames=11, fargs=(18, []), interval=150, blit=True)
plt.show()
