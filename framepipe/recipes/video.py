"""Video by ffmpeg: H.264, H.265, AV1, VP9, and the archive's FFV1 and ProRes 4444.

Settings were tried in ffmpeg 5.1 and 9. Lossy pictures are converted to BT.709, limited range, and
tagged so; lossless ones stay RGB. Sides are made even, as 4:2:0 needs it, with the figure's own colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import gcd
from typing import Any

from framepipe.errors import UsageError
from framepipe.frames import file_name
from framepipe.recipes.codecs import CODECS, Codec, kind_of
from framepipe.recipes.common import (
    FULL_CHROMA,
    LIST,
    SAME,
    Recipe,
    Segment,
    Step,
    args_of,
    cuts,
    ffconcat,
    flatten,
    frames_input,
)
from framepipe.recipes.options import Options
from framepipe.store import Shape
from framepipe.timeline import Timeline

_DEFAULT = {"mp4": "h264", "webm": "vp9", "mkv": "ffv1", "mov": "prores"}
_HOLDS = {
    "mp4": ("h264", "h265", "av1"),
    "webm": ("vp9", "av1"),
    "mkv": ("ffv1", "h264", "h265", "av1", "vp9"),
    "mov": ("prores", "h264", "h265"),
}
_SEGMENT_TICKS = 250
_MUXERS = {"mp4": "mp4", "webm": "webm", "mkv": "matroska", "mov": "mov"}


@dataclass(frozen=True)
class Encoding:
    """What was settled about a video, from what was asked for.

    Attributes
    ----------
    codec : str
    crf : int or None
    lossless : bool
    alpha : bool
        Transparency is kept; else frames are laid over the figure's colour.
    chroma : {"420", "444"}
    pixels : str
        ffmpeg's pixel format.
    harm : int
        About the x264 crf that does as much harm to a picture.
    """

    codec: str
    crf: int | None
    lossless: bool
    alpha: bool
    chroma: str
    pixels: str
    harm: int


def encoding(format_: str, shape: Shape, options: Options) -> Encoding:
    """Settle codec, quality and pixels.

    Raises
    ------
    UsageError
        The format or the codec cannot do it.
    """
    name = options.codec or _DEFAULT[format_]
    if kind_of(name) not in _HOLDS[format_]:
        raise UsageError(f"{format_} holds {', '.join(_HOLDS[format_])}, not {kind_of(name)}")
    codec = CODECS[name]
    if min(shape.width, shape.height) < codec.least_px:
        raise UsageError(
            f"{name} has no pictures of {shape.width}x{shape.height} px; {codec.least_px} at least"
        )
    lossless = options.quality == "lossless" or not codec.samples
    if lossless and codec.lossless is None:
        able = ", ".join(each for each, about in CODECS.items() if about.lossless is not None)
        raise UsageError(f"{name} is not made lossless here: --codec {able}, as ffv1 in .mkv")
    alpha = shape.mode == "RGBA" and bool(codec.alpha_as) and not (lossless and name == "vp9")
    if lossless:
        return Encoding(name, None, True, alpha, "444", codec.alpha_as if alpha else codec.lossless_as, 0)
    crf = _crf(name, codec, options)
    chroma, depth = ("444", 10) if name == "prores" else (options.chroma, options.depth)
    if f"{chroma}/{depth}" not in codec.samples:
        raise UsageError(
            f"{name} has no {depth} bits in 4:{chroma[1]}:{chroma[2]} here; it has {_spell(codec)}"
        )
    alpha = alpha and f"{chroma}/{depth}" in ("420/8", "444/10")
    pixels = f"yuv{chroma}p" + ("10le" if depth == 10 else "")
    harm = 10 if crf is None else codec.harm(crf)
    return Encoding(name, crf, False, alpha, chroma, codec.alpha_as if alpha else pixels, harm)


def _crf(name: str, codec: Codec, options: Options) -> int | None:
    if not codec.crf or options.crf is None:
        return codec.crf.get(options.quality)
    if codec.rises:
        raise UsageError(f"{name} has no crf: its quality is told with --quality draft, good or best")
    if not codec.least_crf <= options.crf <= codec.most_crf:
        within = f"{codec.least_crf} to {codec.most_crf}"
        raise UsageError(f"crf {options.crf} is not within {within}, as {name} has it")
    return options.crf


def _spell(codec: Codec) -> str:
    return ", ".join(f"4:{each[1]}:{each[2]} at {each.split('/')[1]}" for each in codec.samples)


def by_ffmpeg(
    format_: str, timeline: Timeline, shape: Shape, background: tuple[int, int, int], options: Options
) -> Recipe:
    """A video of constant rate, held frames repeated."""
    settled = encoding(format_, shape, options)
    rate, repeats = timeline.video_fps, timeline.video_repeats()
    numbers = [number for number, times in zip(timeline.numbers, repeats) for _ in range(times)]
    chosen = _chosen(settled, options)
    fast = {"movflags": "+faststart"} if format_ in ("mp4", "mov") else {}
    told = {f"metadata:g:{at}": f"{name}={text}" for at, (name, text) in enumerate(options.metadata.items())}
    finish = {"format": _MUXERS[format_], **SAME}
    output = f"movie.{format_}"
    runs = cuts(len(numbers), segment_ticks(rate))

    def encoded(list_name: str, name: str, run: range, **more: Any) -> tuple[str, Step]:
        text = ffconcat([file_name(numbers[at]) for at in run], [1 / rate] * len(run), rate)
        pictures = _handed_over(as_encoded(frames_input(list_name), settled, shape, background), settled)
        movie = pictures.output(name, **{**finish, **chosen, **more, **options.codec_options})
        return text, Step((*CODECS[settled.codec].device, *args_of(movie)), frames=len(run), shown=True)

    if len(runs) == 1:
        text, step = encoded(LIST, output, runs[0], **fast, **told)
        return Recipe(format_, "ffmpeg", {LIST: text}, (step,), {}, output, len(numbers))
    lists: dict[str, str | bytes] = {}
    segments = []
    for at, run in enumerate(runs):
        name, part = f"segment-{at:06d}.ffconcat", f"segment-{at:06d}.{format_}"
        lists[name], step = encoded(name, part, run)
        segments.append(Segment(tuple(numbers[k] for k in run), step, part))
    lists[LIST] = _joined([segment.output for segment in segments], runs, rate)
    whole = frames_input(LIST).output(output, **finish, vcodec="copy", **fast, **told)
    join = Step(args_of(whole), frames=len(numbers), shown=False)
    return Recipe(format_, "ffmpeg", lists, (), {}, output, len(numbers), tuple(segments), join, kept=True)


def _chosen(settled: Encoding, options: Options) -> dict[str, Any]:
    """Arguments of the encoder."""
    codec = CODECS[settled.codec]
    chosen: dict[str, Any] = {
        "vcodec": codec.library,
        **codec.args,
        **(codec.alpha_args if settled.alpha else {}),
    }
    if settled.lossless:
        chosen |= dict(codec.lossless or {})
    else:
        chosen |= codec.lossy
    if settled.crf is not None:
        chosen |= dict.fromkeys(codec.told_by, settled.crf)
    if settled.codec in ("h264", "h265"):
        chosen["preset"] = options.preset
    return chosen


def _handed_over(pictures: Any, settled: Encoding) -> Any:
    """The same samples, as the encoder takes them."""
    codec = CODECS[settled.codec]
    if settled.pixels in codec.takes:
        pictures = pictures.filter("format", codec.takes[settled.pixels])
    return pictures.filter("hwupload") if codec.device else pictures


def segment_ticks(rate: Fraction) -> int:
    """Frames of a segment: about as many as x264 puts between two key frames anyway.

    They last whole milliseconds, if that can be, so that nothing is rounded where two are joined: Matroska
    and WebM keep times in milliseconds.
    """
    whole = rate.numerator // gcd(rate.numerator, 1000 * rate.denominator)
    return whole * max(1, round(_SEGMENT_TICKS / whole)) if whole <= 2 * _SEGMENT_TICKS else _SEGMENT_TICKS


def _joined(names: Sequence[str], runs: Sequence[range], rate: Fraction) -> str:
    """A list of segments; durations are differences of rounded marks, so that no error adds up."""
    marks = [Fraction(round(Fraction(run.start) / rate * 10**6), 10**6) for run in runs]
    marks.append(Fraction(round(Fraction(runs[-1].stop) / rate * 10**6), 10**6))
    lines = ["ffconcat version 1.0"]
    for name, (start, end) in zip(names, pairwise(marks)):
        lines += [f"file {name}", f"duration {float(end - start):.6f}"]
    return "\n".join(lines) + "\n"


def as_encoded(pictures: Any, settled: Encoding, shape: Shape, background: tuple[int, int, int]) -> Any:
    """A stream of frames, in the pixels that the encoder gets."""
    colour = "0x{:02x}{:02x}{:02x}".format(*background)
    if shape.mode == "RGBA" and not settled.alpha:
        pictures = flatten(pictures, colour)
    if settled.lossless:
        return pictures.filter("format", settled.pixels)
    if shape.width % 2 or shape.height % 2:
        ground = f"{colour}@0" if settled.alpha else colour
        pictures = pictures.filter("pad", "ceil(iw/2)*2", "ceil(ih/2)*2", color=ground)
    return (
        pictures.filter("scale", out_color_matrix="bt709", out_range="tv", flags=FULL_CHROMA)
        .filter("setparams", colorspace="bt709", color_primaries="bt709", color_trc="bt709", range="tv")
        .filter("format", settled.pixels)
    )
