"""Check videos: every frame is decoded by a new ffmpeg with ``-xerror``, together with its source.

Lossy movies are compared in their own colours (Y'CbCr, and alpha); lossless ones must be equal to their
sources, frame by frame. ffmpeg's conversion of the sources is checked too: some frames are also converted by
`framepipe.core.images.yuv`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np

from framepipe.core.control import Control
from framepipe.core.images import read_png
from framepipe.core.process import Tool
from framepipe.errors import EncoderFailed
from framepipe.formats.video.colours import DUE_COLOURS, tags
from framepipe.formats.video.comparison import (
    SAMPLES_OF_SEGMENT,
    Comparison,
    compare,
    frame_scores,
    starts_of,
)
from framepipe.formats.video.reader import Packets, VideoReader, opened
from framepipe.verification.check import (
    Check,
    requirement,
    same,
    same_duration,
    same_size,
    times_within,
)
from framepipe.verification.evidence import SegmentEvidence
from framepipe.verification.expected import Expected
from framepipe.verification.judge import picture_checks

_MAX_ERROR_S = Fraction(1, 1000)
_NO_ERROR = "without an error"


def checks(
    movie: Path, expected: Expected, tool: Tool, control: Control, work: Path | None
) -> Iterator[Check]:
    """Yield the checks of a video; see `framepipe.formats.measure`."""
    results, *_ = _examine(movie, expected, tool, control, work)
    yield from results


def evidence(
    movie: Path, expected: Expected, tool: Tool, control: Control, work: Path
) -> tuple[list[Check], SegmentEvidence | None]:
    """Return the checks of a segment, and what is to be known of it if it could be compared."""
    results, packets, comparison = _examine(movie, expected, tool, control, work, SAMPLES_OF_SEGMENT)
    if packets is None or comparison is None:
        return results, None
    return results, SegmentEvidence(packets.head, packets.rows, comparison.ticks, comparison.alike_mse)


def _examine(
    movie: Path, expected: Expected, tool: Tool, control: Control, work: Path | None, *max_samples: int
) -> tuple[list[Check], Packets | None, Comparison | None]:
    """Return all checks, and the comparison if it has one picture for each tick."""
    repeats = expected.timeline.video_repeats()
    with opened(movie, expected, tool, control, work) as reader:
        video = reader.streams.video
        try:
            packets, comparison = _read(reader, work, *max_samples)
        except EncoderFailed as error:
            return [decoding_failed(error)], None, None
    decoded = len(comparison.ticks) if comparison else len(packets.rows)
    colours = None if video.lossless else _colours(movie, comparison)
    results = [*container_checks(expected, packets, decoded, colours)]
    if comparison is None or decoded != sum(repeats):
        return results, packets, None
    if comparison.hashes:
        results.append(_lossless(comparison.hashes, repeats, expected, alpha=video.alpha))
    scores = frame_scores(comparison.ticks, repeats)
    results += picture_checks(scores, expected, comparison.foreign, comparison.alike_mse)
    return results, packets, comparison


def _read(reader: VideoReader, work: Path | None, *max_samples: int) -> tuple[Packets, Comparison | None]:
    """Read container and pictures; these at the same time if whoever built the movie has counted them."""

    def is_comparable(packets: Packets) -> bool:
        expected = reader.expected
        return len(packets.rows) == sum(expected.timeline.video_repeats()) and packets.size == expected.size

    if work is None:
        packets = reader.packets()
        return packets, compare(reader, work) if is_comparable(packets) else None
    with ThreadPoolExecutor(1) as thread:
        container = thread.submit(reader.packets)
        problem, comparison = None, None
        try:
            comparison = compare(reader, work, *max_samples)
        except EncoderFailed as error:
            problem = error
        packets = container.result()
    if not is_comparable(packets):
        return packets, None
    if problem:
        raise problem
    return packets, comparison


def decoding_failed(error: EncoderFailed) -> Check:
    """Return the check of a movie that cannot be decoded.

    Raises
    ------
    EncoderFailed
        The reason says nothing of the movie.
    """
    if "No space left" in error.stderr:
        raise error
    return Check("decodes", False, _NO_ERROR, " ".join(str(error).split())[:200])


def container_checks(
    expected: Expected, packets: Packets, decoded: int, colours: str | None
) -> Iterator[Check]:
    """Yield the checks of what a container says, of a movie that was decoded without an error.

    Parameters
    ----------
    expected : Expected
    packets : Packets
    decoded : int
        Frames that were decoded; the container may have another number.
    colours : str or None
        Its colours; None if they are those of the sources, as in a lossless movie.
    """
    count = sum(expected.timeline.video_repeats())
    tick_s = 1 / expected.timeline.video_fps
    yield requirement("decodes", _NO_ERROR)
    times = packets.times_s
    yield same("frames", count, decoded if decoded != count else len(times))
    yield same_size(expected.size, packets.size)
    ends_s = times[-1] + tick_s if times else Fraction(0)
    yield same_duration(expected.duration_s, ends_s, within_s=_MAX_ERROR_S)
    errors_s = (time - tick * tick_s for tick, time in enumerate(times[:count]))
    yield times_within(_MAX_ERROR_S, "within 1 ms", errors_s)
    if colours is not None:
        yield same("colours", DUE_COLOURS, colours)


def _colours(movie: Path, comparison: Comparison | None) -> str:
    """Describe the colours by the tags of container and stream, and by the samples of some frames."""
    if (tagged := tags(movie)) != DUE_COLOURS or comparison is None:
        return tagged
    if not comparison.tags_agree:
        return "tagged so, but in the stream otherwise"
    converted = comparison.samples.conversion()
    return converted if converted == DUE_COLOURS else f"tagged so, but samples are {converted}"


def _lossless(hashes: Sequence[str], repeats: Sequence[int], expected: Expected, *, alpha: bool) -> Check:
    """Check that every frame equals its source, sample by sample."""
    problem = ""
    for position, (start, count) in enumerate(zip(starts_of(repeats), repeats)):
        source = expected.sources[position]
        pixels = np.ascontiguousarray(read_png(source)[..., : 4 if alpha else 3])
        due = hashlib.md5(pixels.data, usedforsecurity=False).hexdigest()
        if set(hashes[start : start + count]) != {due}:
            problem = f"frame {position} is not {source.name}"
            break
    return requirement("lossless", "equal to the sources", problem)
