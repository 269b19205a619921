"""GIF, by ffmpeg and by ImageMagick."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import ffmpeg
import numpy as np

from framepipe import png
from framepipe.errors import UsageError
from framepipe.frames import file_name
from framepipe.recipes.common import (
    FRAMES,
    LIST,
    PALETTE,
    PALETTE_LIST,
    SAME,
    Recipe,
    Segment,
    Step,
    args_of,
    cuts,
    ffconcat,
    frames_input,
    spread,
)
from framepipe.recipes.options import Options
from framepipe.store import Shape
from framepipe.timeline import Timeline

_PALETTE_FRAMES = (
    50  # every 2nd or every 50th of a movie gave the same PSNR to 0.2 dB, on lines, images, dots
)
_FFMPEG_LEAST_COLORS = 4  # palettegen of 5.1
_KEPT_FRAMES = 250  # of a segment that is worth keeping
_LEAST_FRAMES = 25  # of a segment: starting ffmpeg takes as long as some frames
_PALETTE_SIDE = 16  # paletteuse wants 16x16 pixels


@dataclass(frozen=True)
class Palette:
    """The colours of a GIF, where they are given or known.

    Attributes
    ----------
    colours : tuple of tuple of int
        1 to 256 of red, green and blue, 0 to 255.
    exact : bool
        No frame has any other.
    """

    colours: tuple[tuple[int, int, int], ...]
    exact: bool


def by_ffmpeg(
    timeline: Timeline, shape: Shape, options: Options, palette: Palette | None = None, jobs: int = 1
) -> Recipe:
    """A palette for all frames (or one a frame), then the frames under it, in flat memory.

    Segments are quantised side by side. Each begins with the last frame of the one before, which is left
    out when they are joined: ffmpeg then crops the next frame to what changes, as it would in one pass, and
    the joined GIF has the bytes of that.
    """
    if options.colors < _FFMPEG_LEAST_COLORS and palette is None:
        raise UsageError(f"ffmpeg's palettes have 4 to 256 colors, not {options.colors}: use imagemagick")
    names = [file_name(number) for number in timeline.numbers]
    lists: dict[str, str | bytes] = {}
    steps = []
    if palette is not None:
        lists[PALETTE] = _palette_png(palette, clear=shape.mode == "RGBA")
        if palette.exact:  # nothing is to be dithered, and bayer would do it all the same
            options = replace(options, dither="none")
    elif options.palette != "per-frame":
        sample = names if options.palette == "all" else spread(names, _PALETTE_FRAMES)
        lists[PALETTE_LIST] = ffconcat(sample, [Fraction(1, 25)] * len(sample), Fraction(25))
        generated = frames_input(PALETTE_LIST).filter(
            "palettegen", stats_mode="full", **_generate(options, shape)
        )
        making = generated.output(PALETTE, format="image2", **SAME, **{"frames:v": 1, "update": 1})
        steps.append(Step(args_of(making), frames=1, shown=False))
    per_frame = palette is None and options.palette == "per-frame"
    ready = Recipe("gif", "ffmpeg", lists, tuple(steps), {}, "movie.gif", len(names))
    if len(names) <= _KEPT_FRAMES:
        length = max(_LEAST_FRAMES, -(-len(names) // jobs))
        return _in_segments(ready, timeline, cuts(len(names), length), _dithered(options, shape, per_frame))
    whole = _in_segments(
        ready, timeline, cuts(len(names), _KEPT_FRAMES), _dithered(options, shape, per_frame)
    )
    return replace(whole, kept=True)


def _generate(options: Options, shape: Shape) -> dict[str, int]:
    return {"max_colors": options.colors, "reserve_transparent": int(shape.mode != "RGB")}


def _dithered(options: Options, shape: Shape, per_frame: bool) -> Callable[[Any], Any]:
    """What makes of a stream of frames one of paletted frames."""
    name, _, scale = options.dither.partition(":")
    dither: dict[str, Any] = {"dither": name, **({"bayer_scale": int(scale)} if scale else {})}

    def pictures(frames: Any) -> Any:
        if not per_frame:
            return ffmpeg.filter([frames, ffmpeg.input(PALETTE)], "paletteuse", **dither)
        split = frames.filter_multi_output("split")
        palette = split[0].filter("palettegen", stats_mode="single", **_generate(options, shape))
        return ffmpeg.filter([split[1], palette], "paletteuse", new=1, **dither)

    return pictures


def _in_segments(
    ready: Recipe, timeline: Timeline, runs: Sequence[range], pictures: Callable[[Any], Any]
) -> Recipe:
    delays = timeline.gif_delays_cs()
    if len(runs) == 1:
        text, step = _one(timeline, delays, runs[0], LIST, ready.output, pictures)
        return replace(ready, lists={**ready.lists, LIST: text}, steps=(*ready.steps, step))
    lists, segments = dict(ready.lists), []
    for at, run in enumerate(runs):
        name, output = f"segment-{at:06d}.ffconcat", f"segment-{at:06d}.gif"
        run = range(max(0, run.start - 1), run.stop)
        lists[name], step = _one(timeline, delays, run, name, output, pictures)
        segments.append(Segment(tuple(timeline.numbers[k] for k in run), step, output))
    spec = {"delays_cs": delays, "plays": timeline.loop}
    return replace(ready, lists=lists, spec=spec, segments=tuple(segments))


def _one(
    timeline: Timeline,
    delays: Sequence[int],
    run: range,
    list_name: str,
    output: str,
    pictures: Callable[[Any], Any],
) -> tuple[str, Step]:
    """The list of a run of frames, and the command that makes a GIF of it."""
    names = [file_name(timeline.numbers[at]) for at in run]
    text = ffconcat(names, [Fraction(delays[at], 100) for at in run], Fraction(100))
    movie = pictures(frames_input(list_name)).output(
        output, format="gif", loop=_loop(timeline.loop), final_delay=delays[run[-1]], **SAME
    )
    return text, Step(args_of(movie), frames=len(run), shown=True)


def _palette_png(palette: Palette, *, clear: bool) -> bytes:
    """The colours as paletteuse reads them; places that are left over repeat the last one."""
    room = _PALETTE_SIDE**2 - clear
    colours = [*palette.colours, *[palette.colours[-1]] * (room - len(palette.colours))]
    pixels = np.array([(*colour, 255) for colour in colours] + [(0, 0, 0, 0)] * clear, np.uint8)
    return png.encode(pixels.reshape(_PALETTE_SIDE, _PALETTE_SIDE, 4))


def _loop(plays: int) -> int:
    """Ffmpeg counts repeats: -1 is one play, 0 is for ever."""
    return {0: 0, 1: -1}.get(plays, plays - 1)


def note(shape: Shape, options: Options) -> str:
    """What became of an option, if that is worth a word; else empty."""
    if shape.mode == "RGBA" and options.layers not in ("auto", "none"):
        return f"layers {options.layers}: frames with transparency are kept whole"
    return ""


def by_imagemagick(
    timeline: Timeline, shape: Shape, options: Options, palette: Palette | None = None
) -> Recipe:
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
        "palette": options.palette if palette is None else "given",
        "given": [list(colour) for colour in palette.colours] if palette else [],
        "transparent": shape.mode == "RGBA",
    }
    return Recipe("gif", "imagemagick", {}, (), spec, "movie.gif", len(timeline.numbers))
