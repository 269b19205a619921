"""Digests of values by their structure: the same for equal ones in another process, under another hash seed.

Arrays are hashed whole, never by an abbreviated ``repr``.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import marshal
import types
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from framepipe.job.anatomy import attributes, has_known_position, parts_of

#: Depth to which nested values are hashed recursively; deeper ones are hashed afterwards, so that the digest
#: does not depend on Python's recursion limit, of which the caller may have used any part.
_DEPTH = 40
#: Larger arrays are sampled where only changes matter.
_LARGE_BYTES = 64 << 20
_SAMPLES = 1_000_000
NUMBERS = {bool, int, float, complex, type(None)}
#: Marks for files whose position is unknown: each differs from all before.
_unique_marks = itertools.count()


class ValueDigester(ABC):
    """Digests the parts of one value, each object once, however often it is referred to.

    Parameters
    ----------
    state : bool, default: False
        Detect changes only: code does not count, and large arrays count by evenly spread elements.

    Attributes
    ----------
    is_state : bool
    kinds : dict
        Classes of the objects, in order of first occurrence.
    """

    def __init__(self, *, state: bool = False) -> None:
        self.is_state = state
        self._digests: dict[int, tuple[Any, str]] = {}  # holds the objects, so that no id is reused
        self._in_progress: set[int] = set()
        self._depth = 0
        self._deeper: list[Any] = []
        self._places: dict[int, int] = {}  # positions in `_deeper`, by id
        self.kinds: dict[type, None] = {}

    def whole(self, value: Any) -> str:
        """Digest ``value`` as a whole, however deep it is."""
        try:
            digests = [self.digest(value)]
            for deeper in self._deeper:  # it grows meanwhile
                digests.append(self.digest(deeper, follow=True))
        except RecursionError:
            digests = [hashlib.sha256(f"{type(value)} nested too deeply".encode()).hexdigest()]
        if self._deeper:  # the cached digests lack what is deeper
            self._digests, self._deeper, self._places = {}, [], {}
        return digests[0] if len(digests) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()

    @abstractmethod
    def parts_of_function(self, function: Any) -> list[Any]:
        """Return what counts of a function: its code and what that refers to."""

    def digest(self, value: Any, follow: bool = False) -> str:
        """Digest ``value``; an object that contains itself counts there as a mark."""
        if id(value) in self._digests:
            return self._digests[id(value)][1]
        if id(value) in self._in_progress:
            return "<cycle>"
        if self._depth == _DEPTH and id(value) not in self._places:
            self._places[id(value)] = len(self._deeper)
            self._deeper.append(value)
        if id(value) in self._places and not follow:
            return f"<deeper {self._places[id(value)]}>"
        self._in_progress.add(id(value))
        self._depth += 1
        sha = hashlib.sha256()
        try:
            self._feed(value, sha)
        except RecursionError:
            raise
        except Exception:  # whatever a foreign class raises when it is inspected
            sha = hashlib.sha256(f"{type(value)} cannot be read".encode())
        finally:
            self._in_progress.discard(id(value))
            self._depth -= 1
        self._digests[id(value)] = (value, sha.hexdigest())
        return sha.hexdigest()

    def _feed(self, value: Any, sha: Any) -> None:
        kind = type(value)
        sha.update(f"{kind.__module__}.{kind.__qualname__}:".encode())
        if kind.__module__ != "builtins":
            self.kinds[kind] = None
        if value is None or isinstance(value, (bool, int, float, complex, str)):
            sha.update(repr(value).encode("utf-8", "surrogatepass") + b";")
        elif isinstance(value, (bytes, bytearray, memoryview)):
            data = bytes(value)
            sha.update(len(data).to_bytes(8, "big") + data)
        elif (parts := parts_of(value)) is not None:
            self._feed_each(parts, sha)
            if self.is_state and not has_known_position(value):
                sha.update(f"{next(_unique_marks)}".encode())
        elif isinstance(value, (list, tuple)):
            self._feed_each(value, sha)
        elif isinstance(value, Mapping):  # in its order: a bar chart draws it so
            self._feed_each([item for pair in value.items() for item in pair], sha)
        elif isinstance(value, (set, frozenset)):
            sha.update("".join(sorted(self.digest(item) for item in value)).encode())
        elif _is_array(value):
            self._feed_array(value, sha)
        elif isinstance(value, (types.FunctionType, types.MethodType, functools.partial)):
            self._feed_each(self.parts_of_function(value), sha)
        elif isinstance(value, (type, types.ModuleType)):
            sha.update(f"{getattr(value, '__module__', '')}.{value.__name__}".encode())
            if isinstance(value, type):
                self.kinds[value] = None
        else:
            self._feed_object(value, sha)

    def _feed_each(self, items: Sequence[Any], sha: Any) -> None:
        sha.update(len(items).to_bytes(8, "big"))
        if len(items) > 100 and set(map(type, items)) <= NUMBERS:
            sha.update(b"numbers:" + marshal.dumps(list(items), 2))  # 2: by value, without references
            return
        for item in items:
            if item is None or isinstance(item, (bool, int, float, complex, str)):
                self._feed(item, sha)
            else:
                sha.update(self.digest(item).encode())

    def _feed_array(self, value: Any, sha: Any) -> None:
        import numpy as np

        array = np.asarray(value)
        kind = array.dtype.descr if array.dtype.names else array.dtype.str
        sha.update(f"{kind}{array.shape}".encode())
        if self.is_state and array.nbytes > _LARGE_BYTES and array.size > _SAMPLES:
            array = array.flat[:: _step(array.size)]
        if array.dtype.hasobject:
            self._feed_each([array.tolist()], sha)
        elif array.size:
            sha.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        if isinstance(value, np.ma.MaskedArray):
            self._feed_array(np.ma.getmaskarray(value), sha)
        elif (
            isinstance(value, np.ndarray) and not isinstance(value, np.memmap) and hasattr(value, "__dict__")
        ):
            self._feed_each([vars(value)], sha)  # units and the like of a subclass
        if isinstance(getattr(value, "dims", None), tuple):  # xarray.Variable, in every DataArray and Dataset
            # Not its pickled state, as for objects: printing one changes its encoding from None to {}.
            self._feed_each([value.dims, getattr(value, "attrs", None)], sha)

    def _feed_object(self, value: Any, sha: Any) -> None:
        """Digest an object as pickle takes it apart (`object.__reduce_ex__`)."""
        if (function := function_within(value)) is not None:
            self._feed_each([function], sha)
            return
        try:
            reduced = value.__reduce_ex__(4)
        except Exception:  # whatever a foreign class raises that cannot be pickled
            self._feed_each([attributes(value)], sha)
            return
        if isinstance(reduced, str):
            sha.update(reduced.encode())
            return
        constructor, arguments, *state = reduced
        sha.update(f"{getattr(constructor, '__qualname__', type(constructor))}".encode())
        items = [list(part) if isinstance(part, Iterator) else part for part in state[1:3]]
        self._feed_each([arguments, *state[:1], *items], sha)


def _step(size: int) -> int:
    """Return the distance between samples: a prime, so that they reach each column of a table."""
    step = size // _SAMPLES + 1
    while any(step % each == 0 for each in range(2, int(step**0.5) + 1)):
        step += 1
    return step


def function_within(value: Any) -> types.FunctionType | None:
    """Return the Python function behind a compiled or decorated one (numba, jax)."""
    for name in ("__wrapped__", "py_func"):
        try:
            inner = getattr(value, name, None)
        except Exception:  # whatever a foreign class raises on attribute access
            return None
        if type(inner) is types.FunctionType:
            return inner
    return None


def _is_array(value: Any) -> bool:
    """True for arrays that are nothing but their elements; labelled ones (pandas, xarray) are objects."""
    is_labelled = hasattr(value, "index") or hasattr(value, "coords")
    return hasattr(value, "dtype") and hasattr(value, "__array__") and not is_labelled
