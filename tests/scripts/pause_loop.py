import numpy as np
import matplotlib.pyplot as plt

# gradient descent, live
plt.ion()
plt.figure(figsize=(2.5, 2), dpi=60)
w = np.array([-1.8, 1.5])
history = [w.copy()]
for i in range(10):
    grad = np.array([2 * w[0], 6 * w[1]])
    w -= 0.12 * grad
    history.append(w.copy())
    plt.clf()
    h = np.array(history)
    plt.plot(h[:, 0], h[:, 1], 'o-', ms=3)
    plt.xlim(-2, 2)
    plt.ylim(-2, 2)
    plt.title('step %d  loss %.3f' % (i, w[0] ** 2 + 3 * w[1] ** 2), fontsize=8)
    plt.pause(0.05)
plt.ioff()
plt.show()
