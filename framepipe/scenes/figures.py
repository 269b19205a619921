"""Digests of figures by their artists, and pickling figures with their callbacks."""

from __future__ import annotations

import contextlib
import copyreg
import enum
import hashlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from framepipe.job.fingerprint import digest_value

#: Attributes that belong to drawing, to a window or to counting objects, not to the picture.
_NOT_PICTURE = (
    "stale",
    "_stale",
    "number",
    "_number",
    "_gid",
    "_agg_filter",
    "_cachedRenderer",
    "_is_idle_drawing",
    "_parents",
    "_invalid",
)
#: Beginnings of the names of classes that hold only the style of artists.
_STYLE = (
    "matplotlib.axis.Ticker",
    "matplotlib.colorizer.",
    "matplotlib.colors.",
    "matplotlib.dates.",
    "matplotlib.font_manager.",
    "matplotlib.markers.",
    "matplotlib.patches.",
    "matplotlib.patheffects.",
    "matplotlib.scale.",
    "matplotlib.ticker.",
)
_PARTS_OF_TEXT = ("_bbox_patch", "arrow_patch")  # artists that are nobody's children
_MAX_DEPTH = 8


def digest_figure(figure: Any) -> str:
    """Return the SHA-256, in hex, of the plain attributes of all artists of a figure, in their order.

    Numbers, text, arrays and their containers count, so do paths, view limits, the matrices of
    transforms, and style: markers, fonts, colour maps, norms, scales, tickers. Layout and callbacks do
    not. The digest is the same in another process; it changes when the figure is drawn.
    """
    sha = hashlib.sha256()
    for artist in _artists(figure):
        sha.update(f"{type(artist).__module__}.{type(artist).__qualname__}".encode())
        sha.update(repr(_plain_items(artist)).encode("utf-8", "surrogatepass"))
    return sha.hexdigest()


def _artists(artist: Any) -> Iterator[Any]:
    yield artist
    parts = [getattr(artist, name, None) for name in _PARTS_OF_TEXT]
    for child in [*artist.get_children(), *filter(None, parts)]:
        yield from _artists(child)


def _plain_items(thing: Any, depth: int = _MAX_DEPTH) -> list[Any]:
    """Return the names and plain values of attributes, sorted."""
    items = [(name, _plain(value, depth)) for name, value in vars(thing).items() if name not in _NOT_PICTURE]
    return sorted((item for item in items if item[1] is not _OMIT), key=lambda item: item[0])


_OMIT = object()


def _plain(value: Any, depth: int) -> Any:
    """Return a value whose ``repr`` identifies it: number, text, list or digest of an array; or ``_OMIT``."""
    if isinstance(value, enum.Enum):
        return value.name
    if value is None or isinstance(value, (bool, int, float, complex, str, np.generic)):
        return value
    if isinstance(value, np.ndarray):
        return digest_value(value)
    if not depth:  # only objects that refer to themselves are this deep
        return _OMIT
    if isinstance(value, dict):
        value = [item for pair in value.items() for item in pair]
    if isinstance(value, (list, tuple)):
        parts = [_plain(part, depth - 1) for part in value]
        return _OMIT if any(part is _OMIT for part in parts) else parts
    if hasattr(value, "vertices") and hasattr(value, "codes"):  # a Path
        return [digest_value(value.vertices), digest_value(value.codes)]
    if hasattr(value, "get_points") and hasattr(value, "intervalx"):  # a Bbox, as view and data limits
        return np.asarray(value.get_points()).tolist()
    return _plain_style(value, depth - 1)


def _plain_style(value: Any, depth: int) -> Any:
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if kind == "matplotlib.transforms.Affine2D":
        return value.get_matrix().tolist()
    if kind.startswith(
        "matplotlib.transforms.Composite"
    ):  # the artist's own transform, then that of its axes
        return [part for part in (_plain(value._a, depth), _plain(value._b, depth)) if part is not _OMIT]
    if hasattr(value, "get_under") and hasattr(
        value, "N"
    ):  # a colour map, which builds its table on first use
        return digest_value([value(np.arange(-1, value.N + 1)), value.get_bad()])
    if kind.startswith(_STYLE) and not hasattr(value, "get_children"):
        return [kind, *_plain_items(value, depth)]
    return _OMIT


_pickle_lock = threading.Lock()


def _unlock_in_child() -> None:
    global _pickle_lock
    _pickle_lock = threading.Lock()  # the thread that held it does not exist in the child


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock_in_child)


@contextlib.contextmanager
def pickling_callbacks() -> Iterator[None]:
    """Pickle figures together with the callbacks between their artists.

    matplotlib omits them: a colour bar would no longer follow its image, nor an image its norm.
    """
    cbook = sys.modules.get("matplotlib.cbook")
    if cbook is None:
        yield
        return
    kind = cbook.CallbackRegistry
    with _pickle_lock:  # the table is the whole process's, and a recorder's thread pickles too
        copyreg.pickle(kind, _registry_parts)
        try:
            yield
        finally:
            del copyreg.dispatch_table[kind]


def _registry_parts(registry: Any) -> tuple[Any, ...]:
    previous_cids = registry._pickled_cids
    of_a_window = "draw_event" in (registry._signals or ())
    if not of_a_window:
        registry._pickled_cids = {cid for each in registry.callbacks.values() for cid in each}
    try:
        return copyreg.__newobj__, (type(registry),), registry.__getstate__()  # type: ignore[attr-defined]
    finally:
        registry._pickled_cids = previous_cids
