"""Which frames: numbers, values, and the film world's frame ranges (``0-299x5``)."""

from __future__ import annotations

import contextlib
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import fileseq

from framepipe.errors import FrameRangeError, UsageError

Extent = Literal["fixed", "growing", "recorded"]
MOST = 10_000_000
_DIGITS = 20
_FILE = re.compile(r"frame_(-?\d{5,})\.png")


def file_name(number: int) -> str:
    """The file of frame ``number``: at least six digits, so that names sort like numbers.

    >>> file_name(137)
    'frame_000137.png'
    """
    return f"frame_{number:06d}.png"


def number_of(name: str) -> int | None:
    """The number in a frame's file name, None for any other name.

    >>> number_of("frame_000137.png"), number_of("frame_137.png")
    (137, None)
    """
    match = _FILE.fullmatch(name)
    if match is None:
        return None
    number = int(match[1])
    return number if file_name(number) == name else None


def parse_range(text: str) -> list[int]:
    """Numbers of a frame range, in its order.

    Parameters
    ----------
    text : str
        ``0-299``, ``0-299x5`` (every fifth), ``1-10,20-30``, ``5-1`` (backwards), ``1-100:10``
        (staggered): the grammar of the library fileseq.

    Raises
    ------
    FrameRangeError
        It does not parse, is empty, or has more than ten million frames.

    >>> parse_range("0-20x5,30")
    [0, 5, 10, 15, 20, 30]
    """
    try:
        numbers = list(fileseq.FrameSet(text))
    except Exception as error:  # fileseq raises its own and Python's
        reason = str(error).splitlines()[0].rstrip(": ")
        raise FrameRangeError(
            f"frame range {text!r} does not parse ({reason}). Examples: 0-299  0-299x5  1-10,20-30"
        ) from None
    if not numbers or not all(isinstance(number, int) for number in numbers):
        raise FrameRangeError(
            f"frame range {text!r} has no whole numbers. Examples: 0-299  0-299x5  1-10,20-30"
        )
    return numbers


def format_range(numbers: Iterable[int]) -> str:
    """Numbers as a short, sorted frame range.

    >>> format_range([3, 0, 1, 2, 8])
    '0-3,8'
    """
    parts: list[str] = []
    run: list[int] = []
    for number in [*sorted(set(numbers)), None]:
        if run and (number is None or number != run[-1] + 1):
            parts.append(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}")
            run = []
        if number is not None:
            run.append(number)
    return ",".join(parts)


@dataclass(frozen=True)
class Frames:
    """The plan: each frame's number and value, in the order of the movie.

    Attributes
    ----------
    numbers : sequence of int
        The label in the file name; unique.
    values : sequence
        What the scene is called with; as long as ``numbers``.
    spec : str or None
        Text that gives the same frames on the command line, None if there is none.
    indices : sequence of int
        Each frame's place in the order of the scene's updates. Default: its place in the plan.
    extent : {"fixed", "growing", "recorded"}
        "fixed": these frames. "growing": those from 0 to an end that only drawing finds. "recorded":
        whatever a running program has drawn.
    """

    numbers: Sequence[int]
    values: Sequence[Any]
    spec: str | None = None
    indices: Sequence[int] = ()
    extent: Extent = "fixed"

    def __post_init__(self) -> None:
        object.__setattr__(self, "indices", self.indices or range(len(self.numbers)))

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def are_numbers(self) -> bool:
        """True when each frame's value is its number."""
        return self.values is self.numbers

    def by_number(self) -> Mapping[int, Any]:
        """Each frame's value by its number; a value is read when it is asked for."""
        return _ByNumber(self.numbers, self.values)

    def index_by_number(self) -> Mapping[int, int]:
        """Each frame's index by its number."""
        return _ByNumber(self.numbers, self.indices)

    @classmethod
    def of(cls, frames: Any, *, lookup: Callable[[str], Any] | None = None) -> Frames:
        """Frames from whatever a user has at hand.

        Parameters
        ----------
        frames : int, range, str or sequence
            An int or its text: that many frames, 0 up. A range or a frame range: the value is
            the number. Any other sequence (list, array by its first axis …): its elements are
            the values, numbered from 0.
        lookup : callable, optional
            Gives the object for a name in the user's script, for ``--frames history``.

        Raises
        ------
        UsageError
            No frames, or something that has no length and elements.
        """
        if isinstance(frames, str):
            return cls._of_text(frames.strip(), lookup)
        if isinstance(frames, bool) or frames is None:
            raise UsageError(f"frames is {frames!r}; give a count, a range or a sequence")
        with contextlib.suppress(TypeError):
            return cls._of_count(operator.index(frames))
        if isinstance(frames, range):
            _require(len(frames))
            return cls._numbered(frames, _text_of(frames))
        if not _is_sequence(frames):
            raise UsageError(
                f"frames is a {type(frames).__name__}, which has no length and order; "
                "give a count, a range or a sequence: list(…) makes one of an iterator"
            )
        frames = getattr(frames, "iloc", frames)  # a Series: by position, not by label
        _require(len(frames))
        return cls(range(len(frames)), frames)

    @classmethod
    def _of_text(cls, text: str, lookup: Callable[[str], Any] | None) -> Frames:
        if text.isascii() and text.isdigit():
            return cls._of_count(int(text[:_DIGITS]))
        if text.isidentifier() and lookup is not None:
            found = lookup(text)
            named = cls.of(found)
            return cls(named.numbers, named.values, text) if not named.are_numbers else named
        return cls._numbered(parse_range(text), text)

    @classmethod
    def _of_count(cls, count: int) -> Frames:
        _require(count)
        return cls._numbered(range(count), str(count))

    @classmethod
    def _numbered(cls, numbers: Sequence[int], spec: str | None) -> Frames:
        return cls(numbers, numbers, spec)


class _ByNumber(Mapping[int, Any]):
    def __init__(self, numbers: Sequence[int], values: Sequence[Any]) -> None:
        self._numbers, self._values = numbers, values
        plain = isinstance(numbers, range)  # which finds a number's place by itself
        self._place = None if plain else {number: place for place, number in enumerate(numbers)}

    def __getitem__(self, number: int) -> Any:
        if self._place is not None:
            return self._values[self._place[number]]
        try:
            return self._values[self._numbers.index(number)]
        except ValueError:
            raise KeyError(number) from None

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


class Digested:
    """A value that knows its own digest, being too large or too changeable to be looked at."""

    def digest(self) -> str:
        """SHA-256, in hex, of what it stands for."""
        raise NotImplementedError


class _Unknown:
    """A value that only the scene itself knows, when it comes to that frame."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __reduce__(self) -> str:
        return "UNKNOWN"


UNKNOWN = _Unknown()


class Unknowns(Sequence[Any]):
    """As many unknown values as there are frames."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        return UNKNOWN


def _is_sequence(thing: Any) -> bool:
    if isinstance(thing, (bytes, bytearray, Mapping)) or hasattr(thing, "columns"):
        return False
    if getattr(thing, "ndim", 1) == 0:
        return False
    return hasattr(thing, "__len__") and hasattr(thing, "__getitem__")


def _require(count: int) -> None:
    if not 1 <= count <= MOST:
        asked = f"{count:,}" if abs(count) < 10**_DIGITS else "too many"
        raise UsageError(f"{asked} frames asked for; a movie has 1 to {MOST:,}")


def _text_of(numbers: range) -> str:
    first, last, step = numbers[0], numbers[-1], abs(numbers.step)
    if first == last:
        return f"{first}-{last}"
    return f"{first}-{last}" if step == 1 else f"{first}-{last}x{step}"
