"""What decides how an Axis looks, by value: equal for those of two figures that show the same.

A `Watch` (`framepipe.scenes.redraw`) compares objects with what they were. Where each frame has a new figure,
or clears its axes, there is nothing to compare with; but most of these axes look as in the frame before: the
same limits, ticks and labels, made anew. So all that can be reached from an Axis is written down as plain
values, which can be looked up.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import FigureBase
from matplotlib.transforms import BboxBase, Transform, TransformNode

from framepipe.scenes import matplotlib_private
from framepipe.scenes.redraw import (
    ATOMS,
    IDENTITIES,
    LOOK_AT_DATA,
    NOT_OF_SURROUNDINGS,
    PASSED_OVER,
    PLAIN,
    extent_of_data,
    home,
    is_filtered,
    is_known,
    is_of_numpy,
    is_written_in,
    owner_of,
    parts_of,
    points_of,
    values_of,
)

_DERIVED = frozenset(["_stale"])
_MAX_ARRAY_BYTES = 1 << 16
_SINGLETONS = (type, ModuleType)


class _Unknown(Exception):
    """Something was met of which nobody knows what it does, or that takes too long to compare."""


def signature_of(axis: Axis) -> tuple[Any, ...] | None:
    """Return what an Axis is, without what it stands in; None if that is not known."""
    is_plain = is_known(type(axis)) and not is_filtered(axis)
    return _signature(axis.axes, [type(axis), axis.__dict__]) if is_plain else None


def signature_of_surroundings(axes: Any) -> tuple[Any, ...] | None:
    """Return what the artists of an Axes may look at: its limits, its transforms, its place and spines."""
    if not is_known(type(axes)):
        return None
    around: list[Any] = [
        points_of(axes.viewLim),
        [axis.get_scale() for axis in matplotlib_private.axes_of(axes)],
    ]
    for name, value in axes.__dict__.items():
        if name not in NOT_OF_SURROUNDINGS and not isinstance(value, Artist):
            around += [name, value]
    figure = matplotlib_private.root_figure(axes)
    around += [points_of(figure.bbox), figure.dpi, *axes.spines.values()]
    return _signature(axes, around)


def _signature(axes: Any, roots: list[Any]) -> tuple[Any, ...] | None:
    walk = _Walk(axes)
    try:
        for root in roots:
            walk.visit(root)
    except _Unknown:
        return None
    return (*walk.values, *map(type, walk.values))  # 1, 1.0 and True are equal, and read not the same


class _Seen(tuple[int]):
    """The number of an object that was met before."""


class _Walk:
    """Writes down what can be reached from an object.

    Parameters
    ----------
    axes : Axes
        What is around it is written down apart.

    Attributes
    ----------
    values : list
        Hashable values; what was met before is the number of its first meeting.
    """

    def __init__(self, axes: Any) -> None:
        self._axes = axes
        self.values: list[Any] = []
        self._seen: dict[int, _Seen] = {}
        self._kept: list[Any] = []  # their ids are their own as long as this knows them

    def visit(self, value: Any) -> None:
        kind = type(value)
        if kind in _ATOM_SET:
            self.values.append(value)
            return
        seen = self._seen.get(id(value))
        if seen is not None:
            self.values.append(seen)
            return
        self._seen[id(value)] = _Seen((len(self._seen),))
        self._kept.append(value)
        way = _WAYS.get(kind)
        if way is None:
            way = _WAYS[kind] = _way_of(kind)
        self.values.append(kind)
        way(self, value)

    def _append(self, value: Any) -> None:
        self.values.append(value)

    def _pass_by(self, value: Any) -> None:
        """Its kind is all that counts."""

    def _refuse(self, value: Any) -> None:
        raise _Unknown

    def _visit_dict(self, values: dict[Any, Any], derived: frozenset[str] = frozenset()) -> None:
        append, visit = self.values.append, self.visit
        append(len(values))
        for name, value in values.items():
            if name in PASSED_OVER or name in derived:
                continue
            append(name)
            if type(value) in _ATOM_SET:
                append(value)
            else:
                visit(value)

    def _visit_each(self, values: Any) -> None:
        self.values.append(len(values))
        for each in values:
            self.visit(each)

    def _visit_set(self, values: Any) -> None:
        if not all(type(each) in _ATOM_SET for each in values):
            raise _Unknown
        self.values.append(frozenset(values))

    def _visit_array(self, array: Any) -> None:
        if array.nbytes > _MAX_ARRAY_BYTES or array.dtype.hasobject:
            raise _Unknown
        mask = np.ma.getmaskarray(array).tobytes() if isinstance(array, np.ma.MaskedArray) else None
        self.values += [array.dtype.str, array.shape, np.ma.getdata(array).tobytes(), mask]

    def _visit_axis(self, axis: Any) -> None:
        """Of another Axes' Axis, which shares its locator, what decides how many ticks fit."""
        if axis.axes is not self._axes:
            self.values += [points_of(axis.axes.bbox), points_of(axis.axes.viewLim)]
            self.visit(matplotlib_private.tick_settings(axis))

    def _visit_locator(self, locator: Any) -> None:
        self._visit_object(locator)
        self.values.append(extent_of_data(locator))

    def _visit_builtin(self, function: Any) -> None:
        self.values.append(function.__name__)
        self.visit(owner_of(function))

    def _visit_ufunc(self, function: Any) -> None:
        if not is_of_numpy(function):
            raise _Unknown
        self.values.append(function)

    def _visit_figure(self, figure: Any) -> None:
        """Its size and dpi are written down with the surroundings."""

    def _visit_artist(self, artist: Any) -> None:
        if is_filtered(artist) or not is_known(type(artist)):
            raise _Unknown
        self._visit_dict(artist.__dict__, _DERIVED)

    def _visit_object(self, value: Any) -> None:
        self._visit_dict(value.__dict__)

    def _visit_mapping(self, value: Any) -> None:
        self._visit_dict(value.__dict__)
        self._visit_dict(dict(value))

    def _visit_method(self, method: Any) -> None:
        self.visit(method.__self__)
        self.visit(method.__func__)

    def _visit_partial(self, partial: Any) -> None:
        self._visit_each([partial.func, *partial.args, *partial.keywords.values()])

    def _visit_function(self, function: Any) -> None:
        if not is_written_in(function, "matplotlib", "mpl_toolkits", "numpy"):
            raise _Unknown
        self.values.append(function.__code__)
        self._visit_each(values_of(function))

    def _visit_transform(self, node: Any) -> None:
        if not is_known(type(node)):
            raise _Unknown
        if isinstance(node, BboxBase):
            self.values.append(points_of(node))
        elif isinstance(node, Transform) and node.is_affine:
            self.values.append(node.get_matrix().tobytes())
        else:
            self._visit_dict(parts_of(node))


_ATOM_SET = frozenset(ATOMS) - {slice, range}
_WAYS: dict[type, Callable[[_Walk, Any], None]] = {dict: _Walk._visit_dict, list: _Walk._visit_each}


def _way_of(kind: type) -> Callable[[_Walk, Any], None]:
    """How objects of a class are written down; the first that fits."""
    ways: list[tuple[tuple[type, ...], Callable[[_Walk, Any], None]]] = [
        (PLAIN, _Walk._append),
        (_SINGLETONS, _Walk._append),
        (IDENTITIES, _Walk._pass_by),
        ((Axes,), _Walk._pass_by),  # all that counts is written down with the surroundings
        ((Axis,), _Walk._visit_axis),
        ((BuiltinFunctionType,), _Walk._visit_builtin),
        ((np.ufunc,), _Walk._visit_ufunc),
        ((tuple, frozenset, list), _Walk._visit_each),
        ((np.ndarray,), _Walk._visit_array),
        ((set,), _Walk._visit_set),
        ((FigureBase,), _Walk._visit_figure),
        ((TransformNode,), _Walk._visit_transform),
        ((Artist,), _Walk._visit_artist),
        ((MethodType,), _Walk._visit_method),
        ((functools.partial,), _Walk._visit_partial),
        ((FunctionType,), _Walk._visit_function),
    ]
    for kinds, way in ways:
        if issubclass(kind, kinds):
            return way
    if is_known(kind) and kind.__dictoffset__:
        if issubclass(kind, LOOK_AT_DATA):
            return _Walk._visit_locator
        return _Walk._visit_mapping if issubclass(kind, dict) else _Walk._visit_object
    return _Walk._pass_by if home(kind.__module__) in ("dateutil", "zoneinfo", "pathlib") else _Walk._refuse
