"""Targets: what a place accepts, so that a conflict is reported before hours of drawing.

Nothing is scaled or cut to fit: a conflict is an error, or a failed check if only the finished file can
show it. Odd sides need no rule, since lossy video always has even ones; nor does a minimum rate, since slow
videos repeat frames (see `Timeline.video_fps`). Sources:

``web``
    MDN, "Web video codec guide" and "Codec selection": H.264 in MP4, and VP9 in WebM, are what all current
    browsers play; of H.264 only 4:2:0 in 8 bits.
``slides``
    PowerPoint: "the recommended format is .mp4 files encoded with H.264 video" (Microsoft Learn, answer
    5339846). Its decoder, "H.264 Video Decoder" (Microsoft Learn), supports the profiles Baseline, Main and
    High (4:2:0 in 8 bits) up to level 5.1, which is 36,864 blocks of 16x16 px a frame and 983,040 a second
    (ITU-T H.264, table A-1). Keynote plays the same. The limits of 4096 px a side and 60 frames a second
    are a precaution of our own.
``archive``
    Lossless formats, so that each pixel can be recovered.
``mastodon``
    docs.joinmastodon.org, "Posting to your profile", Files: GIF "up to 16MB", "less than 1MP (1280x720)";
    video (MP4, MOV, WebM) "up to 99MB". Exact numbers as in Mastodon's app/models/media_attachment.rb and
    app/models/concerns/attachmentable.rb: less than 16 and 99 MiB, 1280x720 px, 3840x2160 px, 120 frames a
    second. MP4 stays unchanged if it is H.264 in 4:2:0; MOV, WebM and GIF are converted to such MP4s.
    Animated WebP and AVIF would become still pictures. A server may set other limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from framepipe.core.shape import Shape
from framepipe.errors import UsageError
from framepipe.formats.base import Format
from framepipe.formats.video.codecs import codec_family
from framepipe.formats.video.encoding import encoding
from framepipe.options import EncodeOptions
from framepipe.timeline import Timeline

_ANY = Shape(64, 64, "RGB")
#: Options of ffmpeg's encoders that would override what a profile requires.
_OVERRIDING = ("pix_fmt", "profile", "vcodec")


@dataclass(frozen=True)
class Limits:
    """What a place accepts of one format.

    Attributes
    ----------
    codec : str
        The required codec, in 4:2:0 and 8 bits; empty for any.
    lossless : bool
        Each pixel must be as drawn.
    max_side_px : int or None
        Limit of a side.
    max_px : int or None
        Limit of width times height.
    max_fps : int or None
    max_blocks_per_s : int or None
        Limit of blocks of 16x16 pixels, incomplete ones included.
    max_bytes : int or None
        Limit of the file's size.
    """

    codec: str = ""
    lossless: bool = False
    max_side_px: int | None = None
    max_px: int | None = None
    max_fps: int | None = None
    max_blocks_per_s: int | None = None
    max_bytes: int | None = None


@dataclass(frozen=True)
class Profile:
    """What a place accepts.

    Attributes
    ----------
    name : str
    formats : dict of str to Limits
        The accepted formats.
    """

    name: str
    formats: Mapping[str, Limits]


_MIB = 2**20
_LOSSLESS = Limits(lossless=True)
_MASTODON_VIDEO = Limits(max_px=3840 * 2160, max_fps=120, max_bytes=99 * _MIB - 1)
PROFILES = {
    each.name: each
    for each in (
        Profile("web", {"mp4": Limits("h264"), "webm": Limits("vp9"), "gif": Limits(), "webp": Limits()}),
        Profile(
            "slides",
            {
                "mp4": Limits(
                    "h264",
                    max_side_px=4096,
                    max_px=36_864 * 16 * 16,
                    max_fps=60,
                    max_blocks_per_s=983_040,
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
                "gif": Limits(max_px=1280 * 720, max_bytes=16 * _MIB - 1),
            },
        ),
    )
}


def _limits(options: EncodeOptions, format_: str) -> Limits:
    """Return the limits of the movie's target.

    Raises
    ------
    UsageError
        The target does not accept the format.
    """
    if options.target is None:
        return Limits()
    formats = PROFILES[options.target].formats
    if format_ not in formats:
        accepted = ", ".join(f".{each}" for each in formats)
        raise UsageError(f"for {options.target}: it takes {accepted}, not .{format_}")
    return formats[format_]


def apply_target(options: EncodeOptions, format_: Format) -> EncodeOptions:
    """Return the options with the codec that the target requires; unchanged without a target.

    Raises
    ------
    UsageError
        The target does not accept the format, or conflicts with the options.
    """
    limits = _limits(options, format_.suffix)
    if limits.codec:
        options = replace(options, codec=options.codec or limits.codec)
        _check_codec(options, format_.suffix, limits.codec)
    if limits.lossless and not format_.lossless(options, _ANY):
        alternatives = "ffv1 in .mkv, or --quality lossless" if format_.is_video else "--quality lossless"
        raise UsageError(
            f"for {options.target}: {format_.suffix} as requested is not lossless: {alternatives}"
        )
    return options


def _check_codec(options: EncodeOptions, format_: str, required: str) -> None:
    head, video = f"for {options.target}: {format_} is ", encoding(format_, _ANY, options)
    if codec_family(video.codec) != required:
        raise UsageError(f"{head}{required}, not {video.codec}: leave --codec out")
    if video.lossless:
        raise UsageError(f"{head}not to be lossless, players could not show it: --quality best")
    if (video.chroma, options.depth) != ("420", 8):
        requested = f"4:{video.chroma[1]}:{video.chroma[2]} in {options.depth}"
        raise UsageError(f"{head}4:2:0 in 8 bits, not {requested}: leave --chroma and --depth out")
    if overriding := [name for name in _OVERRIDING if name in options.codec_options]:
        raise UsageError(f"{head}{required}, 4:2:0 in 8 bits: leave --codec-option {overriding[0]} out")


def check(options: EncodeOptions, format_: Format, timeline: Timeline, shape: Shape | None = None) -> None:
    """Check that the target accepts a movie of these times, and of this size if it is known already.

    Raises
    ------
    UsageError
    """
    if conflict := next(_conflicts(_limits(options, format_.suffix), format_.rate(timeline), shape), ""):
        raise UsageError(f"for {options.target}: {conflict}")


def _conflicts(limits: Limits, rate: Fraction | None, shape: Shape | None) -> Iterator[str]:
    if rate is not None and limits.max_fps is not None and rate > limits.max_fps:
        yield f"{float(rate):.6g} fps is more than {limits.max_fps}: give a lower --fps, or --every 2"
    if shape is None:
        return
    size, smaller = f"frames of {shape.width}x{shape.height} px", "give a lower --dpi"
    if limits.max_side_px is not None and max(shape.width, shape.height) > limits.max_side_px:
        yield f"{size} have a side of more than {limits.max_side_px}: {smaller}"
    if limits.max_px is not None and shape.width * shape.height > limits.max_px:
        yield f"{size} have more than {limits.max_px:,} in all: {smaller}"
    blocks = -(-shape.width // 16) * -(-shape.height // 16)
    max_rate = limits.max_blocks_per_s
    if rate is not None and max_rate is not None and blocks * rate > max_rate:
        yield f"{size} at {float(rate):.6g} fps are more than H.264's level 5.1 has: {smaller} or --fps"


def max_bytes(options: EncodeOptions, format_: str) -> int | None:
    """Return the size limit of the target, None if there is none."""
    formats = PROFILES[options.target].formats if options.target else {}
    return formats[format_].max_bytes if format_ in formats else None
