"""Joining parts of an animated WebP by their bytes; what comes out is read by Pillow."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from framepipe import webp
from framepipe.containers import WEBP_CLEARS, WEBP_NO_BLEND, Damage, inspect

W, H = 33, 21


def drawn(count, alpha=True):
    """A block that moves over a half transparent ground, or over an opaque one."""
    shown = []
    for step in range(count):
        pixels = np.full((H, W, 4), (9, 90, 200, 77 if alpha else 255), np.uint8)
        pixels[step : step + 6, 2 * step : 2 * step + 7] = (250, 10 * step, 3, 255)
        pixels[-3:, :5] = (1, 2, 3, 0 if alpha else 255)
        shown.append(pixels)
    return shown


def encoded(shown, **options):
    """By libwebp's animation encoder, as Pillow calls it; still if it is one picture."""
    first, *others = [Image.fromarray(pixels) for pixels in shown]
    buffer = io.BytesIO()
    moving = {"save_all": True, "append_images": others, "duration": 50} if others else {}
    first.save(buffer, "WEBP", lossless=True, **moving, **options)
    return buffer.getvalue()


def part(shown, ms=50, **options):
    """Pictures of an encoded part, the first one covering all."""
    found = webp.pictures(encoded(shown, **options))
    if len(shown) > 1:
        whole = webp.pictures(encoded(shown[:1]))[0]
        found[0] = replace(whole, flags=found[0].flags | WEBP_NO_BLEND)
    return [replace(each, duration_ms=ms + place) for place, each in enumerate(found)]


def join(folder, *parts, **fields):
    output = folder / "out.webp"
    webp.join(parts, output, **{"width": W, "height": H, "plays": 0, "alpha": True} | fields)
    return output


def seen(path):
    shown = []
    with Image.open(path) as image:
        for position in range(image.n_frames):
            image.seek(position)
            rgba = np.asarray(image.convert("RGBA"))
            shown.append(np.where(rgba[..., 3:] > 0, rgba, 0))
    return shown


def assert_shows(path, expected):
    found = seen(path)
    assert len(found) == len(expected)
    for position, (one, two) in enumerate(zip(found, expected)):
        assert np.array_equal(one, np.where(two[..., 3:] > 0, two, 0)), f"frame {position}"


@pytest.mark.parametrize("alpha", [False, True])
def test_joined_parts_show_what_they_showed_alone_each_for_its_time(tmp_path, alpha):
    shown = drawn(9, alpha)
    parts = [part(shown[:4], 20), part(shown[4:5], 300), part(shown[5:], 40)]
    output = join(tmp_path, *parts, alpha=alpha)
    assert_shows(output, shown)
    film = inspect(output, "webp")
    assert [int(each * 1000) for each in film.durations_s] == [20, 21, 22, 23, 300, 40, 41, 42, 43]
    assert (film.width, film.height) == (W, H)


@pytest.mark.parametrize("plays", [0, 1, 3, 65535])
def test_it_plays_as_often_as_told(tmp_path, plays):
    assert inspect(join(tmp_path, part(drawn(2)), plays=plays), "webp").plays == plays


def test_a_still_picture_becomes_a_movie_of_one(tmp_path):
    output = join(tmp_path, part(drawn(1), 1234))
    assert_shows(output, drawn(1))
    assert [float(each) for each in inspect(output, "webp").durations_s] == [1.234]


@pytest.mark.parametrize("size", [(1, 1), (1, 17), (64, 48), (300, 2)])
@pytest.mark.parametrize("lossless", [True, False])
def test_the_size_of_a_still_picture_is_read_from_its_bits(size, lossless):
    buffer = io.BytesIO()
    Image.new("RGBA", size, (1, 2, 3, 4)).save(buffer, "WEBP", lossless=lossless)
    (found,) = webp.pictures(buffer.getvalue())
    assert found.box == (0, 0, *size)


def test_a_part_whose_first_picture_shows_what_is_below_is_refused(tmp_path):
    first, *others = part(drawn(3))
    cropped = replace(first, box=(2, 0, W - 2, H))
    blending = replace(first, flags=WEBP_CLEARS)
    for wrong in ([cropped, *others], [blending, *others], []):
        with pytest.raises(ValueError, match="of part 1 does not cover"):
            join(tmp_path, part(drawn(2)), wrong)
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ms", [0, -1, 2**24])
def test_a_time_that_the_format_has_not_is_refused(tmp_path, ms):
    with pytest.raises(ValueError, match=f"shown for {ms} ms"):
        join(tmp_path, [replace(part(drawn(1))[0], duration_ms=ms)])
    assert not list(tmp_path.iterdir())


def test_pictures_outside_and_too_many_plays_are_refused(tmp_path):
    first, second = part(drawn(2))
    with pytest.raises(ValueError, match="outside"):
        join(tmp_path, [first, replace(second, box=(2, 2, W, H))])
    with pytest.raises(ValueError, match="65536 plays"):
        join(tmp_path, [first], plays=65536)
    assert not list(tmp_path.iterdir())


def test_any_damage_is_damage():
    for data in (encoded(drawn(3)), encoded(drawn(1))):
        for length in range(len(data)):
            with pytest.raises(Damage):
                webp.pictures(data[:length])
    with pytest.raises(Damage, match="no picture"):
        webp.pictures(b"RIFF\x04\0\0\0WEBP")
