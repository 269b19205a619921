#!/usr/bin/env python
# coding: utf-8

# In[1]:


import numpy as np
import matplotlib.pyplot as plt
from matplotlib import animation, rc
try:
    from IPython.display import HTML
except ImportError:
    HTML = str

rc('animation', html='jshtml')


# In[2]:


fig, ax = plt.subplots(figsize=(2.5, 2), dpi=60)
plt.close()
ax.set_xlim((0, 10))
ax.set_ylim((-1.2, 1.2))
x = np.linspace(0, 10, 120)
lines = [ax.plot([], [])[0] for _ in range(3)]


# In[3]:


def init():
    for line in lines:
        line.set_data([], [])
    return lines


def animate(i):
    for k, line in enumerate(lines):
        line.set_data(x, np.sin(x * (k + 1) / 2 + i / 4) / (k + 1))
    return lines


# In[4]:


anim = animation.FuncAnimation(fig, animate, init_func=init, frames=10, interval=100, blit=True)
HTML(anim.to_jshtml())
