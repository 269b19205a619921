"""What has changed in a folder since the last look, at the price of one `stat` if nothing has."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

#: Two changes within this time can leave the folder's time as it is (FAT: 2 s).
_RACY_NS = 2_000_000_000


@dataclass(frozen=True)
class Changes:
    """Names in a folder that were added or replaced, and names that are gone."""

    written: Set[str] = frozenset()
    gone: Set[str] = frozenset()


class Folder:
    """A folder whose files are replaced by renaming: a file that is replaced has another inode then.

    So neither files are opened, nor looked at one by one: a listing has names and inodes.

    Parameters
    ----------
    path : Path
    follow : bool
        It may be a link. One in a store from elsewhere leads anywhere.
    """

    def __init__(self, path: Path, *, follow: bool = False) -> None:
        self.path, self._follow = path, follow
        self._inodes: dict[str, int] = {}
        self._listed_at: tuple[int, int] | None = None
        self._may_be_racy = True

    def changes(self) -> Changes:
        """Return what has changed since the last call; the first one finds all files new."""
        try:
            state = self.path.stat(follow_symlinks=self._follow)
        except OSError:
            return self._compare({}, None)
        if not stat.S_ISDIR(state.st_mode):
            return self._compare({}, None)
        at = state.st_mtime_ns, state.st_ino
        if at == self._listed_at and not self._may_be_racy:
            return Changes()
        self._may_be_racy = state.st_mtime_ns + _RACY_NS > time.time_ns()
        try:
            with os.scandir(self.path) as entries:
                return self._compare({entry.name: entry.inode() for entry in entries}, at)
        except OSError:
            return self._compare({}, None)

    def _compare(self, now: dict[str, int], at: tuple[int, int] | None) -> Changes:
        before, self._inodes, self._listed_at = self._inodes, now, at
        return Changes({name for name, _ in now.items() - before.items()}, before.keys() - now.keys())
