import matplotlib.pyplot as plt
import matplotlib.animation as animation


def primes():
    n, known = 2, []
    while True:
        if all(n % p for p in known):
            known.append(n)
            yield n
        n += 1


source = primes()
current = next(source)

fig, ax = plt.subplots(figsize=(2.5, 2), dpi=60)
ax.axis('off')
label = ax.text(0.5, 0.5, str(current), size=30, ha='center', va='center')
bar = ax.axhline(0.1, 0, 0, lw=5)


def tick(i):
    global current
    if i % 5 == 4:          # a new prime only now and then
        current = next(source)
    label.set_text(str(current))
    bar.set_xdata([0, (i % 5) / 5])


ani = animation.FuncAnimation(fig, tick, frames=16, interval=100)
plt.show()
