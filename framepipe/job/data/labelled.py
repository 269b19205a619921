"""Arrays with names and coordinates: xarray objects, and NetCDF, which xarray reads."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from framepipe.errors import ToolMissing
from framepipe.job.data.base import Array, Arrays, itself, library

_REFERENCE_BYTES = 1 << 16  # of names, coordinates, a reference to a file


@contextmanager
def open_netcdf(path: Path, allow_pickle: bool) -> Iterator[Arrays]:
    """Open the variables of a NetCDF file; a coordinate only if its name is given."""
    xarray = library("xarray", path)
    _require_reader(path)
    with xarray.open_dataset(path) as dataset:
        yield Arrays(
            lambda: list(dataset.data_vars),
            lambda key: _array(dataset[key]) if key in dataset.variables else None,
        )


def _require_reader(path: Path) -> None:
    """Check for the reader, because xarray's message does not say what to install for which file."""
    with path.open("rb") as file:
        magic = file.read(3)
    reader = {b"\x89HD": "h5netcdf", b"CDF": "scipy"}.get(magic)
    if reader and not find_spec(reader) and not find_spec("netCDF4"):
        raise ToolMissing(f"{path.name} needs {reader}, which is not installed: pip install {reader}")


def array_of(thing: Any) -> Array:
    """Wrap an xarray object: its parts are lazy if it is, and pickle as a reference to the file."""
    array = replace(_array(thing), in_memory=True)
    if _pickles_small(thing):
        return array
    return replace(array, part=lambda axis, index: itself(array.part(axis, index)()))


def _array(thing: Any) -> Array:
    names = tuple(thing.sizes)
    return Array(
        tuple(thing.sizes.values()), lambda axis, index: thing.isel({names[axis]: index}).compute, names
    )


def _pickles_small(thing: Any) -> bool:
    """True if parts can be pickled (not opened from a handle) without including the whole array."""
    try:
        part = thing.isel({next(iter(thing.sizes)): 0})
        return bool(len(pickle.dumps(part)) < part.nbytes + _REFERENCE_BYTES)
    except Exception:  # of any library that holds the handle
        return False
