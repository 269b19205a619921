"""Looks at many frames: in threads where the file system is slow, and again only at what has changed."""

from __future__ import annotations

import bisect
import contextlib
import hashlib
import json
import os
import sys
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from framepipe.core import files
from framepipe.core.signing import state_folder
from framepipe.store.status import FrameState

T = TypeVar("T")

#: Files are looked at one after the other until this many have shown how long one takes.
_TIMED = 64
#: Above this time for one (s) it is waited for, by a network or a disk: threads wait together.
_SLOW_S = 0.0004
_THREADS, _CHUNK, _WINDOW = 16, 32, 4096
_MAX_BYTES = 1 << 30


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
    state : FrameState or None
        The whole state, where that is remembered too.
    """

    shape: tuple[Any, ...]
    reads: Mapping[str, str]
    size_bytes: int
    state: FrameState | None = None


class Memory(Protocol):
    """What a scan need not look into: frames that were done, by the versions of their files."""

    def recall(self, number: int, version: files.Version) -> Known | None:
        """Return what is known of a frame whose file is as it was; None if it is not."""

    def keep(self, number: int, version: files.Version, known: Known) -> None:
        """Remember a frame that is done."""

    def write(self) -> None:
        """Write what is known now."""


class StatusMemory:
    """Remembers which frames of a store were done, by the versions of their files, for the next `status`.

    It is a file of this account's (``$XDG_STATE_HOME/framepipe``), not of the store, which may come from
    elsewhere: a line of JSON, then 56 bytes for each frame. Nothing but `status` uses it: what goes into a
    movie is looked at anew.

    Parameters
    ----------
    store : Path
    key : str
        Digest of all but the frame itself that decides whether it is done.
    """

    def __init__(self, store: Path, key: str) -> None:
        self._path, self._key = _file_for(store), key
        self._before, self._now = _Rows(), _Rows()
        self._load()
        self._began_ns = time.time_ns()

    def _load(self) -> None:
        if self._path is None:
            return
        try:
            data = files.read_file(self._path, _MAX_BYTES)
            line, _, rows = data.partition(b"\n")
            head = json.loads(line)
            if head["key"] == self._key and head["byteorder"] == sys.byteorder:
                shapes = [(*size, tuple(ground) if ground else None) for *size, ground in head["shapes"]]
                self._before.fill(shapes, head["reads"], rows)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            self._before = _Rows()

    def recall(self, number: int, version: files.Version) -> Known | None:
        """Return what is known of a frame whose file is as it was; None if it is not."""
        return self._before.find(number, version)

    def keep(self, number: int, version: files.Version, known: Known) -> None:
        """Remember a frame that is done."""
        if files.is_settled(version, self._began_ns):
            self._now.add(number, version, known)

    def write(self) -> None:
        """Write what is known now; a failure is ignored."""
        if self._path is None or self._now == self._before:
            return
        head: dict[str, Any] = {"key": self._key, "byteorder": sys.byteorder}
        head |= {"shapes": self._now.shapes, "reads": self._now.reads}
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            line = json.dumps(head, separators=(",", ":")).encode()
            files.write_atomic(self._path, b"".join((line, b"\n", self._now.packed())), mode=0o600)


class _Rows:
    """What is known of frames, by number: of a million in 56 MB.

    A row is the number, the file's version, the place of its shape, and that of what it was drawn from.

    Attributes
    ----------
    shapes, reads : list
        Those that occur, each once.
    """

    _WIDTH = 7

    def __init__(self) -> None:
        self.shapes: list[tuple[Any, ...]] = []
        self.reads: list[Mapping[str, str]] = []
        self._places: dict[str, int] = {}
        self._numbers, self._rest = array("q"), array("q")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Rows):
            return NotImplemented
        return vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def fill(self, shapes: list[tuple[Any, ...]], reads: list[Mapping[str, str]], packed: bytes) -> None:
        """Take the rows that `packed` returned.

        Raises
        ------
        ValueError
            They are none.
        """
        for shape in shapes:
            _place(self.shapes, shape, self._places)
        for each in reads:
            _place(self.reads, each, self._places)
        count, more = divmod(len(packed), self._WIDTH * self._numbers.itemsize)
        if more:
            raise ValueError("rows")
        edge = count * self._numbers.itemsize
        self._numbers.frombytes(memoryview(packed)[:edge])
        self._rest.frombytes(memoryview(packed)[edge:])

    def packed(self) -> bytes:
        """Return all rows: first the numbers, rising, then the rest of each."""
        return self._numbers.tobytes() + self._rest.tobytes()

    def add(self, number: int, version: files.Version, known: Known) -> None:
        """Add the row of a frame; it is looked up quickly if numbers rise."""
        row = [*map(_signed, version), _place(self.shapes, known.shape, self._places)]
        row.append(_place(self.reads, known.reads, self._places))
        at = len(self._numbers)
        if at and number <= self._numbers[-1]:
            at = bisect.bisect_left(self._numbers, number)
        self._numbers.insert(at, number)
        self._rest[at * len(row) : at * len(row)] = array("q", row)

    def find(self, number: int, version: files.Version) -> Known | None:
        """Return what is known of a frame if its file has this version."""
        at, width = bisect.bisect_left(self._numbers, number), self._WIDTH - 1
        if at == len(self._numbers) or self._numbers[at] != number:
            return None
        *version_then, shape, reads = self._rest[at * width : (at + 1) * width]
        if version_then != [*map(_signed, version)]:
            return None
        try:
            return Known(self.shapes[shape], self.reads[reads], version[0])
        except IndexError:
            return None


def _place(things: list[Any], thing: Any, places: dict[str, int]) -> int:
    """Return the place of a thing in a list, to which it is added unless it is there."""
    if things and things[-1] == thing:  # as that of most frames
        return len(things) - 1
    text = f"{type(thing).__name__}{json.dumps(thing, sort_keys=True)}"
    if text not in places:
        things.append(thing)
        places[text] = len(things) - 1
    return places[text]


def _signed(number: int) -> int:
    """Fit an inode of 64 bits into a signed number of 64."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def _file_for(store: Path) -> Path | None:
    """Return the file about a store; None for an account without a home."""
    try:
        return state_folder() / f"status-{hashlib.sha256(os.fsencode(store)).hexdigest()[:24]}"
    except RuntimeError:
        return None
