"""The demo's scene: waves of two sources, from above and along a line. A pure function of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FRAMES = 75
_WAVELENGTH, _SOURCES = 1.6, ((-2.5, 0.0), (2.5, 0.0))


def waves(index: int, frames: int = FRAMES) -> Figure:
    """Draw frame ``index`` of ``frames``, which loop: together they show whole periods of the waves."""
    import numpy as np
    from matplotlib import pyplot as plt

    phase = 2 * np.pi * index / frames * 3
    x, y = np.linspace(-8, 8, 240), np.linspace(-4.5, 4.5, 135)
    height = np.zeros((y.size, x.size))
    for x0, y0 in _SOURCES:
        distance = np.hypot(x - x0, (y - y0)[:, None]) + 0.3
        height += np.sin(2 * np.pi * distance / _WAVELENGTH - phase) / np.sqrt(distance)
    figure, (above, along) = plt.subplots(
        2, 1, figsize=(6.4, 4.8), height_ratios=(3, 1), sharex=True, layout="constrained"
    )
    above.contourf(x, y, height, levels=np.linspace(-1.8, 1.8, 10), cmap="RdBu", extend="both")
    above.axhline(2, color="black", linewidth=0.8, linestyle="--")
    above.set(title="Waves of two sources", ylabel="y")
    along.plot(x, height[np.argmin(abs(y - 2))], color="black", linewidth=1.2)
    along.set(ylim=(-1.6, 1.6), xlim=(-8, 8), xlabel="x", ylabel="along y = 2")
    return figure
