"""GIF: its blocks, and its pictures as Pillow reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from framepipe import gif
from framepipe.control import Stop
from framepipe.errors import Interrupted
from framepipe.pictures import PERFECT_DB, worst_patch_given_colours
from framepipe.verify.expected import Expected
from framepipe.verify.judge import picture_checks
from framepipe.verify.likeness import Likeness, Shown, likenesses
from framepipe.verify.report import Check, centiseconds, plays, same, same_list

if TYPE_CHECKING:
    from PIL.Image import Image


def checks(movie: Path, expected: Expected, stop: Stop | None) -> Iterator[Check]:
    """Measure a GIF; see `framepipe.verify.measure`."""
    timeline, shape = expected.timeline, expected.shape
    try:
        info = gif.inspect(movie)
    except (gif.GifDamage, OSError) as error:
        yield Check("structure", False, "a whole GIF file", str(error))
        return
    delays = timeline.gif_delays_cs()
    yield Check("structure", True, "a whole GIF file", f"{info.size_bytes:,} bytes")
    yield same("frames", len(delays), info.frames)
    yield same("size", f"{shape.width}x{shape.height}", f"{info.width}x{info.height}")
    yield same("duration", centiseconds(delays), centiseconds(info.delays_cs))
    yield same_list("delays", delays, info.delays_cs, "cs")
    yield same("plays", plays(timeline.loop), plays(info.plays))
    if (info.frames, info.width, info.height) != (len(delays), shape.width, shape.height):
        return
    try:
        found = _compare(movie, info.frames, expected, stop)
    except (OSError, EOFError, ValueError, SyntaxError, IndexError) as error:
        yield Check("decodes", False, "every frame", f"{type(error).__name__}: {error}")
        return
    yield Check("decodes", True, "every frame", "every frame")
    yield from picture_checks(found, expected)
    yield _exact(found, expected)


def _compare(movie: Path, frames: int, expected: Expected, stop: Stop | None) -> list[Likeness]:
    def in_its_colours(seen: Shown, source: Shown, off: float) -> float:
        if off <= expected.patch_limit:
            return off
        return worst_patch_given_colours(np.asarray(seen[0]), np.asarray(source[0]), expected.patch_limit)

    pictures = each_picture(movie, range(frames), stop)
    return list(likenesses(pictures, expected.sources, expected.seen, recheck=in_its_colours))


def each_picture(movie: Path, positions: range | list[int], stop: Stop | None) -> Iterator[Image]:
    """The pictures at these positions of a file that Pillow reads, in turn.

    Raises
    ------
    Interrupted
    """
    from PIL import Image as Images

    with Images.open(movie) as image:
        for position in positions:
            if stop and stop.requested:
                raise Interrupted(
                    f"stopped{stop.by} while {movie.name} was verified: the frames are safe. "
                    "Run the same again to go on",
                    signal_name=stop.signal_name,
                )
            image.seek(position)
            image.load()
            yield image


def _exact(found: list[Likeness], expected: Expected) -> Check:
    """Whether the GIF is lossless; it must be if the colours of all frames together fit into it."""
    exact = sum(1 for frame in found if frame.own_db == PERFECT_DB)
    whole = (
        "every pixel as drawn" if expected.shape.mode == "RGB" else "every pixel as drawn, alpha as one bit"
    )
    seen = whole if exact == len(found) else f"{exact} of {len(found)} frames are exact"
    due = whole if expected.lossless else "as close as its colours are"
    return Check("lossless", exact == len(found) or not expected.lossless, due, seen)
