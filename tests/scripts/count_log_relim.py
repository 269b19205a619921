# convergence of Newton's method for sqrt(2), the axes follow the data
import itertools
import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation

xs, ys = [], []
guess = 400.0
fig, ax = plt.subplots(figsize=(2.5, 2), dpi=60)
ax.set_yscale('log')
curve, = ax.plot(xs, ys, 'k.-')
ax.set_xlabel('iteration', fontsize=7)


def step(n):
    global guess
    guess = 0.5 * (guess + 2 / guess)
    xs.append(n)
    ys.append(abs(guess * guess - 2) + 1e-16)
    curve.set_data(xs, ys)
    ax.relim()
    ax.autoscale_view()


ani = FuncAnimation(fig, step, frames=itertools.count(), save_count=12, interval=300)
plt.show()
