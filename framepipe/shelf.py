"""Finished segments of movies, kept in the store so that they need not be encoded again.

A segment's name says what it was made from (settings, then frames) and carries a seal over its bytes: one
that is damaged, or that came with a store from elsewhere, is not used. Nothing depends on a segment being
there; two writers of one are harmless.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from framepipe import files
from framepipe.fingerprint import digest_file
from framepipe.store import Store
from framepipe.trust import is_ours, seal

_NAME = re.compile(r"([0-9a-f]{16})-([0-9a-f]{32})-([0-9a-f]{64})\.[a-z0-9]{2,5}")
_UNUSED_S = 86400.0


@dataclass(frozen=True)
class Key:
    """What a segment is made from: digests of the settings and of the frames; and its suffix."""

    settings: str
    frames: str
    suffix: str

    @property
    def stem(self) -> str:
        """What its name begins with."""
        return f"{self.settings[:16]}-{self.frames[:32]}"


class Shelf:
    """The segments of a store.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self.folder = store.path / "segments"

    def take(self, key: Key, target: Path) -> bool:
        """Put the segment of ``key`` under another name, if there is one that this account made."""
        for path in self._files():
            if path.name.startswith(f"{key.stem}-") and path.suffix == key.suffix:
                with contextlib.suppress(OSError):  # another process may drop it now
                    _link_or_copy(path, target)
                    if is_ours(_facts(key, target), path.name.split("-")[2].partition(".")[0]):
                        return True
                    target.unlink()
                    path.unlink()
        return False

    def put(self, key: Key, made: Path) -> None:
        """Keep a segment. It is no error if that cannot be done."""
        sealed = seal(_facts(key, made))
        if not sealed or self.folder.is_symlink():  # a folder from elsewhere may point anywhere
            return
        with contextlib.suppress(OSError):
            self.folder.mkdir(exist_ok=True)
            for leftover in files.leftover_temporaries(self.folder):
                leftover.unlink(missing_ok=True)
            path = self.folder / f"{key.stem}-{sealed}{key.suffix}"
            temporary = files.temporary_beside(path)
            try:
                _link_or_copy(made, temporary)
                files.publish(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)

    def drop(self, keys: Iterable[Key]) -> None:
        """Forget these."""
        stems = {key.stem for key in keys}
        self._remove(path for path in self._files() if path.name.rpartition("-")[0] in stems)

    def keep_only(self, keys: Iterable[Key], stems: Iterable[str]) -> None:
        """Forget the others of the same settings as ``keys``, and all that lay unused for a day.

        Parameters
        ----------
        keys : iterable of Key
            Of the movie that was just built.
        stems : iterable of str
            Of other movies that are still known.
        """
        wanted, settings = {*stems}, set()
        for key in keys:
            wanted.add(key.stem)
            settings.add(key.settings[:16])
        ages = {path: mtime_s for path in self._files() if (mtime_s := _mtime_s(path))}
        newest_s = max(ages.values(), default=0.0)  # the file system's clock, not ours
        self._remove(
            path
            for path, mtime_s in ages.items()
            if path.name.rpartition("-")[0] not in wanted
            and (path.name[:16] in settings or newest_s - mtime_s > _UNUSED_S)
        )

    def clear(self) -> None:
        """Forget all, and remove the folder if nothing else is in it."""
        if self.folder.is_symlink():
            return
        self._remove([*self._files(), *files.leftover_temporaries(self.folder)])
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _files(self) -> list[Path]:
        if self.folder.is_symlink() or not self.folder.is_dir():
            return []
        with contextlib.suppress(OSError):
            return [path for path in self.folder.iterdir() if _NAME.fullmatch(path.name)]
        return []

    @staticmethod
    def _remove(paths: Iterable[Path]) -> None:
        for path in paths:
            with contextlib.suppress(OSError):
                path.unlink()


def _mtime_s(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def _facts(key: Key, path: Path) -> dict[str, str]:
    return {"segment": key.stem, "sha256": digest_file(path)}


def _link_or_copy(source: Path, target: Path) -> None:
    """A second name for the same file where the file system can, else a copy."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
