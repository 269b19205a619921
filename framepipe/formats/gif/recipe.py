"""Recipes of GIF, by ffmpeg and by ImageMagick."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import ffmpeg
import numpy as np

from framepipe.core import png
from framepipe.core.shape import Shape
from framepipe.errors import UsageError
from framepipe.formats.frame_input import FRAMES, LIST, SAME, ffconcat, frames_input
from framepipe.formats.recipe import (
    PALETTE,
    PALETTE_LIST,
    MovieSpec,
    Palette,
    Recipe,
    Segment,
    Step,
    args_of,
    cuts,
    spread,
)
from framepipe.job.frames import file_name
from framepipe.options import EncodeOptions
from framepipe.timeline import Timeline

_PALETTE_FRAMES = (
    50  # every 2nd or every 50th of a movie gave the same PSNR to 0.2 dB, on lines, images, dots
)
_FFMPEG_MIN_COLORS = 4  # palettegen of 5.1
_CACHED_FRAMES = 250  # of a segment that is worth caching
_MIN_FRAMES = 25  # of a segment: starting ffmpeg takes as long as several frames
_MAGICK_CHILD = "framepipe.formats.gif.magick_child"
_PALETTE_SIDE = 16  # paletteuse requires 16x16 pixels


def by_ffmpeg(spec: MovieSpec) -> Recipe:
    """Return the recipe with ffmpeg: a palette for all frames (or one per frame), then the frames.

    Memory is constant, and segments are quantised in parallel. Each begins with the last frame of the one
    before, which is dropped when they are joined: so ffmpeg crops the next frame to what changes, and the
    joined GIF has the same bytes as one built in a single pass.
    """
    timeline, shape, options, palette = spec.timeline, spec.shape, spec.encode, spec.palette
    if options.colors < _FFMPEG_MIN_COLORS and palette is None:
        raise UsageError(f"ffmpeg's palettes have 4 to 256 colors, not {options.colors}: use imagemagick")
    names = [file_name(number) for number in timeline.numbers]
    lists: dict[str, str | bytes] = {}
    steps = []
    if palette is not None:
        lists[PALETTE] = _palette_png(palette, clear=shape.mode == "RGBA")
        if palette.exact:  # there is nothing to dither, but bayer would do it nevertheless
            options = replace(options, dither="none")
    elif options.palette != "per-frame":
        sample = names if options.palette == "all" else spread(names, _PALETTE_FRAMES)
        lists[PALETTE_LIST] = ffconcat(sample, [Fraction(1, 25)] * len(sample), Fraction(25), shape)
        generated = frames_input(PALETTE_LIST).filter(
            "palettegen", stats_mode="full", **_generate(options, shape)
        )
        palette_output = generated.output(PALETTE, format="image2", **SAME, **{"frames:v": 1, "update": 1})
        steps.append(Step(args_of(palette_output), frames=1, reports_progress=False))
    per_frame = palette is None and options.palette == "per-frame"
    recipe = Recipe("gif", "ffmpeg", lists, tuple(steps), {}, "movie.gif", len(names))
    if len(names) <= _CACHED_FRAMES:
        length = max(_MIN_FRAMES, -(-len(names) // spec.jobs))
        return _in_segments(recipe, spec, cuts(len(names), length), _gif_output(options, shape, per_frame))
    runs = cuts(len(names), _CACHED_FRAMES)
    whole = _in_segments(recipe, spec, runs, _gif_output(options, shape, per_frame))
    return replace(whole, cache_segments=True)


def segment_frames(timeline: Timeline) -> list[tuple[int, ...]]:
    """Return the frames of each segment that is worth caching, with the last one of the segment before."""
    runs = cuts(len(timeline.numbers), _CACHED_FRAMES)
    return [tuple(timeline.numbers[k] for k in _with_overlap(run)) for run in runs] if len(runs) > 1 else []


def _with_overlap(run: range) -> range:
    return range(max(0, run.start - 1), run.stop)


def _generate(options: EncodeOptions, shape: Shape) -> dict[str, int]:
    return {"max_colors": options.colors, "reserve_transparent": int(shape.mode != "RGB")}


def _gif_output(options: EncodeOptions, shape: Shape, per_frame: bool) -> Callable[..., Any]:
    """Return a function that turns a stream of frames into a GIF output.

    If palettes change, unchanged pixels are not omitted, nor frames cropped: ffmpeg compares indices, which
    mean other colours in another palette (5.1 and 7.0, `gif.c`: `gif_crop_translucent`; `gif_crop_opaque`,
    for a frame whose palette is that of the first).
    """
    name, _, scale = options.dither.partition(":")
    dither: dict[str, Any] = {"dither": name, **({"bayer_scale": int(scale)} if scale else {})}

    def movie(frames: Any, output: str, **settings: Any) -> Any:
        if not per_frame:
            mapped = ffmpeg.filter([frames, ffmpeg.input(PALETTE)], "paletteuse", **dither)
            return mapped.output(output, format="gif", **settings)
        split = frames.filter_multi_output("split")
        palette = split[0].filter("palettegen", stats_mode="single", **_generate(options, shape))
        mapped = ffmpeg.filter([split[1], palette], "paletteuse", new=1, **dither)
        return mapped.output(output, format="gif", gifflags="-transdiff-offsetting", **settings)

    return movie


def _in_segments(
    recipe: Recipe, spec: MovieSpec, runs: Sequence[range], output_of: Callable[..., Any]
) -> Recipe:
    timeline, delays = spec.timeline, spec.timeline.gif_delays_cs()
    if len(runs) == 1:
        text, step = _one(spec, delays, runs[0], LIST, recipe.output, output_of)
        return replace(recipe, lists={**recipe.lists, LIST: text}, steps=(*recipe.steps, step))
    lists, segments = dict(recipe.lists), []
    for at, run in enumerate(runs):
        name, output = f"segment-{at:06d}.ffconcat", f"segment-{at:06d}.gif"
        run = _with_overlap(run)
        lists[name], step = _one(spec, delays, run, name, output, output_of)
        segments.append(Segment(tuple(timeline.numbers[k] for k in run), step, output))
    joined = {"delays_cs": delays, "plays": timeline.loop}
    return replace(recipe, lists=lists, spec=joined, segments=tuple(segments))


def _one(
    spec: MovieSpec,
    delays: Sequence[int],
    run: range,
    list_name: str,
    output: str,
    output_of: Callable[..., Any],
) -> tuple[str, Step]:
    """Return the list of a run of frames, and the command that makes a GIF of it."""
    names = [file_name(spec.timeline.numbers[at]) for at in run]
    text = ffconcat(names, [Fraction(delays[at], 100) for at in run], Fraction(100), spec.shape)
    settings = {"loop": _loop(spec.timeline.loop), "final_delay": delays[run[-1]]}
    movie = output_of(frames_input(list_name), output, **settings, **SAME)
    return text, Step(args_of(movie), frames=len(run), reports_progress=True)


def _palette_png(palette: Palette, *, clear: bool) -> bytes:
    """Encode the colours as paletteuse reads them; the last one fills the remaining pixels."""
    room = _PALETTE_SIDE**2 - clear
    colours = [*palette.colours, *[palette.colours[-1]] * (room - len(palette.colours))]
    pixels = np.array([(*colour, 255) for colour in colours] + [(0, 0, 0, 0)] * clear, np.uint8)
    return png.encode(pixels.reshape(_PALETTE_SIDE, _PALETTE_SIDE, 4))


def _loop(plays: int) -> int:
    """Convert plays to ffmpeg's count of repeats: -1 is one play, 0 is for ever."""
    return {0: 0, 1: -1}.get(plays, plays - 1)


def note(shape: Shape, options: EncodeOptions) -> str:
    """Describe the effect of an option, if it is not as requested; else empty."""
    if shape.mode == "RGBA" and options.layers not in ("auto", "none"):
        return f"layers {options.layers}: frames with transparency are kept whole"
    return ""


def by_imagemagick(spec: MovieSpec) -> Recipe:
    """Return the recipe with ImageMagick: ``SPEC.json`` for `framepipe.formats.gif.magick_child`."""
    timeline, shape, options, palette = spec.timeline, spec.shape, spec.encode, spec.palette
    spec_fields = {
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
    frames = len(timeline.numbers)
    return Recipe("gif", "imagemagick", {}, (), spec_fields, "movie.gif", frames, child=_MAGICK_CHILD)
