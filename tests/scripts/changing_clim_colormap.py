import numpy as np
import matplotlib.pyplot as plt
import matplotlib.animation as animation

F = lambda i: np.outer(np.arange(12), np.arange(16)) ** (1 + i / 6)
cmaps = ['viridis', 'plasma', 'cividis']

fig, ax = plt.subplots(figsize=(2.5, 2), dpi=60)
im = ax.imshow(F(0))
cb = fig.colorbar(im)
cb.ax.tick_params(labelsize=5)


def animate(i):
    arr = F(i)
    im.set_data(arr)
    im.set_clim(arr.min(), arr.max())
    im.set_cmap(cmaps[i // 4])
    ax.set_title('Frame {0}'.format(i))


ani = animation.FuncAnimation(fig, animate, frames=12)
plt.show()
