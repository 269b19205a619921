import numpy as np
import matplotlib.pyplot as plt
import matplotlib.animation as animation

x, y = np.meshgrid(np.linspace(-3, 3, 40), np.linspace(-3, 3, 40))
fig, ax = plt.subplots(figsize=(2.5, 2), dpi=60)
levels = np.linspace(-1, 1, 11)
cont = ax.contourf(x, y, np.sin(x), levels)
fig.colorbar(cont)


def animate(i):
    global cont
    z = np.sin(x - 0.3 * i) * np.cos(y + 0.2 * i)
    cont.remove()
    cont = ax.contourf(x, y, z, levels)
    return cont


anim = animation.FuncAnimation(fig, animate, frames=10, repeat=False)
plt.show()
