"""The only code that deletes frames: those that a verified movie was built from, no others."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framepipe import files, png
from framepipe.errors import StoreError
from framepipe.frames import file_name, format_range, number_of
from framepipe.job import read_passport
from framepipe.shelf import Shelf
from framepipe.store import Store


@dataclass(frozen=True)
class CleanupReport:
    """What was deleted.

    Attributes
    ----------
    store : Path
    deleted : int
        Frames.
    freed_bytes : int
    left : tuple of int
        Numbers of frames that stay: they are in no verified movie, or are not framepipe's.
    """

    store: Path
    deleted: int
    freed_bytes: int
    left: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "store": str(self.store),
            "deleted": self.deleted,
            "freed_bytes": self.freed_bytes,
            "left": format_range(self.left),
        }


def delete_frames(store: Store, fingerprints: Mapping[int, str] | None) -> CleanupReport:
    """Delete frames, and the store with them when nothing else is in it.

    Parameters
    ----------
    store : Store
    fingerprints : mapping of int to str, or None
        Frames that may go: number -> fingerprint, as a verified movie shows them. A file
        goes only if its passport says both; links and folders never go. None: every frame that
        has a passport (the user forced it).

    Raises
    ------
    StoreError
        The folder cannot be written. Deleting again goes on.
    """
    deleted, freed = 0, 0
    try:
        folder = os.open(store.path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise StoreError(f"{store.path} cannot be opened: {error.strerror}") from None
    try:
        for number in store.numbers():
            if not _may_go(store, number, fingerprints):
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


def _may_go(store: Store, number: int, fingerprints: Mapping[int, str] | None) -> bool:
    info = png.inspect(store.frame_path(number))
    passport = read_passport(info.passport) if info else None
    if passport is None or passport[0] != number:
        return False
    return fingerprints is None or fingerprints.get(number) == passport[1]


def _remove_empty(store: Store) -> None:
    store.sweep()
    for path in (store.movies_file, store.job_file):
        path.unlink(missing_ok=True)
    _remove_logs(store)
    Shelf(store).clear()
    with contextlib.suppress(OSError):  # something of the user's is in it
        store.path.rmdir()


def _remove_logs(store: Store) -> None:
    """Logs of frames that failed, and their folder if nothing else is in it."""
    if store.logs.is_symlink():
        return
    with contextlib.suppress(OSError):
        ours = {path for path in store.logs.glob("frame_*.log") if _is_log(path)}
        for path in {*ours, *files.leftover_temporaries(store.logs)}:
            path.unlink(missing_ok=True)
        store.logs.rmdir()


def _is_log(path: Path) -> bool:
    return number_of(path.with_suffix(".png").name) is not None
