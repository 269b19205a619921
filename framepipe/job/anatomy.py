"""Take objects of certain classes apart, whose pickles would hold too much, too little or nothing.

Classes are recognised by their module and name, so that no library is imported for it.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import io
import types
import warnings
from collections.abc import Callable
from typing import Any


def parts_of(value: Any) -> list[Any] | None:
    """Return the parts that define an object; None if its class is not listed here.

    The object does not change: iterators and generators do not advance, files keep their position.

    Returns
    -------
    list or None
        Plain values, containers, arrays and further objects. Empty for those that count by class only.
    """
    kind: Any = type(value)
    dissect = _dissector(kind)
    return None if dissect is None else dissect(value)


@functools.lru_cache(maxsize=4096)
def _dissector(kind: type) -> Callable[[Any], list[Any]] | None:
    for each in kind.__mro__:
        dissect = _DISSECTORS.get(f"{each.__module__}.{each.__qualname__}")
        if dissect is not None:
            return dissect
    if kind.__module__ == "itertools":
        return _of_iterator
    if kind.__module__.startswith("matplotlib."):
        return _plain if kind.__module__.startswith(_STYLE) else _nothing
    return None


def attributes(value: Any) -> dict[str, Any]:
    """Return all attributes of an instance, those in slots too."""
    values = dict(getattr(value, "__dict__", None) or {})
    for kind in type(value).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name in ("__dict__", "__weakref__"):
                continue
            member = f"_{kind.__name__.lstrip('_')}{name}" if name.startswith("__") else name
            with contextlib.suppress(AttributeError):
                values[member] = object.__getattribute__(value, member)
    return values


# ---- iterators, generators, files ----


def _of_iterator(value: Any) -> list[Any]:
    """Take an iterator of itertools apart as pickle did before Python 3.14, without advancing it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            reduced = value.__reduce__()
        except TypeError:  # Python 3.14: what it holds, but not its position within that
            return list(gc.get_referents(value))
    return list(reduced[1:])


def _of_generator(value: Any) -> list[Any]:
    for kind in ("gi", "cr", "ag"):
        if hasattr(value, f"{kind}_code"):
            code, frame = getattr(value, f"{kind}_code"), getattr(value, f"{kind}_frame")
            inner = getattr(value, f"{kind}_yieldfrom", None) or getattr(value, f"{kind}_await", None)
            if frame is None:  # exhausted
                return [code.co_name]
            return [code.co_name, frame.f_lasti, dict(frame.f_locals), inner]
    return []


def _of_file(value: Any) -> list[Any]:
    name = getattr(value, "name", None)
    if value.closed:
        return [name, "closed"]
    if not value.readable():  # a log, the terminal: the amount of output is no part of a picture
        return [name]
    return [name, _position(value)]


def _position(file: Any) -> Any:
    try:
        return file.tell() if file.seekable() else None
    except (OSError, ValueError):  # in a loop over its lines
        return ["buffer", file.buffer.tell()]


def has_known_position(value: Any) -> bool:
    """True unless it is a text file in the middle of a loop over its lines."""
    if not isinstance(value, io.TextIOWrapper) or value.closed or not value.readable():
        return True
    try:
        return not value.seekable() or value.tell() >= 0
    except (OSError, ValueError):
        return False


# ---- randomness ----


def _of_random(value: Any) -> list[Any]:
    try:
        return [value.getstate()]
    except NotImplementedError:  # the system's own
        return []


def _of_generator_of_numpy(value: Any) -> list[Any]:
    return _of_bits(value.bit_generator)


def _of_bits(value: Any) -> list[Any]:
    seeds = getattr(value, "seed_seq", None) or getattr(value, "_seed_seq", None)
    return [type(value).__name__, value.state, getattr(seeds, "n_children_spawned", None)]


# ---- functions that are objects ----


def _of_wrapped(value: Any) -> list[Any]:
    return [value.__wrapped__]


def _of_vectorized(value: Any) -> list[Any]:
    return [value.pyfunc, value.otypes, value.signature, value.excluded]


# ---- tables ----


def _of_frame(value: Any) -> list[Any]:
    columns = [value.iloc[:, number] for number in range(value.shape[1])]
    return [value.columns, value.index, [_of_column(column.array) for column in columns], dict(value.attrs)]


def _of_series(value: Any) -> list[Any]:
    return [value.name, value.index, *_of_column(value.array), dict(value.attrs)]


def _of_index(value: Any) -> list[Any]:
    return [list(value.names), *_of_column(value.array)]


def _of_multi_index(value: Any) -> list[Any]:
    return [list(value.names), [_of_index(value.get_level_values(number)) for number in range(value.nlevels)]]


def _of_column(array: Any) -> list[Any]:
    kind = str(array.dtype)
    if hasattr(array, "categories"):
        return [kind, array.codes, array.categories, bool(array.ordered)]
    if hasattr(array, "asi8"):  # times, with or without a zone
        return [kind, array.asi8]
    return [kind, array.to_numpy()]


def _of_groups(value: Any) -> list[Any]:
    return [value.obj, [value.ngroup()]]


def _of_labelled_array(value: Any) -> list[Any]:
    return [value.name, value.variable, {name: each.variable for name, each in value.coords.items()}]


def _of_dataset(value: Any) -> list[Any]:
    return [dict(value.attrs), sorted(map(str, value.coords)), dict(value.variables.items())]


def _of_sparse(value: Any) -> list[Any]:
    entries = value.tocoo(copy=True)
    entries.sum_duplicates()
    places = getattr(entries, "coords", None) or (entries.row, entries.col)
    return [value.format, value.shape, list(places), entries.data]


# ---- matplotlib ----

#: Prefixes of module names whose classes are only style.
_STYLE = (
    "matplotlib.colorizer",
    "matplotlib.colors",
    "matplotlib.dates",
    "matplotlib.font_manager",
    "matplotlib.gridspec",
    "matplotlib.hatch",
    "matplotlib.layout_engine",
    "matplotlib.markers",
    "matplotlib.patches",
    "matplotlib.patheffects",
    "matplotlib.scale",
    "matplotlib.ticker",
    "matplotlib.tri",
    "matplotlib.category",
    "matplotlib.units",
)
#: Attributes that belong to drawing, not to the picture.
_TRANSIENT = frozenset(
    (
        *("axis", "axes", "figure", "stale", "_stale", "callbacks", "_id_norm"),
        *("_cpp_triangulation", "_cpp_trifinder", "_trifinder"),
        "_freq",  # of a date locator, for the view drawn last
    )
)
#: Attributes of a formatter for the ticks drawn last.
_OF_TICKS = frozenset(
    (
        *("format", "locs", "offset", "offset_string", "orderOfMagnitude"),
        *("_format", "_formatter", "_locs", "_orderOfMagnitude", "_sublabels"),
    )
)


def _plain(value: Any, transient: frozenset[str] = _TRANSIENT) -> list[Any]:
    """Return attributes by name, without bound methods, which depend on the others."""
    values = {
        name: each
        for name, each in attributes(value).items()
        if name not in transient and not isinstance(each, types.MethodType)
    }
    return [{name: values[name] for name in sorted(values)}]


def _of_formatter(value: Any) -> list[Any]:
    return _plain(value, _TRANSIENT | _OF_TICKS)


def _nothing(value: Any) -> list[Any]:
    return []


def _of_colours(value: Any) -> list[Any]:
    import numpy as np

    under_to_over = np.arange(-1, value.N + 1)
    return [value.N, value(under_to_over), value.get_bad()]  # the table itself is computed lazily


def _of_path(value: Any) -> list[Any]:
    return [value.vertices, value.codes, getattr(value, "_interpolation_steps", 1)]


def _of_triangles(value: Any) -> list[Any]:
    import numpy as np

    # drawing reverses clockwise triangles
    return [value.x, value.y, np.sort(value.triangles, axis=1), value.mask]


def _of_matrix(value: Any) -> list[Any]:
    return [value.get_matrix()]


def _of_box(value: Any) -> list[Any]:
    return [value.get_points()]


def _of_composite(value: Any) -> list[Any]:
    return [value._a, value._b]


def _of_marker(value: Any) -> list[Any]:
    return [
        value.get_marker(),
        value.get_fillstyle(),
        value.get_path(),
        value.get_transform().get_matrix(),
        str(value.get_capstyle()),
        str(value.get_joinstyle()),
    ]


def _of_artist(value: Any) -> list[Any]:
    """Return nothing for matplotlib's artists; for a user's class the attributes that its methods name."""
    own = [kind for kind in type(value).__mro__ if not kind.__module__.startswith(_DRAWING)]
    names = {name for kind in own for each in vars(kind).values() for name in _names_in(each)}
    values = attributes(value)
    return [{name: values[name] for name in sorted(names & values.keys() - _TRANSIENT)}]


#: Modules whose artists are not the user's.
_DRAWING = ("matplotlib.", "mpl_toolkits.", "builtins")


def _names_in(member: Any) -> tuple[str, ...]:
    return member.__code__.co_names if isinstance(member, types.FunctionType) else ()


_DISSECTORS: dict[str, Callable[[Any], list[Any]]] = {
    "builtins.generator": _of_generator,
    "builtins.coroutine": _of_generator,
    "builtins.async_generator": _of_generator,
    "_io.TextIOWrapper": _of_file,
    "_io.BufferedReader": _of_file,
    "_io.BufferedWriter": _of_file,
    "_io.BufferedRandom": _of_file,
    "_io.FileIO": _of_file,
    "random.Random": _of_random,
    "numpy.random._generator.Generator": _of_generator_of_numpy,
    "numpy.random.mtrand.RandomState": lambda value: [value.get_state(legacy=False)],
    "numpy.random.bit_generator.BitGenerator": _of_bits,
    "functools._lru_cache_wrapper": _of_wrapped,
    "numpy.vectorize": _of_vectorized,
    "numpy.lib._function_base_impl.vectorize": _of_vectorized,
    "builtins.set_iterator": lambda value: [frozenset(value.__reduce__()[1][0])],  # unordered
    "os._Environ": _nothing,
    "threading.Thread": _nothing,
    "multiprocessing.process.BaseProcess": _nothing,
    "concurrent.futures._base.Executor": _nothing,
    "pandas.core.frame.DataFrame": _of_frame,
    "pandas.core.series.Series": _of_series,
    "pandas.core.indexes.multi.MultiIndex": _of_multi_index,
    "pandas.core.indexes.base.Index": _of_index,
    "pandas.DataFrame": _of_frame,
    "pandas.Series": _of_series,
    "pandas.MultiIndex": _of_multi_index,
    "pandas.Index": _of_index,
    "pandas.core.groupby.groupby.GroupBy": _of_groups,
    "xarray.core.dataarray.DataArray": _of_labelled_array,
    "xarray.core.dataset.Dataset": _of_dataset,
    "scipy.sparse._base._spbase": _of_sparse,
    "matplotlib.RcParams": _nothing,  # a scene's style counts separately; reading "backend" would choose one
    "matplotlib.cm.ColormapRegistry": _nothing,
    "matplotlib.colors.ColorSequenceRegistry": _nothing,
    "matplotlib.artist.Artist": _of_artist,
    "matplotlib.colors.Colormap": _of_colours,
    "matplotlib.colors.Normalize": _plain,
    "matplotlib.markers.MarkerStyle": _of_marker,
    "matplotlib.path.Path": _of_path,
    "matplotlib.ticker.Formatter": _of_formatter,
    "matplotlib.transforms.Affine2D": _of_matrix,
    "matplotlib.transforms.Bbox": _of_box,
    "matplotlib.transforms.CompositeAffine2D": _of_composite,
    "matplotlib.transforms.CompositeGenericTransform": _of_composite,
    "matplotlib.tri._triangulation.Triangulation": _of_triangles,
    "matplotlib.tri.triangulation.Triangulation": _of_triangles,
}
