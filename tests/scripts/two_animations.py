import numpy as np
import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation

# one window with the wave, another with its energy so far
x = np.linspace(0, 4 * np.pi, 100)

fig1, ax1 = plt.subplots(figsize=(2.5, 2), dpi=60)
wave, = ax1.plot(x, np.sin(x))
ax1.set_title('wave')

fig2, ax2 = plt.subplots(figsize=(2, 2), dpi=60)
ax2.set(xlim=(0, 10), ylim=(0, 60), title='energy')
points = ax2.scatter([], [])
energies = []


def update_wave(i):
    wave.set_ydata(np.sin(x - i / 3))


def update_energy(i):
    energies.append((i, np.sum(np.sin(x - i / 3) ** 2)))
    points.set_offsets(energies)


ani_wave = FuncAnimation(fig1, update_wave, frames=9, interval=40)
ani_energy = FuncAnimation(fig2, update_energy, frames=11, interval=80)
plt.show()
