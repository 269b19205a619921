from functools import lru_cache

import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation


@lru_cache(maxsize=None)
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


fig, ax = plt.subplots(figsize=(2.5, 2), dpi=60)


def update(n):
    ax.bar(n, fib(n), color="tab:orange")
    ax.set_title(f"F({n}) = {fib(n)}, {fib.cache_info().currsize} cached", fontsize=7)


ani = FuncAnimation(fig, update, frames=range(1, 13), repeat=False)
plt.show()
