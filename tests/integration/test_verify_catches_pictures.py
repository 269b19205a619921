"""Wrong or damaged WebP, APNG and AVIF are found; a damaged one that passes shows what it should."""

from __future__ import annotations

import random

import numpy as np
import pytest
from PIL import Image

import framepipe as fp
from framepipe.core.shape import Shape
from framepipe.formats import format_of, measure
from framepipe.job.frames import file_name
from framepipe.options import EncodeOptions
from framepipe.timeline import Timeline
from tests.integration.movies import (
    built_by_hand,
    failed_checks,
    gradient,
    half_see_through,
    moving,
    noise,
    titled,
)
from tests.integration.test_verify_catches import RIGHT, WRONG_COUNT, WRONG_ORDER
from tests.support.sizes import LONG

each_format = pytest.mark.parametrize("format_", ("webp", "apng", "avif"))
PLACES = 40 if LONG else 20
CONTENT = {"patches", "pictures", "order", "lossless"}


def judged(movie, store, **keywords):
    return failed_checks(fp.verify(movie, store, **{"fps": 25, **keywords}))


@pytest.fixture(scope="module")
def right(stores, tmp_path_factory):
    """Right movies of eight moving frames, lossless, their bytes."""
    made = {}

    def get(format_, **options):
        key = (format_, *options.items())
        if key not in made:
            path = tmp_path_factory.mktemp("right") / f"m.{format_}"
            made[key] = fp.assemble(stores(moving, 8), path, quality="lossless", **options).path.read_bytes()
        return made[key]

    return get


def lossless_verdict(path, store):
    """Held against a lossless movie, whatever the store remembers."""
    sources = [store / file_name(number) for number in RIGHT]
    options = EncodeOptions(quality="lossless")
    shape, white = Shape(100, 75, "RGB"), (255, 255, 255)
    expected = format_of(path).expected(Timeline.of(RIGHT), sources, shape, white, options)
    return measure(path, expected)


@pytest.mark.long
@each_format
def test_a_film_cut_anywhere_is_found(stores, tmp_path, right, format_):
    data, path = right(format_), tmp_path / f"m.{format_}"
    for length in [0, 1, 12, len(data) - 1, *random.Random(1).sample(range(len(data)), 20)]:
        path.write_bytes(data[:length])
        assert "structure" in failed_checks(lossless_verdict(path, stores(moving, 8))), length


@each_format
def test_bytes_after_the_end_are_found(stores, tmp_path, right, format_):
    path = tmp_path / f"m.{format_}"
    for more in (b"\0", b"\0" * 8, b"rubbish!", right(format_)):
        path.write_bytes(right(format_) + more)
        assert "structure" in failed_checks(lossless_verdict(path, stores(moving, 8)))


def everything_shown(path):
    with Image.open(path) as image:
        shown = []
        for index in range(image.n_frames):
            image.seek(index)
            shown.append((np.asarray(image.convert("RGBA")).tobytes(), image.info.get("duration")))
    return shown


@pytest.mark.long
@each_format
def test_damage_anywhere_is_found_or_changes_nothing_that_is_shown(stores, tmp_path, right, format_):
    data, path, dice = right(format_), tmp_path / f"m.{format_}", random.Random(2)
    whole = tmp_path / f"whole.{format_}"
    whole.write_bytes(data)
    found = 0
    for at in dice.sample(range(len(data)), PLACES):
        path.write_bytes(data[:at] + bytes([data[at] ^ dice.randrange(1, 256)]) + data[at + 1 :])
        report = lossless_verdict(path, stores(moving, 8))
        found += not report.passed
        assert not report.passed or everything_shown(path) == everything_shown(whole), at
    assert found >= 0.75 * PLACES


@pytest.mark.long
@each_format
@pytest.mark.parametrize("order", WRONG_COUNT.values(), ids=WRONG_COUNT.keys())
def test_a_film_of_too_few_or_too_many_frames_is_found(stores, tmp_path, format_, order):
    store = stores(moving, 8)
    found = judged(built_by_hand(tmp_path / f"m.{format_}", store, order), store)
    assert found & ({"frames"} if format_ != "webp" else {"frames", "duration", *CONTENT})


LOSSY = [("webp", "draft"), ("avif", "draft"), ("avif", "good")]
EACH = [("webp", "good"), ("apng", "good"), *LOSSY]


@pytest.mark.parametrize(("format_", "quality"), LOSSY)
@pytest.mark.parametrize("scene", [moving, gradient], ids=lambda scene: scene.__name__)
def test_right_films_of_two_encoders_pass(stores, tmp_path, each_ffmpeg, format_, quality, scene):
    store = stores(scene, 8)
    movie = built_by_hand(tmp_path / f"m.{format_}", store, RIGHT, quality=quality, program=each_ffmpeg)
    assert judged(movie, store, quality=quality) == set()


@pytest.mark.long
@pytest.mark.parametrize(("format_", "quality"), EACH)
@pytest.mark.parametrize("order", WRONG_ORDER.values(), ids=WRONG_ORDER.keys())
def test_frames_in_a_wrong_order_are_found(stores, tmp_path, format_, quality, order):
    store = stores(titled, 8)
    movie = built_by_hand(tmp_path / f"m.{format_}", store, order, quality=quality)
    assert judged(movie, store, quality=quality) & CONTENT


@pytest.mark.parametrize(("format_", "quality"), EACH)
@pytest.mark.parametrize("at", [0, 7])
def test_one_stale_frame_with_only_a_digit_of_its_title_changed_is_found(
    stores, tmp_path, format_, at, quality
):
    mine, other = stores(titled, 8), stores(titled, "10-17")
    order = [other / file_name(18 - 1 - at) if number == at else number for number in RIGHT]
    movie = built_by_hand(tmp_path / f"m.{format_}", mine, order, quality=quality)
    assert judged(movie, mine, quality=quality) & CONTENT


@each_format
def test_other_times_and_plays_are_found(stores, tmp_path, format_):
    store = stores(moving, 8)
    movie = built_by_hand(tmp_path / f"m.{format_}", store, RIGHT)
    assert judged(movie, store) == set()
    assert judged(movie, store, fps=26) & {"times", "duration"}
    assert judged(movie, store, hold_last_s=1) == {"duration"}
    assert judged(movie, store, hold_first_s=1) & {"times", "duration", "frames"}
    assert judged(movie, store, loop=1) == {"plays"}
    assert judged(movie, store, loop=3) == {"plays"}


@each_format
def test_what_is_no_movie_is_found_and_never_an_exception(stores, tmp_path, right, format_):
    other = right("apng" if format_ == "webp" else "webp")
    path = tmp_path / f"m.{format_}"
    for data in (
        b"",
        b"RIFF\4\0\0\0WEBP",
        b"\x89PNG\r\n\x1a\n",
        b"\0\0\0\x18ftypavis",
        b"rubbish" * 500,
        other,
    ):
        path.write_bytes(data)
        assert "structure" in judged(path, stores(moving, 8))


@pytest.mark.parametrize("crf", [0, 50])
def test_an_avif_of_any_rate_factor_passes(stores, tmp_path, each_ffmpeg, crf):
    for scene in (noise, gradient):
        assert fp.assemble(stores(scene, 4), tmp_path / "m.avif", crf=crf).report.passed


@each_format
def test_lost_transparency_is_found(stores, tmp_path, format_):
    store = stores(half_see_through, 4)
    flat = []
    for number in range(4):
        flat.append(tmp_path / f"{number}.png")
        with Image.open(store / file_name(number)) as image:
            image.convert("RGB").convert("RGBA").save(flat[-1])
    assert judged(built_by_hand(tmp_path / f"m.{format_}", store, flat), store) & CONTENT
