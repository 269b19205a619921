"""Looks at many frames: in threads where the file system is slow, and again only at what has changed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from framepipe.core import files
from framepipe.core.signing import state_folder

T = TypeVar("T")

#: Files are looked at one after the other until this many have shown how long one takes.
_TIMED = 64
#: Above this time for one (s) it is waited for, by a network or a disk: threads wait together.
_SLOW_S = 0.0004
_THREADS, _CHUNK, _WINDOW = 16, 32, 4096
_MAX_BYTES = 256_000_000


def look_at_all(numbers: Sequence[int], look: Callable[[int], T]) -> Iterator[tuple[int, T]]:
    """Yield each number with the result of ``look``, in order; in threads if looking takes long.

    Parameters
    ----------
    numbers : sequence of int
    look : callable
        It must be safe to call it in threads.
    """
    rest = iter(numbers)
    began = time.perf_counter()
    for number in islice(rest, _TIMED):
        yield number, look(number)
    if (time.perf_counter() - began) / _TIMED < _SLOW_S:
        for number in rest:
            yield number, look(number)
        return
    pool = ThreadPoolExecutor(_THREADS)
    try:
        while window := list(islice(rest, _WINDOW)):  # not all at once: results wait in memory
            chunks = [window[at : at + _CHUNK] for at in range(0, len(window), _CHUNK)]
            for chunk, results in zip(chunks, pool.map(lambda each: [look(n) for n in each], chunks)):
                yield from zip(chunk, results)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class Known(NamedTuple):
    """What is remembered of a frame that was done.

    Attributes
    ----------
    shape : tuple
        Width, height, mode and background.
    reads : dict of str to str
        Files that it was drawn from, and their digests.
    size_bytes : int
    """

    shape: tuple[Any, ...]
    reads: Mapping[str, str]
    size_bytes: int


class StatusMemory:
    """Remembers which frames of a store were done, by size, times and inode, for the next `status`.

    It is a file of this account's (``$XDG_STATE_HOME/framepipe``), not of the store, which may come from
    elsewhere. Nothing but `status` uses it: what goes into a movie is looked at anew.

    Parameters
    ----------
    store : Path
    key : str
        Digest of all but the frame itself that decides whether it is done.
    """

    def __init__(self, store: Path, key: str) -> None:
        self._path, self._key = _file_for(store), key
        self._shapes: list[tuple[Any, ...]] = []
        self._reads: list[Mapping[str, str]] = []
        self._places: dict[str, int] = {}
        self._before = self._load()
        self._now: dict[str, list[int]] = {}
        self._began_ns = time.time_ns()

    def _load(self) -> dict[str, list[int]]:
        if self._path is None:
            return {}
        try:
            data = json.loads(files.read_file(self._path, _MAX_BYTES))
            if data["key"] != self._key:
                return {}
            frames = data["frames"]
            for shape in data["shapes"]:
                *size, background = shape
                self._place(self._shapes, (*size, tuple(background) if background else None))
            for reads in data["reads"]:
                self._place(self._reads, reads)
            return frames if isinstance(frames, dict) else {}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return {}

    def recall(self, number: int, state: os.stat_result) -> Known | None:
        """Return what is known of a frame whose file is as it was; None if it is not."""
        entry = self._before.get(str(number))
        if entry is None or entry[:4] != [*files.version_of(state)]:
            return None
        try:
            known = Known(self._shapes[entry[4]], self._reads[entry[5]], entry[0])
        except (IndexError, TypeError):
            return None
        self._now[str(number)] = entry
        return known

    def keep(self, number: int, state: os.stat_result, known: Known) -> None:
        """Remember a frame that is done."""
        version = files.version_of(state)
        if files.is_settled(version, self._began_ns):
            shape = self._place(self._shapes, known.shape)
            self._now[str(number)] = [*version, shape, self._place(self._reads, known.reads)]

    def _place(self, things: list[Any], thing: Any) -> int:
        text = f"{things is self._reads}{json.dumps(thing, sort_keys=True)}"
        if text not in self._places:
            things.append(thing)
            self._places[text] = len(things) - 1
        return self._places[text]

    def write(self) -> None:
        """Write what is known now; a failure is ignored."""
        if self._path is None or self._now == self._before:
            return
        data = {"key": self._key, "shapes": self._shapes, "reads": self._reads, "frames": self._now}
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            files.write_atomic(self._path, json.dumps(data, separators=(",", ":")).encode(), mode=0o600)


def _file_for(store: Path) -> Path | None:
    """Return the file about a store; None for an account without a home."""
    try:
        return state_folder() / f"status-{hashlib.sha256(os.fsencode(store)).hexdigest()[:24]}.json"
    except RuntimeError:
        return None
