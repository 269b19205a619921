"""Pickles, and other sequences of Python objects; only for those who allow them."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from framepipe.data import labelled
from framepipe.data.base import Array, Arrays, itself, library_of, require_pickle
from framepipe.errors import UsageError


@contextmanager
def open_pickle(path: Path, allow_pickle: bool) -> Iterator[Arrays]:
    """The sequences of a pickled mapping by their keys, else the one without a name."""
    require_pickle(allow_pickle, f"{path.name} is a pickle")
    with path.open("rb") as file:
        thing = pickle.load(file)
    several = isinstance(thing, Mapping)
    named = {str(key): value for key, value in thing.items()} if several else {"": thing}

    def get(key: str) -> Array | None:
        return sequence(named[key], f"{path.name}:{key}" if several else path.name) if key in named else None

    yield Arrays(lambda: named, get)


def sequence(thing: Any, what: str) -> Array:
    """A sequence that this process holds: its elements travel."""
    if library_of(thing) == "xarray":
        return labelled.array_of(thing)
    if isinstance(thing, np.ndarray):
        return Array(thing.shape, lambda axis, index: itself(np.moveaxis(thing, axis, 0)[index]), held=True)
    refused = isinstance(thing, (str, bytes, Mapping)) or hasattr(thing, "columns")
    if refused or not (hasattr(thing, "__len__") and hasattr(thing, "__getitem__")):
        raise UsageError(
            f"{what} holds a {type(thing).__name__}, not a sequence of frames; save a list or an array"
        )
    rows = getattr(thing, "iloc", thing)  # a pandas.Series: by position, not by label
    return Array((len(rows),), lambda axis, index: itself(rows[index]), held=True)
