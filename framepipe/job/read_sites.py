"""Where in the program a file is read: by the functions on the stack, of the user, of libraries, our own."""

from __future__ import annotations

import functools
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from framepipe.job.places import OWN, is_below, is_installed

#: Where a file was opened: file, first line and instruction of each function on the stack, innermost first.
Site = tuple[tuple[str, int, int], ...]
#: The modules that record reads, which are on the stack themselves.
_RECORDING = {str(Path(__file__).with_name(f"{name}.py")) for name in ("reads", "read_hook", "c_readers")}
#: matplotlib's function that reads all fonts, where no earlier process has kept the list of them. It decides
#: nothing: a font that is used is read again.
_FONT_LIST = "_load_fontmanager"


class Access(NamedTuple):
    """How something is read.

    Attributes
    ----------
    site : Site
        The user's functions on the stack; all functions if there is none.
    is_cached : bool
        By a function that caches its results, or by code not called from the user's.
    is_own : bool
        It decides nothing: framepipe reads for itself, or matplotlib lists all fonts.
    """

    site: Site
    is_cached: bool
    is_own: bool


class Stacks:
    """Finds where in the program something happens, by the functions on the stack."""

    def __init__(self) -> None:
        self._rooms: dict[str, str] = {}
        self._cached: dict[int, tuple[types.CodeType, bool]] = {}  # holds the code, so that no id is reused

    def access(self) -> Access:
        """Return where and how something is read now."""
        users: list[tuple[str, int, int]] = []
        every: list[tuple[str, int, int]] = []
        cached, first = False, ""
        frame: types.FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_name == _FONT_LIST and frame.f_code.co_filename.endswith("font_manager.py"):
                return Access((), is_cached=False, is_own=True)
            room = self._room(frame.f_code.co_filename)
            if room != "hook":
                place = (frame.f_code.co_filename, frame.f_code.co_firstlineno, frame.f_lasti)
                every.append(place)
                if room == "user":
                    users.append(place)
                if room != "library":
                    first = first or room
                cached = cached or self._is_cached(frame)
            frame = frame.f_back
        return Access(tuple(users or every), cached or not users, first == "own")

    def _room(self, filename: str) -> str:
        room = self._rooms.get(filename)
        if room is None:
            room = self._rooms[filename] = _room_of(filename)
        return room

    def _is_cached(self, frame: types.FrameType) -> bool:
        """True if the frame is a call of a function that caches its results."""
        code = frame.f_code
        if id(code) not in self._cached:
            spaces = [frame.f_globals]
            if "<locals>" in getattr(code, "co_qualname", "<locals>") and frame.f_back is not None:
                spaces.append(frame.f_back.f_locals)  # an inner function is a local of its caller
            wrapped = (_cached_code(value) for space in spaces for value in _values_of(space))
            self._cached[id(code)] = (code, any(each is code for each in wrapped))
        return self._cached[id(code)][1]


#: framepipe's folders that draw with matplotlib, which then opens fonts; all others read for framepipe
#: itself: frames of data, which count by their values, and files for their digests.
_DRAWING = ("scenes", "integrations")


def _room_of(filename: str) -> str:
    if filename.startswith(("<frozen ", "<__array")):
        return "library"
    if filename.startswith("<"):  # typed in, or made by exec
        return "user"
    if filename in _RECORDING or filename == __file__:
        return "hook"
    place = os.path.realpath(filename)
    if is_below(place, OWN):
        return "drawing" if any(is_below(place, os.path.join(OWN, each)) for each in _DRAWING) else "own"
    return "library" if is_installed(os.path.abspath(filename)) else "user"


def _values_of(space: dict[str, Any]) -> Iterator[Any]:
    for value in list(space.values()):
        yield value
        if isinstance(value, type):
            yield from list(vars(value).values())


def _cached_code(value: Any) -> types.CodeType | None:
    """Return the code whose results ``value`` caches: a `functools.lru_cache`, cachetools, joblib."""
    kind = type(value)
    if isinstance(value, (staticmethod, classmethod)):
        value, kind = value.__func__, type(value.__func__)
    if kind is functools._lru_cache_wrapper:
        inner = value.__wrapped__
    elif kind is types.FunctionType and {"cache", "cache_clear", "cache_info"} & value.__dict__.keys():
        inner = value.__dict__.get("__wrapped__")
    elif kind.__name__ == "MemorizedFunc":
        inner = getattr(value, "func", None)
    else:
        return None
    code = getattr(inner, "__code__", None)
    return code if isinstance(code, types.CodeType) else None
