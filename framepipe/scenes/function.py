"""A scene that is a function: one frame's value in, one Figure out."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from framepipe.errors import RenderError, UsageError
from framepipe.job.data import Slice
from framepipe.job.fingerprint import digest_function, shown_values, state_digests
from framepipe.job.reach import digest_code
from framepipe.scenes.base import BaseScene, FrameRequest, Player
from framepipe.scenes.incremental import Incremental
from framepipe.scenes.loading import LoadedObject, check_call, name_of, origin_of
from framepipe.scenes.open_figures import closing_figures
from framepipe.scenes.picture import FrameGeometry, Picture
from framepipe.scenes.rasterize import is_picture, picture_of, pixels_of
from framepipe.scenes.rcparams import keep_rcparams

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from framepipe.job.canvas import Canvas


class FunctionScene(BaseScene):
    """A function of one frame.

    Parameters
    ----------
    function : callable
        Called with the frame's value and ``params``. Returns a Figure, an Axes or another Artist
        (or a sequence that begins with one, as ``plt.subplots`` and ``plt.plot`` return), or nothing
        after drawing on pyplot's current figure; or a picture, which is stored unchanged: a Pillow
        image, or an array of uint8 of shape (height, width, 3 or 4).
    params : mapping, optional
        Keyword arguments for every frame.
    loaded : LoadedObject, optional
        The address that the function was loaded from, if it has one.

    Raises
    ------
    UsageError
        It is not a function, or does not take the frame's value and these parameters.
    """

    keeps_state = True  # it may, which is checked

    def __init__(
        self,
        function: Callable[..., Any],
        params: Mapping[str, Any] | None = None,
        loaded: LoadedObject | None = None,
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
        """Return the digest of the function's own source."""
        return digest_code(self.function)

    def data(self) -> Mapping[str, str]:
        """Return digests of the closure variables, defaults and global variables that the function uses."""
        return digest_function(self.function)

    def shown(self) -> Mapping[str, str]:
        """Return short values of these variables as text."""
        return shown_values(self.function)

    def state(self) -> Mapping[str, str]:
        """Return digests of the objects that the function refers to, and of the global random generators."""
        return state_digests(self.function)

    def player(self, earlier: Mapping[int, Any] | Sequence[Any] = ()) -> Player:
        """See `Scene`."""
        return _FunctionPlayer(self, earlier)

    @contextmanager
    def figure(self, value: Any) -> Iterator[Any]:
        """Draw one frame and yield its Figure or picture; figures that this opened are closed afterwards."""
        with closing_figures():
            loaded = value.load() if isinstance(value, Slice) else value
            returned = self.function(loaded, **self.params)
            yield returned if is_picture(returned) else figure_in(returned, self.name)

    def update(self, value: Any) -> None:
        """Call the function for a frame without rasterising the result."""
        with self.figure(value):
            pass


class _FunctionPlayer:
    stands_in_script = False

    def __init__(self, scene: FunctionScene, earlier: Mapping[int, Any] | Sequence[Any]) -> None:
        self._scene, self._earlier = scene, earlier
        self._next = 0
        self._incremental = Incremental()
        self.update_s = 0.0

    def advance(self, index: int) -> None:
        """See `Player`."""
        for earlier_index in range(self._next, index):
            with keep_rcparams(), contextlib.suppress(Exception, SystemExit):  # reported with its own frame
                self._scene.update(self._earlier[earlier_index])
        self._next = max(self._next, index)

    def picture(self, request: FrameRequest, canvas: Canvas, geometry: FrameGeometry | None) -> Picture:
        """See `Player`."""
        if request.replay:
            self.advance(request.index)
        self._next = request.index + 1
        # values that frames change in place are the same object here, as in one process
        value = self._earlier[request.index] if request.replay else request.value
        began = time.perf_counter()
        with keep_rcparams(), self._scene.figure(value) as figure:
            self.update_s = time.perf_counter() - began
            return picture_in(figure, canvas, geometry, self._incremental, request.redraw)


def picture_in(
    thing: Any, canvas: Canvas, geometry: FrameGeometry | None, incremental: Incremental, redraw: str
) -> Picture:
    """Return the picture of a Figure, of an array or of an image."""
    if is_picture(thing):
        return picture_of(pixels_of(thing), geometry)
    return incremental.rasterise(thing, canvas, geometry, redraw)


def figure_in(returned: Any, name: str) -> Figure:
    """Return the Figure that a user's function returned or drew on.

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
            f"{name}() returned a {type(returned).__name__}: return a Figure, an Axes, a Pillow image or an "
            "array of pixels, or draw on pyplot's current figure and return nothing"
        )
    return thing  # type: ignore[return-value]
