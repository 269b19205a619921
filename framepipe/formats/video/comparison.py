"""Compare a video with its sources: every frame is decoded once, together with its PNG.

Where a frame may show another's source, it is compared with all sources to find which.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from framepipe.core.images import Pixels
from framepipe.formats.frame_input import FRAMES, LIST, ffconcat
from framepipe.formats.video.film import film_in
from framepipe.formats.video.reader import VideoReader
from framepipe.formats.video.samples import Samples
from framepipe.formats.video.streams import ALONE_LIST, AS_DUE, AS_TAGGED, FILM, HASHES
from framepipe.formats.video.tap import piped, tapped
from framepipe.formats.video.tick_scores import TickScores
from framepipe.verification.blocks import BlockComparison, SuspectFrame
from framepipe.verification.cells import Blocks, cut
from framepipe.verification.expected import Expected
from framepipe.verification.judge import spread
from framepipe.verification.likeness import FrameScore

#: Frames that are converted here too: of a movie, and of each of its segments.
_MAX_SAMPLES, SAMPLES_OF_SEGMENT = 8, 4
_MAX_KEPT_BYTES = 32 << 20


@dataclass(frozen=True)
class Comparison:
    """What decoding a movie together with its sources shows.

    Attributes
    ----------
    ticks : list of FrameScore
        The score of each tick; it includes the samples converted here.
    samples : Samples
        Some pictures at full size, and their sources, converted here.
    hashes : list of str
        MD5 of each tick's RGB or RGBA, if each must equal its source.
    foreign : str
        Describes a frame that shows another's source; see `framepipe.verification.blocks`.
    alike_mse : float
        The mean squared difference below which two sources are too alike to be distinguished.
    tags_agree : bool
        The colours by the tags of the stream are those by the expected tags.
    """

    ticks: list[FrameScore]
    samples: Samples
    hashes: list[str]
    foreign: str
    alike_mse: float
    tags_agree: bool


def frame_scores(ticks: Sequence[FrameScore], repeats: Sequence[int]) -> list[FrameScore]:
    """Return the worst score among the ticks of each frame; ``repeats`` are the ticks of each."""
    frames = []
    for start, count in zip(starts_of(repeats), repeats):
        own = ticks[start : start + count]
        worst = min(own, key=lambda tick: tick.own_db - max(tick.neighbour_db))
        off = max(tick.off for tick in own)
        frames.append(replace(worst, off=off, next_source_db=own[-1].next_source_db))
    return frames


def starts_of(repeats: Sequence[int]) -> list[int]:
    """Return the first tick of each frame."""
    return list(accumulate(repeats, initial=0))[:-1]


def compare(reader: VideoReader, work: Path | None, max_samples: int = _MAX_SAMPLES) -> Comparison:
    """Decode every frame once, together with its source.

    Parameters
    ----------
    reader : VideoReader
    work : Path or None
        Where the encoder wrote, and perhaps left a film of its sources.
    max_samples : int
        Frames that are converted here too.

    Raises
    ------
    EncoderFailed
        Decoding reports an error.
    """
    expected, streams = reader.expected, reader.streams
    has_film = _lay_out_sources(reader.folder, expected, work)
    repeats = expected.timeline.video_repeats()
    starts, positions = starts_of(repeats), spread(len(repeats), max_samples)
    position_of = [position for position, count in enumerate(repeats) for _ in range(count)]
    blocks = None if streams.are_equal else BlockComparison(expected.tolerance.grain)
    size = streams.planes.samples_of(*expected.size)
    ticks, sources = TickScores(position_of, size, expected.tolerance, blocks), SmallSources()
    samples = Samples(reader, positions)

    def add(tick: int, decoded: Sequence[Pixels], source: Sequence[Pixels]) -> None:
        ticks.add(tick, decoded, source)
        sources.add(source)

    with tapped(reader.folder, streams.planes, 2, add):
        reader.run(streams.comparison([starts[each] for each in positions], has_film=has_film))
    if len(ticks.scores) != len(position_of):
        blocks = None  # what they show does not matter
    for position, off in zip(positions, samples.worst_patches()):
        tick = starts[position]  # there may be less: then the number of frames is reported
        if tick >= len(ticks.scores):
            break
        ticks.scores[tick] = replace(ticks.scores[tick], off=max(ticks.scores[tick].off, off))
    return Comparison(
        ticks.scores,
        samples,
        reader.hashes(HASHES) if streams.are_equal else [],
        _foreign(blocks, position_of, reader, sources, has_film) if blocks else "",
        blocks.alike_mse if blocks else 0.0,
        streams.video.lossless or reader.hashes(AS_TAGGED) == reader.hashes(AS_DUE),
    )


def _lay_out_sources(folder: Path, expected: Expected, work: Path | None) -> bool:
    """Write the list of the sources, tick by tick, into ffmpeg's folder; True if there is a film of them."""
    repeats, rate = expected.timeline.video_repeats(), expected.timeline.video_fps
    shown = [path for path, count in zip(expected.sources, repeats) for _ in range(count)]
    (folder / FRAMES).symlink_to(expected.sources[0].parent.absolute(), target_is_directory=True)
    names = ffconcat([path.name for path in shown], [1 / rate] * len(shown), rate, expected.shape)
    (folder / LIST).write_text(names, encoding="ascii")
    film = film_in(work, shown, expected.digests) if work is not None else None
    if film is not None:
        (folder / FILM).symlink_to(film.absolute())
    return film is not None


class SmallSources:
    """The small source of each tick, if all of them are few enough to be kept.

    Attributes
    ----------
    kept : list of list of ndarray of uint8, or None
        None if they take more than 32 MB: they are read once more where they are needed.
    """

    def __init__(self) -> None:
        self.kept: list[list[Pixels]] | None = []
        self._bytes = 0

    def add(self, source: Sequence[Pixels]) -> None:
        """Keep the next tick's planes, or forget all of them."""
        self._bytes += sum(plane.nbytes for plane in source)
        if self._bytes > _MAX_KEPT_BYTES:
            self.kept = None
        elif self.kept is not None:
            self.kept.append([plane.copy() for plane in source])


def _foreign(
    blocks: BlockComparison,
    position_of: Sequence[int],
    reader: VideoReader,
    sources: SmallSources,
    has_film: bool,
) -> str:
    """Describe a frame that shows another's source; if any is suspect, it is compared with all sources."""
    search, streams = blocks.search(), reader.streams

    def show(tick: int, source: Sequence[Pixels]) -> None:
        if search and tick < len(position_of) and (not tick or position_of[tick] != position_of[tick - 1]):
            search.show(position_of[tick], cut(source))

    if search and sources.kept is not None:
        for tick, source in enumerate(sources.kept):
            show(tick, source)
    elif search:
        with tapped(reader.folder, streams.planes, 1, show):
            reader.run(piped([streams.small_sources(has_film=has_film)], streams.planes))
    names = [path.name for path in reader.expected.sources]
    return blocks.verdict(search, names, _SecondLook(reader))


@dataclass(frozen=True)
class _SecondLook:
    """Reads frames of a video once more, see `framepipe.verification.blocks.SecondLook`."""

    reader: VideoReader

    def decoded_blocks(self, positions: Sequence[int]) -> Iterator[Blocks]:
        starts = starts_of(self.reader.expected.timeline.video_repeats())
        return iter(self._blocks(self.reader.streams.small_movie([starts[each] for each in positions])))

    def source_blocks(self, position: int) -> Blocks:
        expected = self.reader.expected
        rate, name = expected.timeline.video_fps, expected.sources[position].name
        text = ffconcat([name], [1 / rate], rate, expected.shape)
        (self.reader.folder / ALONE_LIST).write_text(text, encoding="ascii")
        return self._blocks(self.reader.streams.small_list(ALONE_LIST))[0]

    def excuses(self, suspect: SuspectFrame, *, alien: bool) -> bool:
        return False

    def _blocks(self, pictures: Any) -> list[Blocks]:
        blocks: list[Blocks] = []
        planes = self.reader.streams.planes
        with tapped(self.reader.folder, planes, 1, lambda tick, picture: blocks.append(cut(picture))):
            self.reader.run(piped([pictures], planes))
        return blocks
