"""How close two pictures are, and where they differ most."""

from __future__ import annotations

import numpy as np
import pytest

from framepipe.core.images import read_png, split_yuv, worst_patch, worst_patch_in_palette, yuv
from framepipe.core.png import encode

WHITE = (255, 255, 255)


def flat(colour, height=4, width=6, alpha=255):
    return np.tile(np.array([*colour, alpha], np.uint8), (height, width, 1))


def test_a_png_is_read_as_rgba(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 4), np.uint8)
    (tmp_path / "a.png").write_bytes(encode(pixels))
    assert np.array_equal(read_png(tmp_path / "a.png"), pixels)
    (tmp_path / "b.png").write_bytes(encode(pixels[..., :3]))
    read = read_png(tmp_path / "b.png")
    assert np.array_equal(read[..., :3], pixels[..., :3])
    assert (read[..., 3] == 255).all()


@pytest.mark.parametrize(
    ("colour", "y_cb_cr"),
    [
        ((255, 255, 255), (235, 128, 128)),
        ((0, 0, 0), (16, 128, 128)),
        ((128, 128, 128), (125.93, 128, 128)),
        ((255, 0, 0), (62.56, 102.34, 240)),
        ((0, 255, 0), (172.63, 41.66, 26.27)),
        ((0, 0, 255), (31.81, 240, 117.73)),
    ],
)
def test_colours_become_the_numbers_of_bt_709_limited_range(colour, y_cb_cr):
    planes = yuv(flat(colour), WHITE)
    assert [plane.shape for plane in planes] == [(4, 6), (2, 3), (2, 3)]
    for plane, value in zip(planes, y_cb_cr):
        assert plane == pytest.approx(value, abs=0.01)


def test_odd_sides_are_padded_with_the_ground():
    luma, blue, red = yuv(flat((0, 0, 0), 3, 5), WHITE)
    assert (luma.shape, blue.shape, red.shape) == ((4, 6), (2, 3), (2, 3))
    assert luma[:3, :5] == pytest.approx(16)
    assert luma[3] == pytest.approx(235)
    assert luma[:, 5] == pytest.approx(235)


def test_see_through_pixels_are_shown_over_the_ground():
    luma, *_ = yuv(flat((0, 0, 0), alpha=0), WHITE)
    assert luma == pytest.approx(235)
    half, *_ = yuv(flat((0, 0, 0), alpha=51), WHITE)
    assert half == pytest.approx(16 + 219 * 0.8, abs=0.01)


def test_raw_bytes_are_split_into_their_planes():
    raw = bytes(range(4 * 2)) + bytes([100, 101]) + bytes([200, 201])
    luma, blue, red = split_yuv(raw, 4, 2)
    assert luma.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert (blue.tolist(), red.tolist()) == ([[100, 101]], [[200, 201]])


def test_the_worst_patch_is_the_difference_of_means_of_one_8x8_patch():
    one, other = np.zeros((20, 30), np.float32), np.zeros((20, 30), np.float32)
    other[8:16, 16:24] = 40
    other[0:4, 0:8] = 30
    assert worst_patch([one], [other]) == pytest.approx(40)


def test_a_smaller_patch_at_the_edge_counts_by_its_own_size():
    one, other = np.zeros((9, 9), np.float32), np.zeros((9, 9), np.float32)
    other[8, 8] = 50
    assert worst_patch([one], [other]) == pytest.approx(50)


def test_a_difference_in_one_colour_is_not_averaged_away_by_the_others():
    one, other = np.zeros((8, 8, 3), np.float32), np.zeros((8, 8, 3), np.float32)
    other[..., 2] = 30
    assert worst_patch([one], [other]) == pytest.approx(30)


def test_what_a_palette_cannot_show_does_not_count():
    source = np.tile(np.array([100.0, 100, 100], np.float32), (8, 16, 1))
    seen = source.copy()
    seen[:] = 90
    seen[0, 0] = 0
    assert worst_patch([seen], [source]) > 9
    assert worst_patch_in_palette(seen.astype(np.uint8), source.astype(np.uint8)) < 3


def test_a_picture_with_other_colours_than_the_nearest_is_found():
    source = np.tile(np.array([100.0, 100, 100], np.float32), (8, 16, 1))
    seen = source.copy()
    seen[:, 8:] = 200
    assert worst_patch_in_palette(seen.astype(np.uint8), source.astype(np.uint8)) == pytest.approx(100)


def test_a_dithered_picture_is_right_if_its_mean_is():
    source = np.full((8, 8, 3), 100, np.float32)
    seen = np.zeros((8, 8, 3), np.float32)
    seen[::2] = 200
    assert worst_patch_in_palette(seen.astype(np.uint8), source.astype(np.uint8)) == pytest.approx(0)


def test_either_of_two_colours_that_are_equally_near_is_right():
    source = np.full((8, 16, 3), 100, np.uint8)
    seen = source.copy()
    seen[:, :8], seen[:, 8:] = (90, 100, 100), (110, 100, 100)
    assert worst_patch_in_palette(seen, source) == pytest.approx(0, abs=1e-3)
    seen[:, 8:] = (120, 100, 100)
    assert worst_patch_in_palette(seen, source) == pytest.approx(10, abs=1e-3)
