"""Animated WebP, APNG and AVIF: times in milliseconds, all levels of alpha."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from framepipe.core.control import Control
from framepipe.core.process import Tool
from framepipe.core.shape import Shape
from framepipe.formats.animated import checks as animated
from framepipe.formats.animated import container
from framepipe.formats.animated import recipe as pictures
from framepipe.formats.base import Format, Inline, refuse_imagemagick, refuse_optimize
from framepipe.formats.gif.format import as_image
from framepipe.formats.recipe import MovieSpec, Recipe
from framepipe.options import QUALITIES, EncodeOptions
from framepipe.timeline import Timeline
from framepipe.verification import Check, Expected, Grain, Tolerance


class Pictures(Format):
    """The common part of these three."""

    _lossless_at: ClassVar[tuple[str, ...]] = QUALITIES
    #: libwebp merges equal pictures in a row.
    _merges_equal: ClassVar[bool] = False

    def check_times(self, timeline: Timeline) -> None:
        """See `Format`."""
        timeline.picture_ticks()

    def recipe(self, spec: MovieSpec) -> Recipe:
        """See `Format`."""
        refuse_optimize(spec.encode, self.suffix)
        refuse_imagemagick(spec.encode, self.suffix)
        return self._recipe(spec, self.lossless(spec.encode, spec.shape))

    @abstractmethod
    def _recipe(self, spec: MovieSpec, exact: bool) -> Recipe:
        """Return the recipe; ``exact``: every pixel as drawn."""

    def lossless(self, encode: EncodeOptions, shape: Shape) -> bool:
        """See `Format`."""
        return encode.quality in self._lossless_at

    def tolerance(self, encode: EncodeOptions, shape: Shape) -> Tolerance:
        """See `Format`. Measured in WebP drafts: 30 dB (coloured noise), patches off by at most 9."""
        if self.lossless(encode, shape):
            return Tolerance(floor_db=60.0, patch_limit=0.5, closer_off=0.5 / 8, grain=Grain(float("inf")))
        return Tolerance(floor_db=20.0, patch_limit=14.0, closer_off=14.0 / 8, grain=Grain(10_000.0))

    def checks(
        self, movie: Path, expected: Expected, tool: Tool | None, control: Control, work: Path | None
    ) -> Iterator[Check]:
        """See `Format`."""
        return animated.checks(movie, expected, control, merges_equal=self._merges_equal)

    def in_cell(self, movie: Inline) -> str:
        """See `Format`."""
        return as_image(self, movie)


class Webp(Pictures):
    """Animated WebP: lossless except for drafts, whose chroma has half the resolution."""

    suffix, mime = "webp", "image/webp"
    halves_chroma = True
    _lossless_at = ("good", "best", "lossless")
    _merges_equal = True

    def _recipe(self, spec: MovieSpec, exact: bool) -> Recipe:
        return pictures.webp(spec, exact)

    def finish(self, movie: Path, recipe: Recipe) -> None:
        """Set the last frame's time; wrap a still WebP (all frames equal) as an animation."""
        container.finish_webp(movie, **recipe.spec)


class _OrStill(Pictures):
    """A format whose movies of one frame are still pictures."""

    def notes(self, timeline: Timeline, shape: Shape, encode: EncodeOptions) -> list[str]:
        """See `Format`."""
        if len(timeline.numbers) > 1:
            return []
        return [f"one frame: the {self.suffix} is a still picture, without time or loop"]


class Apng(_OrStill):
    """Animated PNG, lossless."""

    suffix, mime = "apng", "image/png"

    def _recipe(self, spec: MovieSpec, exact: bool) -> Recipe:
        return pictures.apng(spec)


class Avif(_OrStill):
    """Animated AVIF."""

    suffix, mime = "avif", "image/avif"
    _lossless_at = ("lossless",)

    def _recipe(self, spec: MovieSpec, exact: bool) -> Recipe:
        return pictures.avif(spec, exact)

    def tolerance(self, encode: EncodeOptions, shape: Shape) -> Tolerance:
        """See `Format`. Measured: after a scene cut single patches are off by 24 at crf 18, 49 at 30."""
        if self.lossless(encode, shape):
            return super().tolerance(encode, shape)
        crf = pictures.AVIF_CRF[encode.quality] if encode.crf is None else encode.crf
        patch_limit = float(min(60.0, 26.0 * 2 ** (max(0, crf - 18) / 12)))
        return Tolerance(
            floor_db=float(20.0 / 2 ** (max(0, crf - 30) / 20)),
            patch_limit=patch_limit,
            closer_off=patch_limit / 8,
            grain=Grain(max(8000.0, 10_000.0 * 2 ** ((crf - 18) / 2.9))),
        )
