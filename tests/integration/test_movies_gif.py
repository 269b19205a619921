"""GIFs by real encoders, from small stores; what is in the file is read by others than framepipe."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import framepipe as fp
from framepipe.options import DITHERS
from tests.integration.movies import gif_facts, gradient, half_see_through, moving, see_through, sized
from tests.support.sizes import all_if_long

DUE = {
    24: [4, 4, 5, 4, 4, 4],
    25: [4] * 6,
    30: [3, 4, 3, 3, 4, 3],
    "30000/1001": [3, 4, 3, 3, 4, 3],
    12.345: [8, 8, 8, 8, 9, 8],
    50: [2] * 6,
}


@pytest.mark.parametrize("fps", DUE)
def test_a_gif_has_its_delays_at_any_rate(stores, tmp_path, each_ffmpeg, fps):
    movie = fp.assemble(stores(moving), tmp_path / "m.gif", fps=fps)
    delays, plays = gif_facts(movie.path)
    assert delays == DUE[fps]
    assert plays == 0
    assert movie.encoder.path == each_ffmpeg
    assert movie.report.passed
    assert movie.duration_s == pytest.approx(sum(delays) / 100)
    assert [path.name for path in tmp_path.iterdir()] == ["m.gif"]


@pytest.mark.parametrize(
    ("loop", "plays"), all_if_long([("forever", 0), (0, 0), (1, 1), (3, 3)], ("forever", 0), (1, 1))
)
def test_a_gif_plays_as_often_as_asked(stores, tmp_path, each_ffmpeg, loop, plays):
    fp.assemble(stores(moving), tmp_path / "m.gif", loop=loop)
    assert gif_facts(tmp_path / "m.gif")[1] == plays


@pytest.mark.parametrize("palette", ["global", "per-frame"])
@pytest.mark.parametrize("count", [1, 2])
def test_a_gif_of_one_or_two_frames_is_held(stores, tmp_path, each_ffmpeg, count, palette):
    fp.assemble(
        stores(moving, count), tmp_path / "m.gif", fps=10, hold_first_s=1.5, hold_last_s=2, palette=palette
    )
    assert gif_facts(tmp_path / "m.gif")[0] == [150, 200][-count:]


@pytest.mark.parametrize(("width", "height"), [(99, 75), (33, 21), (50, 1), (8, 8)])
def test_a_gif_keeps_an_odd_size(stores, tmp_path, each_ffmpeg, width, height):
    store = stores(sized, 3, params=(("width", width), ("height", height)))
    movie = fp.assemble(store, tmp_path / "m.gif")
    with Image.open(movie.path) as image:
        assert image.size == (movie.width, movie.height) == (width, height)


def frames_of(path):
    with Image.open(path) as image:
        for index in range(image.n_frames):
            image.seek(index)
            yield np.asarray(image.convert("RGBA"))


@pytest.mark.parametrize("palette", ["global", "per-frame"])
def test_a_gif_of_few_colours_is_exact(stores, tmp_path, each_ffmpeg, palette):
    store = stores(sized, 4, params=(("width", 31), ("height", 22)))
    fp.assemble(store, tmp_path / "m.gif", palette=palette)
    for number, seen in enumerate(frames_of(tmp_path / "m.gif")):
        with Image.open(store / f"frame_{number:06d}.png") as source:
            assert np.array_equal(seen, np.asarray(source.convert("RGBA")))


def in_the_first_ones_colours(i):
    """A bar on black, on grey, and on black again, a pixel further: its palette is the first frame's."""
    pixels = np.full((48, 64, 3), (0, 199, 0)[i], np.uint8)
    pixels[:, (0, 7, 8)[i]] = 255
    return pixels


def test_a_frame_with_the_palette_of_the_first_does_not_show_the_one_before(stores, tmp_path, each_ffmpeg):
    movie = fp.assemble(stores(in_the_first_ones_colours, 3), tmp_path / "m.gif", palette="per-frame")
    assert movie.report.passed


@pytest.mark.parametrize("palette", ["global", "per-frame"])
@pytest.mark.parametrize("scene", [see_through, half_see_through])
def test_a_gif_keeps_transparency_of_one_bit(stores, tmp_path, each_ffmpeg, palette, scene):
    store = stores(scene, 4)
    fp.assemble(store, tmp_path / "m.gif", palette=palette)
    shown = list(frames_of(tmp_path / "m.gif"))
    assert len(shown) == 4
    for number, seen in enumerate(shown):
        with Image.open(store / f"frame_{number:06d}.png") as source:
            rgba = np.asarray(source)
        assert rgba.shape[2] == 4
        assert np.array_equal(seen[..., 3] > 0, rgba[..., 3] >= 128)
        solid = rgba[..., 3] == 255
        assert np.abs(seen[solid].astype(int) - rgba[solid]).max() < 12


@pytest.mark.parametrize("palette", ["global", "per-frame"])
@pytest.mark.parametrize("colors", all_if_long([4, 16, 256], 4))
def test_a_gif_has_no_more_colours_than_asked_for(stores, tmp_path, each_ffmpeg, palette, colors):
    fp.assemble(stores(gradient, 3), tmp_path / "m.gif", palette=palette, colors=colors)
    for seen in frames_of(tmp_path / "m.gif"):
        assert len(np.unique(seen.reshape(-1, 4), axis=0)) <= colors
    assert len(np.unique(seen.reshape(-1, 4), axis=0)) > min(colors, 16) // 2


@pytest.mark.parametrize("dither", DITHERS["ffmpeg"])
def test_a_gif_is_right_with_every_dither(stores, tmp_path, each_ffmpeg, dither):
    assert fp.assemble(stores(gradient, 3), tmp_path / "m.gif", dither=dither, colors=64).report.passed


TIMINGS = [
    {"fps": 24, "loop": 3},
    {"fps": 30, "hold_first_s": 1},
    {"fps": "30000/1001", "hold_last_s": 2.5, "loop": 1},
    {"fps": 12.345},
]


@pytest.mark.parametrize("timing", all_if_long(TIMINGS, *TIMINGS[1:3]), ids=str)
def test_imagemagick_builds_the_same_delays_and_plays_as_ffmpeg(stores, tmp_path, timing):
    store = stores(moving)
    facts = []
    for encoder in ("ffmpeg", "imagemagick"):
        movie = fp.assemble(store, tmp_path / f"{encoder}.gif", encoder=encoder, **timing)
        assert movie.encoder.name == encoder
        facts.append(gif_facts(movie.path))
    assert facts[0] == facts[1]
    assert len(facts[0][0]) == 6


@pytest.mark.parametrize(
    "options",
    all_if_long(
        [
            {"palette": "per-frame"},
            {"colors": 16},
            {"colors": 2},
            {"dither": "floyd_steinberg"},
            {"dither": "riemersma"},
        ],
        {"palette": "per-frame"},
        {"colors": 2},
    ),
    ids=str,
)
def test_imagemagick_builds_with_every_kind_of_option(stores, tmp_path, options):
    assert fp.assemble(stores(moving), tmp_path / "m.gif", encoder="imagemagick", **options).report.passed


@pytest.mark.parametrize("scene", [see_through, half_see_through])
def test_imagemagick_keeps_transparency_of_one_bit(stores, tmp_path, scene):
    store = stores(scene, 4)
    fp.assemble(store, tmp_path / "m.gif", encoder="imagemagick")
    for number, seen in enumerate(frames_of(tmp_path / "m.gif")):
        with Image.open(store / f"frame_{number:06d}.png") as source:
            assert np.array_equal(seen[..., 3] > 0, np.asarray(source)[..., 3] >= 128)


def test_the_note_of_an_uneven_rate_is_on_the_movie(stores, tmp_path):
    assert fp.assemble(stores(moving), tmp_path / "m.gif", fps=24).notes[0].startswith("24 fps in GIF")


@pytest.mark.parametrize(
    "name",
    all_if_long(
        ["a b.gif", 'it\'s 50% "x".gif', "-o.gif", "b:c.gif", "[1]*?.gif", "é\n.gif", "out%d.gif"],
        *('it\'s 50% "x".gif', "[1]*?.gif"),
    ),
)
@pytest.mark.parametrize("encoder", ["ffmpeg", "imagemagick"])
def test_the_name_of_a_movie_is_only_data(stores, tmp_path, name, encoder):
    movie = fp.assemble(stores(moving, 2), tmp_path / name, encoder=encoder)
    assert movie.path.name == name
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    "name", all_if_long(["it's 50%d", "[x]*", "-s", "a:b", "new\nline", "@é"], "new\nline")
)
def test_the_name_of_a_store_is_only_data(tmp_path, name):
    from tests.integration.movies import stored

    store = stored(tmp_path / name, moving, 2)
    assert fp.assemble(store, tmp_path / "m.gif").report.passed
    assert fp.assemble(store, tmp_path / "m.mp4").report.passed
    assert fp.assemble(store, tmp_path / "i.gif", encoder="imagemagick").report.passed
