"""Elastic balls in a box. A class holds the state, the animation asks it to step."""
import numpy as np
import matplotlib.pyplot as plt
import matplotlib.animation as animation


class ParticleBox:
    def __init__(self, init_state, bounds=(-2, 2, -2, 2), size=0.15, M=0.05, G=9.8):
        self.state = np.asarray(init_state, dtype=float).copy()
        self.size = size
        self.time_elapsed = 0
        self.bounds = bounds
        self.G = G

    def step(self, dt):
        self.time_elapsed += dt
        self.state[:, :2] += dt * self.state[:, 2:]
        for axis in (0, 1):
            lo, hi = self.bounds[2 * axis] + self.size, self.bounds[2 * axis + 1] - self.size
            below, above = self.state[:, axis] < lo, self.state[:, axis] > hi
            self.state[below, axis] = lo
            self.state[above, axis] = hi
            self.state[below | above, 2 + axis] *= -1
        self.state[:, 3] -= self.G * dt


class Show(object):
    def __init__(self, box):
        self.box = box
        self.fig, self.ax = plt.subplots(figsize=(2, 2), dpi=60)
        self.ax.set(xlim=(-2, 2), ylim=(-2, 2), aspect='equal')
        self.scat = self.ax.scatter(*box.state[:, :2].T, s=20, c=np.arange(len(box.state)), cmap='jet')
        self.label = self.ax.text(0.05, 0.9, '', transform=self.ax.transAxes)
        self.ani = animation.FuncAnimation(self.fig, self.update, frames=14, interval=10, blit=True)

    def update(self, i):
        for _ in range(3):
            self.box.step(1. / 60)
        self.scat.set_offsets(self.box.state[:, :2])
        self.label.set_text('%.2f s' % self.box.time_elapsed)
        return self.scat, self.label


np.random.seed(0)
init_state = -0.5 + np.random.random((30, 4))
init_state[:, :2] *= 3.9
show = Show(ParticleBox(init_state))
plt.show()
