"""What a movie is for: what a place takes, so that a conflict is told before hours of drawing.

Nothing is scaled or cut to fit: what does not fit is an error, or a failed check where it can only be known
of the finished file. Odd sides need no rule, lossy video has even ones always; nor does a least rate, slow
videos repeat frames (see `Timeline.video_fps`). Sources:

``web``
    MDN, "Web video codec guide" and "Codec selection": H.264 in MP4, and VP9 in WebM, are what all current
    browsers play; of H.264 only 4:2:0 in 8 bits.
``slides``
    PowerPoint: "the recommended format is .mp4 files encoded with H.264 video" (Microsoft Learn, answer
    5339846). What decodes it, "H.264 Video Decoder" (Microsoft Learn): the profiles Baseline, Main and High
    (4:2:0 in 8 bits) up to level 5.1, which is 36,864 blocks of 16x16 px a frame and 983,040 a second
    (ITU-T H.264, table A-1). Keynote plays the same. That sides have 4096 px at most and a second 60
    frames is caution of our own.
``archive``
    What is lossless, so that each pixel can be had again.
``mastodon``
    docs.joinmastodon.org, "Posting to your profile", Files: GIF "up to 16MB", "less than 1MP (1280x720)";
    video (MP4, MOV, WebM) "up to 99MB". Exact numbers as in Mastodon's app/models/media_attachment.rb and
    app/models/concerns/attachmentable.rb: less than 16 and 99 MiB, 1280x720 px, 3840x2160 px, 120 frames a
    second. MP4 is passed on as it is if it is H.264 in 4:2:0; MOV, WebM and GIF become such MP4s. Animated
    WebP and AVIF would become still pictures. A server may set other limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from framepipe.errors import UsageError
from framepipe.recipes import pictures
from framepipe.recipes.codecs import kind_of
from framepipe.recipes.options import VIDEOS, Options
from framepipe.recipes.video import encoding
from framepipe.store import Shape
from framepipe.timeline import Timeline

_ANY = Shape(64, 64, "RGB")
#: Options of ffmpeg's encoders that would undo what a profile demands.
_UNDO = ("pix_fmt", "profile", "vcodec")


@dataclass(frozen=True)
class Limits:
    """What a place takes of one format.

    Attributes
    ----------
    codec : str
        What it must hold; empty for any. Then it is 4:2:0 in 8 bits, too.
    lossless : bool
        Each pixel must be as it was drawn.
    longest_px : int or None
        Of a side.
    most_px : int or None
        Width times height.
    most_fps : int or None
    most_blocks_per_s : int or None
        Of 16x16 pixels, begun ones counted.
    most_bytes : int or None
        Of the file.
    """

    codec: str = ""
    lossless: bool = False
    longest_px: int | None = None
    most_px: int | None = None
    most_fps: int | None = None
    most_blocks_per_s: int | None = None
    most_bytes: int | None = None


@dataclass(frozen=True)
class Profile:
    """What a place takes.

    Attributes
    ----------
    name : str
    formats : dict of str to Limits
        Those that it takes.
    """

    name: str
    formats: Mapping[str, Limits]


_MIB = 2**20
_LOSSLESS = Limits(lossless=True)
_MASTODON_VIDEO = Limits(most_px=3840 * 2160, most_fps=120, most_bytes=99 * _MIB - 1)
PROFILES = {
    each.name: each
    for each in (
        Profile("web", {"mp4": Limits("h264"), "webm": Limits("vp9"), "gif": Limits(), "webp": Limits()}),
        Profile(
            "slides",
            {
                "mp4": Limits(
                    "h264",
                    longest_px=4096,
                    most_px=36_864 * 16 * 16,
                    most_fps=60,
                    most_blocks_per_s=983_040,
                )
            },
        ),
        Profile(
            "archive",
            dict.fromkeys(("mkv", "webm", "mp4", "mov", "webp", "apng", "avif"), _LOSSLESS),
        ),
        Profile(
            "mastodon",
            {
                "mp4": replace(_MASTODON_VIDEO, codec="h264"),
                "webm": _MASTODON_VIDEO,
                "mov": _MASTODON_VIDEO,
                "gif": Limits(most_px=1280 * 720, most_bytes=16 * _MIB - 1),
            },
        ),
    )
}


def _limits(options: Options, format_: str) -> Limits:
    """Of the movie's target.

    Raises
    ------
    UsageError
        It does not take the format.
    """
    if options.target is None:
        return Limits()
    formats = PROFILES[options.target].formats
    if format_ not in formats:
        takes = ", ".join(f".{each}" for each in formats)
        raise UsageError(f"for {options.target}: it takes {takes}, not .{format_}")
    return formats[format_]


def settle(options: Options, format_: str) -> Options:
    """The options with the codec that the target demands; the same ones without a target.

    Raises
    ------
    UsageError
        The target does not take the format, or does not go with the options.
    """
    limits = _limits(options, format_)
    if limits.codec:
        options = replace(options, codec=options.codec or limits.codec)
        _check_codec(options, format_, limits.codec)
    if limits.lossless and not _lossless(options, format_):
        able = "ffv1 in .mkv, or --quality lossless" if format_ in VIDEOS else "--quality lossless"
        raise UsageError(f"for {options.target}: {format_} as asked for is not lossless: {able}")
    return options


def _check_codec(options: Options, format_: str, demanded: str) -> None:
    head, made = f"for {options.target}: {format_} is ", encoding(format_, _ANY, options)
    if kind_of(made.codec) != demanded:
        raise UsageError(f"{head}{demanded}, not {made.codec}: leave --codec out")
    if made.lossless:
        raise UsageError(f"{head}not to be lossless, players could not show it: --quality best")
    if (made.chroma, options.depth) != ("420", 8):
        asked = f"4:{made.chroma[1]}:{made.chroma[2]} in {options.depth}"
        raise UsageError(f"{head}4:2:0 in 8 bits, not {asked}: leave --chroma and --depth out")
    if undo := [name for name in _UNDO if name in options.codec_options]:
        raise UsageError(f"{head}{demanded}, 4:2:0 in 8 bits: leave --codec-option {undo[0]} out")


def _lossless(options: Options, format_: str) -> bool:
    if format_ in VIDEOS:
        return encoding(format_, _ANY, options).lossless
    return pictures.lossless(format_, options)


def check(options: Options, format_: str, timeline: Timeline, shape: Shape | None = None) -> None:
    """See that the target takes a movie of these times, and of this size if that is known yet.

    Raises
    ------
    UsageError
    """
    rate = timeline.video_fps if format_ in VIDEOS else None
    if wrong := next(_conflicts(_limits(options, format_), rate, shape), ""):
        raise UsageError(f"for {options.target}: {wrong}")


def _conflicts(limits: Limits, rate: Fraction | None, shape: Shape | None) -> Iterator[str]:
    if rate is not None and limits.most_fps is not None and rate > limits.most_fps:
        yield f"{float(rate):.6g} fps is more than {limits.most_fps}: give a lower --fps, or --every 2"
    if shape is None:
        return
    size, smaller = f"frames of {shape.width}x{shape.height} px", "give a lower --dpi"
    if limits.longest_px is not None and max(shape.width, shape.height) > limits.longest_px:
        yield f"{size} have a side of more than {limits.longest_px}: {smaller}"
    if limits.most_px is not None and shape.width * shape.height > limits.most_px:
        yield f"{size} have more than {limits.most_px:,} in all: {smaller}"
    blocks = -(-shape.width // 16) * -(-shape.height // 16)
    most = limits.most_blocks_per_s
    if rate is not None and most is not None and blocks * rate > most:
        yield f"{size} at {float(rate):.6g} fps are more than H.264's level 5.1 has: {smaller} or --fps"


def most_bytes(options: Options, format_: str) -> int | None:
    """The largest file that the target takes, None if there is no such limit."""
    formats = PROFILES[options.target].formats if options.target else {}
    return formats[format_].most_bytes if format_ in formats else None
