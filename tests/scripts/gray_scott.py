# Gray-Scott reaction-diffusion. U and V live in one structured array, u and v are the inside without the border.
import numpy as np
import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation

Du, Dv, F, k = 0.16, 0.08, 0.035, 0.065      # bacteria
n = 40
Z = np.zeros((n + 2, n + 2), [('U', np.double), ('V', np.double)])
U, V = Z['U'], Z['V']
u, v = U[1:-1, 1:-1], V[1:-1, 1:-1]

r = 6
u[...] = 1.0
U[n // 2 - r:n // 2 + r, n // 2 - r:n // 2 + r] = 0.50
V[n // 2 - r:n // 2 + r, n // 2 - r:n // 2 + r] = 0.25
np.random.seed(0)
u += 0.05 * np.random.random((n, n))
v += 0.05 * np.random.random((n, n))


def update(frame):
    global U, V, u, v, im
    for i in range(20):
        Lu = (U[0:-2, 1:-1] + U[1:-1, 0:-2] - 4 * U[1:-1, 1:-1] + U[1:-1, 2:] + U[2:, 1:-1])
        Lv = (V[0:-2, 1:-1] + V[1:-1, 0:-2] - 4 * V[1:-1, 1:-1] + V[1:-1, 2:] + V[2:, 1:-1])
        uvv = u * v * v
        u += (Du * Lu - uvv + F * (1 - u))
        v += (Dv * Lv + uvv - (F + k) * v)
    im.set_data(V)
    im.set_clim(vmin=V.min(), vmax=V.max())


fig = plt.figure(figsize=(2, 2), dpi=60)
fig.add_axes([0.0, 0.0, 1.0, 1.0], frameon=False)
im = plt.imshow(V, interpolation='bicubic', cmap=plt.cm.gray_r)
plt.xticks([]), plt.yticks([])
animation = FuncAnimation(fig, update, interval=10, frames=10)
plt.show()
