"""Read large input files before the scene is loaded: with progress, and only if their digest is not known."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from framepipe.core.control import Control
from framepipe.job.contents import FileDigests

#: Reading a file of this size may take seconds.
_LARGE_BYTES = 500_000_000
_MB = 1_000_000


def read_large(inputs: Iterable[str | os.PathLike[str]], digests: FileDigests, control: Control) -> None:
    """Digest the large files of a job's inputs, so that loading the scene does not do it in silence.

    Parameters
    ----------
    inputs : iterable of path-like
        Files and folders.
    digests : FileDigests
        Those that are known; it learns the others.
    control : Control

    Raises
    ------
    Interrupted
    """
    for path, size_bytes in _large(map(Path, inputs)):
        if not digests.knows(path):
            _read(path, size_bytes, digests, control)


def _read(path: Path, size_bytes: int, digests: FileDigests, control: Control) -> None:
    total, done = max(1, size_bytes // _MB), 0

    def count(more: int) -> None:
        nonlocal done
        before, done = done, done + more
        if done // _MB != before // _MB:
            control.check(f"reading {path}", "finished frames are")
            control.tell("read", min(done // _MB, total - 1), total, label=path.name)

    control.tell("read", 0, total, label=path.name)
    digests.of(path, source=False, on_bytes=count)
    control.tell("read", total, total, label=path.name)


def _large(inputs: Iterable[Path]) -> Iterator[tuple[Path, int]]:
    for path in inputs:
        for each in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if each.is_file() and (size_bytes := each.stat().st_size) >= _LARGE_BYTES:
                yield each, size_bytes
