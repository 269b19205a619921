#!/usr/bin/env python3
"""Lissajous figures.  usage: argparse_defaults.py [-a A] [-b B] [--frames N]"""
import argparse

import numpy as np
import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument('-a', type=int, default=3)
parser.add_argument('-b', type=int, default=2)
parser.add_argument('--frames', type=int, default=8, help='number of frames')
parser.add_argument('-c', '--color', default='crimson')
args = parser.parse_args()

t = np.linspace(0, 2 * np.pi, 200)
fig, ax = plt.subplots(figsize=(2, 2), dpi=60)
ax.axis('off')
line, = ax.plot(t, t, color=args.color)
ax.set(xlim=(-1.1, 1.1), ylim=(-1.1, 1.1))


def update(i):
    line.set_data(np.sin(args.a * t + i * np.pi / args.frames), np.sin(args.b * t))
    return line,


anim = FuncAnimation(fig, update, frames=args.frames)
plt.show()
