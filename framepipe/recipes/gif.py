"""GIF, by ffmpeg and by ImageMagick."""

from __future__ import annotations

from fractions import Fraction

import ffmpeg

from framepipe.errors import UsageError
from framepipe.frames import file_name
from framepipe.recipes.common import (
    FRAMES,
    LIST,
    PALETTE,
    PALETTE_LIST,
    SAME,
    Recipe,
    Step,
    args_of,
    ffconcat,
    frames_input,
    spread,
)
from framepipe.recipes.options import Options
from framepipe.store import Shape
from framepipe.timeline import Timeline

_PALETTE_FRAMES = 200
_FFMPEG_LEAST_COLORS = 4  # palettegen of 5.1


def by_ffmpeg(timeline: Timeline, shape: Shape, options: Options) -> Recipe:
    """Two passes (or one, with a colour table a frame), in flat memory."""
    if options.colors < _FFMPEG_LEAST_COLORS:
        raise UsageError(f"ffmpeg's palettes have 4 to 256 colors, not {options.colors}: use imagemagick")
    delays = timeline.gif_delays_cs()
    opaque = shape.mode == "RGB"
    generate = {"max_colors": options.colors, "reserve_transparent": int(not opaque)}
    names = [file_name(number) for number in timeline.numbers]
    lists = {LIST: ffconcat(names, [Fraction(delay, 100) for delay in delays], Fraction(100))}
    frames = frames_input(LIST)
    steps: list[Step] = []
    if options.palette == "global":
        sample = spread(names, _PALETTE_FRAMES)
        lists[PALETTE_LIST] = ffconcat(sample, [Fraction(1, 25)] * len(sample), Fraction(25))
        palette = frames_input(PALETTE_LIST).filter("palettegen", stats_mode="full", **generate)
        making = palette.output(PALETTE, format="image2", **SAME, **{"frames:v": 1, "update": 1})
        steps.append(Step(args_of(making), frames=1, shown=False))
        pictures = ffmpeg.filter([frames, ffmpeg.input(PALETTE)], "paletteuse", dither=options.dither)
    else:
        split = frames.filter_multi_output("split")
        palette = split[0].filter("palettegen", stats_mode="single", **generate)
        pictures = ffmpeg.filter([split[1], palette], "paletteuse", dither=options.dither, new=1)
    movie = pictures.output(
        "movie.gif", format="gif", loop=_loop(timeline.loop), final_delay=delays[-1], **SAME
    )
    steps.append(Step(args_of(movie), frames=len(names), shown=True))
    return Recipe("gif", "ffmpeg", lists, tuple(steps), {}, "movie.gif", len(names))


def _loop(plays: int) -> int:
    """Ffmpeg counts repeats: -1 is one play, 0 is for ever."""
    return {0: 0, 1: -1}.get(plays, plays - 1)


def note(shape: Shape, options: Options) -> str:
    """What became of an option, if that is worth a word; else empty."""
    if shape.mode == "RGBA" and options.layers not in ("auto", "none"):
        return f"layers {options.layers}: frames with transparency are kept whole"
    return ""


def by_imagemagick(timeline: Timeline, shape: Shape, options: Options) -> Recipe:
    """For `framepipe.encoders.magick_child`."""
    spec = {
        "frames": [f"{FRAMES}/{file_name(number)}" for number in timeline.numbers],
        "output": "movie.gif",
        "work": "parts",
        "delays_cs": list(timeline.gif_delays_cs()),
        "plays": timeline.loop,
        "width": shape.width,
        "height": shape.height,
        "colors": options.colors,
        "dither": options.dither,
        "layers": options.layers,
        "palette": options.palette,
        "transparent": shape.mode == "RGBA",
    }
    return Recipe("gif", "imagemagick", {}, (), spec, "movie.gif", len(timeline.numbers))
