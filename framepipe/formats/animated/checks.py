"""Check animated WebP, APNG and AVIF: their bytes, and every picture as Pillow reads it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

from framepipe.core.control import Control
from framepipe.core.images import PERFECT_DB
from framepipe.formats.animated.container import AnimationInfo, InvalidFile, inspect
from framepipe.verification.blocks import BlockComparison
from framepipe.verification.check import (
    Check,
    failure,
    plays,
    requirement,
    same,
    same_duration,
    same_size,
    times_within,
)
from framepipe.verification.decoded import each_picture
from framepipe.verification.expected import Expected
from framepipe.verification.judge import picture_checks
from framepipe.verification.likeness import AtPictures, find_foreign_frame, frame_scores

#: Times are kept in whole milliseconds or better.
_HALF_A_TICK_S = Fraction(1, 2000)


def checks(movie: Path, expected: Expected, control: Control, *, merges_equal: bool) -> Iterator[Check]:
    """Yield the checks of a movie; see `framepipe.formats.measure`."""
    whole = f"a whole {expected.format} file"
    try:
        info = inspect(movie, expected.format)
    except (InvalidFile, OSError) as error:
        yield Check("structure", False, whole, str(error))
        return
    yield Check("structure", True, whole, f"{movie.stat().st_size:,} bytes")
    pictures_on = _pictures_on(info, expected, merges_equal)
    yield from _info_checks(info, pictures_on, expected)
    if len(pictures_on) != len(expected.sources) or (info.width, info.height) != expected.size:
        return
    try:
        picture_results = _compare(movie, pictures_on, expected, control)
    except (OSError, EOFError, ValueError, SyntaxError, IndexError, RuntimeError) as error:
        yield failure("decodes", "every frame", error)
        return
    yield requirement("decodes", "every frame")
    yield from picture_results


def _compare(movie: Path, pictures_on: Sequence[int], expected: Expected, control: Control) -> list[Check]:
    """Compare every frame with its PNG; of a lossless movie pixel by pixel, too."""
    pictures = each_picture(movie, _positions(movie, pictures_on, expected), control)
    comparison = None if expected.lossless else BlockComparison(expected.tolerance.grain)
    scores = list(
        frame_scores(
            pictures,
            expected.sources,
            expected.to_planes,
            tolerance=expected.tolerance,
            comparison=comparison,
        )
    )
    if comparison:
        look = AtPictures(
            expected.sources,
            expected.to_planes,
            lambda at: each_picture(movie, [pictures_on[k] for k in at], control),
        )
        foreign = find_foreign_frame(comparison, look)
        return picture_checks(scores, expected, foreign, comparison.alike_mse)
    differ = [position for position, frame in enumerate(scores) if frame.own_db < PERFECT_DB]
    problem = f"{len(differ)} frames differ, the first is frame {differ[0]}" if differ else ""
    return [*picture_checks(scores, expected), requirement("lossless", "every pixel as drawn", problem)]


def _starts(durations_s: Sequence[Fraction]) -> list[Fraction]:
    return list(accumulate(durations_s, initial=Fraction(0)))


def _pictures_on(info: AnimationInfo, expected: Expected, merges_equal: bool) -> list[int]:
    """Return the picture that is on at the time of each frame; empty if there are too few or too many.

    With ``merges_equal`` one picture may stand for several equal frames: the pixels show whether they are.
    """
    frame_starts = _starts(expected.timeline.durations_s)[:-1]
    if merges_equal:
        starts = _starts(info.durations_s)[:-1]
        current = [bisect_right(starts, start + _HALF_A_TICK_S) - 1 for start in frame_starts]
        return current if sorted(set(current)) == list(range(len(starts))) else []
    return list(range(len(frame_starts))) if len(frame_starts) == max(1, len(info.durations_s)) else []


def _info_checks(info: AnimationInfo, pictures_on: Sequence[int], expected: Expected) -> Iterator[Check]:
    count = len(expected.timeline.numbers)
    pictures = max(1, len(info.durations_s))
    merged = f", {count - pictures} of them like the one before" if pictures_on and pictures < count else ""
    actual = f"{count if pictures_on else pictures}{merged}"
    yield Check("frames", len(pictures_on) == count, str(count), actual)
    yield same_size(expected.size, (info.width, info.height))
    if count == 1 and not info.durations_s:
        return  # a still picture: see `framepipe.formats.animated.format`
    expected_ends, ends = _starts(expected.timeline.durations_s), _starts(info.durations_s)
    yield same_duration(expected_ends[-1], ends[-1], within_s=_HALF_A_TICK_S)
    if pictures_on:
        firsts = [pictures_on.index(position) for position in range(pictures)]
        errors_s = (expected_ends[first] - ends[position] for position, first in enumerate(firsts))
        yield times_within(_HALF_A_TICK_S, "within half a millisecond", errors_s)
    yield same("plays", plays(expected.timeline.loop), plays(info.plays))


def _positions(movie: Path, pictures_on: Sequence[int], expected: Expected) -> list[int]:
    """Return the positions to decode; raise if Pillow reads another number or size of pictures."""
    from PIL import Image

    with Image.open(movie) as image:
        count = getattr(image, "n_frames", 1)
        if image.size != expected.size or count != pictures_on[-1] + 1:
            raise ValueError(f"{count} pictures of {image.size} px are read")
    return list(pictures_on)
