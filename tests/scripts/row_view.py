import numpy as np
import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation

d = np.zeros((16, 24))
row = d[7]
fig, ax = plt.subplots(figsize=(2.5, 2), dpi=60)
im = ax.imshow(d, vmin=0, vmax=1)


def update(i):
    row[i] = 1
    row[:i] *= 0.8
    im.set_data(d)
    return im,


ani = FuncAnimation(fig, update, frames=14)
plt.show()
