"""GIF: its blocks, and its pictures as Pillow reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from framepipe import gif
from framepipe.control import Stop
from framepipe.errors import Interrupted
from framepipe.pictures import Picture, rgb_with_one_bit_alpha, worst_patch, worst_patch_given_colours
from framepipe.verify.expected import Expected
from framepipe.verify.judge import COMPARED, SAMPLES, picture_checks, spread
from framepipe.verify.report import Check, centiseconds, plays, same, same_list


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
        pictures, off = _gif_pictures(movie, info.frames, expected, stop)
    except (OSError, EOFError, ValueError, SyntaxError, IndexError) as error:
        yield Check("decodes", False, "every frame", f"{type(error).__name__}: {error}")
        return
    yield Check("decodes", True, "every frame", "every frame")
    yield from picture_checks(pictures, off, expected)


def _gif_pictures(
    movie: Path, frames: int, expected: Expected, stop: Stop | None
) -> tuple[dict[int, Picture], dict[int, float]]:
    """Decode every frame; the sampled pictures, and how far off the patches of each frame are."""
    from PIL import Image

    samples, compared = set(spread(frames, SAMPLES)), set(spread(frames, COMPARED))
    pictures: dict[int, Picture] = {}
    off: dict[int, float] = {}
    with Image.open(movie) as image:
        for index in range(frames):
            if stop and stop.requested:
                raise Interrupted(
                    f"stopped{stop.by} while {movie.name} was verified: the frames are safe. "
                    "Run the same again to go on",
                    signal_name=stop.signal_name,
                )
            image.seek(index)
            image.load()
            if index not in compared:
                continue
            rgba = np.asarray(image.convert("RGBA"))
            seen, source = rgb_with_one_bit_alpha(rgba, expected.background), expected.source(index)
            off[index] = worst_patch(seen, source)
            if off[index] > expected.patch_limit or index in samples:
                off[index] = worst_patch_given_colours(seen, source)
            if index in samples:
                pictures[index] = seen
    return pictures, off
