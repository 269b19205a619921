import random

import matplotlib.pyplot as plt
import matplotlib.animation as anim


def swap(A, i, j):
    A[i], A[j] = A[j], A[i]


def insertion_sort(A):
    """yields the list itself, again and again, while it gets sorted in place"""
    for i in range(1, len(A)):
        j = i
        while j > 0 and A[j] < A[j - 1]:
            swap(A, j, j - 1)
            j -= 1
            yield A


n = 9
A = [x + 1 for x in range(n)]
random.seed(5)
random.shuffle(A)
generator = insertion_sort(A)

fig, ax = plt.subplots(figsize=(2.5, 2), dpi=60)
ax.set_title("Insertion sort")
bar_rects = ax.bar(range(len(A)), A, align="edge")
ax.set_xlim(0, n)
ax.set_ylim(0, int(1.07 * n))
text = ax.text(0.02, 0.9, "", transform=ax.transAxes)
iteration = [0]


def update_fig(A, rects, iteration):
    for rect, val in zip(rects, A):
        rect.set_height(val)
    iteration[0] += 1
    text.set_text("# of operations: {}".format(iteration[0]))


ani = anim.FuncAnimation(fig, func=update_fig, fargs=(bar_rects, iteration), frames=generator, interval=1,
                         repeat=False, save_count=16)
plt.show()
