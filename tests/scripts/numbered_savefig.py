import os
import numpy as np
import matplotlib.pyplot as plt

if not os.path.exists('frames_out'):
    os.makedirs('frames_out')

np.random.seed(1)
walk = np.cumsum(np.random.randn(10, 2), axis=0)
for i in range(10):
    fig, ax = plt.subplots(figsize=(2.5, 2))
    ax.plot(walk[:i + 1, 0], walk[:i + 1, 1], 'g-o', markersize=3)
    ax.set_xlim(-5, 8)
    ax.set_ylim(-8, 5)
    ax.set_title('Step ' + str(i))
    plt.savefig('frames_out/frame%03d.png' % i, dpi=60)
    plt.close()
