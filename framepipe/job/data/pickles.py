"""Pickles, and other sequences of Python objects; only if the user allows them."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from framepipe.errors import UsageError
from framepipe.job.data import labelled
from framepipe.job.data.base import Array, Arrays, itself, library_of, require_pickle


@contextmanager
def open_pickle(path: Path, allow_pickle: bool) -> Iterator[Arrays]:
    """Open a pickle: the sequences of a mapping by their keys, else one without a name."""
    require_pickle(allow_pickle, f"{path.name} is a pickle")
    with path.open("rb") as file:
        thing = pickle.load(file)
    is_mapping = isinstance(thing, Mapping)
    members = {str(key): value for key, value in thing.items()} if is_mapping else {"": thing}

    def get(key: str) -> Array | None:
        if key not in members:
            return None
        return sequence(members[key], f"{path.name}:{key}" if is_mapping else path.name)

    yield Arrays(lambda: members, get)


def sequence(thing: Any, what: str) -> Array:
    """Wrap a sequence in memory: its elements are sent to workers."""
    if library_of(thing) == "xarray":
        return labelled.array_of(thing)
    import numpy as np

    if isinstance(thing, np.ndarray):
        return Array(
            thing.shape, lambda axis, index: itself(np.moveaxis(thing, axis, 0)[index]), in_memory=True
        )
    has_other_elements = isinstance(thing, (str, bytes, Mapping)) or hasattr(thing, "columns")
    if has_other_elements or not (hasattr(thing, "__len__") and hasattr(thing, "__getitem__")):
        raise UsageError(
            f"{what} holds a {type(thing).__name__}, not a sequence of frames; save a list or an array"
        )
    rows = getattr(thing, "iloc", thing)  # a pandas.Series: by position, not by label
    return Array((len(rows),), lambda axis, index: itself(rows[index]), in_memory=True)
