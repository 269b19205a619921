# drunkard's walk with the standard library only
from random import choice, seed
import matplotlib.pyplot as plt
from matplotlib import animation

seed(10)
xs = [0]
ys = [0]
fig = plt.figure(figsize=(2.5, 2), dpi=60)
ax = plt.gca()


def go(i):
    dx, dy = choice([(0, 1), (1, 0), (0, -1), (-1, 0)])
    xs.append(xs[-1] + dx)
    ys.append(ys[-1] + dy)
    ax.plot(xs[-2:], ys[-2:], 'C%d-' % (i % 10), lw=3)
    ax.set_title(f'step {i + 1}')


ani = animation.FuncAnimation(fig, go, 14)
plt.show()
