"""Wrong movies are found; movies that an encoder only made worse are not called wrong."""

from __future__ import annotations

import pytest

import framepipe as fp
from framepipe.job.frames import file_name
from tests.conftest import bundled_ffmpeg, debian_ffmpeg
from tests.integration.movies import (
    built_by_hand,
    failed_checks,
    gradient,
    moving,
    noise,
    see_through,
    titled,
)
from tests.support.sizes import all_if_long

RIGHT = list(range(8))
FORMATS = ["gif", "mp4"]


def judged(movie, store, **keywords):
    """What verify finds wrong, held against a timeline of 25 fps for ever unless told otherwise."""
    return failed_checks(fp.verify(movie, store, **{"fps": 25, **keywords}))


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("scene", [moving, titled, gradient, see_through], ids=lambda scene: scene.__name__)
def test_a_right_movie_passes(stores, tmp_path, format_, scene, each_ffmpeg):
    store = stores(scene, 8)
    movie = built_by_hand(tmp_path / f"m.{format_}", store, RIGHT, program=each_ffmpeg)
    assert judged(movie, store) == set()


WRONG_COUNT = {
    "dropped": [0, 1, 2, 4, 5, 6, 7],
    "duplicated": [0, 1, 2, 3, 3, 4, 5, 6, 7],
    "only the first": [0],
}
WRONG_ORDER = {
    "swapped neighbours": [0, 1, 2, 4, 3, 5, 6, 7],
    "swapped far apart": [0, 6, 2, 3, 4, 5, 1, 7],
    "first and last swapped": [7, 1, 2, 3, 4, 5, 6, 0],
    "dropped, and the last one twice": [0, 1, 2, 4, 5, 6, 7, 7],
    "one shown again for the next": [0, 1, 2, 2, 4, 5, 6, 7],
    "backwards": RIGHT[::-1],
}


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("order", WRONG_COUNT.values(), ids=WRONG_COUNT.keys())
def test_a_movie_of_too_few_or_too_many_frames_is_found(stores, tmp_path, format_, order):
    store = stores(moving, 8)
    assert "frames" in judged(built_by_hand(tmp_path / f"m.{format_}", store, order), store)


@pytest.mark.long
@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("scene", [moving, titled, gradient], ids=lambda scene: scene.__name__)
@pytest.mark.parametrize("order", WRONG_ORDER.values(), ids=WRONG_ORDER.keys())
def test_frames_in_a_wrong_order_are_found(stores, tmp_path, format_, scene, order):
    store = stores(scene, 8)
    found = judged(built_by_hand(tmp_path / f"m.{format_}", store, order), store)
    assert found & {"order", "patches", "pictures"}
    assert "frames" not in found


@pytest.mark.long
@pytest.mark.parametrize("format_", FORMATS)
def test_two_frames_swapped_in_a_longer_movie_are_found_wherever_they_are(stores, tmp_path, format_):
    store = stores(moving, 40)
    order = list(range(40))
    order[9], order[10] = 10, 9
    assert judged(built_by_hand(tmp_path / f"m.{format_}", store, order), store)


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("fps", all_if_long([24, 12.5, 26, "25025/1001000"], 12.5, 26))
def test_a_movie_of_another_rate_is_found(stores, tmp_path, format_, fps):
    store = stores(moving, 8)
    movie = built_by_hand(tmp_path / f"m.{format_}", store, RIGHT, fps=fps)
    assert judged(movie, store) & {"duration", "delays", "times"}
    assert judged(movie, store, fps=fps) == set()


@pytest.mark.parametrize(("built", "due"), [(0, 1), (1, 0), (3, 0), (0, 3), (3, 2), (1, 2)])
def test_a_gif_that_plays_another_number_of_times_is_found(stores, tmp_path, built, due):
    store = stores(moving, 8)
    movie = built_by_hand(tmp_path / "m.gif", store, RIGHT, loop=built)
    assert judged(movie, store, loop=due) == {"plays"}
    assert judged(movie, store, loop=built) == set()


@pytest.mark.parametrize("format_", FORMATS)
def test_a_hold_that_is_missing_is_found(stores, tmp_path, format_):
    store = stores(moving, 8)
    movie = built_by_hand(tmp_path / f"m.{format_}", store, RIGHT)
    assert judged(movie, store, hold_last_s=1)
    assert judged(movie, store, hold_first_s=1)


@pytest.mark.long
@pytest.mark.parametrize("format_", FORMATS)
def test_a_truncated_movie_is_found_at_any_length(stores, tmp_path, format_):
    store = stores(moving, 8)
    data = fp.assemble(store, tmp_path / f"whole.{format_}").path.read_bytes()
    cut = tmp_path / f"cut.{format_}"
    for length in [0, 100, len(data) // 2, len(data) - 20, len(data) - 1]:
        cut.write_bytes(data[:length])
        report = fp.verify(cut, store, fps=25)
        assert not report.passed, length
        assert report.table()


@pytest.mark.parametrize("format_", FORMATS)
def test_what_is_no_movie_is_found_and_never_an_exception(stores, tmp_path, format_):
    store = stores(moving, 8)
    other = fp.assemble(store, tmp_path / f"o.{'mp4' if format_ == 'gif' else 'gif'}").path.read_bytes()
    for data in (b"", b"GIF89a", b"\0\0\0\x18ftypmp42", b"rubbish" * 500, other):
        (tmp_path / f"m.{format_}").write_bytes(data)
        report = fp.verify(tmp_path / f"m.{format_}", store, fps=25)
        assert not report.passed


@pytest.mark.parametrize("format_", FORMATS)
def test_the_movie_of_another_store_is_found(stores, tmp_path, format_):
    mine, other = stores(moving, 8), stores(moving, 8, params=(("seed", 3),))
    movie = fp.assemble(other, tmp_path / f"m.{format_}").path
    assert judged(movie, other) == set()
    assert judged(movie, mine) & {"patches", "pictures"}
    assert "size" in judged(movie, stores(titled, 8))


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("at", all_if_long([0, 3, 7], 0, 7))
@pytest.mark.parametrize(
    "program", all_if_long([debian_ffmpeg, bundled_ffmpeg], bundled_ffmpeg), ids=["system", "bundled"]
)
def test_one_stale_frame_with_only_a_digit_of_its_title_changed_is_found(
    stores, tmp_path, format_, at, program
):
    mine, other = stores(titled, 8), stores(titled, "10-17")
    order = [other / file_name(18 - 1 - at) if number == at else number for number in RIGHT]
    movie = built_by_hand(tmp_path / f"m.{format_}", mine, order, program=program())
    assert judged(movie, mine) & {"patches", "pictures", "order"}


@pytest.mark.parametrize("crf", all_if_long([0, 30, 40, 51], 0, 51))
@pytest.mark.parametrize("scene", [moving, titled, gradient, noise], ids=lambda scene: scene.__name__)
def test_an_mp4_of_any_quality_passes(stores, tmp_path, scene, crf):
    assert fp.assemble(stores(scene, 8), tmp_path / "m.mp4", crf=crf, preset="veryfast").report.passed


@pytest.mark.parametrize("colors", all_if_long([4, 8, 64, 256], 4, 256))
@pytest.mark.parametrize("scene", [moving, titled, gradient, noise], ids=lambda scene: scene.__name__)
def test_a_gif_of_few_colours_passes(stores, tmp_path, scene, colors):
    assert fp.assemble(stores(scene, 8), tmp_path / "m.gif", colors=colors).report.passed


@pytest.mark.parametrize(
    "dither", all_if_long(["bayer", "floyd_steinberg", "sierra2_4a"], "bayer", "floyd_steinberg")
)
@pytest.mark.parametrize("palette", ["global", "per-frame"])
@pytest.mark.parametrize("scene", [gradient, noise], ids=lambda scene: scene.__name__)
def test_a_dithered_gif_passes(stores, tmp_path, scene, palette, dither):
    assert fp.assemble(
        stores(scene, 4), tmp_path / "m.gif", colors=16, dither=dither, palette=palette
    ).report.passed


@pytest.mark.parametrize(
    ("scene", "colors"),
    all_if_long(
        [(scene, colors) for scene in (gradient, noise) for colors in (2, 8, 256)],
        (gradient, 2),
        (noise, 256),
    ),
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_gif_of_imagemagick_passes(stores, tmp_path, scene, colors):
    movie = fp.assemble(stores(scene, 4), tmp_path / "m.gif", colors=colors, encoder="imagemagick")
    assert movie.report.passed


def test_a_timeline_given_to_verify_counts_even_if_the_store_remembers_another(stores, tmp_path):
    store = stores(moving, 8)
    movie = fp.assemble(store, tmp_path / "m.gif", fps=10, loop=3).path
    assert failed_checks(fp.verify(movie, store)) == set()
    assert "plays" in failed_checks(fp.verify(movie, store, loop=1))
