"""Layouts of texts and pictures of glyphs, kept by value: half of the time of a plot goes into its texts.

matplotlib lays a text out each time that it is drawn or asked for its size, and lets FreeType draw each glyph
anew. Both depend on little: the words, the font, its size, the angle, and where between two pixels a glyph
stands. What comes out is kept for all figures of a process, within `_MAX_BYTES`.

Glyphs are those of matplotlib 3.11 and later (`RendererAgg` draws them one by one), which lets
FreeType place each glyph by 1/64 pixel: a whole pixel only moves the picture (FreeType, "Glyph Conventions",
section VI; `FT_Outline_Translate` adds it to points that are hinted by then). Earlier versions draw a text
as one picture; of these only layouts are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from framepipe.scenes import matplotlib_private

_MAX_BYTES = 32 << 20
_BITS = 6  # of FreeType's 26.6 numbers
_SUBPIXELS = 1 << _BITS
_ONE = 0x10000  # FreeType's 16.16 numbers


class _Glyph(NamedTuple):
    """The picture of a glyph, and where it lies from the pixel that the glyph stands in; y is upwards."""

    pixels: Any
    left: int
    top: int
    height: int


class Texts:
    """What is kept of texts.

    Attributes
    ----------
    reused : int
        How often something kept was used.
    size_bytes : int
    """

    def __init__(self) -> None:
        self.reused = self.size_bytes = 0
        self._layouts: dict[Any, Any] = {}
        self._lines: dict[Any, list[Any]] = {}
        self._glyphs: dict[Any, dict[Any, _Glyph]] = {}  # by what all glyphs of a text have in common
        self._matrices: dict[Any, Any] = {}
        self._flags: Any = None
        self._fonts: dict[int, Any] = {}  # as long as a font is known, its id is its own

    def forget(self) -> None:
        """Forget all: rcParams or the fonts have changed."""
        self.__init__()  # type: ignore[misc]

    def layout(self, text: Any, renderer: Any, original: Callable[[Any, Any], Any]) -> Any:
        """Return the layout of a `Text`, from ``original`` if it is not known."""
        about = matplotlib_private.about_layout(text)
        if about is None:
            return original(text, renderer)
        key = (about, matplotlib_private.about_font(text.get_fontproperties()), renderer.dpi)
        kept = self._layouts.get(key)
        if kept is None:
            kept = self._layouts[key] = original(text, renderer)
            self._add_bytes(1000)
        else:
            self.reused += 1
        return kept

    def line(
        self, renderer: Any, words: str, font: Any, mtext: Any, measure: Callable[[], Iterable[Any]]
    ) -> list[Any]:
        """Return the glyphs of one line of text, and where each stands."""
        features = matplotlib_private.shaping_of(mtext)
        key = (words, matplotlib_private.about_font(font), renderer.dpi, features)
        kept = self._lines.get(key)
        if kept is None:
            kept = self._lines[key] = list(measure())
            self._add_bytes(200 + 100 * len(kept))
        return kept

    def draw_glyphs(
        self, renderer: Any, gc: Any, x: float, y: float, angle: float, glyphs: Iterable[Any]
    ) -> None:
        """Draw glyphs as `RendererAgg` does."""
        antialiased, dpi, height, x, y = (
            gc.get_antialiased(),
            renderer.dpi,
            renderer.height,
            float(x),
            float(y),
        )
        draw, whole_height, bits = matplotlib_private.drawer_of_glyphs(renderer), int(height), _SUBPIXELS - 1
        flags = self._flags = matplotlib_private.hinting() if self._flags is None else self._flags
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        known = self._glyphs.get((angle, dpi, antialiased))
        if known is None:
            known = self._glyphs[(angle, dpi, antialiased)] = {}
            self._add_bytes(600)
        sized: tuple[Any, ...] = ()  # setting a size makes FreeType run a font's own program anew: 20 us
        for font, size, index, slant, extend, dx, dy in glyphs:
            across = round(_SUBPIXELS * (x + dx * cos - dy * sin))
            up = round(_SUBPIXELS * (height - y + dx * sin + dy * cos))
            key = id(font), size, index, slant, extend, across & bits, up & bits
            glyph = known.get(key)
            if glyph is None:
                if sized != (id(font), size):
                    font.set_size(size, dpi)
                    sized = id(font), size
                matrix, place = self._matrix(angle, slant, extend), [across & bits, up & bits]
                glyph = _draw_glyph(font, matrix, place, index, flags, antialiased)
                self._add_bytes(400 + glyph.pixels.nbytes)  # which may forget all
                known[key], self._fonts[id(font)] = glyph, font
            else:
                self.reused += 1
            left, top = glyph.left + (across >> _BITS), glyph.top + (up >> _BITS)
            draw(glyph.pixels, left, whole_height - top + glyph.height, 0, gc)

    def _matrix(self, angle: float, slant: float, extend: float) -> Any:
        kept = self._matrices.get((angle, slant, extend))
        if kept is None:
            cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            turned = np.array([[cos, -sin], [sin, cos]]) @ [[extend, extend * slant], [0, 1]]
            kept = self._matrices[(angle, slant, extend)] = (_ONE * turned).round().astype(int)
        return kept

    def _add_bytes(self, count: int) -> None:
        self.size_bytes += count
        if self.size_bytes > _MAX_BYTES:
            reused = self.reused
            self.forget()
            self.reused = reused


def _draw_glyph(
    font: Any, matrix: Any, place: list[int], index: int, flags: Any, antialiased: bool
) -> _Glyph:
    bitmap = matplotlib_private.render_glyph(font, matrix, place, index, flags, antialiased)
    pixels = np.array(bitmap.buffer)
    if not antialiased:
        pixels *= 0xFF
    return _Glyph(pixels, bitmap.left, bitmap.top, len(pixels))
