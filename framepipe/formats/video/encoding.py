"""What a video is encoded as: container, codec, quality, pixels. Its recipe and its checks both ask here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from framepipe.core.shape import Shape
from framepipe.errors import UsageError
from framepipe.formats.frame_input import FULL_CHROMA, flatten
from framepipe.formats.video.codecs import CODECS, Codec, codec_family
from framepipe.options import EncodeOptions

_FAST_START = {"movflags": "+faststart"}  # the index before the pictures: players start at once


@dataclass(frozen=True)
class Container:
    """ffmpeg's muxer of a container, and the supported codecs, the default first."""

    muxer: str
    codecs: tuple[str, ...]
    args: Mapping[str, str] = field(default_factory=dict)


CONTAINERS = {
    "mp4": Container("mp4", ("h264", "h265", "av1"), _FAST_START),
    "webm": Container("webm", ("vp9", "av1")),
    "mkv": Container("matroska", ("ffv1", "h264", "h265", "av1", "vp9")),
    "mov": Container("mov", ("prores", "h264", "h265"), _FAST_START),
}


@dataclass(frozen=True)
class Encoding:
    """The codec, quality and pixel format of a video, resolved from the options.

    Attributes
    ----------
    codec : str
    crf : int or None
    lossless : bool
    alpha : bool
        Transparency is kept; else frames are laid over the background colour.
    chroma : {"420", "444"}
    pixels : str
        ffmpeg's pixel format.
    x264_crf : int
        About the x264 crf of the same quality.
    """

    codec: str
    crf: int | None
    lossless: bool
    alpha: bool
    chroma: str
    pixels: str
    x264_crf: int

    @property
    def pixels_8(self) -> str:
        """The pixel format in which frames are compared: Y'CbCr of 8 bits, and alpha."""
        return f"yuv{'a' if self.alpha else ''}{self.chroma}p"

    def size(self, shape: Shape) -> tuple[int, int]:
        """Return width and height of a movie of frames of ``shape``: even sides if it is lossy."""
        if self.lossless:
            return (shape.width, shape.height)
        return (shape.width + shape.width % 2, shape.height + shape.height % 2)


def encoding(format_: str, shape: Shape, options: EncodeOptions) -> Encoding:
    """Resolve codec, quality and pixel format.

    Raises
    ------
    UsageError
        The format or the codec does not support it.
    """
    supported = CONTAINERS[format_].codecs
    name = options.codec or supported[0]
    if codec_family(name) not in supported:
        raise UsageError(f"{format_} holds {', '.join(supported)}, not {codec_family(name)}")
    codec = CODECS[name]
    if min(shape.width, shape.height) < codec.min_px:
        raise UsageError(
            f"{name} has no pictures of {shape.width}x{shape.height} px; {codec.min_px} at least"
        )
    lossless = options.quality == "lossless" or not codec.samples
    if lossless and codec.lossless is None:
        alternatives = ", ".join(
            each for each, each_codec in CODECS.items() if each_codec.lossless is not None
        )
        raise UsageError(f"{name} is not made lossless here: --codec {alternatives}, as ffv1 in .mkv")
    alpha = shape.mode == "RGBA" and bool(codec.alpha_pix_fmt) and not (lossless and name == "vp9")
    if lossless:
        return Encoding(
            name, None, True, alpha, "444", codec.alpha_pix_fmt if alpha else codec.lossless_pix_fmt, 0
        )
    crf = _crf(name, codec, options)
    chroma, depth = ("444", 10) if name == "prores" else (options.chroma, options.depth)
    if f"{chroma}/{depth}" not in codec.samples:
        raise UsageError(
            f"{name} has no {depth} bits in 4:{chroma[1]}:{chroma[2]} here; it has {_spell(codec)}"
        )
    alpha = alpha and f"{chroma}/{depth}" in ("420/8", "444/10")
    pixels = f"yuv{chroma}p" + ("10le" if depth == 10 else "")
    x264_crf = 10 if crf is None else codec.x264_crf(crf)
    return Encoding(name, crf, False, alpha, chroma, codec.alpha_pix_fmt if alpha else pixels, x264_crf)


def _crf(name: str, codec: Codec, options: EncodeOptions) -> int | None:
    if not codec.crf or options.crf is None:
        return codec.crf.get(options.quality)
    if codec.higher_is_better:
        raise UsageError(f"{name} has no crf: set its quality with --quality draft, good or best")
    if not codec.min_crf <= options.crf <= codec.max_crf:
        limits = f"{codec.min_crf} to {codec.max_crf}"
        raise UsageError(f"crf {options.crf} requested; {name} supports {limits}")
    return options.crf


def _spell(codec: Codec) -> str:
    return ", ".join(f"4:{each[1]}:{each[2]} at {each.split('/')[1]}" for each in codec.samples)


def as_encoded(pictures: Any, video: Encoding, shape: Shape, background: tuple[int, int, int]) -> Any:
    """Convert a stream of frames to the pixels that are encoded."""
    colour = "0x{:02x}{:02x}{:02x}".format(*background)
    if shape.mode == "RGBA" and not video.alpha:
        pictures = flatten(pictures, colour)
    if video.lossless:
        return pictures.filter("format", video.pixels)
    if shape.width % 2 or shape.height % 2:
        padding = f"{colour}@0" if video.alpha else colour
        pictures = pictures.filter("pad", "ceil(iw/2)*2", "ceil(ih/2)*2", color=padding)
    return (
        pictures.filter("scale", out_color_matrix="bt709", out_range="tv", flags=FULL_CHROMA)
        .filter("setparams", colorspace="bt709", color_primaries="bt709", color_trc="bt709", range="tv")
        .filter("format", video.pixels)
    )
