"""The private names of mplot3d that framepipe needs: what axes in 3-D compute, and where to take it over.

As `framepipe.scenes.matplotlib_private`, of which this is the part for 3-D. Nothing here is entered before
a script has made axes in 3-D.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Protocol

import numpy as np
from matplotlib.axis import Axis
from matplotlib.collections import PolyCollection
from matplotlib.path import Path
from matplotlib.transforms import IdentityTransform

from framepipe.scenes.replacing import is_own, swap

_SOLID = (0, None)  # the dashes of a line without any
_OF_A_PATH = {
    *("_vertices", "_codes", "_readonly"),
    *("_should_simplify", "_simplify_threshold", "_interpolation_steps"),
}


class Solid(Protocol):
    """Who knows what axes in 3-D have computed; see `framepipe.scenes.in_3d`."""

    def is_on(self) -> bool:
        """True in a frame, for the thread that draws it."""

    def cube(self, axis: Any, original: Callable[[Any], Any]) -> Any:
        """Instead of `Axis._get_coord_info`: where the corners of the axes are, which sides are far."""

    def ticks(self, axis: Any, original: Callable[[Any], Any]) -> Any:
        """Instead of `Axis._update_ticks`: the ticks that are to be seen, with their places and labels."""


def ways_of_axes() -> list[tuple[Any, str]]:
    """The methods by which an Axis in 3-D is drawn; none if nobody has made one."""
    axis3d = sys.modules.get("mpl_toolkits.mplot3d.axis3d")
    return [(axis3d.Axis, way) for way in ("draw", "draw_pane", "draw_grid")] if axis3d else []


def is_in_3d(axis: Any) -> bool:
    """True for an Axis of axes in 3-D."""
    axis3d = sys.modules.get("mpl_toolkits.mplot3d.axis3d")
    return axis3d is not None and isinstance(axis, axis3d.Axis)


def take_3d_over(solid: Solid, stack: ExitStack) -> None:
    """What axes in 3-D compute meanwhile goes through ``solid``, or the shorter ways below."""
    axis3d: Any = sys.modules.get("mpl_toolkits.mplot3d.axis3d")
    art3d: Any = sys.modules.get("mpl_toolkits.mplot3d.art3d")
    if axis3d is None or art3d is None:
        return

    def cube(original: Any) -> Any:
        return lambda axis, *renderer: solid.cube(axis, lambda each: original(each, *renderer))

    def ticks(original: Any) -> Any:
        return lambda axis: solid.ticks(axis, original) if is_in_3d(axis) else original(axis)

    shades = _Shades()
    for owner, name, instead in (
        (axis3d.Axis, "_get_coord_info", cube),
        (Axis, "_update_ticks", ticks),
        (axis3d, "_tick_update_position", _placing),
        (axis3d.proj3d, "proj_transform", _projecting),
        (art3d.Path3DCollection, "draw", shades.drawing),
        (art3d.Path3DCollection, "_maybe_depth_shade_and_sort_colors", shades.shading),
        (PolyCollection, "set_verts", _setting_polygons),
    ):
        original = getattr(owner, name, None)
        if original is not None and is_own(original):
            stack.enter_context(swap(owner, name, _here(solid, original, instead(original))))


def _here(solid: Solid, original: Callable[..., Any], instead: Callable[..., Any]) -> Callable[..., Any]:
    """In the thread that draws the frame, ``instead``; elsewhere the original."""

    @functools.wraps(original)
    def function(*arguments: Any, **keywords: Any) -> Any:
        return (instead if solid.is_on() else original)(*arguments, **keywords)

    return function


def about_view(axes: Any) -> tuple[Any, ...] | None:
    """Return what decides where corners of axes are seen; None if that is more than limits and a camera."""
    if not is_own(type(axes)) or not isinstance(axes.M, np.ndarray):
        return None
    if not all(type(axis.get_transform()) is IdentityTransform for axis in axes._axis_map.values()):
        return None
    return (*axes.get_xlim(), *axes.get_ylim(), *axes.get_zlim(), axes.M.tobytes())


def what_ticks_look_at(axis: Any) -> list[Any]:
    """Return the objects from which the places and labels of ticks follow, besides `about_ticks`."""
    return [axis.major, axis.minor, axis._major_tick_kw, axis._minor_tick_kw, axis._scale]


def about_ticks(axis: Any) -> tuple[Any, ...]:
    """Return the limits and sizes from which the places and labels of ticks follow."""
    view, data = axis.get_view_interval(), axis.get_data_interval()
    box = axis.axes.bbox.get_points().tobytes()
    overlap, root = axis.remove_overlapping_locs, axis.get_figure()
    return (*map(float, view), *map(float, data), float(axis.get_minpos()), box, overlap, root.dpi)


def lists_of_ticks(axis: Any) -> tuple[Any, Any]:
    """Return the lists of all ticks that an Axis has made; None for one that it has not."""
    return axis.__dict__.get("majorTicks"), axis.__dict__.get("minorTicks")


def state_of_tick(tick: Any) -> tuple[Any, ...]:
    """Return what `set_tick` gives it back: its place, and what its labels say."""
    return tick._loc, tick.label1._text, tick.label2._text


def set_tick(tick: Any, state: tuple[Any, ...], transform: Any) -> None:
    """Set a tick as `Axis._update_ticks` does; where its artists stand `_tick_update_position` says."""
    tick._loc, text, other = state
    if tick.label1._text != text:
        tick.label1.set_text(text)
    if tick.label2._text != other:
        tick.label2.set_text(other)
    for artist in (tick.tick1line, tick.tick2line, tick.gridline, tick.label1, tick.label2):
        if artist._transform is not transform or not artist._transformSet:
            artist.set_transform(transform)


def _placing(original: Callable[..., None]) -> Callable[..., None]:
    """`_tick_update_position` without what is already so: setters make markers and dashes anew."""

    def place(tick: Any, xs: Any, ys: Any, at: Any) -> None:
        line, grid = tick.tick1line, tick.gridline
        is_so = (
            line._visible
            and not tick.tick2line._visible
            and line._linestyle == "-"
            and line._unscaled_dash_pattern == _SOLID
            and line._dash_pattern == _SOLID
            and line._marker.get_marker() == ""
            and type(xs) is type(ys) is tuple
        )
        if not is_so:
            original(tick, xs, ys, at)
            return
        for label in (tick.label1, tick.label2):
            label._x, label._y = at
            label._stale = True
        line._xorig, line._yorig = xs, ys
        grid._xorig, grid._yorig = [0], [0]
        for each in (line, grid):
            each._invalidx = each._invalidy = each._stale = True

    return place


def _projecting(original: Callable[..., Any]) -> Callable[..., Any]:
    """`proj_transform` of one point: the same product and quotient, without the ways for arrays and masks."""
    number = np.float64

    def project(xs: Any, ys: Any, zs: Any, M: Any) -> Any:  # noqa: N803  (mplot3d's name)
        if not (type(xs) is type(ys) is type(zs) is number and type(M) is np.ndarray):
            return original(xs, ys, zs, M)
        vecw = np.dot(M, np.array([xs, ys, zs, 1.0]))
        x, y, z = vecw[0:3] / vecw[3]
        return x, y, z

    return project


class _Shades:
    """The colours of points by their depth, which one ``draw`` asks for ten times."""

    def __init__(self) -> None:
        self._known: dict[Any, tuple[Any, Any]] | None = None

    def drawing(self, original: Callable[..., None]) -> Callable[..., None]:
        """`Path3DCollection.draw`, within which neither points nor colours change."""

        def draw(points: Any, renderer: Any) -> None:
            self._known = {}
            try:
                original(points, renderer)
            finally:
                self._known = None

        return draw

    def shading(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """`Path3DCollection._maybe_depth_shade_and_sort_colors`."""

        def shade(points: Any, colours: Any) -> Any:
            if self._known is None or not isinstance(colours, np.ndarray):
                return original(points, colours)
            parts = points, colours, points._vzs, points._alpha
            key = tuple(map(id, parts))
            if key not in self._known:
                self._known[key] = parts, original(points, colours)
            return self._known[key][1].copy()

        return shade


def _setting_polygons(original: Callable[..., None]) -> Callable[..., None]:
    """`PolyCollection.set_verts` of polygons with as many corners each, with less work for each path."""
    kind: Any = Path

    def set_verts(polygons: Any, verts: Any, closed: bool = True) -> None:
        is_plain = type(verts) is np.ndarray and verts.dtype == np.float64 and verts.ndim == 3 and verts.size
        if not is_plain or not closed:
            original(polygons, verts, closed)
            return
        padded = np.concatenate((verts, verts[:, :1]), axis=1)
        template = kind(padded[0], closed=True)
        if set(vars(template)) != _OF_A_PATH:
            original(polygons, verts, closed)
            return
        polygons.stale = True
        codes, simplifies = template._codes, template._should_simplify
        threshold, steps = template._simplify_threshold, template._interpolation_steps
        polygons._paths = paths = []
        for each in padded:
            path = kind.__new__(kind)  # attributes one by one: a quarter of the time
            path._vertices, path._codes, path._readonly = each, codes, False
            path._should_simplify, path._simplify_threshold = simplifies, threshold
            path._interpolation_steps = steps
            paths.append(path)

    return set_verts
