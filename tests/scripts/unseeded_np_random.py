import numpy as np
import matplotlib.pyplot as plt
import matplotlib.animation as animation

fig, ax = plt.subplots(figsize=(2.5, 2), dpi=60)
data = np.random.randn(200)
bins = np.linspace(-4, 4, 20)
collected = []


def animate(i):
    ax.cla()
    collected.extend(np.random.normal(size=50))
    ax.hist(collected, bins=bins, color='steelblue', ec='white')
    ax.set_title('n = %d' % len(collected))


ani = animation.FuncAnimation(fig, animate, frames=10)
plt.show()
