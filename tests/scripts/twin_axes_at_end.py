# fitting a line; when it is done the cost appears on its own axis
import numpy as np
import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation

x = np.linspace(0, 1, 20)
y = 3 * x + 1 + 0.2 * np.sin(40 * x)
m, b = 0.0, 0.0
costs = []
epochs = 10

fig, ax = plt.subplots(figsize=(2.5, 2), dpi=60)
ax.plot(x, y, 'k.')
fit, = ax.plot(x, m * x + b, 'r')


def epoch(i):
    global m, b
    for _ in range(5):
        err = m * x + b - y
        m -= 0.2 * np.mean(err * x)
        b -= 0.2 * np.mean(err)
    costs.append(np.mean(err ** 2))
    fit.set_ydata(m * x + b)
    if i == epochs - 1:
        ax2 = ax.twinx()
        ax2.plot(np.linspace(0, 1, epochs), costs, 'b--')
        ax2.set_ylabel('cost', color='b')


ani = FuncAnimation(fig, epoch, epochs, interval=100, repeat=False)
plt.show()
