"""Check a video that was joined from verified segments: its container, and that it shows their pictures.

Each segment was decoded by itself and compared with its sources, and joining copies its packets: a movie with
the same packets in the same order, for a decoder that is set up alike, is decoded to the same pictures. That
is checked from the first packet to the last; neither sources nor pictures are read again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

from framepipe.core.control import Control
from framepipe.core.process import Tool
from framepipe.errors import EncoderFailed
from framepipe.formats.video.checks import container_checks, decoding_failed
from framepipe.formats.video.colours import tags
from framepipe.formats.video.comparison import frame_scores
from framepipe.formats.video.reader import Packets, opened
from framepipe.verification.check import Check, requirement
from framepipe.verification.evidence import SegmentEvidence
from framepipe.verification.expected import Expected
from framepipe.verification.judge import picture_checks


def checks(
    movie: Path,
    expected: Expected,
    segments: Sequence[SegmentEvidence],
    tool: Tool,
    control: Control,
    work: Path | None,
) -> Iterator[Check]:
    """Yield the checks of a joined video."""
    with opened(movie, expected, tool, control, work) as reader:
        try:
            packets = reader.packets()
        except EncoderFailed as error:
            yield decoding_failed(error)
            return
    colours = None if reader.streams.video.lossless else tags(movie)
    yield from container_checks(expected, packets, len(packets.rows), colours)
    yield _joints(packets, segments)
    repeats = expected.timeline.video_repeats()
    scores = [score for segment in segments for score in segment.scores]
    if len(scores) == sum(repeats):
        alike_mse = max(segment.alike_mse for segment in segments)
        yield from picture_checks(frame_scores(scores, repeats), expected, alike_mse=alike_mse)


def _joints(packets: Packets, segments: Sequence[SegmentEvidence]) -> Check:
    """Check that a movie has the packets of its segments, one after the other, for one decoder."""
    expected = f"the packets of {len(segments)}, each verified"
    if {packets.head, *(segment.head for segment in segments)} != {packets.head}:
        return requirement("segments", expected, "they need other decoders")
    starts = accumulate((len(segment.packets) for segment in segments), initial=0)
    due = [
        (digest, start + position)
        for start, segment in zip(starts, segments)
        for digest, position in segment.packets
    ]
    if packets.rows == due:
        return requirement("segments", expected)
    differing = (at for at, (one, other) in enumerate(zip(packets.rows, due)) if one != other)
    first = next(differing, min(len(packets.rows), len(due)))
    return requirement("segments", expected, f"others from packet {first} on")
