"""Which update functions begin each frame anew, by their source; and that `Axes.clear` leaves nothing of it."""

import linecache
import textwrap
from collections import namedtuple

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.animation import FuncAnimation

from framepipe.job.canvas import Canvas
from framepipe.scenes.animation import AnimationScene
from framepipe.scenes.begins_anew import begins_anew
from framepipe.scenes.harmless import LASTING, WIPED
from framepipe.scenes.rasterize import rasterise

SCRIPT = """
import math
import random
import time
from math import sin

import matplotlib.pyplot as plt
import numpy as np

fig, ax = plt.subplots(figsize=(2, 1.5), dpi=50)
other = fig.add_axes((0.8, 0.8, 0.1, 0.1))
axs = [ax, other]
x, y = np.linspace(0, 1, 9), np.zeros(9)
seen, table, color = [], {"a": [1, 2]}, "C3"
rng, numbers = np.random.default_rng(0), iter(range(99))


def shape(t):
    return np.sin(x + t / 9)


def counted(t):
    seen.append(t)
    return t


def begin():
    ax.clear()


class Model:
    T = 3

    def step(self):
        self.T += 1
        return self.T


model = Model()
"""
count = [0]


def animation_of(source, frames=5, **keywords):
    """Return the animation of a script with this update function."""
    plt.close("all")
    count[0] += 1
    name, text = f"<script {count[0]}>", SCRIPT + textwrap.dedent(source)
    linecache.cache[name] = len(text), None, text.splitlines(keepends=True), name
    names = {"__name__": "__main__"}
    exec(compile(text, name, "exec"), names)
    return FuncAnimation(names["fig"], names["update"], frames=frames, **keywords)


def is_anew(source, frames=5, **keywords):
    return AnimationScene(animation_of(source, frames, **keywords)).begins_anew


def update(body, head="ax.clear()"):
    return f"def update(k):\n    {head}\n{textwrap.indent(textwrap.dedent(body), '    ')}\n"


@pytest.mark.parametrize(
    "body",
    [
        "ax.plot(x, np.sin(x + k / 10) * np.cos(y - k))",
        "ax.plot(x[:k], y[:k], color=color, label=f'{k:03d} of {len(x)}')\nax.legend(loc=2)",
        "ax.contourf(np.outer(x, y + k), levels=np.linspace(-1, 1, 5), cmap=plt_cmap)\nax.set_title('t = %d' % k)",
        "ax.imshow(np.outer(x, x) * k, vmin=0, vmax=1, aspect='auto')\nax.set_xlabel('time')",
        "a, b = shape(k), k ** 2 if k else 1\nax.bar([0, 1], [a.mean(), b])\nreturn ax.patches_",
        "for i in range(k):\n    ax.axvline(i, color='k' if i else 'r')\n    ax.text(i, 0, str(i), transform=ax.transAxes)",
        "if k > 2:\n    ax.set_title('late')\nelse:\n    ax.legend(['a'])",
        "line, = ax.plot([math.sin(i) for i in range(k)], [sin(i) for i in range(k)])\nline.set_color('r')",
        "ax.set(xlim=(0, k + 1), ylabel='y', title=table['a'][0])\nax.add_patch(plt.Circle((0, 0), 0.1))",
        "z = np.where(x > 0.5, x, k).reshape(3, 3)\nax.pcolormesh(z.T, shading='auto')\nprint('frame', k)",
        "'''Draws.'''\naxs[1].cla()\naxs[1].plot(x)\naxs[0].plot(np.linspace(0, k, 9), x)",
        "ax.plot(x)\nreturn ax,",
        "ax.grid(True, alpha=0.3)\nax.plot(x.astype(int), np.zeros(9, dtype=np.float64), color=plt_cmap(k / 9))",
        "for i in range(9):\n    if i > k:\n        break\n    ax.axvline(i)",
        "ax.fill_between(x, 0, 1, where=x > k / 9)",
        "ax.plot(days, [0, k])",
        "ax.plot(x)\nreturn fig",
        "xs, = [[]]\nys = []\nfor i in range(k):\n    ys.append(i)\nax.plot(ys)\nax.axis([0, 9, 0, 1])",
        "s = sum(v * v for v in table['a'])\nax.scatter(x, x * s, c=np.clip(x, 0, 1), s=10 + k)",
    ],
)
def test_what_draws_all_of_a_frame_again(body):
    given = "plt_cmap = plt.get_cmap('viridis')\nimport datetime\ndays = [datetime.date(2024, 1, 1), datetime.date(2024, 2, 1)]\n"
    source = given + update(body)
    if "patches_" in body:
        source = source.replace("return ax.patches_", "return a")
    assert is_anew(source)


def test_functions_of_the_script_are_read_too():
    assert is_anew(update("ax.plot(x, shape(k))", head="begin()"))
    assert not is_anew(update("ax.plot(x, shape(k) + counted(k))", head="begin()"))
    assert not is_anew("def which():\n    return model\n" + update("ax.plot(which().copy())"))


def test_arguments_and_frames_that_are_plain_values():
    source = "def update(k, scale, name='a'):\n    ax.clear()\n    ax.plot(x, x * scale * k, label=name)\n"
    assert is_anew(source, fargs=(3,))
    assert is_anew(source, frames=[0.5, 0.7], fargs=(3,))
    assert not is_anew(source, fargs=([lambda: 0],))
    assert not is_anew(source, frames=lambda: iter([1, 2]), fargs=(3,), cache_frame_data=False), (
        "nobody knows its values"
    )


@pytest.mark.parametrize(
    "body",
    [
        "seen.append(k)\nax.plot(seen)",
        "ys = []\nys = seen\nys.append(k)",
        "for i in range(k):\n    ys.append(i)\n    ys = seen\nys = []",
        "ys = []\nfor ys in [seen]:\n    ys.append(k)",
        "ys = []\n[ys for ys in [seen]]\nys.append(k)",
        "a = ys = seen\nys.append(k)",
        "(ys, a) = seen, []\nys.append(k)",
        "ax.axis([0, k + 1, 0, 1])",
        "if k == 1:\n    ax.grid(True, color='r')",
        "ax.grid(True, axis='x' if k == 1 else 'y')",
        "ax.set_xlabel('x', {'alpha': 0.5} if k == 1 else {})",
        "ax.set(box_aspect=2 if k == 1 else None)",
        "ax.imshow(np.outer(x, x), transform=ax.transAxes if k == 1 else ax.transData)",
        "ax.tick_params(labeltop=False)\nax.matshow(np.outer(x, x))",
        "ax.pie(x, frame=k == 2)",
        "ax.boxplot(x, flierprops=table, sym='r')",
        "ax.bar([1], [2], yerr=1, error_kw=table)",
        "ax.set_title(np.median(y, overwrite_input=True))",
        "ax.plot(np.add(x, x, where=x > 0.5))",
        "ax.plot(x.astype(Model))",
        "ax.plot(x, own_ufunc(k))",
        "ax.plot(knot)",
        "ax.plot(" + "-" * 500 + "1)",
        "k == 2 and ax.set_facecolor('r')",
        "ax.set_facecolor('r') if k == 2 else None",
        "0 < k < len(ax.set_xlabel('a').get_text())",
        "ax.axis('off' if k == 2 else 'on')",
        "ax.set_aspect('equal', adjustable='datalim' if k == 2 else None)",
        "ax.set(xlim=(0, 1), aspect=k + 1)",
        "ax.tick_params(axis='x' if k == 2 else 'y', labelsize=20)",
        "ax.imshow(np.outer(x, x), aspect=k + 1)",
        "label = ax.set_xlabel('x')\nif k == 2:\n    label, = ax.plot(x)\nlabel.set_alpha(0.5)",
        "line, = ax.plot(x)\nif k == 2:\n    line = seen\nline.set_color('r')",
        "label = ax.set_xlabel('x')\nlabel.set_alpha(0.5)",
        "if k == 2:\n    ax.axis('equal')",
        "global color\ncolor = 'C1'",
        "y[k] = k\nax.plot(y)",
        "z = y\nz += k\nax.plot(z)",
        "np.add(y, k, y)\nax.plot(y)",
        "np.add(y, k, out=y)\nax.plot(y)",
        "y.clip(0, 1, y)",
        "np.cumsum(y, 0, None, y)",
        "np.nan_to_num(y, copy=False)",
        "y.sort()",
        "y.fill(k)",
        "ax.plot(x, rng.random(9))",
        "ax.plot(x, np.random.random(9))",
        "ax.set_title(random.random())",
        "ax.set_title(time.time())",
        "ax.set_title(next(numbers))",
        "ax.set_title(model.step())",
        "ax.set_title(model.T)",
        "ax.set_title(open(__file__).read())",
        "other.plot(x)",
        "other.set_title(k)",
        "fig.suptitle(k)",
        "fig.text(0, 0, k)",
        "plt.title(k)",
        "plt.rcParams['lines.linewidth'] = k",
        "ax.title.set_color('r')",
        "ax.spines['top'].set_visible(k > 2)",
        "ax.xaxis.set_visible(False)",
        "ax.twinx().plot(x)",
        "ax.set_position((0, 0, 1, 1))",
        "ax.set(zorder=3)",
        "if k == 2:\n    ax.set_facecolor('r')",
        "if k == 2:\n    ax.imshow(np.outer(x, x))",
        "if k == 2:\n    ax.set_xlabel('late').set_color('r')",
        "label = ax.set_xlabel('x')\nif k == 2:\n    label.set_alpha(0.5)",
        "for each in range(k):\n    ax.set_aspect(each + 1)",
        "keywords = {'alpha': 0.5} if k == 2 else {}\nax.set_xlabel('x', **keywords)",
        "if k == 2:\n    return\nax.set_facecolor('r')",
        "ax.callbacks.connect('xlim_changed', print)",
        "line, = ax.plot(x)\nline.axes.figure.set_facecolor('r')",
        "line, = ax.plot(x)\nline.remove()\nother.add_line(line)",
        "draw = seen.append\ndraw(k)",
        "ax.plot(x, (lambda: seen.append(k) or x)())",
        "(w := seen).append(k)",
        "[seen.append(i) for i in range(k)]",
        "ax.plot(*[counted(i) for i in range(2)])",
        "while seen:\n    pass",
        "try:\n    ax.plot(x)\nexcept ValueError:\n    pass",
        "import os\nos.environ['A'] = 'b'",
        "def inner():\n    pass",
        "update.count = k",
        "table.setdefault('b', k)",
        "table.update(b=k)",
        "print(k, file=model)",
    ],
)
def test_what_may_keep_state(body):
    own = "own_ufunc = np.frompyfunc(lambda k: seen.append(k) or k, 1, 1)\nknot = []\nknot.append(knot)\n"
    assert not is_anew(own + update(body))


@pytest.mark.parametrize(
    "head",
    [
        "pass",
        "other.clear()",
        "if k:\n        ax.clear()",
        "ax.plot(x)\n    ax.clear()",
        "fig.clear()",
        "k > 0 and ax.clear()",
    ],
)
def test_axes_must_be_cleared_first(head):
    assert not is_anew(update("ax.plot(x)", head=head))


@pytest.mark.parametrize(
    "before",
    [
        "twin = ax.twinx()",
        "ax.sharex(other)",
        "ax.plot = ax.plot",
        "ax.add_callback(print)",
        "ax.xaxis.label.add_callback(print)",
        "ax.stale_callback = lambda *_: None",
        "ax.clear = lambda: None",
        "np.sin = shape",
        "fig.set_layout_engine('tight')",
        "fig.canvas.mpl_connect('draw_event', print)",
        "fig = plt.figure()",
        "ax = fig.add_subplot(projection='polar')",
        "type(ax).plot = lambda *_: seen.append(1)",
    ],
)
def test_what_a_script_has_set_up(before, monkeypatch):
    monkeypatch.setattr(plt.Axes, "plot", plt.Axes.plot)
    monkeypatch.setattr(np, "sin", np.sin)
    assert is_anew(update("ax.plot(x, np.sin(x))"))
    assert not is_anew(f"{before}\n" + update("ax.plot(x, np.sin(x))"))


def test_only_the_source_that_runs_counts():
    source = update("ax.plot(x)")
    animation = animation_of(source)
    name = animation._func.__code__.co_filename
    size, when, lines, _ = linecache.cache[name]
    changed = [line.replace("ax.plot(x)", "ax.plot(x, y)") for line in lines]
    linecache.cache[name] = size, when, changed, name
    assert not AnimationScene(animation).begins_anew, "the file has changed since"
    wrapped = """
import functools
shown = update

@functools.wraps(shown)
def update(k):
    seen.append(k)
    shown(k)
"""
    assert not is_anew(source + wrapped)
    called = (
        "def counting(function):\n    @functools.wraps(function)\n    def inner(k):\n        seen.append(k)\n"
    )
    called = (
        f"import functools\n{called}        function(k)\n    return inner\n{source}update = counting(update)"
    )
    assert not is_anew(called), "inspect shows the source of what is wrapped"


class LookedAt:
    """Frames that tell when they are looked at."""

    def __len__(self):
        return 3

    def __getitem__(self, at):
        raise AssertionError("a frame was made")


def test_other_animations(monkeypatch):
    monkeypatch.setattr(plt.Axes, "plot", plt.Axes.plot)
    source = update("return ax.plot(x)")
    assert not is_anew(source, blit=True)
    assert not is_anew(source, init_func=lambda: None), "it may change what the update refers to"
    assert not is_anew(source, frames=LookedAt())
    wrapper = "import functools\nAxes, plot = type(ax), type(ax).plot\n"
    wrapper += "Axes.plot = functools.wraps(plot)(lambda *given: seen.append(1) or plot(*given))\n"
    assert not is_anew(wrapper + source)
    assert not is_anew(f"{source}\nupdate = __import__('functools').partial(update)")
    assert not is_anew("update = lambda k: ax.clear()")
    assert not is_anew("@(lambda function: function)\n" + source)
    one = animation_of(source)
    assert not AnimationScene(one, extra=[one]).begins_anew
    assert not begins_anew(one, None)


# ---------------------------------------------------------------------------------------------------- Axes.clear

Z, T = np.random.default_rng(1).random((6, 6)), np.linspace(0.1, 1, 6)
TRIANGLES = T, T[::-1] ** 2, T
CALLS = {
    "plot": lambda ax: ax.plot(T, T, "r--o"),
    "scatter": lambda ax: ax.scatter(T, T, c=T, marker="v"),
    "step": lambda ax: ax.step(T, T),
    "stem": lambda ax: ax.stem(T, T),
    "bar": lambda ax: ax.bar(["a", "b", "c"], [1, 2, 3]),
    "barh": lambda ax: ax.barh(["a", "b"], [100, 2]),
    "hist": lambda ax: ax.hist(T, bins=3),
    "hist2d": lambda ax: ax.hist2d(T, T),
    "hexbin": lambda ax: ax.hexbin(T, T, gridsize=4, xscale="log"),
    "errorbar": lambda ax: ax.errorbar(T, T, yerr=0.1),
    "eventplot": lambda ax: ax.eventplot([T, T]),
    "fill": lambda ax: ax.fill(T, T**2),
    "fill_between": lambda ax: ax.fill_between(T, T),
    "fill_betweenx": lambda ax: ax.fill_betweenx(T, T),
    "stackplot": lambda ax: ax.stackplot(T, Z),
    "violinplot": lambda ax: ax.violinplot([T, T]),
    "loglog": lambda ax: ax.loglog(T, T),
    "semilogx": lambda ax: ax.semilogx(T, T),
    "semilogy": lambda ax: ax.semilogy(T, T),
    "contour": lambda ax: ax.contour(Z),
    "contourf": lambda ax: ax.contourf(Z, hatches=["/"]),
    "tricontour": lambda ax: ax.tricontour(*TRIANGLES),
    "tricontourf": lambda ax: ax.tricontourf(*TRIANGLES),
    "tripcolor": lambda ax: ax.tripcolor(*TRIANGLES),
    "triplot": lambda ax: ax.triplot(*TRIANGLES[:2]),
    "clabel": lambda ax: ax.clabel(ax.contour(Z)),
    "pcolor": lambda ax: ax.pcolor(Z),
    "pcolormesh": lambda ax: ax.pcolormesh(Z),
    "quiver": lambda ax: ax.quiver(Z, Z),
    "barbs": lambda ax: ax.barbs(Z, Z),
    "streamplot": lambda ax: ax.streamplot(np.arange(6), np.arange(6), Z, Z),
    "axhline": lambda ax: ax.axhline(3),
    "axvline": lambda ax: ax.axvline(3),
    "axhspan": lambda ax: ax.axhspan(1, 3),
    "axvspan": lambda ax: ax.axvspan(1, 3),
    "axline": lambda ax: ax.axline((0, 0), slope=2),
    "hlines": lambda ax: ax.hlines([1, 2], 0, 3),
    "vlines": lambda ax: ax.vlines([1, 2], 0, 3),
    "text": lambda ax: ax.text(0, 0, "a"),
    "annotate": lambda ax: ax.annotate("a", (0, 0), (1, 1), arrowprops={}),
    "table": lambda ax: ax.table([["a"]]),
    "legend": lambda ax: (ax.plot(T, label="a"), ax.legend(loc="upper left", title="b")),
    "set_title": lambda ax: (ax.set_title("a", color="r", y=0.5, pad=9), ax.set_title("b", loc="left")),
    "set_xlim": lambda ax: ax.set_xlim(3, 5),
    "set_ylim": lambda ax: ax.set_ylim(5, 3, auto=None),
    "set_xbound": lambda ax: ax.set_xbound(3, 4),
    "set_ybound": lambda ax: ax.set_ybound(3, 4),
    "set_xscale": lambda ax: ax.set_xscale("log"),
    "set_yscale": lambda ax: ax.set_yscale("symlog"),
    "set_xticks": lambda ax: ax.set_xticks([1, 2], ["a", "b"], rotation=30, color="r"),
    "set_yticks": lambda ax: ax.set_yticks([1, 2], minor=True),
    "set_xticklabels": lambda ax: (ax.set_xticks([1, 2]), ax.set_xticklabels(["a", "b"], fontsize=20)),
    "set_yticklabels": lambda ax: (ax.set_yticks([1, 2]), ax.set_yticklabels(["a", "b"], color="r")),
    "invert_xaxis": lambda ax: ax.invert_xaxis(),
    "invert_yaxis": lambda ax: ax.invert_yaxis(),
    "margins": lambda ax: ax.margins(0.4, tight=True),
    "set_xmargin": lambda ax: ax.set_xmargin(0.4),
    "set_ymargin": lambda ax: ax.set_ymargin(0.4),
    "autoscale": lambda ax: ax.autoscale(False),
    "autoscale_view": lambda ax: ax.autoscale_view(tight=True),
    "relim": lambda ax: ax.relim(),
    "ticklabel_format": lambda ax: ax.ticklabel_format(style="sci", scilimits=(0, 0)),
    "minorticks_on": lambda ax: ax.minorticks_on(),
    "locator_params": lambda ax: ax.locator_params(nbins=3),
    "add_patch": lambda ax: ax.add_patch(plt.Circle((0, 0), 1)),
    "get_xlim": lambda ax: ax.get_xlim(),
    "get_ylim": lambda ax: ax.get_ylim(),
}
Two = namedtuple("Two", "other own")  # calls with the same keywords
LASTING_CALLS = {
    "set_xlabel": Two(
        lambda ax: ax.set_xlabel("a", color="r", loc="left", labelpad=9).set_alpha(0.5),
        lambda ax: ax.set_xlabel("b", color="b", loc="right", labelpad=1).set_alpha(1),
    ),
    "set_ylabel": Two(lambda ax: ax.set_ylabel("a"), lambda ax: ax.set_ylabel("")),
    "set_aspect": Two(lambda ax: ax.set_aspect(3), lambda ax: ax.set_aspect("auto")),
    "set_facecolor": Two(lambda ax: ax.set_facecolor("r"), lambda ax: ax.set_facecolor("b")),
    "set_axis_off": Two(lambda ax: ax.set_axis_off(), lambda ax: ax.set_axis_off()),
    "set_axisbelow": Two(lambda ax: ax.set_axisbelow(True), lambda ax: ax.set_axisbelow(False)),
    "set_anchor": Two(lambda ax: ax.set_anchor("N"), lambda ax: ax.set_anchor("S")),
    "set_adjustable": Two(lambda ax: ax.set_adjustable("datalim"), lambda ax: ax.set_adjustable("box")),
    "set_box_aspect": Two(lambda ax: ax.set_box_aspect(2), lambda ax: ax.set_box_aspect(None)),
    "imshow": Two(lambda ax: ax.imshow(Z, aspect=3), lambda ax: ax.imshow(Z.T, aspect="auto")),
    "grid": Two(
        lambda ax: ax.grid(True, color="r", axis="both"), lambda ax: ax.grid(True, color="b", axis="both")
    ),
    "axis": Two(lambda ax: ax.axis("equal"), lambda ax: ax.axis("image")),
    "pie": Two(lambda ax: ax.pie([1, 2], startangle=9), lambda ax: ax.pie([1, 2, 3], startangle=0)),
    "tick_params": Two(
        lambda ax: ax.tick_params(labelsize=20, colors="r", top=True),
        lambda ax: ax.tick_params(labelsize=5, colors="b", top=False),
    ),
}


def picture_after(*calls):
    """Return the pixels of an Axes for which these calls are made, each with all frames' own plot."""
    figure, ax = plt.subplots(figsize=(2, 1.5), dpi=50)
    for call in calls:
        ax.clear()
        call(ax)
        rasterise(figure, Canvas())
    plt.close(figure)
    return rasterise(figure, Canvas()).pixels


def test_all_methods_are_tried():
    assert CALLS.keys() == WIPED
    assert LASTING_CALLS.keys() == LASTING


@pytest.mark.parametrize("name", sorted(WIPED))
@pytest.mark.filterwarnings("ignore")
def test_clear_leaves_nothing_of(name):
    def plot(ax):
        ax.plot([1, 2, 3], [3, 1, 2])

    assert np.array_equal(picture_after(CALLS[name], plot), picture_after(plot))


@pytest.mark.parametrize("name", sorted(LASTING))
def test_what_clear_leaves_is_set_again_by(name):
    def plot(ax):
        ax.plot([1, 2, 3], [3, 1, 2])
        LASTING_CALLS[name].own(ax)

    assert np.array_equal(picture_after(LASTING_CALLS[name].other, plot), picture_after(plot))
