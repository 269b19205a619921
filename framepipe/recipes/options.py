"""What a user can ask of an encoder, and of which formats."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from framepipe import files
from framepipe.encoders.tools import STALL_S
from framepipe.errors import UsageError
from framepipe.recipes.labels import NUMBER, Labels, parse_labels

#: What is built, by the file's suffix.
FORMATS = ("gif", "mp4", "webm", "mkv", "mov", "html", "webp", "apng", "avif")
#: A page of this size opens in a second or two; what is larger is better a video.
PLAYER_LIMIT_MB = 50.0
PICTURES = ("webp", "apng", "avif")
VIDEOS = ("mp4", "webm", "mkv", "mov")
CODECS: tuple[str, ...] = ("h264", "h265", "av1", "vp9", "ffv1", "prores")
#: Encoders in hardware, after ffmpeg's names; see `framepipe.recipes.codecs`.
CODECS += ("h264_nvenc", "hevc_nvenc", "av1_nvenc", "h264_qsv", "hevc_qsv", "av1_qsv", "h264_vaapi")
CODECS += ("hevc_vaapi", "h264_amf", "hevc_amf", "h264_videotoolbox", "hevc_videotoolbox")
#: What a movie can be for; see `framepipe.recipes.profiles`.
TARGETS = ("web", "slides", "archive", "mastodon")
QUALITIES = ("draft", "good", "best", "lossless")
CHROMAS, DEPTHS = ("420", "444"), (8, 10)
ENCODERS = ("auto", "ffmpeg", "imagemagick")
PALETTES = ("global", "all", "per-frame")
LAYERS = ("auto", "none", "optimize", "optimize-plus", "optimize-transparency")
PRESETS: tuple[str, ...] = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium")
PRESETS += ("slow", "slower", "veryslow")
DITHERS = {
    "ffmpeg": (
        "none",
        "bayer",
        *(f"bayer:{scale}" for scale in range(6)),
        "heckbert",
        "floyd_steinberg",
        "sierra2",
        "sierra2_4a",
    ),
    "imagemagick": ("none", "floyd_steinberg", "riemersma"),
}


@dataclass(frozen=True)
class Options:
    """How to encode.

    Attributes
    ----------
    encoder : {"auto", "ffmpeg", "imagemagick"}
        ``auto`` is ffmpeg.
    palette : {"global", "all", "per-frame"}, or a picture's file, or a colormap's name
        GIF: one colour table for the movie, chosen from 50 of its frames or from all of them (all its
        colours if these are few enough: then the GIF is lossless), or one for each frame (bigger, for many
        colours), or one that is given.
    colors : int
        GIF: 2 to 256.
    dither : str
        GIF: see `DITHERS`; ``bayer:N`` has a pattern from coarse (0) to fine (5). ``none`` is the default:
        smaller and closer to the source for plots.
    layers : {"auto", "none", "optimize", "optimize-plus", "optimize-transparency"}
        GIF by ImageMagick: its ``-layers``. Whole frames (``none``), cropped to what changes (``optimize``,
        ``optimize-plus``), or whole with what does not change made transparent. ``auto`` is the smaller of
        ``optimize`` and ``optimize`` with ``optimize-transparency`` after it. ``optimize-plus`` may leave
        frames out; where it does, it is ``optimize``. Frames with transparent pixels are always whole, and
        nothing is made transparent where all 256 colours are taken.
    crf : int or None
        Video: the codec's constant rate factor; lower is better and bigger. Default: as the quality says.
    preset : str
        H.264 and H.265: x264's and x265's preset, speed against size.
    stall_s : float
        Seconds without a sign of life after which the encoder is killed.
    metadata : dict of str to str
        Video: what the file says of itself, as ``{"title": …, "artist": …, "comment": …}``.
    codec : {"h264", "h265", "av1", "vp9", "ffv1", "prores"}, an encoder in hardware, or None
        Video. Default: h264 in ``.mp4``, vp9 in ``.webm``, ffv1 (lossless) in ``.mkv``, prores (4444, with
        alpha) in ``.mov``. Encoders in hardware have ffmpeg's names, as ``h264_nvenc``, ``hevc_vaapi``; they
        were not tried on real hardware.
    quality : {"draft", "good", "best", "lossless"}
        Tested settings for each codec and format.
    chroma : {"420", "444"}
        Video: colour at half the resolution, which every player shows, or at full.
    depth : {8, 10}
        Video: bits of a sample, where the codec has a choice.
    codec_options : dict of str to str
        Video: further options of ffmpeg's encoder, as ``{"tune": "animation"}``.
    labels : "number", "value", sequence or path
        HTML: what stands under each frame: its number, the value it was drawn from, or a text or number
        for each frame of the plan; or a file of a line a frame.
    player_limit_mb : float
        HTML: a page that would be larger is refused before it is built.
    html_assets : bool
        HTML: the pictures stand beside the page, in a folder that it names, and are loaded when they are
        near; for movies too long for one file. Page and folder belong together; no limit holds for them.
    optimize : bool
        GIF: have gifsicle make the finished file smaller. Kept only if it is smaller, each pixel, delay and
        the loop are as before, and it passes the same verification.
    target : {"web", "slides", "archive", "mastodon"} or None
        What the movie is for (``--for``): what that place does not take is an error before anything is drawn,
        as far as it can be known then; a file that is too large for it fails verification.
    """

    encoder: str = "auto"
    palette: str = "global"
    colors: int = 256
    dither: str = "none"
    layers: str = "auto"
    crf: int | None = None
    preset: str = "medium"
    stall_s: float = STALL_S
    metadata: Mapping[str, str] = field(default_factory=dict)
    codec: str | None = None
    quality: str = "good"
    chroma: str = "420"
    depth: int = 8
    codec_options: Mapping[str, str] = field(default_factory=dict)
    labels: Labels = NUMBER
    player_limit_mb: float = PLAYER_LIMIT_MB
    html_assets: bool = False
    optimize: bool = False
    target: str | None = None

    @classmethod
    def of(cls, keywords: Mapping[str, Any]) -> Options:
        """Those among a function's keywords; None is the default."""
        told = {name: keywords[name] for name in cls.__dataclass_fields__ if keywords[name] is not None}
        plain = {name: value.item() if hasattr(value, "item") else value for name, value in told.items()}
        return cls(**plain)  # numpy's numbers are not JSON's

    def __post_init__(self) -> None:
        _one_of("encoder", self.encoder, ENCODERS)
        if self.palette == "all" and self.encoder == "imagemagick":
            raise UsageError("palette all is ffmpeg's: ImageMagick holds all frames in memory for that")
        if not self.palette or "\0" in self.palette:
            raise UsageError("palette has an empty name")
        _one_of("preset", self.preset, PRESETS)
        engine = "imagemagick" if self.encoder == "imagemagick" else "ffmpeg"
        _one_of(f"dither (of {engine})", self.dither, DITHERS[engine])
        _one_of("layers", self.layers, LAYERS)
        if self.layers != "auto" and engine != "imagemagick":
            raise UsageError(f"layers {self.layers!r} is ImageMagick's: add --encoder imagemagick")
        _within("colors", self.colors, 2, 256)
        if self.crf is not None:
            _within("crf", self.crf, 0, 63)
        if self.codec is not None:
            _one_of("codec", self.codec, CODECS)
        if self.target is not None:
            _one_of("target (--for)", self.target, TARGETS)
        _one_of("quality", self.quality, QUALITIES)
        _one_of("chroma", self.chroma, CHROMAS)
        if self.depth not in DEPTHS:
            raise UsageError(f"depth {self.depth} is not one of 8, 10")
        if not 0 < self.stall_s < float("inf"):
            raise UsageError(f"stall_s (--encoder-timeout) is {self.stall_s:g}; give seconds above 0")
        object.__setattr__(self, "labels", parse_labels(self.labels))
        for name in ("html_assets", "optimize"):
            if not isinstance(getattr(self, name), bool):
                raise UsageError(f"{name} is {getattr(self, name)!r}; give True or False")
        if not 0 < self.player_limit_mb < float("inf"):
            raise UsageError(f"player_limit_mb is {self.player_limit_mb:g}; give megabytes above 0")
        for what, pairs in (("metadata", self.metadata), ("codec_options", self.codec_options)):
            for name, text in pairs.items():
                if not name.replace("-", "_").isidentifier() or "\0" in str(text):
                    raise UsageError(f"{what} {name!r}: {text!r} is not a name and text")


def _one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise UsageError(f"{name} {value!r} is not one of {', '.join(allowed)}")


def _within(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise UsageError(f"{name} {value} is not within {least} to {most}")


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
