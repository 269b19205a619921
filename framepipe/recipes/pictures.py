"""Animated WebP, APNG and AVIF by ffmpeg, WebP also by ImageMagick: exact times, transparency kept.

Settings were tried in ffmpeg 5.1 and 9 on plots of 1000x700 px, 12 frames (a line, a viridis image,
see-through dots):

- WebP ``good`` is lossless: 0.7, 1.3, 1.1 MB; lossy at 90 is 0.6, 0.2, 1.0 MB and only 37 dB on lines, for
  lossy WebP halves the colours. ``draft`` is lossy at 75.
- APNG is always lossless: 1.1, 2.4, 1.5 MB. With prediction ("mixed") lines are 20 % bigger, images 15 %
  smaller.
- AVIF is libaom in 4:4:4 and full range, alpha in a second stream: at crf 18 0.07, 0.05, 0.4 MB and 46 to
  50 dB. Lossless (RGB): 0.9, 1.8, 1.6 MB. ``cpu-used`` 6 and 8 write the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import ffmpeg

from framepipe.errors import UsageError
from framepipe.frames import file_name
from framepipe.recipes.common import FRAMES, LIST, SAME, Recipe, Step, args_of, ffconcat, frames_input
from framepipe.recipes.options import Options
from framepipe.store import Shape
from framepipe.timeline import Timeline

_DRAFT_WEBP = 75
_CRF = {"draft": 30, "good": 18, "best": 10}
_WORST_CRF = 50  # at 63 a right picture cannot be told from a wrong one: patches are off by 98 of 255
_LONGEST_WEBP_PX = 16383  # its header has 14 bits for a side
_MOST_WEBP_PLAYS = 65535  # 16 bits, and 0 is for ever
_EXACT = "accurate_rnd+full_chroma_int+full_chroma_inp"
_AOM = {"vcodec": "libaom-av1", "cpu-used": 8, "row-mt": 1}


def by_ffmpeg(format_: str, timeline: Timeline, shape: Shape, options: Options) -> Recipe:
    """A movie of ``webp``, ``apng`` or ``avif``.

    Raises
    ------
    UsageError
        Too fast or too long for the format, or asked of ImageMagick.
    """
    if options.encoder == "imagemagick":
        # its apng: calls ffmpeg, which made 30 frames of 10; it has no animated AVIF
        raise UsageError(f"ImageMagick builds no {format_}: use --encoder ffmpeg, or gif, webp")
    return {"webp": _webp, "apng": _apng, "avif": _avif}[format_](timeline, shape, options)


def lossless(format_: str, options: Options) -> bool:
    """Whether every pixel must come out as it was drawn."""
    return options.quality in {"apng": options.quality, "webp": ("good", "best", "lossless")}.get(
        format_, ("lossless",)
    )


def note(format_: str, timeline: Timeline) -> str:
    """What the format makes of the movie, if that is worth a word; else empty."""
    if len(timeline.numbers) == 1 and format_ in ("apng", "avif"):
        return f"one frame: the {format_} is a still picture, without time or loop"
    return ""


def webp_by_imagemagick(timeline: Timeline, shape: Shape, options: Options) -> Recipe:
    """For `framepipe.encoders.magick_child`.

    Raises
    ------
    UsageError
        As `by_ffmpeg`; or it has options of ffmpeg.
    """
    if options.codec_options:
        raise UsageError("codec_options are ffmpeg's: leave --codec-option or --encoder imagemagick out")
    _check_webp(timeline, shape)
    spec = {
        "format": "webp",
        "frames": [f"{FRAMES}/{file_name(number)}" for number in timeline.numbers],
        "output": "movie.webp",
        "work": "parts",
        "durations_ms": list(timeline.picture_ticks(1000)[1]),
        "plays": timeline.loop,
        "width": shape.width,
        "height": shape.height,
        "transparent": shape.mode == "RGBA",
        "lossless": lossless("webp", options),
        "quality": _DRAFT_WEBP,
        "method": {"best": 4}.get(options.quality, 2),
    }
    return Recipe("webp", "imagemagick", {}, (), spec, "movie.webp", len(timeline.numbers))


def _check_webp(timeline: Timeline, shape: Shape) -> None:
    if timeline.loop > _MOST_WEBP_PLAYS:
        raise UsageError(f"loop {timeline.loop}: webp plays up to {_MOST_WEBP_PLAYS} times, or for ever (0)")
    if max(shape.width, shape.height) > _LONGEST_WEBP_PX:
        raise UsageError(
            f"frames of {shape.width}x{shape.height} px: webp holds {_LONGEST_WEBP_PX} px a side"
        )


def _webp(timeline: Timeline, shape: Shape, options: Options) -> Recipe:
    _check_webp(timeline, shape)
    rate, ticks = timeline.picture_ticks(1000)
    exact = lossless("webp", options)
    effort = (
        {"compression_level": 4 if options.quality == "best" else 2} if exact else {"quality": _DRAFT_WEBP}
    )
    settings = dict(
        format="webp",
        # libwebp_anim writes what changes; but lossy it leaves what changes little as it was, and again, and
        # again: of a field that drifts 150 frames became 32 pictures, with patches off by 89 of 255
        vcodec="libwebp_anim" if exact else "libwebp",
        pix_fmt="bgra",
        lossless=int(exact),
        **effort,
        loop=timeline.loop,
        **SAME,
    )
    movie = frames_input(LIST).output("movie.webp", **(settings | dict(options.codec_options)))
    spec = {"duration_ms": sum(ticks), "plays": timeline.loop, "width": shape.width, "height": shape.height}
    spec["whole"] = not exact
    return _recipe("webp", timeline, rate, ticks, movie, spec)


def _apng(timeline: Timeline, shape: Shape, options: Options) -> Recipe:
    rate, ticks = timeline.picture_ticks()
    last = Fraction(ticks[-1], rate)
    settings = dict(
        format="apng",
        vcodec="apng",
        pix_fmt="rgb24" if shape.mode == "RGB" else "rgba",
        pred="none",
        plays=timeline.loop,
        final_delay=f"{last.numerator}/{last.denominator}",
        **SAME,
    )
    movie = frames_input(LIST).output("movie.apng", **(settings | dict(options.codec_options)))
    return _recipe("apng", timeline, rate, ticks, movie, {})


def _avif(timeline: Timeline, shape: Shape, options: Options) -> Recipe:
    rate, ticks = timeline.picture_ticks()
    exact = lossless("avif", options)
    quality = {"aom-params": "lossless=1"} if exact else {"crf": _CRF[options.quality]}
    if not exact and options.crf is not None:
        if options.crf > _WORST_CRF:
            raise UsageError(f"crf {options.crf}: avif has 0 to {_WORST_CRF} here")
        quality = {"crf": options.crf}
    # ffmpeg 5.1 has no such option, ignores it, and plays for ever: asked for only where it matters
    loop = {"loop": timeline.loop} if timeline.loop else {}
    settings = dict(format="avif", **_AOM, **quality, **loop, **SAME) | dict(options.codec_options)
    movie = ffmpeg.output(*_avif_streams(shape, exact), "movie.avif", **(settings | _last_shown_for(ticks)))
    return _recipe("avif", timeline, rate, ticks, movie, {"plays": timeline.loop} if loop else {})


def _last_shown_for(ticks: Sequence[int]) -> dict[str, str]:
    """The last picture would be shown for one tick; the others end where the next begins.

    As a share of the time before it: in ffmpeg 5.1 setts knows neither the packets' time base (its ``TB``
    is the encoder's) nor their ``DURATION`` (0).
    """
    before = sum(ticks[:-1])
    return {"bsf:v": f"setts=duration=PTS*{ticks[-1]}/{before}"} if before else {}


def _avif_streams(shape: Shape, exact: bool) -> list[Any]:
    """Colours; and alpha as a gray stream of its own, which the muxer makes the auxiliary picture."""
    pictures = frames_input(LIST)
    alpha = []
    if shape.mode == "RGBA":
        split = pictures.filter("format", "rgba").filter_multi_output("split")
        pictures = split[0]
        gray = split[1].filter("alphaextract").filter("format", "gray")
        # gray that says it is RGB is refused by libaom in ffmpeg 9
        alpha = [gray.filter("setparams", colorspace="bt709", range="full")]
    if exact:
        return [pictures.filter("format", "gbrp").filter("setparams", colorspace="gbr", range="full"), *alpha]
    scaled = pictures.filter("scale", out_color_matrix="bt709", out_range="pc", flags=_EXACT)
    srgb = {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "iec61966-2-1", "range": "full"}
    return [scaled.filter("setparams", **srgb).filter("format", "yuv444p"), *alpha]


def _recipe(
    format_: str, timeline: Timeline, rate: int, ticks: Sequence[int], movie: Any, spec: dict[str, Any]
) -> Recipe:
    names = [file_name(number) for number in timeline.numbers]
    # ffmpeg reads whole microseconds: rounded one by one, 29.97 fps would drift by a third of one a frame
    marks = [Fraction(0)]
    for each in ticks:
        marks.append(marks[-1] + Fraction(each, rate))
    whole = [Fraction(round(mark * 10**6), 10**6) for mark in marks]
    lists = {LIST: ffconcat(names, [later - sooner for sooner, later in pairwise(whole)], Fraction(rate))}
    frames = None if format_ == "webp" else len(names)  # all of a WebP is one packet of libwebp's
    step = Step(args_of(movie), frames=frames, shown=True)
    return Recipe(format_, "ffmpeg", lists, (step,), spec, f"movie.{format_}", len(names))
