"""What a figure is, apart from how it is drawn: a digest of its artists."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from framepipe.fingerprint import digest_value

#: Of the drawing, the window or the counting of objects, not of the picture.
_PASSING = (
    "stale",
    "_stale",
    "number",
    "_number",
    "_gid",
    "_agg_filter",
    "_cachedRenderer",
    "_is_idle_drawing",
)


def digest_figure(figure: Any) -> str:
    """SHA-256, in hex, over the plain attributes of all artists of a figure, in their order.

    Numbers, text, arrays and what is made of them count, so do paths and view limits; what is
    computed from them (transforms, layout) and callbacks do not. The same for the same figure in
    another process; it changes when the figure is drawn.
    """
    sha = hashlib.sha256()
    for artist in _artists(figure):
        sha.update(f"{type(artist).__module__}.{type(artist).__qualname__}".encode())
        for name, value in sorted(vars(artist).items()):
            if name not in _PASSING and (plain := _plain(value)) is not _NOT:
                sha.update(f"{name}={digest_value(plain)}".encode())
    return sha.hexdigest()


def _artists(artist: Any) -> Iterator[Any]:
    yield artist
    for child in artist.get_children():
        yield from _artists(child)


_NOT = object()


def _plain(value: Any) -> Any:
    """A value by which a figure can be told; ``_NOT`` for what is none."""
    if value is None or isinstance(value, (bool, int, float, complex, str, np.ndarray, np.generic)):
        return value
    if isinstance(value, (list, tuple)):
        parts = [_plain(part) for part in value]
        return _NOT if any(part is _NOT for part in parts) else parts
    if hasattr(value, "vertices") and hasattr(value, "codes"):  # a Path
        return [value.vertices, value.codes]
    if hasattr(value, "get_points") and hasattr(value, "intervalx"):  # a Bbox, as view and data limits
        return np.asarray(value.get_points())
    return _NOT
