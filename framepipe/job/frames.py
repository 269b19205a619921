"""The frames of a job: their numbers, their values, and frame ranges as text (``0-299x5``)."""

from __future__ import annotations

import contextlib
import operator
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from framepipe.errors import FrameRangeError, UsageError

Extent = Literal["fixed", "growing", "recorded"]
MAX_FRAMES = 10_000_000
_DIGITS = 20
#: The form of most frame ranges: numbers and runs, from 0 up.
_PLAIN = re.compile(r"[0-9]{1,9}(?:-[0-9]{1,9})?(?:,[0-9]{1,9}(?:-[0-9]{1,9})?)*")
_PLAIN_LENGTH = 100_000
#: More runs than this are tried with strides, looked for in the first numbers up to so many places apart.
_FEW_RUNS, _SAMPLED, _MAX_SHARDS = 8, 4096, 512
_FILE = re.compile(r"frame_(-?\d{5,})\.png")


def file_name(number: int) -> str:
    """Return the file name of frame ``number``: at least six digits, so that names sort like numbers.

    >>> file_name(137)
    'frame_000137.png'
    """
    return f"frame_{number:06d}.png"


def number_of(name: str) -> int | None:
    """Return the number in a frame's file name, None for any other name.

    >>> number_of("frame_000137.png"), number_of("frame_137.png")
    (137, None)
    """
    match = _FILE.fullmatch(name)
    if match is None:
        return None
    number = int(match[1])
    return number if file_name(number) == name else None


def parse_range(text: str) -> list[int]:
    """Parse a frame range into its numbers, in its order.

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
    if _PLAIN.fullmatch(text) and len(text) < _PLAIN_LENGTH:
        ends = [part.split("-") for part in text.split(",")]
        runs = [range(int(first), int(last) + 1) for first, *_, last in [[*end, *end] for end in ends]]
        rising = all(run and run.start >= before.stop for run, before in zip(runs, [range(0), *runs]))
        if rising and sum(map(len, runs)) <= MAX_FRAMES:
            return [number for run in runs for number in run]
    import fileseq  # its parser takes a tenth of a second to load

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
    """Format numbers as a short frame range, in fileseq's grammar.

    Numbers that several shards have left are runs with a stride. Such runs may overlap, so `parse_range`
    gives the same numbers, but not always in rising order.

    >>> format_range([3, 0, 1, 2, 8])
    '0-3,8'
    >>> format_range(number for number in range(200) if number % 8 in (2, 5))
    '2-194x8,5-197x8'
    """
    ordered = sorted(set(numbers))
    runs = _runs(ordered)
    for stride in _likely_strides(ordered) if len(runs) > _FEW_RUNS else ():
        by_rest: dict[int, list[int]] = {}
        for number in ordered:
            by_rest.setdefault(number % stride, []).append(number)
        interleaved = [run for each in by_rest.values() for run in _runs(each)]
        runs = min(runs, interleaved, key=len)
    return ",".join(map(_run_text, sorted(runs, key=lambda run: run[0])))


def format_range_briefly(numbers: Iterable[int], max_length: int = 120) -> str:
    """Format numbers for people: as a frame range, cut if it is long.

    >>> format_range_briefly([0, 3, 4, 9, 11, 17], max_length=6)
    '0,3-4 … 17 (6 frames)'
    """
    ordered = sorted(set(numbers))
    text = format_range(ordered)
    if len(text) <= max_length:
        return text
    kept = text[: max_length + 1].rpartition(",")[0]
    return f"{kept} … {ordered[-1]} ({len(ordered):,} frames)"


def _runs(ordered: Sequence[int]) -> list[range]:
    """Cut rising numbers into runs of neighbours, and of three or more with another stride."""
    runs: list[range] = []
    at = 0
    while at < len(ordered):
        last = at + 1
        step = ordered[last] - ordered[at] if last < len(ordered) else 1
        while last < len(ordered) and ordered[last] - ordered[last - 1] == step:
            last += 1
        if step > 1 and last - at < 3:  # two numbers far apart are no run
            last = at + 1
        runs.append(range(ordered[at], ordered[last - 1] + 1, step if last - at > 1 else 1))
        at = last
    return runs


def _likely_strides(ordered: Sequence[int]) -> list[int]:
    """Return the most common distances between numbers that are up to `_MAX_SHARDS` places apart."""
    sample = ordered[:_SAMPLED]
    counts = Counter(
        sample[place + apart] - sample[place]
        for apart in range(1, min(_MAX_SHARDS, len(sample)))
        for place in range(0, len(sample) - apart, 1 + len(sample) // 32)
    )
    return [stride for stride, _ in counts.most_common(4)]


def _run_text(run: range) -> str:
    if len(run) == 1:
        return str(run[0])
    return f"{run[0]}-{run[-1]}" + (f"x{run.step}" if run.step > 1 else "")


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
        "fixed": these frames. "growing": from 0 to an end that is known only after drawing. "recorded":
        what a running program has drawn.
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
        """Map each frame's number to its value; a value is read when it is looked up."""
        return _ByNumber(self.numbers, self.values)

    def index_by_number(self) -> Mapping[int, int]:
        """Map each frame's number to its index."""
        return _ByNumber(self.numbers, self.indices)

    @classmethod
    def of(cls, frames: Any, *, lookup: Callable[[str], Any] | None = None) -> Frames:
        """Make frames from a count, a range, a text or a sequence.

        Parameters
        ----------
        frames : int, range, str, sequence or collection
            An int or its text: that many frames, from 0 up. A range or a frame range: the value is
            the number. Any other sequence (list, array by its first axis, pandas Series or Index …):
            its elements are the values, numbered from 0. A DataFrame gives its rows as from
            ``itertuples()``, a groupby its (name, group), a dict its keys, anything else that has a
            length (deque, dict view …) what iterating over it gives.
        lookup : callable, optional
            Returns the object with a name in the user's script, for ``--frames history``.

        Raises
        ------
        UsageError
            No frames, or something that has no length, no order or no elements.
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
        values = _elements(frames)
        _require(len(values))
        return cls(range(len(values)), values)

    @classmethod
    def _of_text(cls, text: str, lookup: Callable[[str], Any] | None) -> Frames:
        if text.isascii() and text.isdigit():
            return cls._of_count(int(text[:_DIGITS]))
        if text.isidentifier() and lookup is not None:
            frames = cls.of(lookup(text))
            return cls(frames.numbers, frames.values, text) if not frames.are_numbers else frames
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
        is_range = isinstance(numbers, range)  # range.index is fast
        self._positions = None if is_range else {number: at for at, number in enumerate(numbers)}

    def __getitem__(self, number: int) -> Any:
        if self._positions is not None:
            return self._values[self._positions[number]]
        try:
            return self._values[self._numbers.index(number)]
        except ValueError:
            raise KeyError(number) from None

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


class Digested:
    """A value that computes its own digest: it is too large, or changes too easily, to be hashed here."""

    def digest(self) -> str:
        """Return the SHA-256, in hex, of what it stands for."""
        raise NotImplementedError

    def notes(self) -> Mapping[str, str]:
        """Return what a frame's stamp holds for this value besides what decides the pixels."""
        return {}


@dataclass(frozen=True, slots=True)
class KnownDigest(Digested):
    """Stands for a value by its digest: the value is elsewhere, or need not be hashed again."""

    hex_digest: str

    def digest(self) -> str:
        """See `Digested`."""
        return self.hex_digest


class _Unknown:
    """A value that only the scene itself knows, when it draws that frame."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __reduce__(self) -> str:
        return "UNKNOWN"


UNKNOWN = _Unknown()


class Unknowns(Sequence[Any]):
    """A sequence of unknown values, one per frame."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        return UNKNOWN


def _elements(thing: Any) -> Sequence[Any]:
    """Return the frames' values by position; copied only where they cannot be indexed by position.

    Raises
    ------
    UsageError
        It has no length, no order, or no elements.
    """
    if isinstance(thing, (set, frozenset)):
        raise UsageError(
            f"frames is a {type(thing).__name__}, which has no order; give a count, a range or a sequence: "
            "sorted(…) makes one"
        )
    countable = hasattr(thing, "__len__") and getattr(thing, "ndim", 1) != 0
    if isinstance(thing, (bytes, bytearray)) or not countable:
        raise _not_a_sequence(thing)
    if hasattr(thing, "columns") and not hasattr(thing, "ngroups"):  # a table: its elements are its columns
        if not hasattr(thing, "itertuples"):
            raise _not_a_sequence(thing)
        return list(thing.itertuples())
    # here thing[3] is the value of the key 3, or of the label 3 of a Series, or is slow
    by_key = isinstance(thing, (Mapping, deque)) or hasattr(thing, "iloc") or hasattr(thing, "ngroups")
    if hasattr(thing, "__getitem__") and not by_key:
        return cast("Sequence[Any]", thing)
    if not hasattr(thing, "__iter__") or iter(thing) is thing:
        raise _not_a_sequence(thing)
    return list(thing)


def _not_a_sequence(thing: Any) -> UsageError:
    return UsageError(
        f"frames is a {type(thing).__name__}, which has no length and order; "
        "give a count, a range or a sequence: list(…) makes one of an iterator"
    )


def _require(count: int) -> None:
    if not 1 <= count <= MAX_FRAMES:
        text = f"{count:,}" if abs(count) < 10**_DIGITS else "too many"
        raise UsageError(f"{text} frames requested; a movie has 1 to {MAX_FRAMES:,}")


def _text_of(numbers: range) -> str:
    first, last, step = numbers[0], numbers[-1], abs(numbers.step)
    if first == last:
        return f"{first}-{last}"
    return f"{first}-{last}" if step == 1 else f"{first}-{last}x{step}"
