import numpy as np
import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation
np.random.seed(1)

fig, ax = plt.subplots(figsize=(2.5, 2), dpi=60)
scat = ax.scatter(np.random.rand(20), np.random.rand(20), c=np.random.rand(20))

def update(frame):
    scat.set_offsets(np.random.rand(20, 2))
    scat.set_array(np.random.rand(20))
    return scat,

ani = FuncAnimation(fig, update, frames=12, interval=200)
plt.show()
