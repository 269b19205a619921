import numpy as np
import matplotlib.pyplot as plt
from matplotlib import animation

fig, ax = plt.subplots(figsize=(2.5, 2), dpi=60)
x = np.linspace(0, 3, 50)


def update(_):
    # one more polynomial at each call
    n = update.calls
    update.calls += 1
    ax.plot(x, x ** (n / 2), label='x^%.1f' % (n / 2))
    ax.legend(loc='upper left', fontsize=5, ncols=2)
    ax.set_ylim(0, 10)


update.calls = 0
ani = animation.FuncAnimation(fig, update, frames=8, repeat=False)
plt.show()
