"""A scene of existing figures: each is pickled in the program that made it and drawn elsewhere."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np
import numpy.typing as npt

from framepipe.errors import RenderError
from framepipe.job.frames import Digested
from framepipe.job.stamp import RECORDED
from framepipe.scenes.base import BaseScene, FrameRequest, Player
from framepipe.scenes.figures import pickling_callbacks
from framepipe.scenes.function import figure_in
from framepipe.scenes.open_figures import closing_figures
from framepipe.scenes.picture import FrameGeometry, Picture
from framepipe.scenes.rasterize import is_picture, picture_of, pixels_of, rasterise
from framepipe.scenes.rcparams import all_rcparams, apply_rcparams

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from framepipe.job.canvas import Canvas


#: The limits of an Axes by axis name: x, y or z.
Limits = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Snapshot(Digested):
    """A figure at one moment, or pixels.

    Attributes
    ----------
    figure : bytes
        The pickled figure; empty for pixels or a live figure.
    live_figure : Figure or None
        To be drawn at once, in this process: it need not be picklable.
    rcparams : dict
        The rcParams that have changed since the scene was created.
    pixels : ndarray of uint8, shape (height, width, 3 or 4), or None
    state : str
        The figure's state, for its fingerprint; empty if not needed.
    savefig : dict
        Keywords for ``savefig``.
    recorded : str
        The numbers that were recorded before this one (`framepipe.store.recorded`).
    limits : sequence of dict
        For each Axes, as returned by `view_limits`: the limits to draw it with instead of its own.
    """

    figure: bytes = b""
    live_figure: Any = None
    rcparams: Mapping[str, Any] = field(default_factory=dict)
    pixels: npt.NDArray[np.uint8] | None = None
    state: str = ""
    savefig: Mapping[str, Any] = field(default_factory=dict)
    recorded: str = ""
    limits: Sequence[Limits] = ()

    def digest(self) -> str:
        """See `Digested`."""
        return self.state

    def notes(self) -> Mapping[str, str]:
        """See `Digested`."""
        return {RECORDED: self.recorded}


class SnapshotScene(BaseScene):
    """Figures of a running program.

    Parameters
    ----------
    name : str
        The call that takes them, for messages.
    stem : str
    """

    ref = None

    def __init__(self, name: str, stem: str = "recorded") -> None:
        self.name, self.stem = name, stem
        self.params: Mapping[str, Any] = {}
        self.sources: tuple[Path, ...] = ()
        self._rcparams = all_rcparams()

    def take(self, thing: Any, *, draw_now: bool = False) -> Snapshot:
        """Return a snapshot of a Figure (or a part of one), an array of pixels or a Pillow image.

        Parameters
        ----------
        thing : object
            A `Snapshot` is returned unchanged.
        draw_now : bool
            The figure is drawn in this process before the program goes on, so it is not pickled.

        Raises
        ------
        RenderError
            It is none of these, or cannot be pickled.
        """
        if isinstance(thing, Snapshot):
            return thing
        if is_picture(thing):
            return Snapshot(pixels=pixels_of(thing))
        figure = self._figure_in(thing)
        if draw_now:
            return Snapshot(live_figure=figure)
        rcparams = {name: value for name, value in all_rcparams().items() if self._rcparams[name] != value}
        try:
            with pickling_callbacks():
                return Snapshot(cloudpickle.dumps(figure, protocol=5), rcparams=rcparams)
        except Exception as error:  # pickling runs the classes' own code
            raise RenderError(
                f"the figure cannot be pickled: {type(error).__name__}: {error}. Use workers=0, which draws "
                "it in the program itself"
            ) from error

    @staticmethod
    def _figure_in(thing: Any) -> Any:
        from matplotlib import pyplot as plt
        from matplotlib.artist import Artist

        first = thing[0] if isinstance(thing, (tuple, list)) and thing else thing
        if thing is None and not plt.get_fignums():
            raise RenderError("there is no figure to record: give a Figure, or draw on pyplot's current one")
        if thing is not None and not isinstance(first, Artist):
            raise RenderError(
                f"a {type(thing).__name__} cannot be recorded: give a Figure, an Axes, a uint8 array of "
                "shape (height, width, 3 or 4) or a Pillow image"
            )
        return figure_in(thing, "snap")

    def code_digest(self) -> str:
        """Return nothing: recorded figures cannot be drawn again, so code never makes them stale."""
        return ""

    def data(self) -> Mapping[str, str]:
        """Return nothing, see `code_digest`."""
        return {}

    def style(self) -> Mapping[str, str]:
        """Return nothing, see `code_digest`."""
        return {}

    def versions(self, sources: Sequence[Path]) -> Mapping[str, str]:
        """Return the version of matplotlib alone: the rest of the program does not run again."""
        return {"matplotlib": metadata.version("matplotlib")}

    def player(self, earlier: Mapping[int, Any] | Sequence[Any] = ()) -> Player:
        """See `Scene`."""
        return _SnapshotPlayer(self._rcparams)


class _SnapshotPlayer:
    stands_in_script = False

    def __init__(self, rcparams: Mapping[str, Any]) -> None:
        self._rcparams = rcparams
        self.update_s = 0.0

    def advance(self, index: int) -> None:
        """Do nothing: each figure exists already."""

    def picture(self, request: FrameRequest, canvas: Canvas, geometry: FrameGeometry | None) -> Picture:
        """See `Player`."""
        snapshot = request.value
        if snapshot.pixels is not None:
            return picture_of(snapshot.pixels, geometry)
        if snapshot.live_figure is not None:
            return rasterise(snapshot.live_figure, canvas, geometry, **snapshot.savefig)
        apply_rcparams({**self._rcparams, **snapshot.rcparams})  # this process may have begun with others
        with closing_figures():
            figure = pickle.loads(snapshot.figure)  # from our own parent process
            set_view_limits(figure, snapshot.limits)
            return rasterise(figure, canvas, geometry, **snapshot.savefig)


def view_limits(figure: Figure) -> list[Limits]:
    """Return the limits of all Axes of a figure, in their order; empty for colour bars."""
    return [{name: getattr(axes, f"get_{name}lim")() for name in _axis_names(axes)} for axes in figure.axes]


def set_view_limits(figure: Figure, limits: Sequence[Limits]) -> None:
    """Set the limits of a figure's Axes to those of `view_limits`, where both have them."""
    for axes, ends in zip(figure.axes, limits):
        for name in set(ends) & set(_axis_names(axes)):
            getattr(axes, f"set_{name}lim")(ends[name])


def _axis_names(axes: Any) -> list[str]:
    if getattr(axes, "_colorbar", None) is not None:  # its limits are those of its norm
        return []
    return [name for name in "xyz" if hasattr(axes, f"get_{name}lim")]
