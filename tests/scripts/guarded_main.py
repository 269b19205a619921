import numpy as np
import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation


def projectile(v0, angle, g=9.81, steps=12):
    angle = np.deg2rad(angle)
    total = 2 * v0 * np.sin(angle) / g
    t = np.linspace(0, total, steps)
    return v0 * np.cos(angle) * t, v0 * np.sin(angle) * t - g * t ** 2 / 2


def main():
    x, y = projectile(20, 55)
    fig, ax = plt.subplots(figsize=(2.5, 2), dpi=60)
    ax.set_xlim(0, 42)
    ax.set_ylim(0, 16)
    ball, = ax.plot([], [], 'ro')
    path, = ax.plot([], [], 'b--', lw=1)
    xs, ys = [], []

    def animate(i):
        xs.append(x[i])
        ys.append(y[i])
        ball.set_data([x[i]], [y[i]])
        path.set_data(xs, ys)
        return ball, path

    ani = FuncAnimation(fig, animate, frames=len(x), interval=50, blit=True, repeat=False)
    plt.show()


if __name__ == "__main__":
    main()
