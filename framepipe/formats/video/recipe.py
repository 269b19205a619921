"""Recipes of video by ffmpeg: H.264, H.265, AV1, VP9, and for archives FFV1 and ProRes 4444.

Settings were tried in ffmpeg 5.1 and 9. Lossy pictures are converted to BT.709, limited range, and
tagged so; lossless ones stay RGB. Sides are padded to even ones, as 4:2:0 requires, with the figure's
own colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil, gcd
from typing import Any

import ffmpeg

from framepipe.core.shape import Shape
from framepipe.formats.frame_input import LIST, SAME, ffconcat, frames_input
from framepipe.formats.recipe import MovieSpec, Recipe, Segment, Step, args_of, cuts
from framepipe.formats.video.codecs import CODECS
from framepipe.formats.video.encoding import CONTAINERS, Encoding, as_encoded, encoding
from framepipe.formats.video.film import can_film, film_of
from framepipe.job.frames import file_name
from framepipe.options import EncodeOptions
from framepipe.timeline import Timeline

_SEGMENT_TICKS = 250
#: From here on two encoders of half a movie each, which are verified apart too, are faster than one with two
#: threads. Each begins with a key frame, which a few frames do not make up for.
_MIN_TICKS, _MIN_PIXELS_OF_TWO = 100, 40_000_000


def by_ffmpeg(format_: str, spec: MovieSpec) -> Recipe:
    """Return the recipe of a video of constant rate; held frames are repeated."""
    timeline, shape, options, container = spec.timeline, spec.shape, spec.encode, CONTAINERS[format_]
    video = encoding(format_, shape, options)
    rate, numbers = timeline.video_fps, _numbers_of_ticks(timeline)
    encoder_args = _encoder_args(video, options)
    tags = {f"metadata:g:{at}": f"{name}={text}" for at, (name, text) in enumerate(options.metadata.items())}
    finish = {"format": container.muxer, **SAME}
    output = f"movie.{format_}"
    runs = segment_runs(len(numbers), rate)
    if len(runs) == 1 and _gains_by_halves(len(numbers), shape):
        runs = halves(runs[0], rate)

    def encoded(list_name: str, name: str, run: range, **more: Any) -> tuple[str, Step]:
        text = ffconcat([file_name(numbers[at]) for at in run], [1 / rate] * len(run), rate, shape)
        source = frames_input(list_name)
        pictures = as_encoded(source, video, shape, spec.background)
        settings = {**finish, **encoder_args, **more, **options.codec_options}
        movie = _for_encoder(pictures, video).output(name, **settings)
        filmed: tuple[str, ...] = ()
        if can_film(video):
            both = pictures.filter_multi_output("split")
            film = film_of(source, both[1], video, video.size(shape), name.partition(".")[0])
            filmed = args_of(
                ffmpeg.merge_outputs(*film, _for_encoder(both[0], video).output(name, **settings))
            )
        args = (*CODECS[video.codec].device, *args_of(movie))
        return text, Step(args, frames=len(run), reports_progress=True, filmed=filmed)

    if len(runs) == 1:
        text, step = encoded(LIST, output, runs[0], **container.args, **tags)
        return Recipe(format_, "ffmpeg", {LIST: text}, (step,), {}, output, len(numbers))
    lists: dict[str, str | bytes] = {}
    segments = []
    for at, run in enumerate(runs):
        name, part = f"segment-{at:06d}.ffconcat", f"segment-{at:06d}.{format_}"
        lists[name], step = encoded(name, part, run)
        segments.append(Segment(tuple(numbers[k] for k in run), step, part))
    lists[LIST] = _joined([segment.output for segment in segments], runs, rate)
    # as they are: ffmpeg would repeat what decoders are given first in front of each H.264 segment
    packets = frames_input(LIST, auto_convert=0)
    whole = packets.output(output, **finish, vcodec="copy", **container.args, **tags)
    join = Step(args_of(whole), frames=len(numbers), reports_progress=False)
    return Recipe(
        format_, "ffmpeg", lists, (), {}, output, len(numbers), tuple(segments), join, cache_segments=True
    )


def segment_frames(timeline: Timeline) -> list[tuple[int, ...]]:
    """Return the frame of each tick of each segment, if there are several."""
    numbers = _numbers_of_ticks(timeline)
    runs = segment_runs(len(numbers), timeline.video_fps)
    return [tuple(numbers[run.start : run.stop]) for run in runs] if len(runs) > 1 else []


def _numbers_of_ticks(timeline: Timeline) -> list[int]:
    return [number for number, times in zip(timeline.numbers, timeline.video_repeats()) for _ in range(times)]


def _encoder_args(video: Encoding, options: EncodeOptions) -> dict[str, Any]:
    """Return the arguments of the encoder."""
    codec = CODECS[video.codec]
    args: dict[str, Any] = {
        "vcodec": codec.library,
        **codec.args,
        **(codec.alpha_args if video.alpha else {}),
    }
    if video.lossless:
        args |= dict(codec.lossless or {})
    else:
        args |= {**codec.lossy, **(codec.medium if options.preset == "medium" else {})}
    if video.crf is not None:
        args |= dict.fromkeys(codec.quality_flags, video.crf)
    if video.codec in ("h264", "h265"):
        args["preset"] = options.preset
    return args


def _for_encoder(pictures: Any, video: Encoding) -> Any:
    """Convert a stream to a pixel format that the encoder supports: the same samples."""
    codec = CODECS[video.codec]
    if video.pixels in codec.pix_fmt_map:
        pictures = pictures.filter("format", codec.pix_fmt_map[video.pixels])
    return pictures.filter("hwupload") if codec.device else pictures


def segment_runs(count: int, rate: Fraction) -> list[range]:
    """Cut ticks into segments of about as many frames as x264 puts between two key frames.

    They last whole milliseconds, if possible, so that nothing is rounded where two are joined: Matroska
    and WebM store times in milliseconds. The last two are about equal, so that their encoders end together;
    if a movie grows, all others are unchanged.
    """
    step = _step(rate)
    runs = cuts(count, step * max(1, round(_SEGMENT_TICKS / step)))
    return [*runs[:-2], *halves(range(runs[-2].start, count), rate)] if len(runs) > 1 else runs


def _gains_by_halves(count: int, shape: Shape) -> bool:
    return count >= 2 * _MIN_TICKS and count * shape.width * shape.height >= _MIN_PIXELS_OF_TWO


def halves(run: range, rate: Fraction) -> list[range]:
    """Cut a run of ticks into two of about the same length, which last whole milliseconds if possible."""
    step = _step(rate)
    middle = run.start + step * ceil(len(run) / 2 / step)
    return [range(run.start, middle), range(middle, run.stop)] if middle < run.stop else [run]


def _step(rate: Fraction) -> int:
    """Return the least number of ticks that last whole milliseconds; 1 if that is too many."""
    step = rate.numerator // gcd(rate.numerator, 1000 * rate.denominator)
    return step if step <= 2 * _SEGMENT_TICKS else 1


def _joined(names: Sequence[str], runs: Sequence[range], rate: Fraction) -> str:
    """Write a list of segments; durations are differences of rounded marks, so errors do not accumulate."""
    marks = [Fraction(round(Fraction(run.start) / rate * 10**6), 10**6) for run in runs]
    marks.append(Fraction(round(Fraction(runs[-1].stop) / rate * 10**6), 10**6))
    lines = ["ffconcat version 1.0"]
    for name, (start, end) in zip(names, pairwise(marks)):
        lines += [f"file {name}", f"duration {float(end - start):.6f}"]
    return "\n".join(lines) + "\n"
