"""The only code that deletes frames: those that a verified movie was built from, no others."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framepipe.core import files, png
from framepipe.core.summary import Summary, short_path, size_text
from framepipe.errors import StoreError
from framepipe.job.frames import file_name, format_range
from framepipe.job.stamp import read_stamp
from framepipe.store.failures import FailureLog
from framepipe.store.heartbeats import Heartbeats
from framepipe.store.segment_cache import SegmentCache
from framepipe.store.store import Store


@dataclass(frozen=True, repr=False)
class CleanupReport(Summary):
    """The result of deleting frames.

    Attributes
    ----------
    store : Path
    deleted : int
        The number of deleted frames.
    freed_bytes : int
    left : tuple of int
        Numbers of frames that stay: they are in no verified movie, or are not framepipe's.
    """

    store: Path
    deleted: int
    freed_bytes: int
    left: tuple[int, ...]

    def summary(self) -> str:
        """See `Summary`."""
        text = f"{self.deleted} frames deleted, {size_text(self.freed_bytes)} freed"
        if self.left:
            text += (
                f"; left in {short_path(self.store)}, being in no verified movie: {format_range(self.left)}"
            )
        return text

    def to_dict(self) -> dict[str, Any]:
        """Convert for JSON."""
        return {
            "store": str(self.store),
            "deleted": self.deleted,
            "freed_bytes": self.freed_bytes,
            "left": format_range(self.left),
        }


def delete_frames(store: Store, fingerprints: Mapping[int, str] | None) -> CleanupReport:
    """Delete frames, and the store with them if nothing else is in it.

    Parameters
    ----------
    store : Store
    fingerprints : mapping of int to str, or None
        Frames to delete: number -> fingerprint, as a verified movie shows them. A file is deleted
        only if its stamp has both; links and folders never are. None: every frame that has a stamp
        (the user forced it).

    Raises
    ------
    StoreError
        The folder cannot be written. Another call continues.
    """
    deleted, freed = 0, 0
    try:
        folder = os.open(store.path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise StoreError(f"{store.path} cannot be opened: {error.strerror}") from None
    try:
        for number in store.numbers():
            if not _is_deletable(store, number, fingerprints):
                continue
            with contextlib.suppress(FileNotFoundError):  # another process cleans too
                size = os.lstat(store.frame_path(number)).st_size
                os.unlink(file_name(number), dir_fd=folder)
                deleted, freed = deleted + 1, freed + size
    except OSError as error:
        raise StoreError(
            f"{store.path}: {deleted} frames deleted, then: {error.strerror}. Run it again to go on"
        ) from None
    finally:
        os.close(folder)
    left = tuple(store.numbers())
    if not left:
        _remove_empty(store)
    return CleanupReport(store.path, deleted, freed, left)


def _is_deletable(store: Store, number: int, fingerprints: Mapping[int, str] | None) -> bool:
    info = png.inspect(store.frame_path(number))
    stamp = read_stamp(info.stamp) if info else None
    if stamp is None or stamp[0] != number:
        return False
    return fingerprints is None or fingerprints.get(number) == stamp[1]


def _remove_empty(store: Store) -> None:
    store.sweep()
    for path in (store.movies_file, store.files_file, store.job_file):
        with contextlib.suppress(OSError):  # a folder of that name is not ours
            if not files.kind_of(path):
                path.unlink(missing_ok=True)
    FailureLog(store.path).clear()
    Heartbeats(store.path).clear()
    SegmentCache(store).clear()
    store.remove_empty()
