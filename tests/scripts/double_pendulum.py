import matplotlib.pyplot as plt
import numpy as np
from collections import deque
from numpy import cos, sin
import matplotlib.animation as animation

G, L1, L2, M1, M2 = 9.8, 1.0, 1.0, 1.0, 1.0
dt = 0.02


def derivs(state):
    dydx = np.zeros_like(state)
    dydx[0] = state[1]
    delta = state[2] - state[0]
    den1 = (M1 + M2) * L1 - M2 * L1 * cos(delta) * cos(delta)
    dydx[1] = ((M2 * L1 * state[1] * state[1] * sin(delta) * cos(delta)
                + M2 * G * sin(state[2]) * cos(delta)
                + M2 * L2 * state[3] * state[3] * sin(delta)
                - (M1 + M2) * G * sin(state[0])) / den1)
    dydx[2] = state[3]
    den2 = (L2 / L1) * den1
    dydx[3] = ((-M2 * L2 * state[3] * state[3] * sin(delta) * cos(delta)
                + (M1 + M2) * G * sin(state[0]) * cos(delta)
                - (M1 + M2) * L1 * state[1] * state[1] * sin(delta)
                - (M1 + M2) * G * sin(state[2])) / den2)
    return dydx


def rk4(y, dt):
    k1 = derivs(y)
    k2 = derivs(y + dt / 2 * k1)
    k3 = derivs(y + dt / 2 * k2)
    k4 = derivs(y + dt * k3)
    return y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


state = np.radians([120.0, 0.0, -10.0, 0.0])
fig = plt.figure(figsize=(2, 2), dpi=60)
ax = fig.add_subplot(autoscale_on=False, xlim=(-2, 2), ylim=(-2, 1.))
ax.set_aspect('equal')
ax.grid()
line, = ax.plot([], [], 'o-', lw=2)
trace, = ax.plot([], [], '.-', lw=1, ms=2)
time_text = ax.text(0.05, 0.9, '', transform=ax.transAxes)
history_x, history_y = deque(maxlen=40), deque(maxlen=40)
t = 0.0


def animate(i):
    global state, t
    for _ in range(4):
        state = rk4(state, dt)
        t += dt
    x1, y1 = L1 * sin(state[0]), -L1 * cos(state[0])
    x2, y2 = x1 + L2 * sin(state[2]), y1 - L2 * cos(state[2])
    history_x.appendleft(x2)
    history_y.appendleft(y2)
    line.set_data([0, x1, x2], [0, y1, y2])
    trace.set_data(history_x, history_y)
    time_text.set_text(f'time = {t:.1f}s')
    return line, trace, time_text


ani = animation.FuncAnimation(fig, animate, 14, interval=dt * 1000, blit=True)
plt.show()
