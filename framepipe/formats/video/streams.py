"""The streams in which ffmpeg decodes a movie and its sources, to compare them. Nothing runs here.

They are paired by position, not by time, which containers round.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import ffmpeg

from framepipe.formats.frame_input import FULL_CHROMA, LIST, SAME, frames_input
from framepipe.formats.video.encoding import as_encoded, encoding
from framepipe.formats.video.tap import Planes, piped, small
from framepipe.verification.expected import Expected

#: The names of the files in ffmpeg's folder; the list of the sources is `LIST`. What is read:
MOVIE, FILM, ALONE_LIST = "movie", "film", "alone.ffconcat"
#: And what is written.
SAMPLES, HASHES, AS_TAGGED, AS_DUE = "samples.yuv", "frames.md5", "as-tagged.md5", "as-due.md5"
#: Seconds; after the end of any movie.
_LATER_S = 100_000_000


class Streams:
    """The streams of one movie and its sources.

    Parameters
    ----------
    expected : Expected

    Attributes
    ----------
    video : Encoding
        The movie's codec and pixels.
    are_equal : bool
        Each decoded frame must equal its source: not if that is laid over a background.
    planes : Planes
        The planes that are compared patch by patch: only luma if every sample is compared as well.
    """

    def __init__(self, expected: Expected) -> None:
        self._expected = expected
        self.video = encoding(expected.format, expected.shape, expected.options)
        self.are_equal = self.video.lossless and (expected.shape.mode == "RGB" or self.video.alpha)
        only_luma = self.are_equal and not self.video.alpha
        self.planes = Planes.of("gray" if only_luma else self.video.pixels_8, *expected.size)

    def comparison(self, samples_at: Sequence[int], *, has_film: bool) -> Any:
        """Return all outputs of one pass: each tick beside its source, samples, and hashes.

        Parameters
        ----------
        samples_at : sequence of int
            Ticks of the pictures of `SAMPLES`.
        has_film : bool
            See `small_sources`.
        """
        movie, outputs = self.movie(), []
        if not self.video.lossless:
            movie, again = _copies(movie, 2)
            outputs += _tag_hashes(_some(again, samples_at))
        if self.are_equal:
            movie, again = _copies(movie, 2)
            rgb = "rgba" if self.video.alpha else "rgb24"
            outputs.append(_numbered(again).output(HASHES, format="framemd5", pix_fmt=rgb, **SAME))
        compared, sampled = _copies(_numbered(movie.filter("format", self.video.pixels)), 2)
        sources = _numbered(self.small_sources(has_film=has_film))
        outputs.append(piped([self._small(compared), sources], self.planes))
        samples = _some(self._as_yuv(sampled), samples_at)
        outputs.append(samples.output(SAMPLES, format="rawvideo", pix_fmt=self.video.pixels_8, **SAME))
        return ffmpeg.merge_outputs(*outputs)

    def movie(self) -> Any:
        """Return the decoded movie; ffmpeg's own VP9 decoder would drop alpha silently."""
        decoder = {"vcodec": "libvpx-vp9"} if self.video.codec == "vp9" and self.video.alpha else {}
        return ffmpeg.input(MOVIE, err_detect="explode", **decoder).video

    def small_movie(self, ticks: Sequence[int]) -> Any:
        """Return some pictures of the movie, small."""
        return self._small(_some(self.movie().filter("format", self.video.pixels), ticks))

    def small_sources(self, *, has_film: bool) -> Any:
        """Return the sources, tick by tick, small: from a film, if the encoder has left one."""
        return ffmpeg.input(FILM, err_detect="explode").video if has_film else self.small_list(LIST)

    def small_list(self, name: str) -> Any:
        """Return the pictures of a list as they were encoded, small."""
        expected = self._expected
        pictures = as_encoded(frames_input(name), self.video, expected.shape, expected.background)
        return self._small(pictures)

    def _small(self, pictures: Any) -> Any:
        """Convert a stream to small pictures with the pixels of `planes`."""
        converted = self._as_yuv(pictures)
        if self.planes.pixels == "gray":
            # tagged as full range, or scaling would stretch the samples to it
            converted = converted.filter("extractplanes", "y").filter("setparams", range="full")
        return small(converted, self.planes)

    def _as_yuv(self, pictures: Any) -> Any:
        """Convert to 8 bits, and from RGB as `framepipe.core.images.yuv` does."""
        if self.video.lossless:
            pictures = pictures.filter("scale", out_color_matrix="bt709", out_range="tv", flags=FULL_CHROMA)
        return pictures.filter("format", self.video.pixels_8)


def _tag_hashes(pictures: Any) -> list[Any]:
    """Return hashes of the colours by the stream's own tags, and by the expected ones, of small pictures."""
    tagged, due = _copies(pictures, 2)
    due = due.filter("setparams", colorspace="bt709", range="tv")
    return [
        each.filter("scale", 64, 64).filter("format", "rgb24").output(name, format="framemd5", **SAME)
        for each, name in ((tagged, AS_TAGGED), (due, AS_DUE))
    ]


def _some(stream: Any, ticks: Sequence[int]) -> Any:
    """Return some frames of a stream, with times after all others.

    ffmpeg reads on for the output whose time is the least: for one that takes a frame now and then it would
    read the whole movie, and queue it for the others.
    """
    chosen = stream.filter("select", "+".join(f"eq(n,{tick})" for tick in ticks))
    return chosen.filter("settb", "1").filter("setpts", f"N+{_LATER_S:d}")


def _copies(stream: Any, count: int) -> Iterator[Any]:
    """Split a stream into ``count`` equal ones, which must all be used."""
    split = stream.filter_multi_output("split", count)
    return (split[at] for at in range(count))


def _numbered(stream: Any) -> Any:
    """Set the time of the n-th frame to n seconds, as of all outputs: ffmpeg reads on for the earliest."""
    return stream.filter("settb", "1").filter("setpts", "N")
