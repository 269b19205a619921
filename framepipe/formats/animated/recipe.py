"""Animated WebP, APNG and AVIF by ffmpeg: exact times, transparency kept.

Settings were tried in ffmpeg 5.1 and 9 on plots of 1000x700 px, 12 frames (a line, a viridis image,
transparent dots):

- WebP ``good`` is lossless: 0.7, 1.3, 1.1 MB; lossy at 90 is 0.6, 0.2, 1.0 MB and only 37 dB on lines, for
  lossy WebP halves the resolution of chroma. ``draft`` is lossy at 75.
- APNG is always lossless: 1.1, 2.4, 1.5 MB. With prediction ("mixed") lines are 20 % bigger, images 15 %
  smaller.
- AVIF is libaom in 4:4:4 and full range, alpha in a second stream: at crf 18 0.07, 0.05, 0.4 MB and 46 to
  50 dB. Lossless (RGB): 0.9, 1.8, 1.6 MB. ``cpu-used`` 6 and 8 write the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import ffmpeg

from framepipe.core.shape import Shape
from framepipe.errors import UsageError
from framepipe.formats.frame_input import LIST, SAME, ffconcat, frames_input
from framepipe.formats.recipe import MovieSpec, Recipe, Step, args_of
from framepipe.job.frames import file_name

_DRAFT_WEBP = 75
#: AVIF's rate factor by quality; lossless AVIF has none.
AVIF_CRF = {"draft": 30, "good": 18, "best": 10}
_MAX_CRF = 50  # at 63 right and wrong pictures are indistinguishable: patches are off by 98 of 255
_MAX_WEBP_PX = 16383  # its header has 14 bits for a side
_MAX_WEBP_PLAYS = 65535  # 16 bits, and 0 is for ever
_EXACT = "accurate_rnd+full_chroma_int+full_chroma_inp"
_AOM = {"vcodec": "libaom-av1", "cpu-used": 8, "row-mt": 1}


def webp(spec: MovieSpec, exact: bool) -> Recipe:
    """Return the recipe of a WebP by libwebp; ``exact``: every pixel as drawn.

    Raises
    ------
    UsageError
        The frames are too large for the format, or the plays too many.
    """
    timeline, shape, options = spec.timeline, spec.shape, spec.encode
    if timeline.loop > _MAX_WEBP_PLAYS:
        raise UsageError(f"loop {timeline.loop}: webp plays up to {_MAX_WEBP_PLAYS} times, or for ever (0)")
    if max(shape.width, shape.height) > _MAX_WEBP_PX:
        raise UsageError(f"frames of {shape.width}x{shape.height} px: webp holds {_MAX_WEBP_PX} px a side")
    rate, ticks = timeline.picture_ticks(1000)
    effort = (
        {"compression_level": 4 if options.quality == "best" else 2} if exact else {"quality": _DRAFT_WEBP}
    )
    settings = dict(
        format="webp",
        # libwebp_anim writes only changes; but lossy it skips small changes repeatedly: 150 frames of a
        # drifting field became 32 pictures, with patches off by 89 of 255
        vcodec="libwebp_anim" if exact else "libwebp",
        pix_fmt="bgra",
        lossless=int(exact),
        **effort,
        loop=timeline.loop,
        **SAME,
    )
    movie = frames_input(LIST).output("movie.webp", **(settings | dict(options.codec_options)))
    facts = {"duration_ms": sum(ticks), "plays": timeline.loop, "width": shape.width, "height": shape.height}
    facts["whole"] = not exact
    recipe = _recipe("webp", spec, rate, ticks, movie, facts)
    (step,) = recipe.steps
    return replace(recipe, steps=(replace(step, frames=None),))  # libwebp writes a WebP as one packet


def apng(spec: MovieSpec) -> Recipe:
    """Return the recipe of an APNG by ffmpeg's own encoder."""
    timeline, shape, options = spec.timeline, spec.shape, spec.encode
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
    return _recipe("apng", spec, rate, ticks, movie, {})


def avif(spec: MovieSpec, exact: bool) -> Recipe:
    """Return the recipe of an AVIF by libaom; ``exact``: every pixel as drawn.

    Raises
    ------
    UsageError
        An unsupported crf.
    """
    timeline, shape, options = spec.timeline, spec.shape, spec.encode
    rate, ticks = timeline.picture_ticks()
    quality = {"aom-params": "lossless=1"} if exact else {"crf": AVIF_CRF[options.quality]}
    if not exact and options.crf is not None:
        if options.crf > _MAX_CRF:
            raise UsageError(f"crf {options.crf}: avif has 0 to {_MAX_CRF} here")
        quality = {"crf": options.crf}
    # ffmpeg 5.1 has no such option, ignores it, and plays for ever: passed only if it matters
    loop = {"loop": timeline.loop} if timeline.loop else {}
    settings = dict(format="avif", **_AOM, **quality, **loop, **SAME) | dict(options.codec_options)
    movie = ffmpeg.output(*_avif_streams(shape, exact), "movie.avif", **(settings | _last_duration(ticks)))
    recipe = _recipe("avif", spec, rate, ticks, movie, {"plays": timeline.loop} if loop else {})
    return replace(recipe, counts_plays=bool(loop))


def _last_duration(ticks: Sequence[int]) -> dict[str, str]:
    """Return the option for the last picture's time: else one tick; the others end where the next begins.

    The time is given relative to that before it: in ffmpeg 5.1 setts knows neither the packets' time base
    (its ``TB`` is the encoder's) nor their ``DURATION`` (0).
    """
    before = sum(ticks[:-1])
    return {"bsf:v": f"setts=duration=PTS*{ticks[-1]}/{before}"} if before else {}


def _avif_streams(shape: Shape, exact: bool) -> list[Any]:
    """Return the colours, and alpha as a gray stream of its own, which becomes the auxiliary picture."""
    pictures = frames_input(LIST)
    alpha = []
    if shape.mode == "RGBA":
        split = pictures.filter("format", "rgba").filter_multi_output("split")
        pictures = split[0]
        gray = split[1].filter("alphaextract").filter("format", "gray")
        # libaom in ffmpeg 9 refuses gray that is tagged as RGB
        alpha = [gray.filter("setparams", colorspace="bt709", range="full")]
    if exact:
        return [pictures.filter("format", "gbrp").filter("setparams", colorspace="gbr", range="full"), *alpha]
    scaled = pictures.filter("scale", out_color_matrix="bt709", out_range="pc", flags=_EXACT)
    srgb = {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "iec61966-2-1", "range": "full"}
    return [scaled.filter("setparams", **srgb).filter("format", "yuv444p"), *alpha]


def _recipe(
    format_: str, spec: MovieSpec, rate: int, ticks: Sequence[int], movie: Any, facts: dict[str, Any]
) -> Recipe:
    names = [file_name(number) for number in spec.timeline.numbers]
    # ffmpeg reads whole microseconds: rounded separately, 29.97 fps would drift by a third of one a frame
    marks = [Fraction(0)]
    for each in ticks:
        marks.append(marks[-1] + Fraction(each, rate))
    whole = [Fraction(round(mark * 10**6), 10**6) for mark in marks]
    durations_s = [later - sooner for sooner, later in pairwise(whole)]
    lists = {LIST: ffconcat(names, durations_s, Fraction(rate), spec.shape)}
    step = Step(args_of(movie), frames=len(names), reports_progress=True)
    return Recipe(format_, "ffmpeg", lists, (step,), facts, f"movie.{format_}", len(names))
