"""Drawing only what has changed shows what drawing all of it shows, whatever it was that changed."""

from __future__ import annotations

import contextlib
import functools
from typing import Any

import numpy as np
import pytest

from framepipe.job.canvas import Canvas
from framepipe.scenes import tapes
from framepipe.scenes.incremental import Incremental
from framepipe.scenes.rasterize import rasterise
from tests.support.figures import FIGURES, NOT_TRIED, changes, has_value, setters
from tests.support.sizes import LONG

pytestmark = pytest.mark.no_cover  # to trace each line of what walks through figures doubles its time

#: Of what can be changed of each artist one in so many is tried: setters, and changes in place.
EVERY_SETTER, EVERY_IN_PLACE = (1, 1) if LONG else (24, 4)


@functools.cache
def first() -> set[tuple[str, int, str]]:
    """Each setter of matplotlib's, at the first artist that has it, is always tried: figure, artist, name."""
    places = {}
    for figure, make in FIGURES.items():
        for which, artist in enumerate(make()[1]):
            for name in setters(artist):
                places.setdefault(getattr(type(artist), f"set_{name}"), (figure, which, name))
    return set(places.values())


class Twins:
    """Two figures that are the same: of one only what has changed is drawn, of the other all."""

    def __init__(self, name: str) -> None:
        (self.figure, self.artists), (self.other, self.others) = FIGURES[name](), FIGURES[name]()
        self.incremental = Incremental(self.figure)
        for _ in range(3):
            self.draw()

    def change(self, artist: int, which: int) -> str:
        """Make the same change to an artist of both; what it is, empty if it takes it not."""
        (what, change), (_, other_change) = (
            list(changes(each[artist]))[which] for each in (self.artists, self.others)
        )
        try:
            change()
        except Exception:
            what = ""
        with contextlib.suppress(Exception):
            other_change()
        return what

    def draw(self) -> tuple[Any, Any]:
        """Pictures by what has changed, and in full."""
        full = rasterise(self.other, Canvas(), None)
        return self.incremental.rasterise(self.figure, Canvas(), None, "auto"), full


@pytest.mark.filterwarnings("ignore")
def test_each_setter_that_matplotlib_has_is_tried_or_left_out_by_name():
    artists = [artist for make in FIGURES.values() for artist in make()[1]]
    names = {name for artist in artists for name in setters(artist)}
    assert {name for name in names if not has_value(name)} <= NOT_TRIED


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.filterwarnings("ignore")
def test_each_setter_and_change_in_place_shows_as_in_full_drawing(name, monkeypatch):
    monkeypatch.setattr(tapes, "_PATIENCE", 10**6)  # look at what changes each time, each time
    seen = shown = reused = 0
    twins, before = Twins(name), None
    for which in range(len(twins.artists)):
        if LONG:
            twins, before = Twins(name), None
        artist = twins.artists[which]
        names = [name for name, _ in changes(artist)]
        known = set(setters(artist))
        for change, each in enumerate(names):
            every = EVERY_SETTER if each in known else EVERY_IN_PLACE
            if (name, which, each) not in first() and change % every != which % every:
                continue
            what = twins.change(which, change)
            if not what:
                continue
            try:
                picture, full = twins.draw()
            except Exception:  # it cannot be drawn so, in full
                twins = Twins(name)
                continue
            assert np.array_equal(picture.pixels, full.pixels), f"{type(artist).__name__}: {what}"
            seen, shown = seen + 1, shown + (before is not None and not np.array_equal(before, full.pixels))
            reused += picture.redraw in ("reused", "useless", "same")
            before = full.pixels
    assert shown > seen / 20
    assert reused > seen * 0.9
