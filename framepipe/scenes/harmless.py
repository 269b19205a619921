"""What an update function may call that changes nothing, or nothing that `Axes.clear` leaves."""

from __future__ import annotations

import builtins
import functools
import math
import sys
from datetime import date, datetime, timedelta
from typing import Any

#: Methods of Axes of whose effects nothing is left after `Axes.clear` …
WIPED = frozenset(
    (
        *("plot", "scatter", "step", "stem", "bar", "barh", "hist", "hist2d", "hexbin", "errorbar"),
        *("eventplot", "fill", "fill_between", "fill_betweenx", "stackplot", "violinplot"),
        *("loglog", "semilogx", "semilogy", "contour", "contourf", "tricontour", "tricontourf"),
        *("tripcolor", "triplot", "clabel", "pcolor", "pcolormesh", "quiver", "barbs", "streamplot"),
        *("axhline", "axvline", "axhspan", "axvspan", "axline", "hlines", "vlines", "text", "annotate"),
        *("table", "legend", "set_title", "set_xlim", "set_ylim", "set_xbound", "set_ybound"),
        *("set_xscale", "set_yscale", "set_xticks", "set_yticks", "set_xticklabels", "set_yticklabels"),
        *("invert_xaxis", "invert_yaxis", "margins", "set_xmargin", "set_ymargin", "autoscale"),
        *("autoscale_view", "relim", "ticklabel_format", "minorticks_on", "locator_params", "add_patch"),
        *("get_xlim", "get_ylim"),
    )
)
#: … and those that leave something: they must be called in each frame, and with the same arguments …
LASTING = frozenset(
    (
        *("set_xlabel", "set_ylabel", "set_aspect", "set_facecolor", "set_axis_off", "set_axisbelow"),
        *("set_anchor", "set_adjustable", "set_box_aspect", "imshow", "pie", "tick_params", "axis", "grid"),
    )
)
#: … but for the first one of these, a text or data; and what they return lasts, or not.
LABELS, PICTURES = frozenset(("set_xlabel", "set_ylabel")), frozenset(("imshow", "pie"))
#: Keywords of what numpy writes to, or reads before it is there; and of what some versions of Axes write to.
WRITTEN, WRITTEN_BY_AXES = frozenset(("out", "copy", "overwrite_input", "where")), frozenset(("error_kw",))
CLEAR = frozenset(("clear", "cla"))
TRANSFORMS = frozenset(("transAxes", "transData"))
_BUILTINS = frozenset(
    (
        *("abs", "all", "any", "bool", "complex", "dict", "divmod", "enumerate", "float", "int", "len"),
        *("list", "max", "min", "pow", "print", "range", "reversed", "round", "set", "sorted", "str"),
        *("sum", "tuple", "zip"),
    )
)
#: Methods of plain values, and attributes, that change nothing.
_METHODS = frozenset(
    (
        *("all", "any", "argmax", "argmin", "argsort", "astype", "clip", "conj", "copy", "cumsum", "dot"),
        *("flatten", "max", "mean", "min", "nonzero", "prod", "ravel", "repeat", "reshape", "round"),
        *("squeeze", "std", "sum", "swapaxes", "take", "tolist", "transpose", "var", "center", "count"),
        *("format", "get", "index", "items", "join", "keys", "ljust", "lower", "replace", "rjust"),
        *("split", "strip", "title", "upper", "values", "zfill"),
    )
)
#: Methods of lists that were made by the same call.
GROW = frozenset(("append", "extend"))
ATTRIBUTES = frozenset(("T", "dtype", "imag", "ndim", "real", "shape", "size"))
_NUMPY = (
    *("all", "amax", "amin", "angle", "any", "arange", "argmax", "argmin", "argsort", "around", "array"),
    *("asarray", "average", "clip", "column_stack", "concatenate", "convolve", "cos", "cross", "cumprod"),
    *("cumsum", "diag", "diff", "dot", "dstack", "einsum", "eye", "flip", "fliplr", "flipud", "full"),
    *("full_like", "geomspace", "gradient", "histogram", "histogram2d", "hstack", "identity", "imag"),
    *("interp", "isclose", "linspace", "logspace", "max", "mean", "median", "meshgrid", "min", "nanmax"),
    *("nanmean", "nanmin", "ones", "ones_like", "outer", "percentile", "polyfit", "polyval", "prod"),
    *("quantile", "real", "repeat", "reshape", "roll", "rot90", "round", "sinc", "sort", "squeeze"),
    *("stack", "std", "sum", "take", "tile", "trace", "transpose", "tril", "triu", "unique", "unwrap"),
    *("var", "vstack", "where", "zeros", "zeros_like", "bool_", "float32", "float64", "int32", "int64"),
    *("uint8", "uint16", "complex128", "linalg.norm", "fft.fft", "fft.ifft", "fft.rfft", "fft.irfft"),
    *("fft.fft2", "fft.ifft2", "fft.fftfreq", "fft.rfftfreq", "fft.fftshift", "fft.ifftshift"),
    "ma.masked_where",
)
_PATCHES = (
    *("Circle", "Ellipse", "Polygon", "Rectangle", "Wedge", "Arrow", "FancyArrow", "RegularPolygon", "Arc"),
)
_LIBRARIES = ("builtins", "math", "matplotlib", "numpy")
#: numpy writes to an array that it is given as one argument more, by position too. With so many, nothing is
#: written to; a few functions and methods read more.
_MAX_ARGUMENTS, _MAX_OF_THESE, _MAX_ARGUMENTS_OF_METHODS = 2, 3, 1
_MORE_ARGUMENTS = frozenset(
    (
        *("arange", "clip", "cross", "einsum", "full", "geomspace", "histogram", "histogram2d", "interp"),
        *("linspace", "logspace", "masked_where", "meshgrid", "polyfit", "roll", "where"),
    )
)
_MORE_ARGUMENTS_OF_METHODS = frozenset(
    (
        *("center", "format", "get", "ljust", "replace", "reshape", "rjust", "split", "swapaxes"),
        "transpose",
    )
)
ANY = 1000
_PLAIN = (type(None), bool, int, float, complex, str, bytes, range, date, datetime, timedelta)
_TYPES = (bool, int, float, complex, str)
_CONTAINERS = (list, tuple, set, frozenset, dict)
_MAX_ITEMS = 100_000


def most_arguments(called: Any) -> int | None:
    """Return how many arguments a function only reads; None if it is not known here."""
    import numpy as np

    if type(called) in _colour_maps():
        return 1
    if isinstance(called, np.ufunc):  # a script can make one of a function of its own
        homes = (np, sys.modules.get("scipy.special"))
        return called.nin if any(getattr(home, called.__name__, None) is called for home in homes) else None
    try:
        if called not in _pure_functions():
            return None
    except TypeError:  # it has no hash
        return None
    if not str(called.__module__).startswith("numpy"):
        return ANY
    return _MAX_OF_THESE if called.__name__ in _MORE_ARGUMENTS else _MAX_ARGUMENTS


def most_arguments_of_method(name: str) -> int | None:
    """Return the same for a method of a plain value."""
    if name not in _METHODS:
        return None
    return ANY if name in _MORE_ARGUMENTS_OF_METHODS else _MAX_ARGUMENTS_OF_METHODS


@functools.cache
def _pure_functions() -> frozenset[Any]:
    import numpy as np
    from matplotlib import patches

    functions = [each for name, each in vars(math).items() if callable(each)]
    functions += [getattr(builtins, name) for name in _BUILTINS]
    functions += [getattr(patches, name) for name in _PATCHES]
    for name in _NUMPY:
        owner: Any = np
        for part in name.split("."):
            owner = getattr(owner, part, None)
        functions += [] if owner is None else [owner]
    return frozenset(each for each in functions if _is_theirs(each))


def _is_theirs(function: Any) -> bool:
    """True if no script has put it there."""
    return str(getattr(function, "__module__", "")).partition(".")[0] in _LIBRARIES


def is_plain(value: Any) -> bool:
    """True for numbers, texts, times, arrays of them, colour maps, and not too large containers of these."""
    left, count = [value], 0
    while left:
        each = left.pop()
        kind, count = type(each), count + 1
        if count > _MAX_ITEMS:
            return False
        if kind in _CONTAINERS and count + len(each) <= _MAX_ITEMS:
            left += [*each, *each.values()] if kind is dict else each
        elif not (kind in _PLAIN or kind in _colour_maps() or _is_of_numpy(each)):
            return False
    return True


def _is_of_numpy(value: Any) -> bool:
    """True for an array or a scalar of numpy's own types without objects, and for a type of scalars."""
    import numpy as np

    if isinstance(value, type):
        return value in _TYPES or (issubclass(value, np.generic) and value.__module__ == "numpy")
    is_own = type(value) is np.ndarray or (
        isinstance(value, np.generic) and type(value).__module__ == "numpy"
    )
    return is_own and not value.dtype.hasobject


def _colour_maps() -> tuple[type, ...]:
    from matplotlib.colors import LinearSegmentedColormap, ListedColormap

    return LinearSegmentedColormap, ListedColormap
