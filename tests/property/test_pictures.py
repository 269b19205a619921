"""How far two pictures are apart, for any pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framepipe.core.images import worst_patch, worst_patch_in_palette, yuv
from tests.support.sizes import examples


@st.composite
def pairs(draw):
    """Two pictures of one size."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    few = draw(st.sampled_from([2, 5, 256]))
    return [
        [random.integers(0, few, (height, width, 3)).astype(np.float32) * (255 // (few - 1))]
        for _ in range(2)
    ]


@given(pairs())
@settings(max_examples=examples(100), deadline=None)
def test_equal_pictures_are_not_apart(pair):
    one, _ = pair
    assert worst_patch(one, [one[0].copy()]) == 0
    assert worst_patch_in_palette(one[0].astype(np.uint8), one[0].astype(np.uint8)) == 0


@given(pairs())
@settings(max_examples=examples(100), deadline=None)
def test_the_distance_is_the_same_both_ways_and_within_its_scale(pair):
    one, other = pair
    assert worst_patch(one, other) == pytest.approx(worst_patch(other, one))
    assert 0 <= worst_patch(one, other) <= 255
    assert (
        worst_patch_in_palette(*(each[0].astype(np.uint8) for each in pair)) <= worst_patch(one, other) + 1.01
    )


@given(st.integers(8, 60), st.integers(8, 60), st.data())
@settings(max_examples=examples(150), deadline=None)
def test_a_changed_patch_is_found_wherever_it_is(height, width, data):
    source = np.random.default_rng(data.draw(st.integers(0, 999))).integers(100, 156, (height, width, 3))
    seen = source.copy()
    row, column = data.draw(st.integers(0, height - 8)), data.draw(st.integers(0, width - 8))
    by = data.draw(st.sampled_from([-100, 60, 99]))
    seen[row : row + 8, column : column + 8] += by
    found = worst_patch([seen.astype(np.float32)], [source.astype(np.float32)])
    assert found >= abs(by) / 4 - 0.01, "at least a quarter of it lies in one patch"
    assert found <= abs(by) + 0.01


@given(st.integers(0, 6), st.integers(0, 6), st.sampled_from([-80, 80]))
@settings(max_examples=examples(50), deadline=None)
def test_a_changed_patch_of_the_grid_is_measured_exactly(row, column, by):
    source = np.full((56, 56, 3), 120, np.float32)
    seen = source.copy()
    seen[row * 8 : row * 8 + 8, column * 8 : column * 8 + 8, 1] += by
    assert worst_patch([seen], [source]) == pytest.approx(80)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32), st.tuples(*[st.integers(0, 255)] * 3))
@settings(max_examples=examples(100), deadline=None)
def test_planes_of_video_are_even_and_within_the_limited_range(height, width, seed, ground):
    rgba = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    luma, blue, red = yuv(rgba, ground)
    assert luma.shape == (height + height % 2, width + width % 2)
    assert blue.shape == red.shape == (luma.shape[0] // 2, luma.shape[1] // 2)
    assert 15.99 <= luma.min() <= luma.max() <= 235.01
    assert 15.99 <= min(blue.min(), red.min()) <= max(blue.max(), red.max()) <= 240.01
