"""GIF: at most 256 colours, delays in centiseconds, by ffmpeg or by ImageMagick."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from framepipe.core.control import Control
from framepipe.core.process import Tool
from framepipe.core.shape import Shape
from framepipe.formats.base import Format, Inline
from framepipe.formats.gif import checks as gifs
from framepipe.formats.gif import palette as palettes
from framepipe.formats.gif import recipe as gif
from framepipe.formats.recipe import Colour, MovieSpec, Palette, Recipe
from framepipe.options import PALETTES, EncodeOptions
from framepipe.timeline import Timeline
from framepipe.verification import Check, Expected, Grain, Tolerance
from framepipe.verification.likeness import Planes, one_bit

if TYPE_CHECKING:
    from PIL.Image import Image


class Gif(Format):
    """GIF89a."""

    suffix, mime, has_segments = "gif", "image/gif", True

    def check(self, encode: EncodeOptions) -> None:
        """See `Format`: a named palette is read."""
        if encode.palette not in PALETTES:
            palettes.named_palette(encode.palette)

    def check_times(self, timeline: Timeline) -> None:
        """See `Format`."""
        timeline.gif_delays_cs()

    def palette(self, encode: EncodeOptions, sources: Sequence[Path], shape: Shape) -> Palette | None:
        """See `Format`."""
        return palettes.resolve_palette(encode, sources, shape)

    def recipe(self, spec: MovieSpec) -> Recipe:
        """See `Format`."""
        return gif.by_imagemagick(spec) if spec.encode.encoder == "imagemagick" else gif.by_ffmpeg(spec)

    def segment_frames(self, timeline: Timeline) -> list[tuple[int, ...]]:
        """See `Format`."""
        return gif.segment_frames(timeline)

    def needs_all_frames(self, encode: EncodeOptions) -> bool:
        """See `Format`: all have a say in a common palette."""
        return encode.palette in PALETTES and encode.palette != "per-frame"

    def notes(self, timeline: Timeline, shape: Shape, encode: EncodeOptions) -> list[str]:
        """See `Format`."""
        return [note for note in (timeline.gif_note(), gif.note(shape, encode)) if note]

    def duration_s(self, timeline: Timeline) -> Fraction:
        """See `Format`."""
        return Fraction(sum(timeline.gif_delays_cs()), 100)

    def lossless(self, encode: EncodeOptions, shape: Shape) -> bool:
        """See `Format`: only if its palette holds all colours, which the plan determines."""
        return False

    def tolerance(self, encode: EncodeOptions, shape: Shape) -> Tolerance:
        """Return the tolerance for the pictures of a right GIF.

        The worst source is noise in all colours: reduced to n colours it has 27 dB at 256, 23 at 64, 17 at 8;
        in viridis, a red line has 12. Patches were off by 8 with 256 colours, by 23 with 8, by 52 if
        dithered. A colour that changes slowly jumps in steps of the palette: a quarter of the limit exceeds
        these steps from 64 colours on; with fewer colours there is no such limit.
        """
        own, colors = encode.palette in PALETTES, encode.colors
        few = max(1.0, 64 / colors)
        patch_limit = round(float(14.0 * (256 / colors) ** 0.25 * few**0.25), 1)
        return Tolerance(
            floor_db=(20.0 if colors >= 64 else 10.0) if own else 3.0,
            patch_limit=patch_limit,
            closer_off=patch_limit / 4 if colors >= 64 and own else float("inf"),
            grain=Grain(700.0 if colors >= 32 and own else float("inf")),
        )

    def to_planes(self, image: Image, background: Colour, *, lossless: bool) -> Planes:
        """See `Format`."""
        return one_bit(image, background)

    def checks(
        self, movie: Path, expected: Expected, tool: Tool | None, control: Control, work: Path | None
    ) -> Iterator[Check]:
        """See `Format`."""
        return gifs.checks(movie, expected, control)

    def in_cell(self, movie: Inline) -> str:
        """See `Format`."""
        return as_image(self, movie)


def as_image(format_: Format, movie: Inline) -> str:
    """Return HTML of a movie that browsers show as a picture."""
    source = f"data:{format_.mime};base64,{movie.data}"
    return f'<img alt="{movie.name}" width="{movie.width}" src="{source}">'
