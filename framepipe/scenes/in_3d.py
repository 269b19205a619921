"""What axes in 3-D compute several times within one drawing, and again in the next: kept by value.

Where the camera turns, everything in 3-D stands somewhere else in each frame, and no tape of it fits. But
mplot3d computes twelve times a frame where the corners of the axes are; and which ticks there are, and what
their labels say, does not depend on the camera at all.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from framepipe.scenes import mplot3d_private
from framepipe.scenes.redraw import Watch

_MAX_CUBES = 16


@dataclass(eq=False)
class _Ticks:
    """The ticks that an Axis has shown.

    Attributes
    ----------
    axis : Axis
    watch : Watch
        What they follow from.
    all : list of tuple
        The lists of all ticks of the Axis, with a copy of each.
    shown : list of Tick
    states : list of tuple
        Of each tick that is shown.
    """

    axis: Any
    watch: Watch
    all: list[tuple[Any, Any]]
    shown: list[Any]
    states: list[tuple[Any, ...]]

    def fits(self) -> bool:
        """True if the Axis has the same ticks, and would put them where they were."""
        lists = mplot3d_private.lists_of_ticks(self.axis)
        for now, (each, copy) in zip(lists, self.all):
            if now is not each or (each is not None and each != copy):
                return False
        return self.watch.same()


class InThreeD:
    """What is known of the axes in 3-D of one figure.

    Attributes
    ----------
    reused : int
        How often ticks that were kept were used.
    """

    def __init__(self) -> None:
        self.reused = 0
        self._thread: int | None = None
        self._cubes: dict[Any, tuple[Any, ...]] = {}
        self._ticks: dict[int, _Ticks] = {}
        self._refused: dict[int, Any] = {}  # axes whose ticks follow from what is not known

    @property
    def size_bytes(self) -> int:
        """Memory that this takes, about."""
        return sum(each.watch.size_bytes + 500 * len(each.shown) for each in self._ticks.values())

    def begin_frame(self) -> None:
        """Take over in this thread."""
        self._thread = threading.get_ident()
        self._cubes.clear()

    def end_frame(self) -> None:
        """Leave all to mplot3d."""
        self._thread = None

    def forget(self) -> None:
        """Forget all: the figure, the renderer, rcParams or the fonts have changed."""
        self._cubes.clear()
        self._ticks.clear()
        self._refused.clear()

    def is_on(self) -> bool:
        """See `framepipe.scenes.mplot3d_private.Solid`."""
        return self._thread == threading.get_ident()

    def cube(self, axis: Any, original: Callable[[Any], Any]) -> Any:
        """See `framepipe.scenes.mplot3d_private.Solid`; arrays are copies, for whoever changes them."""
        view = mplot3d_private.about_view(axis.axes)
        if view is None:
            return original(axis)
        known = self._cubes.get(view)
        if known is None:
            if len(self._cubes) >= _MAX_CUBES:
                self._cubes.clear()
            known = self._cubes[view] = tuple(original(axis))
        return tuple([each.copy() for each in known])

    def ticks(self, axis: Any, original: Callable[[Any], Any]) -> Any:
        """See `framepipe.scenes.mplot3d_private.Solid`."""
        if id(axis) in self._refused:
            return original(axis)
        kept = self._ticks.get(id(axis))
        if kept is not None and kept.fits():
            self.reused += 1
            transform = axis.axes.transData
            for tick, state in zip(kept.shown, kept.states):
                mplot3d_private.set_tick(tick, state, transform)
            return list(kept.shown)
        shown = original(axis)
        watch = Watch(mplot3d_private.what_ticks_look_at(axis))
        if watch.known and not watch.axes:
            watch.ask(functools.partial(mplot3d_private.about_ticks, axis))
            lists = [(each, each and list(each)) for each in mplot3d_private.lists_of_ticks(axis)]
            states = [mplot3d_private.state_of_tick(tick) for tick in shown]
            self._ticks[id(axis)] = _Ticks(axis, watch, lists, list(shown), states)
        else:
            self._ticks.pop(id(axis), None)
            self._refused[id(axis)] = axis
        return shown
