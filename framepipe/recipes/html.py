"""The HTML player: what goes into the page. No program builds it; see `framepipe.encoders.player`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

from framepipe.errors import UsageError
from framepipe.frames import file_name
from framepipe.recipes.common import Recipe
from framepipe.recipes.options import Options
from framepipe.store import Shape
from framepipe.timeline import Timeline

#: Labels that need no text of the user's.
NUMBER, VALUE = "number", "value"
_LONGEST_SIDE_PX = 16383  # of WebP: its header has 14 bits for a side
_LONGEST_LABEL = 1000
_MOST_FPS = 60  # of usual screens: what is shorter than one picture of theirs cannot be seen


def by_framepipe(timeline: Timeline, shape: Shape, ground: tuple[int, int, int], options: Options) -> Recipe:
    """One page with all pictures in it.

    Raises
    ------
    UsageError
        The pictures are too large, or frames are shorter than a screen can show.
    """
    if max(shape.width, shape.height) > _LONGEST_SIDE_PX:
        raise UsageError(
            f"frames of {shape.width}x{shape.height} px: html holds {_LONGEST_SIDE_PX} px a side; "
            "use a smaller dpi, or mp4"
        )
    if min(timeline.durations_s) * _MOST_FPS < 1:
        raise UsageError(
            f"frames are shorter than 1/{_MOST_FPS} s, which screens cannot show one by one: use "
            f"--fps {_MOST_FPS}, --every N, or mp4"
        )
    spec = {
        "frames": [file_name(number) for number in timeline.numbers],
        "numbers": list(timeline.numbers),
        "ends_s": ends_s(timeline),
        "plays": timeline.loop,
        "labels": texts(options.labels, len(timeline.numbers)),
        "width": shape.width,
        "height": shape.height,
        "ground": "#{:02x}{:02x}{:02x}".format(*ground),
        "lossless": options.quality != "draft",
        "metadata": dict(options.metadata),
        "limit_mb": options.player_limit_mb,
    }
    return Recipe("html", "player", {}, (), spec, "movie.html", len(timeline.numbers))


def ends_s(timeline: Timeline) -> list[float]:
    """When each frame ends: sums of exact durations, each rounded once, so that no error adds up."""
    return [float(end) for end in accumulate(timeline.durations_s, initial=Fraction(0))][1:]


def texts(labels: str | Sequence[str], count: int) -> list[str] | None:
    """A label for each frame of the timeline; None for its number."""
    if isinstance(labels, str):
        return None
    # a recipe for frames that are not there yet is asked for to try the tools
    return list(labels) if len(labels) == count else [""] * count


def settle(options: Options, planned: Sequence[int], shown: Sequence[int], title: str) -> Options:
    """The same options, said of the frames that are shown and not of those that were planned.

    Parameters
    ----------
    options : Options
    planned : sequence of int
        Frame numbers that ``options.labels`` has a text for, in its order.
    shown : sequence of int
        Frame numbers of the timeline.
    title : str
        Of the page, if ``options.metadata`` has none.

    Raises
    ------
    UsageError
        There are not as many labels as frames, or there are none.
    """
    metadata = {"title": title, **options.metadata}
    if options.labels == VALUE:
        raise UsageError(
            "labels 'value': a store keeps no values but numbers. Give labels as a list or a file of a line a "
            "frame; or build the .html with make"
        )
    if isinstance(options.labels, str):
        return replace(options, metadata=metadata)
    if len(options.labels) != len(planned):
        raise UsageError(f"labels: {len(options.labels)} for {len(planned)} frames; give one a frame")
    by_number = dict(zip(planned, options.labels))
    return replace(options, metadata=metadata, labels=tuple(by_number[number] for number in shown))


def parse_labels(given: object) -> str | tuple[str, ...]:
    """Labels as a user gives them: the word, a sequence of texts or numbers, or a file of a line a frame.

    Raises
    ------
    UsageError
    """
    if given in (NUMBER, VALUE) if isinstance(given, str) else False:
        return str(given)
    if isinstance(given, (str, os.PathLike)):
        return _read_labels(Path(given))
    try:
        found = tuple(label_of(each) for each in given)  # type: ignore[attr-defined]
    except TypeError:
        raise UsageError(f"labels {given!r} is not number, value, a list of texts or a file") from None
    if any(len(text) > _LONGEST_LABEL for text in found):
        raise UsageError(f"labels: one is longer than {_LONGEST_LABEL} characters")
    return found


def _read_labels(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"labels is number, value, or a file of a line a frame; {path}: {reason}") from None
    return parse_labels(lines) if lines else ()  # type: ignore[return-value]


def label_of(value: object) -> str:
    """A value as a label: text as it is, numbers with up to 6 digits; whole arrays make none."""
    if isinstance(value, str):
        return value
    if hasattr(value, "__len__") or getattr(value, "shape", ()):
        raise UsageError(f"labels: a {type(value).__name__} is no text; give a list of texts or numbers")
    return f"{value:.6g}" if hasattr(value, "is_integer") and not isinstance(value, int) else str(value)
