"""WebP and GIF layers by ImageMagick, through `assemble`: read back by Pillow and by their bytes."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

import framepipe as fp
from framepipe import gif, webp
from framepipe.containers import inspect
from framepipe.errors import UsageError
from framepipe.frames import file_name
from framepipe.recipes import LAYERS, PICTURES
from tests.integration.movies import (
    gradient,
    half_see_through,
    moving,
    noise,
    see_through,
    sized,
)
from tests.integration.test_magick_child import ROOT


def titled_by_pairs(k):
    """Frames of which two in a row are equal."""
    return moving(k // 2)


def read(path):
    with Image.open(path) as image:
        shown = []
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            shown.append(np.asarray(image.convert("RGBA")))
    return shown


def drawn(store, number):
    with Image.open(store / file_name(number)) as image:
        return np.asarray(image.convert("RGBA"))


def equal(seen, source):
    """Not counting colours under alpha 0."""
    return np.array_equal(np.where(seen[..., 3:], seen, 0), np.where(source[..., 3:], source, 0))


def by_imagemagick(store, output, **options):
    movie = fp.assemble(store, output, encoder="imagemagick", **options)
    assert movie.encoder.name == "imagemagick"
    assert [path.name for path in output.parent.iterdir()] == [output.name]
    return movie


def checked(movie, name):
    return next(check for check in movie.report.checks if check.name == name)


@pytest.mark.parametrize(
    ("scene", "quality"),
    [
        (moving, "good"),
        (see_through, "good"),
        (half_see_through, "best"),
        (gradient, "lossless"),
        (noise, "good"),
    ],
)
def test_each_pixel_of_a_webp_is_as_it_was_drawn(stores, tmp_path, scene, quality):
    store = stores(scene, transparent=scene in (see_through, half_see_through))
    movie = by_imagemagick(store, tmp_path / "m.webp", quality=quality)
    assert checked(movie, "lossless").ok
    shown = read(movie.path)
    assert len(shown) == 6
    assert all(equal(seen, drawn(store, number)) for number, seen in enumerate(shown))


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize(("width", "height"), [(64, 48), (63, 47), (17, 1), (1, 33)])
def test_webp_of_any_size_and_of_few_frames(tmp_path, width, height, frames):
    store = fp.render(lambda k: sized(k, width, height), frames, store=tmp_path / "s", engine="serial").store
    (tmp_path / "out").mkdir()
    movie = by_imagemagick(store, tmp_path / "out" / "m.webp", hold_last_s=2, loop=3)
    film = inspect(movie.path, "webp")
    assert (film.width, film.height, film.plays) == (width, height, 3)
    assert film.durations_s[-1] >= 2


@pytest.mark.parametrize(("fps", "loop"), [(24, 0), ("30000/1001", 1), (12.345, 3), (24, 65535)])
def test_webp_has_exact_times_and_plays(stores, tmp_path, fps, loop):
    movie = by_imagemagick(
        stores(moving), tmp_path / "m.webp", fps=fps, loop=loop, hold_first_s=1, hold_last_s=2.5
    )
    film = inspect(movie.path, "webp")
    frame = 1 / Fraction(fps) if isinstance(fps, str) else 1 / Fraction(str(fps))
    assert film.plays == loop
    assert abs(sum(film.durations_s) - 3.5 - 4 * frame) <= Fraction(1, 2000)
    assert [round(each, 2) for each in film.durations_s[:2]] == [1, round(frame, 2)]


def test_equal_frames_of_a_webp_are_one_picture_for_all_their_time(stores, tmp_path):
    movie = by_imagemagick(stores(titled_by_pairs), tmp_path / "m.webp", fps=25)
    assert inspect(movie.path, "webp").durations_s == (Fraction(80, 1000),) * 3
    assert "3 of them like the one before" in checked(movie, "frames").seen


def test_frames_that_are_all_equal_are_a_webp_of_one_picture(stores, tmp_path):
    movie = by_imagemagick(stores(moving), tmp_path / "m.webp", fps=25, part="0", hold_last_s=1)
    assert len(inspect(movie.path, "webp").durations_s) == 1


@pytest.mark.parametrize("scene", [moving, half_see_through, gradient, noise])
def test_a_draft_webp_is_near(stores, tmp_path, scene):
    store = stores(scene, transparent=scene is half_see_through)
    draft = by_imagemagick(store, tmp_path / "m.webp", quality="draft")
    assert draft.report.passed
    kinds = {picture.image[:4] for picture in webp.pictures(draft.path.read_bytes())}
    assert b"VP8L" not in kinds


@pytest.mark.parametrize("format_", sorted(set(PICTURES) - {"webp"}))
def test_imagemagick_is_refused_for_what_it_cannot_write(stores, tmp_path, format_):
    with pytest.raises(UsageError, match=f"ImageMagick builds no {format_}"):
        fp.assemble(stores(moving), tmp_path / f"m.{format_}", encoder="imagemagick")


def test_options_of_ffmpeg_are_refused(stores, tmp_path):
    with pytest.raises(UsageError, match="codec_options are ffmpeg's"):
        by_imagemagick(stores(moving), tmp_path / "m.webp", codec_options={"preset": "text"})


@pytest.mark.parametrize("encoder", ["ffmpeg", "imagemagick"])
def test_more_plays_than_a_webp_can_say_are_refused(stores, tmp_path, encoder):
    with pytest.raises(UsageError, match="plays up to 65535 times"):
        fp.assemble(stores(moving), tmp_path / "m.webp", encoder=encoder, loop=65536)


NO_WEBP = '<policymap><policy domain="coder" rights="none" pattern="WEBP"/></policymap>'


def test_an_imagemagick_without_webp_is_found_out_before_anything_is_drawn(tmp_path, monkeypatch):
    (tmp_path / "policy.xml").write_text(NO_WEBP)
    script = (
        "import framepipe as fp\n"
        "def draw(k):\n"
        "    raise AssertionError('drawn')\n"
        "try:\n"
        "    fp.make(draw, 2, 'm.webp', store='s', engine='serial', encoder='imagemagick')\n"
        "except fp.errors.ToolMissing as error:\n"
        "    print(error)\n"
    )
    monkeypatch.setenv("MAGICK_CONFIGURE_PATH", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "writes no webp: use --encoder ffmpeg" in done.stdout


# --- layers of GIF ------------------------------------------------------------------------------


@pytest.mark.parametrize("palette", ["global", "per-frame"])
@pytest.mark.parametrize("layers", LAYERS)
def test_a_gif_of_any_layers_shows_the_same(stores, tmp_path, layers, palette):
    store = stores(moving)
    whole, other = tmp_path / "whole", tmp_path / "other"
    whole.mkdir()
    other.mkdir()
    one = by_imagemagick(store, whole / "m.gif", layers="none", palette=palette)
    two = by_imagemagick(store, other / "m.gif", layers=layers, palette=palette)
    assert all(np.array_equal(*pair) for pair in zip(read(one.path), read(two.path), strict=True))
    shrinks = layers != "none" and (palette == "global" or layers != "optimize-transparency")
    assert (two.size_bytes < one.size_bytes) == shrinks  # a frame of 256 colours has none for transparent


def test_auto_is_the_smaller_of_two_ways(stores, tmp_path):
    sizes = {}
    for layers in LAYERS:
        (tmp_path / layers).mkdir()
        sizes[layers] = by_imagemagick(stores(moving), tmp_path / layers / "m.gif", layers=layers).size_bytes
    assert sizes["auto"] <= sizes["optimize"] < sizes["none"]


@pytest.mark.parametrize("layers", LAYERS)
def test_equal_frames_stay_frames_whatever_the_layers(stores, tmp_path, layers):
    movie = by_imagemagick(stores(titled_by_pairs), tmp_path / "m.gif", layers=layers, fps=25)
    assert gif.inspect(movie.path).delays_cs == (4,) * 6


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("scene", [see_through, noise])
def test_layers_that_cannot_be_leave_frames_whole(stores, tmp_path, scene, layers):
    store = stores(scene, transparent=scene is see_through)
    movie = by_imagemagick(store, tmp_path / "m.gif", layers=layers)
    assert movie.report.passed
    told = any(f"layers {layers}" in note for note in movie.notes)
    assert told == (scene is see_through and layers not in ("auto", "none"))


def test_layers_are_refused_without_imagemagick(stores, tmp_path):
    with pytest.raises(UsageError, match="add --encoder imagemagick"):
        fp.assemble(stores(moving), tmp_path / "m.gif", layers="optimize")
    with pytest.raises(UsageError, match="layers 'merge' is not one of"):
        fp.assemble(stores(moving), tmp_path / "m.gif", layers="merge", encoder="imagemagick")
