"""The colours of a GIF: all of them where they are few, and those that somebody gave."""

from __future__ import annotations

import os

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

import framepipe as fp
from framepipe.core.images import open_frames
from framepipe.formats.gif.colormap import colours_of
from framepipe.formats.gif.palette import named_palette
from framepipe.job.frames import file_name
from framepipe.options import DITHERS
from tests.integration.movies import failed_checks, gradient, moving
from tests.support.sizes import all_if_long

WIDTH, HEIGHT = 32, 24
ENCODERS = ["ffmpeg", "imagemagick"]


def of_colours(colours):
    """A scene of three frames that together have exactly these colours."""

    def draw(index):
        places = (np.arange(WIDTH * HEIGHT) * 13 + index) % len(colours)
        pixels = np.asarray(colours, np.uint8)[places].reshape(HEIGHT, WIDTH, -1)
        pixels = pixels / 255 if pixels.shape[2] == 4 else pixels  # as bytes matplotlib draws them opaque
        figure = Figure(figsize=(WIDTH / 50, HEIGHT / 50), dpi=50, facecolor=(1, 1, 1, 0))
        figure.figimage(pixels)
        return figure

    return draw


def drawn(folder, colours):
    transparent = len(colours[0]) == 4
    keywords = {"transparent": True} if transparent else {}
    return fp.render(of_colours(colours), 3, store=folder, engine="serial", order="free", **keywords).store


def said(report, name):
    return next(check for check in report.checks if check.name == name)


def colours_in(movie):
    with Image.open(movie) as image:
        found = set()
        for index in range(image.n_frames):
            image.seek(index)
            found |= {colour for _, colour in image.convert("RGB").getcolors(WIDTH * HEIGHT * 100)}
    return found


GREYS = [(level,) * 3 for level in range(256)]
DARK = [(red, green, blue) for red in range(6) for green in range(6) for blue in range(7)]
FEW = {
    "two": [(0, 0, 0), (255, 255, 255)],
    "one": [(31, 119, 180)],
    "greys": GREYS,
    "nearly black": DARK,
    "nearly white": [tuple(255 - level for level in colour) for colour in DARK],
}


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("name", all_if_long(FEW, "two", "greys", "nearly black"))
def test_a_gif_of_few_colours_is_lossless_and_says_so(tmp_path, each_ffmpeg, encoder, name):
    store = drawn(tmp_path / "s", colours := FEW[name])
    movie = fp.assemble(store, tmp_path / "m.gif", encoder=encoder)
    check = said(movie.report, "lossless")
    assert (check.expected, check.seen) == ("every pixel as drawn",) * 2
    assert colours_in(movie.path) == set(map(tuple, colours))
    assert said(fp.verify(movie.path, store), "lossless").expected == "every pixel as drawn"


@pytest.mark.parametrize("dither", ["bayer:0", "floyd_steinberg", "sierra2_4a"])
def test_a_dither_leaves_a_gif_of_few_colours_lossless(tmp_path, each_ffmpeg, dither):
    movie = fp.assemble(drawn(tmp_path / "s", GREYS), tmp_path / "m.gif", dither=dither)
    assert said(movie.report, "lossless").expected == "every pixel as drawn"


def once_red(k):
    figure = Figure(figsize=(0.64, 0.48), dpi=50, facecolor="red" if k == 1 else "white")
    figure.figimage(np.random.default_rng(k).integers(0, 256, (12, 16, 3), np.uint8))
    return figure


def test_a_colour_of_one_frame_is_in_a_palette_of_all(stores, tmp_path, systems_ffmpeg):
    """Of 120 frames the 50 that are sampled do not have the one with the red ground."""
    movie = fp.assemble(stores(once_red, 120), tmp_path / "m.gif", palette="all", colors=32)
    assert any(red > 220 and green < 40 for red, green, _ in colours_in(movie.path))


@pytest.mark.parametrize("encoder", ENCODERS)
def test_transparency_of_one_bit_is_kept_without_loss_too(tmp_path, encoder):
    colours = [(*colour, 255) for colour in DARK] + [(0, 0, 0, 0)]
    movie = fp.assemble(drawn(tmp_path / "s", colours), tmp_path / "m.gif", encoder=encoder)
    assert said(movie.report, "lossless").seen == "every pixel as drawn, alpha as one bit"


def test_more_colours_than_fit_are_not_called_lossless(tmp_path):
    store = drawn(tmp_path / "s", [*GREYS, (255, 0, 0)])
    check = said(fp.assemble(store, tmp_path / "m.gif").report, "lossless")
    assert check.ok
    assert check.expected == "as close as its colours are"
    assert "of 3 frames are exact" in check.seen


def test_fewer_colours_than_there_are_may_be_asked_for(tmp_path):
    store = drawn(tmp_path / "s", GREYS)
    movie = fp.assemble(store, tmp_path / "m.gif", colors=16)
    assert said(movie.report, "lossless").expected == "as close as its colours are"
    assert len(colours_in(movie.path)) <= 16


def test_another_pixel_in_a_lossless_gif_is_found(tmp_path):
    """As close as a grey beside it: only equality tells."""
    store, other = drawn(tmp_path / "s", GREYS), drawn(tmp_path / "o", [*GREYS[:-1], GREYS[-2]])
    fp.assemble(store, tmp_path / "m.gif")
    wrong = fp.assemble(other, tmp_path / "w.gif").path.read_bytes()
    (tmp_path / "m.gif").write_bytes(wrong)
    assert failed_checks(fp.verify(tmp_path / "m.gif", store)) == {"lossless"}


# given


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_gif_has_only_the_colours_of_a_given_picture(stores, tmp_path, each_ffmpeg, encoder):
    colours = [(255, 255, 255), (0, 0, 0), (200, 30, 30), (30, 30, 200), (128, 128, 128)]
    Image.fromarray(np.array([colours], np.uint8)).save(tmp_path / "p.png")
    palette = str(tmp_path / "p.png")
    movie = fp.assemble(stores(moving), tmp_path / "m.gif", palette=palette, encoder=encoder)
    assert colours_in(movie.path) <= set(colours)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("colors", all_if_long([64, 256], 256))
def test_a_gif_has_only_the_colours_of_a_given_colormap(stores, tmp_path, encoder, colors):
    movie = fp.assemble(
        stores(gradient), tmp_path / "m.gif", palette="viridis", colors=colors, encoder=encoder
    )
    known = colours_of("viridis", colors)
    assert len(known) <= colors
    assert colours_in(movie.path) <= set(known)
    assert {(0, 0, 0), (255, 255, 255)} <= set(known)


def test_what_is_no_palette_is_refused_before_anything_is_drawn(tmp_path):
    many = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(many).save(tmp_path / "many.png")
    (tmp_path / "text.png").write_text("no picture")
    for palette, words in [
        ("virids", "no colormap of matplotlib's"),
        (str(tmp_path / "many.png"), "colours; give a picture of 1 to 256"),
        (str(tmp_path / "text.png"), "is no picture"),
        (str(tmp_path), "no existing picture"),
    ]:
        with pytest.raises(fp.UsageError, match=words):
            fp.make(
                moving, 3, output=tmp_path / "m.gif", store=tmp_path / "s", palette=palette, engine="serial"
            )
    assert not (tmp_path / "s").exists()


def test_a_picture_with_transparency_gives_its_opaque_colours(tmp_path):
    pixels = np.array([[(255, 0, 0, 255), (0, 255, 0, 0)]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    assert named_palette(str(tmp_path / "p.png")) == [(255, 0, 0)]


@pytest.mark.parametrize("dither", DITHERS["ffmpeg"])
@pytest.mark.parametrize("colors", all_if_long([8, 256], 8))
def test_every_dither_of_ffmpeg_passes(stores, tmp_path, dither, colors):
    assert fp.assemble(stores(gradient), tmp_path / "m.gif", dither=dither, colors=colors).report.passed


# films that change slowly: right movies are not refused


def fading(k):
    """The ground changes by a step of 400 a frame: a palette has fewer."""
    figure = Figure(figsize=(1.6, 1.2), dpi=50, facecolor=(1, 1 - k / 400, 1))
    figure.add_subplot().plot([0, 1, 2])
    return figure


def flickering(k):
    """Coloured noise after nothing: frames of which some are exact, others are hard."""
    figure = Figure(figsize=(1.6, 1.2), dpi=50)
    if k % 5 == 4:
        figure.figimage(np.random.default_rng(k).integers(0, 256, (60, 80, 3), np.uint8))
    return figure


@pytest.mark.parametrize(
    ("name", "options"),
    all_if_long(
        [
            ("m.gif", {}),
            ("m.gif", {"colors": 64}),
            ("m.gif", {"colors": 8, "dither": "floyd_steinberg"}),
            ("m.gif", {"palette": "per-frame"}),
            ("m.gif", {"encoder": "imagemagick"}),
            ("m.mp4", {}),
            ("m.mp4", {"crf": 35}),
            ("m.webm", {"quality": "draft"}),
            ("m.webp", {"quality": "draft"}),
            ("m.avif", {"quality": "draft"}),
        ],
        ("m.gif", {"colors": 8, "dither": "floyd_steinberg"}),
        ("m.gif", {"palette": "per-frame"}),
        ("m.mp4", {"crf": 35}),
        ("m.webm", {"quality": "draft"}),
        ("m.webp", {"quality": "draft"}),
    ),
    ids=str,
)
@pytest.mark.parametrize("scene", [fading, flickering], ids=lambda scene: scene.__name__)
def test_a_right_movie_of_frames_that_hardly_differ_or_differ_much_passes(
    stores, tmp_path, each_ffmpeg, scene, name, options
):
    assert fp.assemble(stores(scene, 40), tmp_path / name, **options).report.passed


def test_a_palette_a_frame_leaves_nothing_of_the_frame_before(stores, tmp_path, each_ffmpeg):
    """ffmpeg leaves out pixels whose index is as before, although that is another colour now."""
    store = stores(flickering, 40)
    movie = fp.assemble(store, tmp_path / "m.gif", palette="per-frame").path
    with open_frames(movie) as image:
        image.seek(5)
        assert image.convert("RGB").getcolors() == [(80 * 60, (255, 255, 255))]


def grey_first(k):
    """The first frame has all grey levels in their order, as a palette would."""
    figure = Figure(figsize=(1.6, 1.6), dpi=80)
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16).repeat(8, 0).repeat(8, 1)
    figure.figimage(np.stack([levels, np.roll(levels, 8 * k, 0), levels], 2))
    return figure


@pytest.mark.parametrize("palette", ["global", "per-frame"])
def test_colours_after_a_grey_first_frame_are_read_right(stores, tmp_path, palette, systems_ffmpeg):
    store = stores(grey_first, 6)
    movie = fp.assemble(store, tmp_path / "m.gif", palette=palette).path
    assert fp.verify(movie, store).passed
    with open_frames(movie) as image:
        for k in range(6):
            image.seek(k)
            off = np.subtract(
                image.convert("RGB"), Image.open(store / file_name(k)).convert("RGB"), dtype=int
            )
            assert np.abs(off).max() < (1 if palette == "per-frame" else 40), k


# several outputs


def test_several_outputs_are_planned_before_the_first_is_built(stores, tmp_path):
    with pytest.raises(fp.UsageError, match="at most 50"):
        fp.assemble_several(stores(moving), [tmp_path / "a.mp4", tmp_path / "b.gif"], fps=60)
    assert os.listdir(tmp_path) == []
    movies = fp.assemble_several(stores(moving), [tmp_path / "a.mp4", tmp_path / "b.gif"], fps=20)
    assert [movie.format for movie in movies] == ["mp4", "gif"]
    with pytest.raises(fp.UsageError, match="colour"):
        fp.assemble_several(stores(moving), [tmp_path / "a.mp4"], colour="red")
