"""Finished segments of movies, kept in the store so that they need not be encoded again.

A segment's name contains digests of what it was made from (settings, then frames) and a signature over its
bytes: a damaged segment, or one that came with a store from elsewhere, is not used. Nothing depends on a
segment being present; two writers of one are harmless.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from framepipe.core import files, signing
from framepipe.job.fingerprint import digest_file
from framepipe.store.store import Store

_NAME = re.compile(r"([0-9a-f]{16})-([0-9a-f]{32})-([0-9a-f]{64})\.[a-z0-9]{2,5}")
_UNUSED_S = 86400.0
_MAX_BYTES = 100_000_000


@dataclass(frozen=True)
class Key:
    """The key of a segment: digests of its settings and of its frames; and its suffix."""

    settings: str
    frames: str
    suffix: str

    @property
    def stem(self) -> str:
        """The beginning of its file name."""
        return f"{self.settings[:16]}-{self.frames[:32]}"


class SegmentCache:
    """The segments of a store.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self.folder = store.path / "segments"
        self._listing: tuple[int, dict[tuple[str, str], list[Path]]] = (0, {})

    def get(self, key: Key, target: Path) -> bool:
        """Link or copy the segment of ``key`` to ``target``; False if there is none with our signature."""
        for path in self._by_key().get((key.stem, key.suffix), []):
            if _is_file(path):
                with contextlib.suppress(OSError):  # another process may delete it now
                    _link_or_copy(path, target)
                    if signing.is_valid(_facts(key, target), path.name.split("-")[2].partition(".")[0]):
                        return True
                    target.unlink()
                    path.unlink()
        return False

    def contents(self, suffix: str) -> Iterator[bytes]:
        """Yield the bytes of all files with this suffix and our signature."""
        for path in self._files():
            if path.suffix == suffix and _is_file(path):
                with contextlib.suppress(OSError):
                    data = files.read_file(path, _MAX_BYTES)
                    stem, _, signature = path.name.partition(".")[0].rpartition("-")
                    facts = {"segment": stem, "sha256": hashlib.sha256(data).hexdigest()}
                    if signing.is_valid(facts, signature):
                        yield data

    def has(self, keys: Collection[Key]) -> bool:
        """True if there is a file of one of these keys, with whatever signature."""
        by_key = self._by_key()
        return any((key.stem, key.suffix) in by_key for key in keys)

    def add(self, key: Key, segment: Path) -> None:
        """Add a segment; a failure is ignored."""
        signature = signing.sign(_facts(key, segment))
        if not signature or self.folder.is_symlink():  # a folder from elsewhere may point anywhere
            return
        with contextlib.suppress(OSError):
            self.folder.mkdir(exist_ok=True)
            for leftover in files.leftover_temporaries(self.folder):
                leftover.unlink(missing_ok=True)
            path = self.folder / f"{key.stem}-{signature}{key.suffix}"
            temporary = files.temporary_beside(path)
            try:
                _link_or_copy(segment, temporary)
                files.publish(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)

    def drop(self, keys: Iterable[Key]) -> None:
        """Delete the segments of these keys."""
        stems = {key.stem for key in keys}
        self._remove(path for path in self._files() if path.name.rpartition("-")[0] in stems)

    def prune(self, keys: Iterable[Key], stems: Iterable[str]) -> None:
        """Delete other segments of the same settings as ``keys``, and all that were unused for a day.

        Parameters
        ----------
        keys : iterable of Key
            The segments of the movie that was just built.
        stems : iterable of str
            Stems of the segments of other recorded movies.
        """
        stems_in_use, settings = {*stems}, set()
        for key in keys:
            stems_in_use.add(key.stem)
            settings.add(key.settings[:16])
        ages = {path: mtime_s for path in self._files() if (mtime_s := _mtime_s(path))}
        newest_s = max(ages.values(), default=0.0)  # the file system's clock, not ours
        self._remove(
            path
            for path, mtime_s in ages.items()
            if path.name.rpartition("-")[0] not in stems_in_use
            and (path.name[:16] in settings or newest_s - mtime_s > _UNUSED_S)
        )

    def clear(self) -> None:
        """Delete all segments, and the folder if nothing else is in it."""
        if self.folder.is_symlink():
            return
        self._remove([*self._files(), *files.leftover_temporaries(self.folder)])
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _by_key(self) -> dict[tuple[str, str], list[Path]]:
        """List the folder by key, unless it is as it was: a long movie has thousands of segments.

        One that another process adds at this moment may be omitted; then it is encoded here too.
        """
        try:
            mtime_ns = self.folder.stat().st_mtime_ns
        except OSError:
            return {}
        if self._listing[0] != mtime_ns:
            by_key: dict[tuple[str, str], list[Path]] = {}
            for path in self._files():
                by_key.setdefault((path.name.rpartition("-")[0], path.suffix), []).append(path)
            self._listing = mtime_ns, by_key
        return self._listing[1]

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


def _is_file(path: Path) -> bool:
    """True for regular files: a store from elsewhere may hold links, or pipes without an end."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _mtime_s(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def _facts(key: Key, path: Path) -> dict[str, str]:
    return {"segment": key.stem, "sha256": digest_file(path)}


def _link_or_copy(source: Path, target: Path) -> None:
    """Hard-link a file if the file system can, else copy it."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
