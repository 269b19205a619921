"""Check GIFs: their blocks, and their pictures as Pillow reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from framepipe.core.control import Control
from framepipe.core.images import PERFECT_DB, Pixels, colours_of, distances, worst_patch_in_palette
from framepipe.formats.gif import container
from framepipe.verification.blocks import BlockComparison, SuspectFrame
from framepipe.verification.cells import box_of, patches
from framepipe.verification.check import (
    Check,
    failure,
    plays,
    requirement,
    same,
    same_list,
    same_size,
)
from framepipe.verification.decoded import each_picture
from framepipe.verification.expected import Expected
from framepipe.verification.judge import picture_checks
from framepipe.verification.likeness import (
    AtPictures,
    FrameScore,
    Planes,
    find_foreign_frame,
    frame_scores,
    read,
)

#: A colour within this multiple of the nearest one's distance, plus a constant, is as good: measures of
#: distance differ.
_NEAR_FACTOR, _NEAR_MARGIN = 1.5, 6.0
#: Maximum share of a block's limit that may be needless difference.
_MAX_NEEDLESS = 0.4
_WHOLE = "a whole GIF file"


def checks(movie: Path, expected: Expected, control: Control) -> Iterator[Check]:
    """Yield the checks of a GIF; see `framepipe.formats.measure`."""
    timeline, shape = expected.timeline, expected.shape
    try:
        info = container.inspect(movie)
    except (container.InvalidGif, OSError) as error:
        yield Check("structure", False, _WHOLE, str(error))
        return
    delays = timeline.gif_delays_cs()
    yield Check("structure", True, _WHOLE, f"{info.size_bytes:,} bytes")
    yield same("frames", len(delays), info.frames)
    yield same_size((shape.width, shape.height), (info.width, info.height))
    yield same("duration", f"{sum(delays) / 100:.2f} s", f"{sum(info.delays_cs) / 100:.2f} s")
    yield same_list("delays", delays, info.delays_cs, "cs")
    yield same("plays", plays(timeline.loop), plays(info.plays))
    if (info.frames, info.width, info.height) != (len(delays), shape.width, shape.height):
        return
    try:
        comparison = BlockComparison(expected.tolerance.grain)
        scores = _compare(movie, info.frames, expected, comparison, control)
        other = find_foreign_frame(comparison, _AtGif(movie, expected, control))
    except (OSError, EOFError, ValueError, SyntaxError, IndexError) as error:
        yield failure("decodes", "every frame", error)
        return
    yield requirement("decodes", "every frame")
    yield from picture_checks(scores, expected, other, comparison.alike_mse)
    yield _exact(scores, expected)


class _AtGif(AtPictures):
    """Also excuses frames for which a GIF can do no better: their pixels have the nearest palette colours.

    Dithering uses other colours on purpose, to be right on average: then a part that shows no source is
    excused if its patches have the mean of their own source.
    """

    def __init__(self, movie: Path, expected: Expected, control: Control) -> None:
        super().__init__(expected.sources, expected.to_planes, lambda at: each_picture(movie, at, control))
        self._expected = expected

    def excuses(self, suspect: SuspectFrame, *, alien: bool) -> bool:
        if alien and self._expected.options.dither != "none":
            means = patches(suspect.decoded.astype(np.float32)), patches(suspect.source.astype(np.float32))
            return float(np.abs(means[0] - means[1]).max()) <= self._expected.tolerance.patch_limit
        decoded = np.asarray(self.to_planes(next(self.pictures([suspect.position])))[0])
        source = np.asarray(read(self.sources[suspect.position], self.to_planes)[0])
        palette = colours_of(decoded)
        height, width = decoded.shape[:2]
        boxes = [box_of(int(block), width, height) for block in suspect.at]
        return all(
            _needless(decoded[box], source[box], palette) <= _MAX_NEEDLESS * limit
            for box, limit in zip(boxes, suspect.limits)
        )


def _needless(decoded: Pixels, source: Pixels, palette: Pixels) -> float:
    """Sum the squares of pixels with a clearly nearer palette colour; of the worst channel."""
    expected, actual = (each.reshape(-1, 3).astype(np.float32) for each in (source, decoded))
    errors = np.linalg.norm(actual - expected, axis=1)
    is_needless = errors > _NEAR_FACTOR * distances(expected, palette) + _NEAR_MARGIN
    return float(np.max(np.sum((actual - expected)[is_needless] ** 2, axis=0, initial=0.0)))


def _compare(
    movie: Path, frames: int, expected: Expected, comparison: BlockComparison, control: Control
) -> list[FrameScore]:
    """Score each frame against its source."""

    def in_its_colours(picture: Planes, source: Planes, off: float) -> float:
        if off <= expected.tolerance.patch_limit:
            return off
        limit = expected.tolerance.patch_limit
        return worst_patch_in_palette(np.asarray(picture[0]), np.asarray(source[0]), limit)

    pictures = each_picture(movie, range(frames), control)
    scores = frame_scores(
        pictures,
        expected.sources,
        expected.to_planes,
        recheck=in_its_colours,
        tolerance=expected.tolerance,
        comparison=comparison,
        in_rgb=True,
    )
    return list(scores)


def _exact(scores: list[FrameScore], expected: Expected) -> Check:
    """Check whether the GIF is lossless; it must be if its palette holds the colours of all frames."""
    exact = sum(1 for frame in scores if frame.own_db == PERFECT_DB)
    perfect = (
        "every pixel as drawn" if expected.shape.mode == "RGB" else "every pixel as drawn, alpha as one bit"
    )
    result = perfect if exact == len(scores) else f"{exact} of {len(scores)} frames are exact"
    requirement = perfect if expected.lossless else "as close as its colours are"
    return Check("lossless", exact == len(scores) or not expected.lossless, requirement, result)
