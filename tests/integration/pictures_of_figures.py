"""Kinds of figures: each draws one, small, from a number."""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

SMALL = {"figsize": (2, 1.5), "dpi": 50}
X = np.linspace(0, 6, 80)


def _line(ax, k):
    ax.plot(X, np.sin(X + k))
    ax.set(title=f"t = {k}", xlabel="x")


def plain(k):
    fig, ax = plt.subplots(**SMALL)
    _line(ax, k)
    return fig


def dpi_100(k):
    fig, ax = plt.subplots(figsize=(1.2, 0.9), dpi=100)
    _line(ax, k)
    return fig


def dpi_137(k):
    fig, ax = plt.subplots(figsize=(1.21, 0.93), dpi=137)
    _line(ax, k)
    return fig


def facecolor(k):
    fig, ax = plt.subplots(**SMALL, facecolor="#123456")
    ax.set_facecolor("gold")
    _line(ax, k)
    return fig


def transparent(k):
    fig, ax = plt.subplots(**SMALL)
    fig.patch.set_alpha(0.3)
    ax.patch.set_alpha(0)
    _line(ax, k)
    return fig


def constrained(k):
    fig, axes = plt.subplots(1, 2, **SMALL, layout="constrained")
    for ax in axes:
        _line(ax, k)
    return fig


def tight_layout(k):
    fig, ax = plt.subplots(**SMALL)
    _line(ax, k)
    fig.tight_layout()
    return fig


def three_d(k):
    fig, ax = plt.subplots(**SMALL, subplot_kw={"projection": "3d"})
    ax.plot(X, np.sin(X), np.cos(X))
    ax.view_init(azim=10 * k)
    return fig


def mathtext(k):
    fig, ax = plt.subplots(**SMALL)
    ax.set_title(rf"$\sum_i^{k} \frac{{x_i}}{{\sqrt{{2\pi}}}}$ äß→")
    return fig


def image(k):
    fig, ax = plt.subplots(**SMALL)
    ax.imshow(np.random.default_rng(k).random((20, 30)))
    return fig


def polar(k):
    fig, ax = plt.subplots(**SMALL, subplot_kw={"projection": "polar"})
    ax.plot(X, X + k)
    return fig


def subfigures(k):
    fig = plt.figure(**SMALL)
    left, right = fig.subfigures(1, 2)
    left.subplots().plot(X, X * k)
    right.set_facecolor("0.8")
    right.suptitle("right")
    return fig


def without_pyplot(k):
    fig = Figure(**SMALL)
    _line(fig.add_subplot(), k)
    return fig


def dots_with_alpha(k):
    fig, ax = plt.subplots(**SMALL)
    ax.scatter(X, np.sin(X * k), s=80, alpha=0.3, edgecolor="none")
    return fig


def colorbar(k):
    fig, ax = plt.subplots(**SMALL)
    fig.colorbar(ax.contourf(np.outer(X, X + k)), ax=ax)
    return fig


def date_axis(k):
    fig, ax = plt.subplots(**SMALL)
    ax.plot(np.datetime64("2020-01-01") + np.arange(20), np.arange(20) + k)
    fig.autofmt_xdate()
    return fig


KINDS = [plain, dpi_100, dpi_137, facecolor, transparent, constrained, tight_layout, three_d, mathtext, image]
KINDS += [polar, subfigures, without_pyplot, dots_with_alpha, colorbar, date_axis]


def returns_axes(k):
    return plain(k).axes[0]


def returns_fig_and_ax(k):
    fig = plain(k)
    return fig, fig.axes[0]


def returns_fig_and_axes(k):
    fig, axes = plt.subplots(1, 2, **SMALL)
    for ax in axes:
        _line(ax, k)
    return fig, axes


def returns_subfigure(k):
    fig = plt.figure(**SMALL)
    left, _ = fig.subfigures(1, 2)
    _line(left.subplots(), k)
    return left


def returns_nothing(k):
    plain(k)


def returns_nothing_of_plt_plot(k):
    plt.figure(**SMALL)
    plt.plot(X, np.cos(X + k))


RETURNS = [returns_axes, returns_fig_and_ax, returns_fig_and_axes, returns_subfigure]
RETURNS += [returns_nothing, returns_nothing_of_plt_plot]
