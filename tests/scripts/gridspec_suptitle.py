import matplotlib.pyplot as plt
import matplotlib.gridspec as gridspec
import numpy as np
from matplotlib.animation import FuncAnimation

fig = plt.figure(figsize=(3, 2.4), dpi=60, layout='constrained')
gs = gridspec.GridSpec(2, 2, figure=fig)
top = fig.add_subplot(gs[0, :])
left = fig.add_subplot(gs[1, 0])
right = fig.add_subplot(gs[1, 1])
rng = np.random.default_rng(3)

signal = np.zeros(64)
line, = top.plot(signal)
top.set_ylim(-3, 3)
bars = left.bar(range(8), np.zeros(8))
left.set_ylim(0, 20)
image = right.imshow(np.zeros((8, 8)), vmin=-2, vmax=2)


def update(n):
    global signal
    signal = np.roll(signal, -8)
    signal[-8:] = rng.standard_normal(8)
    line.set_ydata(signal)
    for bar, h in zip(bars, np.abs(np.fft.rfft(signal))[:8]):
        bar.set_height(h)
    image.set_data(signal.reshape(8, 8))
    fig.suptitle('block %d, rms %.2f' % (n, signal.std()))
    return line, image, *bars


ani = FuncAnimation(fig, update, frames=10, interval=120)
plt.show()
