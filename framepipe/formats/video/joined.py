"""Check a video that was joined from verified segments: its container, and that it shows their pictures.

The pictures of a segment are known by a hash of each as it is decoded. Joining copies packets, so that each
picture of the whole is decoded to the same samples; that is checked from the first to the last. The sources
are not read again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from framepipe.core.control import Control
from framepipe.core.process import Tool
from framepipe.errors import EncoderFailed
from framepipe.formats.video.checks import container_checks, decoding_failed
from framepipe.formats.video.colours import tags
from framepipe.formats.video.reader import opened
from framepipe.verification.check import Check, requirement
from framepipe.verification.expected import Expected


def picture_hashes(
    movie: Path, expected: Expected, tool: Tool, control: Control, work: Path | None
) -> list[str]:
    """Return the MD5 of each picture of a video, as it is decoded.

    Raises
    ------
    EncoderFailed
        Decoding reports an error.
    """
    with opened(movie, expected, tool, control, work) as reader:
        return reader.picture_hashes()


def checks(
    movie: Path,
    expected: Expected,
    hashes: Sequence[Sequence[str]],
    tool: Tool,
    control: Control,
    work: Path | None,
) -> Iterator[Check]:
    """Yield the checks of a joined video; ``hashes`` are those of each segment's pictures."""
    with opened(movie, expected, tool, control, work) as reader:
        try:
            times, size = reader.times_and_size()
            shown = reader.picture_hashes()
        except EncoderFailed as error:
            yield decoding_failed(error)
            return
    colours = None if reader.streams.video.lossless else tags(movie)
    yield from container_checks(expected, times, size, len(shown), colours)
    segments = f"those of {len(hashes)} segments, each verified when it was encoded"
    due = [each for segment in hashes for each in segment]
    if shown == due:
        yield Check("pictures", True, segments, "the same")
        return
    differing = (at for at, (one, other) in enumerate(zip(shown, due)) if one != other)
    first = next(differing, min(len(shown), len(due)))
    yield requirement("pictures", segments, f"others from picture {first} on")
