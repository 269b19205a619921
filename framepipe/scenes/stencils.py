"""Texts and short lines that look as before and only stand elsewhere: what a moving axis is made of.

A label of a tick goes through matplotlib's ``draw`` in 50 us, a tick in 75: both look up colours and clips,
ask for the layout and the units, and make a graphics context. All but the place is the same in the next
frame. So what an artist's ``draw`` gives to Agg is noted once, and drawn at the new place while the artist is
the same in all else, attribute by attribute.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.path import Path
from matplotlib.transforms import Transform

from framepipe.scenes import matplotlib_private
from framepipe.scenes.replacing import is_own
from framepipe.scenes.texts import Texts

_MAX_STENCILS = 4096
_MAX_POINTS = 8
_PLAIN = (str, int, float, bool, type(None), enum.Enum)


@dataclass(eq=False)
class _Stencil:
    """What an artist gives to Agg.

    Attributes
    ----------
    artist : Artist
    attributes : dict
        The artist's, as they were when it was drawn.
    about : tuple
        What else it follows from.
    parts : list or None
        What it gave; None as long as that was not noted.
    is_fit : bool
        False for an artist of which more changes than the place.
    """

    artist: Any
    attributes: dict[str, Any]
    about: tuple[Any, ...]
    parts: list[Any] | None = None
    is_fit: bool = True

    def fits(self, about: tuple[Any, ...], place: tuple[str, ...]) -> bool:
        """True if the artist is as it was, but for its place."""
        own, before = self.artist.__dict__, self.attributes
        for name in place:
            if name in own:
                before[name] = own[name]
        try:
            return bool(own == before and self.about == about)
        except ValueError:  # an array where there was none
            return False


@dataclass
class Stencils:
    """The stencils of one figure.

    Attributes
    ----------
    texts : Texts
        Who draws glyphs.
    reused : int
        How often one was used.
    noted : list or None
        What Agg is given goes in here, while an artist is drawn for its stencil.
    """

    texts: Texts
    reused: int = 0
    noted: list[Any] | None = None
    _kept: dict[int, _Stencil] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Memory that they take, about."""
        return 4000 * len(self._kept)

    def forget(self) -> None:
        """Forget all: the figure, the renderer, rcParams or the fonts have changed."""
        self._kept.clear()

    def glyphs(
        self,
        renderer: Any,
        gc: Any,
        x: float,
        y: float,
        angle: float,
        glyphs: Any,
        boxes: Any,
        draw_boxes: Any,
    ) -> None:
        """See `framepipe.scenes.matplotlib_private.Pen`."""
        noted, self.noted = self.noted, None
        if noted is not None:
            glyphs, boxes = list(glyphs), list(boxes)
            noted.append(("glyphs", gc, angle, glyphs, boxes, draw_boxes))
        try:
            self.texts.draw_glyphs(renderer, gc, x, y, angle, glyphs)
            if boxes := list(boxes):
                draw_boxes(renderer, gc, x, y, angle, [], boxes)
        finally:
            self.noted = noted

    def text(self, text: Any, renderer: Any, draw: Callable[[Any, Any], None]) -> None:
        """See `framepipe.scenes.matplotlib_private.Pen`."""
        own = text.__dict__
        if not own["_visible"]:
            own["_renderer"] = renderer
            return
        x, y, transform = own["_x"], own["_y"], own["_transform"]
        if not (isinstance(x, float) and isinstance(y, float) and own["_text"] and _is_straight(transform)):
            draw(text, renderer)
            return
        kept = self._kept_of(text, matplotlib_private.about_text(text), matplotlib_private.PLACE_OF_A_TEXT)
        if kept is None:
            draw(text, renderer)
        elif kept.parts is None:
            kept.parts = self._parts_of_text(text, renderer, draw)
            kept.is_fit = kept.parts is not None
        else:
            ((x, y),) = transform.get_affine().transform(np.array([[x, y]])).tolist()
            if not (math.isfinite(x) and math.isfinite(y)):
                draw(text, renderer)
                return
            self.reused += 1
            height = renderer.get_canvas_width_height()[1]
            for (right, up), gc, angle, glyphs, boxes, draw_boxes in kept.parts:
                place = right + x, height - (up + y)
                self.texts.draw_glyphs(renderer, gc, *place, angle, glyphs)
                if boxes:
                    draw_boxes(renderer, gc, *place, angle, [], boxes)
            own["_renderer"], own["_stale"] = renderer, False

    def line(self, line: Any, renderer: Any, draw: Callable[[Any, Any], None]) -> None:
        """See `framepipe.scenes.matplotlib_private.Pen`."""
        own = line.__dict__
        if not own["_visible"]:
            return
        xs, ys, transform = own["_xorig"], own["_yorig"], own["_transform"]
        is_moved = own["_invalidx"] and own["_invalidy"] and _is_short(xs, ys)
        is_plain = own["_drawstyle"] == "default" and not own["_marker"]
        if not (is_moved and is_plain and _is_straight(transform)):
            draw(line, renderer)
            return
        kept = self._kept_of(line, (), matplotlib_private.PLACE_OF_A_LINE)
        if kept is None:
            draw(line, renderer)
        elif kept.parts is None:
            kept.parts = self._parts_of_line(line, renderer, draw)
            kept.is_fit = kept.parts is not None
        else:
            self.reused += 1
            path, affine = Path(np.array([xs, ys]).T.copy()), transform.get_affine().frozen()
            for gc in kept.parts:
                renderer.draw_path(gc, path, affine)
            own["_stale"], own["ind_offset"] = False, 0

    def _kept_of(self, artist: Any, about: tuple[Any, ...], place: tuple[str, ...]) -> _Stencil | None:
        """Return the stencil of an artist that is as it was; begin one if it is not."""
        kept = self._kept.get(id(artist))
        if kept is None or not kept.fits(about, place):
            if len(self._kept) >= _MAX_STENCILS:
                self._kept.clear()
            self._kept[id(artist)] = _Stencil(artist, dict(artist.__dict__), about)
            return None
        if kept.parts is None and kept.is_fit:
            kept.is_fit = _is_fit(kept.attributes, place)
        return kept if kept.is_fit and not artist.__dict__["_path_effects"] else None

    def _parts_of_text(self, text: Any, renderer: Any, draw: Any) -> list[Any] | None:
        """Draw a text, and return what it gave."""
        noted = self._drawn(text, renderer, draw)
        places = matplotlib_private.places_of_lines(text, renderer)
        if len(noted) != len(places) or any(each[0] != "glyphs" for each in noted):
            return None
        return [(place, *each[1:]) for place, each in zip(places, noted)]

    def _parts_of_line(self, line: Any, renderer: Any, draw: Any) -> list[Any] | None:
        """Draw a line, and return the graphics contexts that it was drawn with."""
        noted = self._drawn(line, renderer, draw)
        return [each[1] for each in noted] if all(each[0] == "draw_path" for each in noted) else None

    def _drawn(self, artist: Any, renderer: Any, draw: Any) -> list[Any]:
        self.noted = noted = []  # type: list[Any]
        try:
            draw(artist, renderer)
        finally:
            self.noted = None
        return noted


def _is_straight(transform: Any) -> bool:
    return isinstance(transform, Transform) and transform.is_affine and is_own(type(transform))


def _is_short(xs: Any, ys: Any) -> bool:
    """True for a few plain numbers."""
    for each in (xs, ys):
        if type(each) is tuple:
            if not all(isinstance(number, float) for number in each):
                return False
        elif type(each) is not np.ndarray or each.dtype != np.float64 or each.ndim != 1:
            return False
    return 0 < len(xs) == len(ys) <= _MAX_POINTS


def _is_fit(attributes: dict[str, Any], place: tuple[str, ...]) -> bool:
    """True if an artist's look is all in plain attributes, which a copy of their dict keeps."""
    if any(attributes.get(name) for name in matplotlib_private.MORE_THAN_A_PLACE):
        return False
    return all(
        name in matplotlib_private.LIVE or name in place or _is_plain(value)
        for name, value in attributes.items()
    )


def _is_plain(value: Any) -> bool:
    """True for what a copy keeps as it is, and for a list without anything."""
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return isinstance(value, _PLAIN) or (isinstance(value, list) and not value)
