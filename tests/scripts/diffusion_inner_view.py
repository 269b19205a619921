import numpy as np
import matplotlib.pyplot as plt
from matplotlib import animation

# heat on a plate, hot spot in the middle and one warm wall
U = np.zeros((32, 32))
U[12:20, 12:20] = 100.
U[0, :] = 60.
inner = U[1:-1, 1:-1]
alpha = 0.2

fig, ax = plt.subplots(figsize=(2.5, 2), dpi=60)
pic = ax.imshow(U, cmap='inferno', vmin=0, vmax=100)
fig.colorbar(pic)


def step(i):
    for _ in range(4):
        lap = U[:-2, 1:-1] + U[2:, 1:-1] + U[1:-1, :-2] + U[1:-1, 2:] - 4 * inner
        inner[:] = inner + alpha * lap
    pic.set_array(U)
    ax.set_title('t = %d' % (4 * (i + 1)))
    return [pic]


ani = animation.FuncAnimation(fig, step, frames=10, interval=60)
plt.show()
