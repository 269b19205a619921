"""Colours of matplotlib's colormaps."""

from __future__ import annotations

import numpy as np

_GREYS = 16


def colours_of(name: str, count: int) -> list[tuple[int, int, int]] | None:
    """Return at most ``count`` colours: greys from black to white, and the colormap's, evenly spread.

    None if matplotlib has no such colormap. Text and axes are drawn in antialiased black on white, which no
    colormap has.
    """
    from matplotlib import colormaps

    if name not in colormaps:
        return None
    greys = min(_GREYS, max(2, count // 4))
    levels = np.linspace(0, 255, greys).round().astype(int)
    colours = dict.fromkeys((int(level),) * 3 for level in levels)
    shades = colormaps[name](np.linspace(0, 1, max(1, count - greys)), bytes=True)
    colours |= dict.fromkeys((int(red), int(green), int(blue)) for red, green, blue, _ in shades)
    return list(colours)[:count]
