"""The list that makes ffmpeg read exactly the frames of the timeline."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import ffmpeg

from framepipe.core.shape import Shape

LIST = "frames.ffconcat"
FRAMES = "frames"
#: Flags with which scaling converts colours without additional loss.
FULL_CHROMA = "accurate_rnd+full_chroma_int+full_chroma_inp"
#: Output frames as they are read: never duplicated or dropped for a rate.
SAME = {"fps_mode": "passthrough"}
_PIXEL_FORMATS = {"RGB": "rgb24", "RGBA": "rgba"}


def flatten(pictures: Any, colour: str) -> Any:
    """Lay transparent pictures over a background of one colour, made from the same stream: same times."""
    split = pictures.filter("format", "rgba").filter_multi_output("split")
    red, green, blue = bytes.fromhex(colour[2:])
    # not drawbox with replace=1: ffmpeg 5.1 crashes (SIGSEGV) on every picture with alpha
    background = split[0].filter("lutrgb", r=red, g=green, b=blue, a=255).filter("format", "rgb24")
    return ffmpeg.overlay(background, split[1], format="rgb")


def frames_input(name: str, **options: Any) -> Any:
    """Read the pictures of a list, strictly: a missing or truncated one ends ffmpeg."""
    return ffmpeg.input(name, format="concat", safe=0, err_detect="explode", **options)


def ffconcat(names: Iterable[str], durations_s: Iterable[Fraction], rate: Fraction, shape: Shape) -> str:
    """Write a list for ffmpeg's concat demuxer.

    With the size and the pixel format in the list, ffmpeg need not decode a picture to learn them and
    then decode it again: reading takes half the time. Whatever a picture really is, it is decoded so.

    Parameters
    ----------
    names : iterable of str
        File names of frames.
    durations_s : iterable of Fraction
        Seconds of each frame, whole ticks of ``1/rate``.
    rate : Fraction
        Ticks per second at which each picture is read.
    shape : Shape
        The shape of the pictures.
    """
    form = [
        f"option pixel_format {_PIXEL_FORMATS[shape.mode]}",
        f"option video_size {shape.width}x{shape.height}",
    ]
    lines = ["ffconcat version 1.0"]
    for name, duration in zip(names, durations_s):
        lines += [
            f"file {FRAMES}/{name}",
            f"option framerate {rate.numerator}/{rate.denominator}",
            *form,
            f"duration {float(duration):.9f}",
        ]
    return "\n".join(lines) + "\n"
