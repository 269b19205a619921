"""What a movie should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from framepipe.pictures import Picture, read_png, yuv
from framepipe.recipes import PALETTES, PICTURES, Encoding, Options, encoding, pictures
from framepipe.store import Shape
from framepipe.timeline import Timeline
from framepipe.verify.likeness import Shown, colours_and_alpha, colours_where_seen, halved, one_bit

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Expected:
    """What a movie should be.

    Attributes
    ----------
    format : str
        See `framepipe.recipes.FORMATS`.
    timeline : Timeline
    sources : sequence of Path
        The PNG of each frame of the timeline.
    shape : Shape
        Of the PNGs.
    background : tuple of int
        What transparent pixels are shown over where they cannot be kept.
    options : Options
        Sets how close to its source a frame must be.
    exact : bool
        GIF: the colours of all frames fit into it, so each pixel must be as it was drawn.
    """

    format: str
    timeline: Timeline
    sources: Sequence[Path]
    shape: Shape
    background: tuple[int, int, int]
    options: Options
    exact: bool = False

    def seen(self, image: Image) -> Shown:
        """An image as this format would show it, of those formats that Pillow reads."""
        if self.format == "gif":
            return one_bit(image, self.background)
        if self.lossless:
            return colours_where_seen(image, self.background)
        shown = colours_and_alpha(image, self.background)
        return halved(shown) if self.format in ("webp", "html") else shown

    def sample(self, position: int) -> Picture:
        """The source of a frame of the timeline, in the planes of a video."""
        video = self.encoding
        half = video.chroma == "420"
        rgba = read_png(self.sources[position])
        return yuv(rgba, self.background, half=half, alpha=video.alpha, even=not video.lossless)

    @property
    def lossless(self) -> bool:
        """True if each pixel must be as it was drawn."""
        if self.format in PICTURES:
            return pictures.lossless(self.format, self.options)
        if self.format == "html":
            return self.options.quality != "draft"
        if self.format == "gif":
            return self.exact
        return self.encoding.lossless

    @property
    def encoding(self) -> Encoding:
        """What was settled about a video."""
        return encoding(self.format, self.shape, self.options)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the movie in pixels: even in lossy video."""
        width, height = self.shape.width, self.shape.height
        if self.format in ("gif", "html", *PICTURES) or self.encoding.lossless:
            return (width, height)
        return (width + width % 2, height + height % 2)

    @property
    def duration_s(self) -> Fraction:
        """Seconds of one play, as the container keeps them."""
        if self.format == "gif":
            return Fraction(sum(self.timeline.gif_delays_cs()), 100)
        if self.format in ("html", *PICTURES):
            return self.timeline.duration_s
        return sum(self.timeline.video_repeats()) / self.timeline.video_fps

    @property
    def floor_db(self) -> float:
        """Least PSNR of a sampled frame against its source.

        Low, for the worst source is noise in all colours: cut to n colours it has 27 dB at 256, 23
        at 64, 17 at 8; at crf 30 it has 22. Wrong pictures are found patch by patch.
        """
        if self.format in PICTURES:
            return 60.0 if self.lossless else 20.0 / self._coarse
        if self.format == "html":
            return 22.0  # a draft, WebP of quality 75: coloured noise has 27
        if self.format == "gif" and self.options.palette not in PALETTES:
            return 3.0  # of colours that somebody chose: viridis for a red line has 12
        good = self.options.colors >= 64 if self.format == "gif" else self.encoding.harm <= 30
        return 20.0 if good else 10.0

    @property
    def closer_db(self) -> float:
        """How much more like a neighbour than like its source a right frame may look.

        x264 leaves small motion as it was: 0.5 dB up to crf 28 and 1.4 dB above were measured.
        """
        return 2.0 if self.format not in ("gif", "html", *PICTURES) and self.encoding.harm > 28 else 1.0

    @property
    def closer_off(self) -> float:
        """How much nearer its worst patch must be to a neighbour's for a frame to be taken for that.

        A colour that changes slowly jumps in steps of the palette: a quarter of the limit is more than
        these from 64 colours, and below nothing can be said.
        """
        if self.format == "gif":
            many = self.options.colors >= 64 and self.options.palette in PALETTES
            return self.patch_limit / 4 if many else float("inf")
        return self.patch_limit / 8

    @property
    def patch_limit(self) -> float:
        """Greatest difference that the mean of an 8x8 patch may have.

        See `worst_patch`. Measured: 13 at most at crf 18 (coloured noise), 34 at 40; in GIF 8 with 256
        colours, 23 with 8.
        """
        if self.format == "gif":
            return float(14.0 * (256 / self.options.colors) ** 0.25)
        if self.format in PICTURES:
            return 0.5 if self.lossless else 14.0 * self._coarse
        if self.format == "html":
            return 10.0  # coloured noise has 3, and 4 at the edges
        return float(16.0 * 2 ** (max(0, self.encoding.harm - 18) / 10))

    @property
    def _coarse(self) -> float:
        """How much more than usual a lossy WebP or AVIF may be off: 1 but for a high crf.

        Measured in drafts: 30 dB (coloured noise), patches off by 9 (WebP) and 7 (AVIF) at most.
        """
        crf = self.options.crf if self.format == "avif" and self.options.crf is not None else 0
        return float(2 ** (max(0, crf - 30) / 20))
