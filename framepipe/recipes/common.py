"""What all recipes share: their parts, and how ffmpeg gets exactly the frames of the timeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import ffmpeg

from framepipe.encoders.ffmpeg import GLOBAL_ARGS, PROGRESS_ARGS

LIST, PALETTE_LIST, PALETTE = "frames.ffconcat", "palette.ffconcat", "palette.png"
FRAMES = "frames"
#: How scaling converts colours without loss of its own.
FULL_CHROMA = "accurate_rnd+full_chroma_int+full_chroma_inp"
#: Frames go out as they came in: never duplicated or dropped for a rate.
SAME = {"fps_mode": "passthrough"}


@dataclass(frozen=True)
class Step:
    """One ffmpeg command.

    Attributes
    ----------
    args : tuple of str
        After the program.
    frames : int or None
        Frames that it must write, None where it does not count them.
    shown : bool
        True if its progress is the movie's.
    """

    args: tuple[str, ...]
    frames: int | None
    shown: bool


@dataclass(frozen=True)
class Segment:
    """A run of a movie's frames that is encoded on its own.

    Attributes
    ----------
    numbers : tuple of int
        Frame numbers in the order of showing; those that are repeated, repeatedly.
    step : Step
        Reads its list, writes its output.
    output : str
        Name in the work folder.
    """

    numbers: tuple[int, ...]
    step: Step
    output: str


@dataclass(frozen=True)
class Recipe:
    """What to do for one movie.

    Attributes
    ----------
    format : str
        See `framepipe.recipes.FORMATS`.
    encoder : {"ffmpeg", "imagemagick", "player"}
    lists : mapping of str to str or bytes
        Files to write into the work folder, by name.
    steps : tuple of Step
        ffmpeg's commands; where there are segments, what comes before them.
    spec : dict
        For ImageMagick's child, the player, or what follows ffmpeg; names relative to the work folder.
    output : str
        Name of the movie in the work folder.
    frames : int
        Frames of the finished movie.
    segments : tuple of Segment
        Two or more that are encoded side by side and joined; or none.
    join : Step or None
        Joins the segments. None for GIF: see `framepipe.gif.splice`.
    kept : bool
        Segments are worth keeping in the store.
    """

    format: str
    encoder: str
    lists: Mapping[str, str | bytes]
    steps: tuple[Step, ...]
    spec: dict[str, Any]
    output: str
    frames: int
    segments: tuple[Segment, ...] = ()
    join: Step | None = None
    kept: bool = False


def flatten(pictures: Any, colour: str) -> Any:
    """Transparent pictures over a ground of one colour, made from the same stream: same times."""
    split = pictures.filter("format", "rgba").filter_multi_output("split")
    red, green, blue = bytes.fromhex(colour[2:])
    # not drawbox with replace=1: ffmpeg 5.1 crashes (SIGSEGV) on every picture with alpha
    ground = split[0].filter("lutrgb", r=red, g=green, b=blue, a=255).filter("format", "rgb24")
    return ffmpeg.overlay(ground, split[1], format="rgb")


def frames_input(name: str) -> Any:
    """The pictures of a list, strictly: a missing or torn one ends ffmpeg."""
    return ffmpeg.input(name, format="concat", safe=0, err_detect="explode")


def args_of(output: Any) -> tuple[str, ...]:
    """Global options first: ffmpeg may ignore what trails the output."""
    return (*GLOBAL_ARGS, *PROGRESS_ARGS, *output.get_args())


def spread(names: Sequence[str], most: int) -> list[str]:
    """At most ``most`` of the names, evenly spread, with the first and the last."""
    if len(names) <= most:
        return list(names)
    return [names[round(index * (len(names) - 1) / (most - 1))] for index in range(most)]


def cuts(count: int, length: int) -> list[range]:
    """Runs of ``length``, the last one shorter: of a movie that grows all but the last stay as they are."""
    return [range(start, min(start + length, count)) for start in range(0, count, length)]


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
