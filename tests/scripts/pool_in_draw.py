from multiprocessing import Pool

import numpy as np
import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation


def mandelbrot_row(args):
    y, zoom = args
    c = np.linspace(-0.5 - 1.5 / zoom, -0.5 + 1.5 / zoom, 60) + 1j * y
    z = np.zeros_like(c)
    n = np.zeros(c.shape, int)
    for _ in range(20):
        inside = np.abs(z) < 2
        z[inside] = z[inside] ** 2 + c[inside]
        n += inside
    return n


def picture(zoom):
    with Pool(2) as pool:
        return np.array(pool.map(mandelbrot_row, [(y, zoom) for y in np.linspace(-1.2 / zoom, 1.2 / zoom, 40)]))


if __name__ == '__main__':
    fig, ax = plt.subplots(figsize=(2.5, 2), dpi=60)
    ax.axis('off')
    im = ax.imshow(picture(1), cmap='magma')

    def update(i):
        im.set_data(picture(1.15 ** i))
        return [im]

    ani = FuncAnimation(fig, update, frames=8)
    plt.show()
