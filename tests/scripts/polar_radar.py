from pylab import *
from matplotlib.animation import FuncAnimation

# radar sweep; angle and blips are plain globals
angle = 0.0
blips = []
fig = figure(figsize=(2, 2), dpi=60)
ax = fig.add_subplot(111, projection='polar')
ax.set_facecolor('#003300')
ax.set_rmax(10)
ax.set_yticklabels([])
beam, = ax.plot([0, 0], [0, 10], color='lime', lw=2)
dots, = ax.plot([], [], 'o', color='yellow', ms=3)


def sweep(n):
    global angle
    angle += pi / 9
    beam.set_data([angle, angle], [0, 10])
    if n % 3 == 0:
        blips.append((angle, 2 + n % 7))
    if blips:
        dots.set_data([a for a, r in blips], [r for a, r in blips])
    return beam, dots


a = FuncAnimation(fig, sweep, frames=12, interval=100)
show()
