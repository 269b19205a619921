"""HDF5, read with h5py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from framepipe.errors import UsageError
from framepipe.job.data.base import Array, Arrays, library, parts_of, reading


@contextmanager
def open_hdf5(path: Path, allow_pickle: bool) -> Iterator[Arrays]:
    """Open the datasets of all groups; a dimension scale only if it is named or there is nothing else."""
    h5py = library("h5py", path)

    def names() -> list[str]:
        datasets: list[Any] = []
        file.visititems(lambda _, item: datasets.append(item) if isinstance(item, h5py.Dataset) else None)
        data = [item for item in datasets if not h5py.h5ds.is_scale(item.id)]
        return [item.name.strip("/") for item in data or datasets]

    def get(key: str) -> Array | None:
        item = file.get(key)
        if not isinstance(item, h5py.Dataset):
            return None
        text = h5py.check_string_dtype(item.dtype) is not None
        elements = item.asstr(errors="surrogateescape") if text else item
        labels = [each.label or next(iter(each.keys()), None) for each in item.dims] if item.shape else []
        return Array(item.shape or (), parts_of(elements), tuple(labels))

    with _file(h5py, path) as file:
        yield Arrays(names, get)


def _file(h5py: Any, path: Path) -> Any:
    """Open a file without a lock, so that a simulation may open it for writing meanwhile.

    HDF5's default is used if this process has the file open with a lock: both must agree.
    """
    errors = []
    for options in ({"locking": False}, {"locking": False, "swmr": True}, {}):
        try:
            return h5py.File(path, "r", **options)
        except (OSError, ValueError) as error:
            errors.append(error)
    raise errors[0]


def address_of(dataset: Any) -> tuple[str, str]:
    """Return the file of an h5py.Dataset, and its key there."""
    if not dataset:
        raise UsageError("the h5py.Dataset is closed; give the address of its file: sim.h5:/fields/u")
    with reading("the h5py.Dataset"):
        if dataset.file.mode != "r":
            dataset.file.flush()  # workers read the file, not this process's buffers
        return dataset.file.filename, (dataset.name or "").strip("/")
