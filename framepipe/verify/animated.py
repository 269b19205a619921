"""Animated WebP, APNG and AVIF: their bytes, and every picture as Pillow reads it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

from framepipe.containers import Damage, Film, inspect
from framepipe.control import Stop
from framepipe.pictures import PERFECT_DB
from framepipe.verify.expected import Expected
from framepipe.verify.gifs import each_picture
from framepipe.verify.judge import picture_checks
from framepipe.verify.likeness import likenesses
from framepipe.verify.report import Check, plays, same

#: Times are kept in whole milliseconds or better.
_HALF_A_TICK_S = Fraction(1, 2000)


def checks(movie: Path, expected: Expected, stop: Stop | None) -> Iterator[Check]:
    """Measure a movie; see `framepipe.verify.measure`."""
    try:
        film = inspect(movie, expected.format)
    except (Damage, OSError) as error:
        yield Check("structure", False, f"a whole {expected.format} file", str(error))
        return
    yield Check("structure", True, f"a whole {expected.format} file", f"{movie.stat().st_size:,} bytes")
    shown = _shown(film, expected)
    yield from _facts(film, shown, expected)
    if len(shown) != len(expected.sources) or (film.width, film.height) != expected.size:
        return
    try:
        pictures = each_picture(movie, _checked(movie, shown, expected), stop)
        found = list(likenesses(pictures, expected.sources, expected.seen))
    except (OSError, EOFError, ValueError, SyntaxError, IndexError, RuntimeError) as error:
        yield Check("decodes", False, "every frame", f"{type(error).__name__}: {error}"[:200])
        return
    yield Check("decodes", True, "every frame", "every frame")
    yield from picture_checks(found, expected)
    if expected.lossless:
        other = [position for position, frame in enumerate(found) if frame.own_db < PERFECT_DB]
        seen = (
            f"{len(other)} frames differ, the first is frame {other[0]}" if other else "every pixel as drawn"
        )
        yield Check("lossless", not other, "every pixel as drawn", seen)


def _starts(durations_s: Sequence[Fraction]) -> list[Fraction]:
    return list(accumulate(durations_s, initial=Fraction(0)))


def _shown(film: Film, expected: Expected) -> list[int]:
    """Which picture of the film is on at the time of each frame; empty if there are too few or too many.

    libwebp makes one picture of equal ones in a row: whether they are, the pixels show.
    """
    due = _starts(expected.timeline.durations_s)[:-1]
    if expected.format == "webp":
        starts = _starts(film.durations_s)[:-1]
        on = [bisect_right(starts, start + _HALF_A_TICK_S) - 1 for start in due]
        return on if sorted(set(on)) == list(range(len(starts))) else []
    return list(range(len(due))) if len(due) == max(1, len(film.durations_s)) else []


def _facts(film: Film, shown: Sequence[int], expected: Expected) -> Iterator[Check]:
    count = len(expected.timeline.numbers)
    pictures = max(1, len(film.durations_s))
    still = f", {count - pictures} of them like the one before" if shown and pictures < count else ""
    seen = f"{count if shown else pictures}{still}"
    yield Check("frames", len(shown) == count, str(count), seen)
    yield same("size", "{}x{}".format(*expected.size), f"{film.width}x{film.height}")
    if count == 1 and not film.durations_s:
        return  # a still picture: see `framepipe.recipes.pictures.note`
    due, ends = _starts(expected.timeline.durations_s), _starts(film.durations_s)
    yield Check(
        "duration",
        abs(due[-1] - ends[-1]) <= _HALF_A_TICK_S,
        f"{float(due[-1]):.3f} s",
        f"{float(ends[-1]):.3f} s",
    )
    if shown:
        firsts = [shown.index(position) for position in range(pictures)]
        worst = max(abs(due[first] - ends[position]) for position, first in enumerate(firsts))
        off = f"off by {float(worst) * 1000:.3g} ms at most"
        yield Check("times", worst <= _HALF_A_TICK_S, "within half a millisecond", off)
    yield same("plays", plays(expected.timeline.loop), plays(film.plays))


def _checked(movie: Path, shown: Sequence[int], expected: Expected) -> list[int]:
    """The positions to look at, if Pillow finds as many pictures of the size that is due."""
    from PIL import Image

    with Image.open(movie) as image:
        count = getattr(image, "n_frames", 1)
        if image.size != expected.size or count != shown[-1] + 1:
            raise ValueError(f"{count} pictures of {image.size} px are read")
    return list(shown)
