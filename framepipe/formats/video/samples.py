"""Frames of a video at full size, next to their sources as converted here and not by ffmpeg."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from framepipe.core.images import Picture, patch_means, read_png, split_yuv, worst_difference, yuv
from framepipe.formats.video.colours import conversion
from framepipe.formats.video.reader import VideoReader
from framepipe.formats.video.streams import SAMPLES


class Samples:
    """Some pictures of a movie; what can be known of their sources is computed while ffmpeg decodes.

    Parameters
    ----------
    reader : VideoReader
    positions : sequence of int
        Which, in the timeline.
    """

    def __init__(self, reader: VideoReader, positions: Sequence[int]) -> None:
        self._positions, self._reader = positions, reader
        self._decoded: list[Picture] = []
        thread = ThreadPoolExecutor(1)
        self._sources = thread.submit(self._read_sources)
        self._means = thread.submit(lambda: [[*map(patch_means, each)] for each in self._sources.result()])
        thread.shutdown(wait=False)

    def _read_sources(self) -> list[Picture]:
        """Convert the sources to the planes of the video."""
        expected, video = self._reader.expected, self._reader.streams.video
        half, even = video.chroma == "420", not video.lossless
        return [
            yuv(read_png(expected.sources[at]), expected.background, half=half, alpha=video.alpha, even=even)
            for at in self._positions
        ]

    def worst_patches(self) -> list[float]:
        """Read what ffmpeg has decoded; return the worst patch of each, see `worst_patch`.

        Raises
        ------
        IncompleteStore
            A source cannot be read.
        """
        means = self._means.result()
        video, (width, height) = self._reader.streams.video, self._reader.expected.size
        half = video.chroma == "420"
        size = width * height * (3 if half else 6) // 2 + (width * height if video.alpha else 0)
        raw = (self._reader.folder / SAMPLES).read_bytes()
        parts = (raw[at : at + size] for at in range(0, len(raw) // size * size, size))
        self._decoded = [split_yuv(each, width, height, half=half, alpha=video.alpha) for each in parts]
        return [
            worst_difference([*map(patch_means, decoded)], due) for decoded, due in zip(self._decoded, means)
        ]

    def conversion(self) -> str:
        """Return the conversion of the colours, of the pictures that were read."""
        pairs = zip(self._decoded, self._sources.result())
        return conversion(pairs, self._reader.expected.tolerance.grain.limit)
