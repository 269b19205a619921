"""MP4, WebM, Matroska and QuickTime: video of constant rate, by ffmpeg."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from framepipe.core.control import Control
from framepipe.core.process import Tool
from framepipe.core.shape import Shape
from framepipe.formats.base import Format, Inline, refuse_imagemagick, refuse_optimize
from framepipe.formats.recipe import MovieSpec, Recipe
from framepipe.formats.video import checks as videos
from framepipe.formats.video import joined
from framepipe.formats.video import recipe as video
from framepipe.formats.video.codecs import codec_family
from framepipe.formats.video.encoding import encoding
from framepipe.options import EncodeOptions
from framepipe.timeline import Timeline
from framepipe.verification import Check, Expected, Grain, Tolerance
from framepipe.verification.evidence import SegmentEvidence


class Video(Format):
    """A container of video.

    Parameters
    ----------
    suffix : str
    mime : str, optional
        The media type, if browsers play it.
    keeps_alpha : bool
    """

    is_video = has_segments = True

    def __init__(self, suffix: str, *, mime: str | None = None, keeps_alpha: bool = True) -> None:
        self.suffix, self.mime, self.keeps_alpha = suffix, mime, keeps_alpha

    def check_times(self, timeline: Timeline) -> None:
        """See `Format`."""
        timeline.video_repeats()

    def recipe(self, spec: MovieSpec) -> Recipe:
        """See `Format`."""
        refuse_optimize(spec.encode, self.suffix)
        refuse_imagemagick(spec.encode, self.suffix)
        return video.by_ffmpeg(self.suffix, spec)

    def segment_frames(self, timeline: Timeline) -> list[tuple[int, ...]]:
        """See `Format`."""
        return video.segment_frames(timeline)

    def rate(self, timeline: Timeline) -> Fraction | None:
        """See `Format`."""
        return timeline.video_fps

    def lossless(self, encode: EncodeOptions, shape: Shape) -> bool:
        """See `Format`."""
        return encoding(self.suffix, shape, encode).lossless

    def size(self, encode: EncodeOptions, shape: Shape) -> tuple[int, int]:
        """See `Format`."""
        return encoding(self.suffix, shape, encode).size(shape)

    def duration_s(self, timeline: Timeline) -> Fraction:
        """See `Format`."""
        return sum(timeline.video_repeats()) / timeline.video_fps

    def tolerance(self, encode: EncodeOptions, shape: Shape) -> Tolerance:
        """Return the tolerance for the pictures of a right video.

        The floor is low: coloured noise has 28 dB at crf 30 (22 if single samples are compared). Patches were
        off by at most 13 at crf 18 (coloured noise), 34 at 40. x264 skips small motion: frames were closer to
        a neighbour's source than to their own by 0.5 dB up to crf 28, and by 1.4 dB above.
        """
        video = encoding(self.suffix, shape, encode)
        patch_limit = float(16.0 * 2 ** (max(0, video.x264_crf - 18) / 10))
        return Tolerance(
            floor_db=25.0 if video.x264_crf <= 30 else 15.0,
            patch_limit=patch_limit,
            closer_db=2.0 if video.x264_crf > 28 else 1.0,
            closer_off=patch_limit / 8,
            grain=_grain(video.codec, video.x264_crf, video.lossless),
        )

    def checks(
        self, movie: Path, expected: Expected, tool: Tool | None, control: Control, work: Path | None
    ) -> Iterator[Check]:
        """See `Format`."""
        assert tool is not None
        return videos.checks(movie, expected, tool, control, work)

    @property
    def checks_segments(self) -> bool:
        """See `Format`."""
        return True

    def evidence(
        self, movie: Path, expected: Expected, tool: Tool, control: Control, work: Path
    ) -> tuple[list[Check], SegmentEvidence | None]:
        """See `Format`."""
        return videos.evidence(movie, expected, tool, control, work)

    def joined_checks(
        self,
        movie: Path,
        expected: Expected,
        segments: Sequence[SegmentEvidence],
        tool: Tool,
        control: Control,
        work: Path,
    ) -> Iterator[Check]:
        """See `Format`."""
        return joined.checks(movie, expected, segments, tool, control, work)

    def in_cell(self, movie: Inline) -> str:
        """See `Format`."""
        if self.mime is None:
            return super().in_cell(movie)
        source = f"data:{self.mime};base64,{movie.data}"
        attributes = f'width="{movie.width}" aria-label="{movie.name}"'
        return f'<video controls loop muted {attributes} src="{source}"></video>'


def _grain(codec: str, x264_crf: float, lossless: bool) -> Grain:
    """Return two to four times the errors measured in right movies: decision 11.

    H.265 and AV1 fail to move small marks, the more so the higher the crf.
    """
    if codec == "prores" or lossless:
        return Grain(800.0)
    limit = {
        "h264": max(800.0, 4000.0 * 2 ** ((x264_crf - 19) / 3)),
        "h265": max(3000.0, 7000.0 * 2 ** ((x264_crf - 20) / 1.8)),
        "vp9": max(800.0, 2000.0 * 2 ** ((x264_crf - 16) / 4.5)),
        "av1": max(8000.0, 10_000.0 * 2 ** ((x264_crf - 19) / 2)),
    }[codec_family(codec)]
    return Grain(limit if codec_family(codec) == codec else 4 * limit)  # hardware was not measured
