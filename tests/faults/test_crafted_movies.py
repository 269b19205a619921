"""Wrong movies that hardly differ from right ones are found; ``scripts/crafted_movies.py`` counts those that are not.

In CI some scenes in the formats used most; with ``FRAMEPIPE_LONG=1`` all of them.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import product

import pytest
from matplotlib.figure import Figure

import framepipe as fp
from tests.faults.crafted import (
    FORMATS,
    FPS,
    ORDERS,
    RIGHT,
    SCENES,
    WRONG_COLOURS,
    Stores,
    built,
    off_colours,
    off_delays,
    off_entry,
    off_plays,
    shown_otherwise,
    table_bytes,
    verified,
    wrong_order,
)
from tests.support.sizes import FAULTS, LONG, all_if_long

ALL = LONG
VARIANTS = [*FORMATS] if ALL else ["gif", "mp4", "webm"]
#: A pale digit of 6 pt and a dot of 2 px may be lost in a lossy codec: decision 11.
CLEAR_SCENES = [name for name in SCENES if name not in ("pale", "dot")] if ALL else ["title", "tick"]
#: Lines of half a point, and all but the best, are coarser than this.
COARSE = {"mp4-draft", "webm-draft", "avif-draft"}
#: AV1 leaves a block with such a line as it was in the frame before by itself (decision 11).
LEFT_AS_IT_WAS = ("line", "webm-av1", "repeat 9")
#: What another matrix changes in a few coloured pixels is a quarter of the encoder's own errors.
FEW_COLOURS = ("curve", "BT.601, tagged BT.709")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return Stores(tmp_path_factory.mktemp("crafted"))


def failed(report):
    return {check.name for check in report.checks if not check.ok}


def rows(*lists: Iterable[str]) -> list[tuple[str, ...]]:
    """All combinations; in CI every third, so that each value is still met."""
    every = product(*map(enumerate, lists))
    return [
        tuple(value for _, value in row) for row in every if ALL or sum(index for index, _ in row) % 3 == 0
    ]


@pytest.mark.parametrize(("scene", "variant"), rows([*SCENES, "field"] if ALL else SCENES, VARIANTS))
def test_a_right_movie_passes(drawn, tmp_path, variant, scene):
    assert failed(verified(built(drawn, tmp_path, scene, variant, RIGHT), drawn, scene, variant)) == set()


@pytest.mark.parametrize(
    ("scene", "variant", "kind"),
    [
        row
        for row in rows(CLEAR_SCENES, [each for each in VARIANTS if each not in COARSE], ORDERS)
        if row != LEFT_AS_IT_WAS
    ],
)
def test_a_movie_with_a_frame_of_another_place_or_run_is_found(drawn, tmp_path, scene, variant, kind):
    movie = built(drawn, tmp_path, scene, variant, wrong_order(drawn, scene, kind))
    found = failed(verified(movie, drawn, scene, variant))
    assert "order" in found or "lossless" in found, "where each sample is compared, nothing else need be"


@pytest.mark.parametrize("kind", ORDERS)
def test_where_nothing_is_lost_a_pale_digit_is_found(drawn, tmp_path, kind):
    movie = built(drawn, tmp_path, "pale", "apng", wrong_order(drawn, "pale", kind))
    assert failed(verified(movie, drawn, "pale", "apng"))


def test_what_a_codec_cannot_tell_apart_is_counted(drawn, tmp_path):
    movie = built(drawn, tmp_path, "pale", "mp4-draft", RIGHT)
    report = verified(movie, drawn, "pale", "mp4-draft")
    assert (
        "too like the next to be told apart" in {check.name: check.seen for check in report.checks}["order"]
    )


@pytest.mark.parametrize(
    "variant",
    all_if_long(
        ["gif", "mp4", "webm", "mkv", "mov", "apng", "webp-draft", "avif"],
        *("gif", "mp4", "webm", "apng", "webp-draft", "avif"),
    ),
)
def test_two_frames_of_10_ms_more_and_less_are_found(drawn, tmp_path, variant):
    movie = off_delays(drawn, tmp_path, variant)
    assert failed(verified(movie, drawn, "curve", variant))


@pytest.mark.parametrize("variant", ["gif", "apng", "webp-draft"])
@pytest.mark.parametrize("plays", [1, 3])
def test_another_number_of_plays_is_found(drawn, tmp_path, variant, plays):
    movie = off_plays(drawn, tmp_path, variant, plays)
    assert "plays" in failed(verified(movie, drawn, "curve", variant, loop=0))


@pytest.mark.parametrize("variant", ["mp4", "mp4-draft"] if ALL else ["mp4"])
@pytest.mark.parametrize(
    ("scene", "kind"),
    [
        (scene, kind)
        for scene in (["curve", "field"] if ALL else ["field"])
        for kind in WRONG_COLOURS
        if (scene, kind) != FEW_COLOURS
    ],
)
def test_colours_that_are_not_what_the_tags_say_are_found(
    drawn, tmp_path, systems_ffmpeg, variant, kind, scene
):
    assert failed(verified(off_colours(drawn, tmp_path, variant, kind, scene), drawn, scene, variant))


def test_a_harmed_entry_of_a_palette_is_found_where_it_shows(drawn, tmp_path, systems_ffmpeg):
    """Of a lossy GIF: in a patch. What is a dozen pixels of an edge may pass: its palette has no nearer one."""
    movie = built(drawn, tmp_path, "field", "gif", RIGHT)
    places, seen = random.Random(1).sample(table_bytes(movie), 12 * FAULTS), 0
    for at in places:
        wrong = off_entry(movie, at)
        if shown_otherwise(wrong, movie) >= 20:
            seen += 1
            assert failed(verified(wrong, drawn, "field", "gif"))
    assert seen >= 5


def test_every_harmed_entry_of_a_lossless_gif_is_found(tmp_path):
    def bars(k):
        figure = Figure(figsize=(1.6, 1.2), dpi=50)
        cells = [[k % 7, 3], [5, 6]]
        figure.add_axes((0, 0, 1, 1)).imshow(cells, vmin=0, vmax=7, interpolation="nearest", aspect="auto")
        return figure

    store = fp.render(bars, 8, store=tmp_path / "s", engine="serial").store
    movie = fp.assemble(store, tmp_path / "m.gif", fps=FPS).path
    assert fp.verify(movie, store).passed
    right, seen = movie.read_bytes(), 0
    for at in table_bytes(movie)[:: 1 if ALL else 2]:
        wrong = off_entry(movie, at)
        if shown_otherwise(wrong, movie):
            seen += 1
            movie.write_bytes(wrong.read_bytes())  # in its place: the store remembers that it is lossless
            assert "lossless" in failed(fp.verify(movie, store))
            movie.write_bytes(right)
    assert seen >= 5
