"""The conversion of a video's colours is found from its samples."""

import numpy as np
import pytest

from framepipe.formats.video import colours

CONVERSIONS = [("BT.709", "limited range"), ("BT.709", "full range"), ("BT.601", "limited range")]


def frames(seed, count=3, sides=(24, 32)):
    """Y'CbCr of some frames, BT.709, limited range: luma, and chroma at half the resolution."""
    random = np.random.default_rng(seed)
    halved = tuple(side // 2 for side in sides)
    shapes = ((sides, 16, 235), (halved, 16, 240), (halved, 16, 240))
    return [
        [random.uniform(low, high, shape).astype(np.float32) for shape, low, high in shapes]
        for _ in range(count)
    ]


def in_conversion(planes, conversion):
    """A frame's planes in another conversion, all at chroma's resolution, with the noise of an encoder."""
    converted = colours._converted(colours._even(planes), *conversion)
    return [*(converted + np.random.default_rng(5).normal(0, 1, converted.shape))]


@pytest.mark.parametrize("conversion", CONVERSIONS, ids=" ".join)
def test_samples_tell_their_conversion(conversion):
    sources = frames(1)
    pairs = [(in_conversion(source, conversion), source) for source in sources]
    assert colours.conversion(pairs, 1000.0) == ", ".join(conversion)


def test_what_a_conversion_adds_is_the_same_as_converting():
    own = colours._even(frames(2)[0]).reshape(3, -1).astype(float)
    for conversion in CONVERSIONS:
        direct = colours._converted(own.reshape(3, -1, 1), *conversion).reshape(3, -1) - own
        step = colours._step(*conversion)
        assert step @ np.vstack([own, np.ones(own.shape[1])]) == pytest.approx(direct, abs=1e-9)


def test_conversions_that_hardly_differ_on_these_frames_are_not_told_apart():
    grey = [[np.full((8, 8), 128, np.float32)] * 3]
    pairs = [(in_conversion(source, ("BT.601", "limited range")), source) for source in grey]
    assert colours.conversion(pairs, 1000.0) == colours.DUE_COLOURS
