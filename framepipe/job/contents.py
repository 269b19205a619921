"""Digests of file contents, remembered so that an unchanged file is not read again."""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import os
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from framepipe.core import files
from framepipe.job.source_code import digest_source

_BLOCK = 1 << 20
_TRIES = 4
_ABSENT = (errno.ENOENT, errno.ENOTDIR)


def _ignore(_: int) -> None:
    """Ignore how many bytes were read."""


class FileDigests:
    """Digests of files by their content, remembered by size, modification time and inode.

    Parameters
    ----------
    remembered : mapping, optional
        The result of `remembered` in an earlier run. Invalid entries are ignored.
    """

    def __init__(self, remembered: Mapping[str, Any] | None = None) -> None:
        entries = remembered if isinstance(remembered, Mapping) else {}
        self._entries = {path: list(entry) for path, entry in entries.items() if _is_entry(entry)}
        self._used: set[str] = set()

    @classmethod
    def used(cls, remembered: Mapping[str, Any]) -> FileDigests:
        """Return the digests that another process has used and remembered."""
        digests = cls()
        digests.learn(remembered)
        return digests

    def of(
        self,
        path: str | os.PathLike[str],
        *,
        source: bool | None = None,
        on_bytes: Callable[[int], None] = _ignore,
    ) -> str:
        """Return the digest of a file.

        Parameters
        ----------
        path : str or path-like
            A file, or a folder, which counts by the names and contents of all files below it.
        source : bool, optional
            Digest as Python source: comments and white space do not count. Default: for ``.py`` files.
        on_bytes : callable
            Called with how many bytes more have been read of a file, if it has to be read.

        Returns
        -------
        str
            SHA-256 in hex; ``"absent"``, ``"unreadable"``, ``"no regular file"``; or ``"changing at …"``,
            unequal to all later digests, for a file that changed each time while it was read.
        """
        place = os.path.abspath(path)
        try:
            state = Path(place).stat()
            if stat.S_ISDIR(state.st_mode):
                return self._of_folder(place)
            return self._of_file(place, place.endswith(".py") if source is None else source, on_bytes)
        except OSError as error:
            return "absent" if error.errno in _ABSENT else "unreadable"

    def of_all(self, paths: Iterable[str | os.PathLike[str]]) -> dict[str, str]:
        """Return the digest of each file, by its path as passed."""
        return {os.fspath(path): self.of(path) for path in paths}

    def knows(self, path: str | os.PathLike[str]) -> bool:
        """True if a file need not be read to return the digest of its bytes."""
        place = os.path.abspath(path)
        entry = self._entries.get(place)
        try:
            return entry is not None and entry[:-1] == [*_identity(Path(place).stat()), "bytes"]
        except OSError:
            return False

    def entries(self) -> dict[str, list[Any]]:
        """Return all remembered entries, used or not, for another process."""
        return dict(self._entries)

    def learn(self, remembered: Mapping[str, Any]) -> None:
        """Add entries that another process has remembered."""
        for path, entry in remembered.items():
            if _is_entry(entry):
                self._entries[path] = list(entry)
                self._used.add(path)

    def remembered(self) -> dict[str, list[Any]]:
        """Return the entries of the files passed to `of`, for the next run; they can be stored as JSON."""
        return {path: self._entries[path] for path in sorted(self._used) if path in self._entries}

    def _of_file(self, path: str, source: bool, on_bytes: Callable[[int], None] = _ignore) -> str:
        kind = "source" if source else "bytes"
        self._used.add(path)
        for _ in range(_TRIES):
            state = Path(path).stat()
            if not stat.S_ISREG(state.st_mode):
                return "no regular file"
            entry = [*_identity(state), kind]
            earlier = self._entries.get(path)
            if earlier is not None and earlier[:-1] == entry:
                return str(earlier[-1])
            began = time.time_ns()
            digest = _digest(path, state, source, on_bytes)
            if digest is not None:
                self._entries.pop(path, None)
                if state.st_mtime_ns + files.RACY_NS < began:
                    self._entries[path] = [*entry, digest]
                return digest
        return f"changing at {time.time_ns()}"

    def _of_folder(self, folder: str) -> str:
        sha = hashlib.sha256()
        for below, folders, names in os.walk(
            folder
        ):  # links to folders are not followed: they may form cycles
            folders.sort()
            for name in sorted(names):
                place = os.path.join(below, name)
                text = f"{os.path.relpath(place, folder)}\0{self.of(place, source=False)}\n"
                sha.update(text.encode("utf-8", "surrogateescape"))
        return sha.hexdigest()


def _is_entry(entry: Any) -> bool:
    """True for size, modification time, inode, "bytes" or "source", digest."""
    if not isinstance(entry, (list, tuple)) or len(entry) != 5:
        return False
    return all(type(item) is int for item in entry[:3]) and all(type(item) is str for item in entry[3:])


def _identity(state: os.stat_result) -> list[int]:
    return [state.st_size, state.st_mtime_ns, state.st_ino]


def _digest(path: str, before: os.stat_result, source: bool, on_bytes: Callable[[int], None]) -> str | None:
    """Digest the file that ``before`` describes; None if it is another file now, or changed meanwhile."""
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    # O_NONBLOCK: a FIFO may have replaced the file since os.stat
    number = os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    with os.fdopen(number, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            return None
        sha = hashlib.sha256()
        text = bytearray()
        while block := file.read(_BLOCK):
            if source:
                text += block
            else:
                sha.update(block)
            on_bytes(len(block))
        same = _identity(os.fstat(number)) == _identity(Path(path).stat()) == _identity(before)
    if not same:
        return None
    return digest_source(source_text(bytes(text))) if source else sha.hexdigest()


def source_text(data: bytes) -> str:
    """Decode Python source in the encoding that it declares, or as Latin-1 if that fails."""
    try:
        return importlib.util.decode_source(data)
    except (SyntaxError, UnicodeError, LookupError):
        return data.decode("latin-1")


def digest_env(names: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of each environment variable, by its name; "absent" if it is not set."""
    return {
        name: hashlib.sha256(os.environ[name].encode("utf-8", "surrogateescape")).hexdigest()
        if name in os.environ
        else "absent"
        for name in names
    }
