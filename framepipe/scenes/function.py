"""A scene that is a function: one frame's value in, one Figure out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from framepipe.data import Slice
from framepipe.errors import RenderError, UsageError
from framepipe.fingerprint import digest_code, digest_function
from framepipe.scenes.base import Player, Shot
from framepipe.scenes.canvas import Fit, Picture, rasterise
from framepipe.scenes.load import Loaded, check_call, name_of, origin_of
from framepipe.scenes.style import keep_rcparams, style_texts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from framepipe.job import Canvas


class FunctionScene:
    """A function of one frame.

    Parameters
    ----------
    function : callable
        Called with the frame's value and ``params``. Returns a Figure, an Axes or another Artist
        (or a sequence that begins with one, as ``plt.subplots`` and ``plt.plot`` give), or nothing
        after drawing on pyplot's current figure.
    params : mapping, optional
        Keyword arguments for every frame.
    loaded : Loaded, optional
        Where the function was loaded from, if it has an address.

    Raises
    ------
    UsageError
        It is no function, or does not take the frame's value and these parameters.
    """

    keeps_state = True  # it may: that is checked, not believed

    def __init__(
        self,
        function: Callable[..., Any],
        params: Mapping[str, Any] | None = None,
        loaded: Loaded | None = None,
    ) -> None:
        self.function = function
        self.params: Mapping[str, Any] = dict(params or {})
        name = loaded.name if loaded else name_of(function)
        if not callable(function):
            raise UsageError(f"{name} is a {type(function).__name__}, not a function of one frame")
        check_call(function, name, (object(),), self.params)
        origin = origin_of(function, loaded)
        self.name, self.sources, self.stem, self.ref = origin.name, origin.sources, origin.stem, origin.ref

    def code_digest(self) -> str:
        """Digest of the function's own source."""
        return digest_code(self.function)

    def data(self) -> Mapping[str, str]:
        """Digests of closure variables, defaults and global variables that the function uses."""
        return digest_function(self.function)

    def style(self) -> Mapping[str, str]:
        """RcParams that differ from matplotlib's defaults, as text."""
        return style_texts()

    def player(self, earlier: Mapping[int, Any] | Sequence[Any] = ()) -> Player:
        """See `Scene`."""
        return _FunctionPlayer(self, earlier)

    @contextmanager
    def figure(self, value: Any) -> Iterator[Figure]:
        """Draw one frame; its Figure, and everything else that drawing opened, is closed after."""
        with closing_figures():
            loaded = value.load() if isinstance(value, Slice) else value
            yield figure_in(self.function(loaded, **self.params), self.name)

    def update(self, value: Any) -> None:
        """Run a frame and do not draw it."""
        with self.figure(value):
            pass


class _FunctionPlayer:
    def __init__(self, scene: FunctionScene, earlier: Mapping[int, Any] | Sequence[Any]) -> None:
        self._scene, self._earlier = scene, earlier
        self._next = 0

    def picture(self, shot: Shot, canvas: Canvas, fit: Fit | None) -> Picture:
        """See `Player`."""
        if shot.replay:
            for index in range(self._next, shot.index):
                with keep_rcparams(), contextlib.suppress(Exception):  # its own failure, not this frame's
                    self._scene.update(self._earlier[index])
        self._next = shot.index + 1
        # values that frames change in place are the same object here, as in one process
        value = self._earlier[shot.index] if shot.replay else shot.value
        with self._scene.figure(value) as figure:
            return rasterise(figure, canvas, fit)


@contextmanager
def closing_figures() -> Iterator[None]:
    """Figures that are opened meanwhile are closed after."""
    from matplotlib import pyplot as plt

    before = set(plt.get_fignums())
    try:
        yield
    finally:
        for number in set(plt.get_fignums()) - before:
            plt.close(number)


def figure_in(returned: Any, name: str) -> Figure:
    """The Figure that is meant by what a user's function returned.

    Raises
    ------
    RenderError
        There is none.
    """
    from matplotlib import pyplot as plt
    from matplotlib.figure import FigureBase

    thing = returned[0] if isinstance(returned, (tuple, list)) and returned else returned
    if thing is None:
        if not plt.get_fignums():
            raise RenderError(
                f"{name}() returned nothing and pyplot has no figure: return the Figure that it draws"
            )
        return plt.gcf()
    for _ in range(100):  # an Axes' figure may be a SubFigure of a SubFigure …
        parent = getattr(thing, "figure", None)
        if parent is None or parent is thing:
            break
        thing = parent
    if not isinstance(thing, FigureBase):
        raise RenderError(
            f"{name}() returned a {type(returned).__name__}: return a Figure or an Axes, "
            "or draw on pyplot's current figure and return nothing"
        )
    return thing  # type: ignore[return-value]
