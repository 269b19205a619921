"""Bayes' update of a coin's probability; an instance is the update function."""
import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation


def beta_pdf(x, a, b):
    return (x**(a - 1) * (1 - x)**(b - 1) * math.gamma(a + b) / (math.gamma(a) * math.gamma(b)))


class UpdateDist:
    def __init__(self, ax, prob=0.5):
        self.success = 0
        self.prob = prob
        self.line, = ax.plot([], [], 'k-')
        self.x = np.linspace(0, 1, 200)
        self.ax = ax
        self.ax.set_xlim(0, 1)
        self.ax.set_ylim(0, 10)
        self.ax.grid(True)
        self.ax.axvline(prob, linestyle='--', color='black')

    def start(self):
        return self.line,

    def __call__(self, i):
        # This way the plot can continuously run and we just keep watching new realizations of the process
        if i == 0:
            self.success = 0
            self.line.set_data([], [])
            return self.line,
        if np.random.rand() < self.prob:
            self.success += 1
        y = beta_pdf(self.x, self.success + 1, (i - self.success) + 1)
        self.line.set_data(self.x, y)
        return self.line,


np.random.seed(19680801)
fig, ax = plt.subplots(figsize=(2.5, 2), dpi=60)
ud = UpdateDist(ax, prob=0.7)
anim = FuncAnimation(fig, ud, init_func=ud.start, frames=14, interval=100, blit=True)
plt.show()
