"""A scene of figures that exist already: each is pickled where it was made and drawn elsewhere."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np
import numpy.typing as npt

from framepipe.errors import RenderError
from framepipe.frames import Digested
from framepipe.scenes.base import Player, Shot
from framepipe.scenes.canvas import Fit, Picture, picture_of, rasterise
from framepipe.scenes.figures import callbacks_too
from framepipe.scenes.function import closing_figures, figure_in
from framepipe.scenes.style import all_rcparams, apply_rcparams

if TYPE_CHECKING:
    from framepipe.job import Canvas


@dataclass(frozen=True)
class Snapshot(Digested):
    """A figure as it was, or pixels.

    Attributes
    ----------
    figure : bytes
        Pickled; empty where there is something else.
    here : Figure or None
        To be drawn at once, in this process: it need not be picklable.
    rcparams : dict
        Those that were changed since the snapshots began.
    pixels : ndarray of uint8, shape (height, width, 3 or 4), or None
    state : str
        What the figure was, for its fingerprint; empty where nobody asks.
    savefig : dict
        Keywords for ``savefig``.
    """

    figure: bytes = b""
    here: Any = None
    rcparams: Mapping[str, Any] = field(default_factory=dict)
    pixels: npt.NDArray[np.uint8] | None = None
    state: str = ""
    savefig: Mapping[str, Any] = field(default_factory=dict)

    def digest(self) -> str:
        """See `Digested`."""
        return self.state


class SnapshotScene:
    """Figures that a running program made.

    Parameters
    ----------
    name : str
        What made them, for messages.
    stem : str
    """

    ref = None
    keeps_state = False

    def __init__(self, name: str, stem: str = "recorded") -> None:
        self.name, self.stem = name, stem
        self.params: Mapping[str, Any] = {}
        self.sources: tuple[Path, ...] = ()
        self._rcparams = all_rcparams()

    def take(self, thing: Any, *, here: bool = False) -> Snapshot:
        """A snapshot of a Figure (or what belongs to one), an array of pixels or a Pillow image.

        Parameters
        ----------
        thing : object
        here : bool
            It is drawn in this process before the program goes on.

        Raises
        ------
        RenderError
            It is none of these, or cannot be pickled.
        """
        if hasattr(thing, "__array_interface__") or isinstance(thing, np.ndarray):
            return Snapshot(pixels=_pixels(thing))
        figure = self._figure_in(thing)
        if here:
            return Snapshot(here=figure)
        rcparams = {name: value for name, value in all_rcparams().items() if self._rcparams[name] != value}
        try:
            with callbacks_too():
                return Snapshot(cloudpickle.dumps(figure, protocol=5), rcparams=rcparams)
        except Exception as error:  # pickling runs the classes' own code
            raise RenderError(
                f"the figure cannot be pickled: {type(error).__name__}: {error}. With workers=0 it need "
                "not be: it is drawn in the program itself"
            ) from error

    @staticmethod
    def _figure_in(thing: Any) -> Any:
        from matplotlib import pyplot as plt
        from matplotlib.artist import Artist

        first = thing[0] if isinstance(thing, (tuple, list)) and thing else thing
        if thing is None and not plt.get_fignums():
            raise RenderError("there is nothing to take: give a Figure, or draw on pyplot's current one")
        if thing is not None and not isinstance(first, Artist):
            raise RenderError(
                f"a {type(thing).__name__} cannot be taken: give a Figure, an Axes, a uint8 array of shape "
                "(height, width, 3 or 4) or a Pillow image"
            )
        return figure_in(thing, "snap")

    def code_digest(self) -> str:
        """Nothing: what a program drew cannot be drawn again, so it never goes stale by its code."""
        return ""

    def data(self) -> Mapping[str, str]:
        """Nothing, see `code_digest`."""
        return {}

    def style(self) -> Mapping[str, str]:
        """Nothing, see `code_digest`."""
        return {}

    def player(self, earlier: Mapping[int, Any] | Sequence[Any] = ()) -> Player:
        """See `Scene`."""
        return _SnapshotPlayer(self._rcparams)


class _SnapshotPlayer:
    def __init__(self, rcparams: Mapping[str, Any]) -> None:
        self._rcparams = rcparams

    def picture(self, shot: Shot, canvas: Canvas, fit: Fit | None) -> Picture:
        """See `Player`."""
        snapshot = shot.value
        if snapshot.pixels is not None:
            return picture_of(snapshot.pixels, fit)
        if snapshot.here is not None:
            return rasterise(snapshot.here, canvas, fit, **snapshot.savefig)
        apply_rcparams({**self._rcparams, **snapshot.rcparams})  # whatever they were when this process began
        with closing_figures():
            figure = pickle.loads(snapshot.figure)  # from our own parent process
            return rasterise(figure, canvas, fit, **snapshot.savefig)


def _pixels(thing: Any) -> npt.NDArray[np.uint8]:
    if hasattr(thing, "convert") and thing.mode not in ("RGB", "RGBA"):  # a Pillow image
        thing = thing.convert("RGBA" if "A" in thing.getbands() or "transparency" in thing.info else "RGB")
    pixels = np.array(thing)  # a copy: the program goes on to change its own
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4) or not pixels.size:
        raise RenderError(
            f"a picture is uint8 of shape (height, width, 3 or 4); got {pixels.dtype} {pixels.shape}"
        )
    return pixels
