# "bar chart race" of made-up sales, re-sorted every month
import random

import matplotlib.pyplot as plt
import matplotlib.animation as animation

random.seed(2024)
names = ['Ada', 'Basic', 'C', 'Dart', 'Erlang', 'Forth']
colors = dict(zip(names, ['#adb0ff', '#ffb3ff', '#90d595', '#e48381', '#aafbff', '#f7bb5f']))
values = {name: random.randint(10, 30) for name in names}

fig, ax = plt.subplots(figsize=(2.5, 2), dpi=60)


def draw_barchart(month):
    for name in names:
        values[name] += random.randint(0, 12)
    ax.clear()
    order = sorted(names, key=values.get)
    ax.barh(order, [values[n] for n in order], color=[colors[n] for n in order])
    for i, name in enumerate(order):
        ax.text(values[name], i, values[name], va='center', size=6)
    ax.text(0.95, 0.1, f'month {month}', transform=ax.transAxes, ha='right', weight=800)
    ax.tick_params(labelsize=6)
    ax.set_xlim(0, None)
    plt.box(False)


animator = animation.FuncAnimation(fig, draw_barchart, frames=range(1, 13))
plt.show()
