"""Zarr folders of formats 2 and 3, read with zarr 2 or 3."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from framepipe.errors import UsageError
from framepipe.job.data.base import Array, Arrays, library, parts_of, require_pickle


@contextmanager
def open_zarr(path: Path, allow_pickle: bool) -> Iterator[Arrays]:
    """Open the arrays of all groups, or one without a name if the folder is an array itself."""
    zarr = library("zarr", path)

    def get(key: str) -> Array | None:
        metadata = _metadata(path / key)
        if metadata is None:
            return None
        if re.search(r'"(id|name)":\s*"(numcodecs\.)?pickle"', json.dumps(metadata)):
            require_pickle(allow_pickle, f"{path.name}:{key} holds Python objects, as pickles")
        array = zarr.open(os.fspath(path / key), mode="r")
        names = metadata.get("dimension_names") or array.attrs.get("_ARRAY_DIMENSIONS") or ()
        return Array(array.shape, parts_of(array), tuple(names))

    yield Arrays(lambda: _names(path, path), get)


def _names(folder: Path, root: Path) -> Iterator[str]:
    if _metadata(folder) is not None:
        yield "" if folder == root else folder.relative_to(root).as_posix()
        return
    for below in sorted(each for each in folder.iterdir() if each.is_dir()):
        yield from _names(below, root)


def _metadata(folder: Path) -> dict[str, Any] | None:
    """Read the folder's metadata if it is an array; zarr itself would decode pickles on opening it."""
    for name in (".zarray", "zarr.json"):
        if (folder / name).is_file():
            metadata: dict[str, Any] = json.loads((folder / name).read_bytes())
            return metadata if metadata.get("node_type", "array") == "array" else None
    return None


def address_of(array: Any) -> tuple[str, str]:
    """Return the folder of a zarr.Array's store (zarr 3: ``root``, zarr 2: ``path``), and its key there."""
    store = getattr(array, "chunk_store", None)
    store = array.store if store is None else store
    if type(store).__name__ not in ("LocalStore", "DirectoryStore", "NestedDirectoryStore"):
        raise UsageError(
            f"the zarr array is in a {type(store).__name__}, which workers cannot open; "
            "save it to a local folder, or give its values: array[:]"
        )
    return str(store.root if hasattr(store, "root") else store.path), array.path.strip("/")
