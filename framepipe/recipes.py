"""How each format is built: a pure function from options and timeline to commands.

All commands run in a work folder that holds ``frames`` (a link to the store), the ffconcat list
and what they write, so no file name of the user's ever stands in a command or a list.

Sources: ffmpeg manual, "concat demuxer", "palettegen", "paletteuse", "gif muxer", "libx264";
measured in both ffmpeg 5.1 and 9.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from framepipe import files
from framepipe.encoders.ffmpeg import GLOBAL_ARGS, PROGRESS_ARGS
from framepipe.encoders.tools import STALL_S
from framepipe.errors import UsageError
from framepipe.frames import file_name
from framepipe.store import Shape
from framepipe.timeline import Timeline

FORMATS = ("gif", "mp4")
ENCODERS = ("auto", "ffmpeg", "imagemagick")
PALETTES = ("global", "per-frame")
PRESETS: tuple[str, ...] = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium")
PRESETS += ("slow", "slower", "veryslow")
DITHERS = {
    "ffmpeg": ("none", "bayer", "heckbert", "floyd_steinberg", "sierra2", "sierra2_4a"),
    "imagemagick": ("none", "floyd_steinberg", "riemersma"),
}
LIST, PALETTE_LIST, PALETTE = "frames.ffconcat", "palette.ffconcat", "palette.png"
FRAMES = "frames"
_PALETTE_FRAMES = 200
_FFMPEG_LEAST_COLORS = 4  # palettegen of 5.1
_FULL_CHROMA = "accurate_rnd+full_chroma_int+full_chroma_inp"


@dataclass(frozen=True)
class Options:
    """How to encode.

    Attributes
    ----------
    encoder : {"auto", "ffmpeg", "imagemagick"}
        ``auto`` is ffmpeg.
    palette : {"global", "per-frame"}
        GIF: one colour table for the movie, or one for each frame (bigger, for many colours).
    colors : int
        GIF: 2 to 256.
    dither : str
        GIF: see `DITHERS`. ``none`` is the default: smaller and closer to the source for plots.
    crf : int
        MP4: 0 to 51, x264's constant rate factor; lower is better and bigger. Default 18.
    preset : str
        MP4: x264's preset, speed against size.
    stall_s : float
        Seconds without a sign of life after which the encoder is killed.
    metadata : dict of str to str
        MP4: what the file says of itself, as ``{"title": …, "artist": …, "comment": …}``.
    """

    encoder: str = "auto"
    palette: str = "global"
    colors: int = 256
    dither: str = "none"
    crf: int = 18
    preset: str = "medium"
    stall_s: float = STALL_S
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _one_of("encoder", self.encoder, ENCODERS)
        _one_of("palette", self.palette, PALETTES)
        _one_of("preset", self.preset, PRESETS)
        engine = "imagemagick" if self.encoder == "imagemagick" else "ffmpeg"
        _one_of(f"dither (of {engine})", self.dither, DITHERS[engine])
        _within("colors", self.colors, 2, 256)
        _within("crf", self.crf, 0, 51)
        if not 0 < self.stall_s < float("inf"):
            raise UsageError(f"stall_s (--encoder-timeout) is {self.stall_s:g}; give seconds above 0")
        for name, text in self.metadata.items():
            if not name.isidentifier() or "\0" in str(text):
                raise UsageError(f"metadata {name!r}: {text!r}; give names as title, and text")


def _one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise UsageError(f"{name} {value!r} is not one of {', '.join(allowed)}")


def _within(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise UsageError(f"{name} {value} is not within {least} to {most}")


@dataclass(frozen=True)
class Step:
    """One ffmpeg command.

    Attributes
    ----------
    args : tuple of str
        After the program.
    frames : int
        Frames that it must write.
    shown : bool
        True if its progress is the movie's.
    """

    args: tuple[str, ...]
    frames: int
    shown: bool


@dataclass(frozen=True)
class Recipe:
    """What to do for one movie.

    Attributes
    ----------
    format : {"gif", "mp4"}
    encoder : {"ffmpeg", "imagemagick"}
    lists : dict of str to str
        Files to write into the work folder, by name.
    steps : tuple of Step
        ffmpeg's commands.
    spec : dict
        For ImageMagick's child, names relative to the work folder.
    output : str
        Name of the movie in the work folder.
    frames : int
        Frames of the finished movie.
    """

    format: str
    encoder: str
    lists: dict[str, str]
    steps: tuple[Step, ...]
    spec: dict[str, Any]
    output: str
    frames: int


def format_of(path: Path) -> str:
    """The format that a file name asks for.

    Raises
    ------
    UsageError
    """
    if "\0" in path.name or len(os.fsencode(path.name)) > files.LONGEST_NAME:
        raise UsageError(f"output {path.name[:60]!r} … cannot be the name of a file")
    suffix = path.suffix.lower().lstrip(".")
    if suffix not in FORMATS:
        builds = ", ".join(f".{each}" for each in FORMATS)
        raise UsageError(f"output {path.name!r}: framepipe builds {builds}")
    return suffix


def recipe(
    format_: str,
    timeline: Timeline,
    shape: Shape,
    background: tuple[int, int, int] | None,
    options: Options,
) -> Recipe:
    """What to do for a movie of ``timeline``; parameters as their types say.

    Raises
    ------
    UsageError
        The format cannot do what is asked for.
    """
    if format_ == "mp4":
        if options.encoder == "imagemagick":
            raise UsageError("ImageMagick builds no mp4: use --encoder ffmpeg, or gif")
        return _mp4(timeline, shape, background or (255, 255, 255), options)
    if options.encoder == "imagemagick":
        return _gif_imagemagick(timeline, shape, options)
    return _gif_ffmpeg(timeline, shape, options)


def _gif_ffmpeg(timeline: Timeline, shape: Shape, options: Options) -> Recipe:
    if options.colors < _FFMPEG_LEAST_COLORS:
        raise UsageError(f"ffmpeg's palettes have 4 to 256 colors, not {options.colors}: use imagemagick")
    delays = timeline.gif_delays_cs()
    opaque = shape.mode == "RGB"
    generate = {"max_colors": options.colors, "reserve_transparent": int(not opaque)}
    names = [file_name(number) for number in timeline.numbers]
    lists = {LIST: ffconcat(names, [Fraction(delay, 100) for delay in delays], Fraction(100))}
    frames = _frames_input(LIST)
    steps: list[Step] = []
    if options.palette == "global":
        sample = _spread(names, _PALETTE_FRAMES)
        lists[PALETTE_LIST] = ffconcat(sample, [Fraction(1, 25)] * len(sample), Fraction(25))
        palette = _frames_input(PALETTE_LIST).filter("palettegen", stats_mode="full", **generate)
        making = palette.output(PALETTE, format="image2", **_SAME, **{"frames:v": 1, "update": 1})
        steps.append(Step(_args(making), frames=1, shown=False))
        pictures = ffmpeg.filter([frames, ffmpeg.input(PALETTE)], "paletteuse", dither=options.dither)
    else:
        split = frames.filter_multi_output("split")
        palette = split[0].filter("palettegen", stats_mode="single", **generate)
        pictures = ffmpeg.filter([split[1], palette], "paletteuse", dither=options.dither, new=1)
    movie = pictures.output(
        "movie.gif", format="gif", loop=_gif_loop(timeline.loop), final_delay=delays[-1], **_SAME
    )
    steps.append(Step(_args(movie), frames=len(names), shown=True))
    return Recipe("gif", "ffmpeg", lists, tuple(steps), {}, "movie.gif", len(names))


#: Frames go out as they came in: never duplicated or dropped for a rate.
_SAME = {"fps_mode": "passthrough"}


def _gif_loop(plays: int) -> int:
    """Ffmpeg counts repeats: -1 is one play, 0 is for ever."""
    return {0: 0, 1: -1}.get(plays, plays - 1)


def _gif_imagemagick(timeline: Timeline, shape: Shape, options: Options) -> Recipe:
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
        "palette": options.palette,
        "transparent": shape.mode == "RGBA",
    }
    return Recipe("gif", "imagemagick", {}, (), spec, "movie.gif", len(timeline.numbers))


def _mp4(timeline: Timeline, shape: Shape, background: tuple[int, int, int], options: Options) -> Recipe:
    repeats = timeline.video_repeats()
    names = [file_name(number) for number, times in zip(timeline.numbers, repeats) for _ in range(times)]
    colour = "0x{:02x}{:02x}{:02x}".format(*background)
    pictures = _frames_input(LIST)
    if shape.mode == "RGBA":
        pictures = _flatten(pictures, colour)
    if shape.width % 2 or shape.height % 2:
        pictures = pictures.filter("pad", "ceil(iw/2)*2", "ceil(ih/2)*2", color=colour)
    pictures = (
        pictures.filter("scale", out_color_matrix="bt709", out_range="tv", flags=_FULL_CHROMA)
        .filter(
            "setparams",
            colorspace="bt709",
            color_primaries="bt709",
            color_trc="bt709",
            range="tv",
        )
        .filter("format", "yuv420p")
    )
    movie = pictures.output(
        "movie.mp4",
        format="mp4",
        vcodec="libx264",
        preset=options.preset,
        crf=options.crf,
        movflags="+faststart",
        **_SAME,
        **{f"metadata:g:{at}": f"{name}={text}" for at, (name, text) in enumerate(options.metadata.items())},
    )
    rate = timeline.video_fps
    lists = {LIST: ffconcat(names, [1 / rate] * len(names), rate)}
    step = Step(_args(movie), frames=len(names), shown=True)
    return Recipe("mp4", "ffmpeg", lists, (step,), {}, "movie.mp4", len(names))


def _flatten(pictures: Any, colour: str) -> Any:
    """Transparent pictures over a ground of one colour, made from the same stream: same times."""
    split = pictures.filter("format", "rgba").filter_multi_output("split")
    red, green, blue = bytes.fromhex(colour[2:])
    # not drawbox with replace=1: ffmpeg 5.1 crashes (SIGSEGV) on every picture with alpha
    ground = split[0].filter("lutrgb", r=red, g=green, b=blue, a=255).filter("format", "rgb24")
    return ffmpeg.overlay(ground, split[1], format="rgb")


def _frames_input(name: str) -> Any:
    return ffmpeg.input(name, format="concat", safe=0, err_detect="explode")


def _args(output: Any) -> tuple[str, ...]:
    """Global options first: ffmpeg may ignore what trails the output."""
    return (*GLOBAL_ARGS, *PROGRESS_ARGS, *output.get_args())


def _spread(names: Sequence[str], most: int) -> list[str]:
    """At most ``most`` of the names, evenly spread, with the first and the last."""
    if len(names) <= most:
        return list(names)
    return [names[round(index * (len(names) - 1) / (most - 1))] for index in range(most)]


def ffconcat(names: Iterable[str], durations_s: Iterable[Fraction], rate: Fraction) -> str:
    """A list for ffmpeg's concat demuxer.

    Parameters
    ----------
    names : iterable of str
        File names of frames.
    durations_s : iterable of Fraction
        Seconds of each, whole ticks of ``1/rate``.
    rate : Fraction
        Ticks per second in which each picture is read.
    """
    lines = ["ffconcat version 1.0"]
    for name, duration in zip(names, durations_s):
        lines += [
            f"file {FRAMES}/{name}",
            f"option framerate {rate.numerator}/{rate.denominator}",
            f"duration {float(duration):.9f}",
        ]
    return "\n".join(lines) + "\n"
