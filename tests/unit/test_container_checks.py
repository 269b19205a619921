"""A video has as many frames as its timeline, by its container and as it is decoded."""

from __future__ import annotations

from fractions import Fraction

import pytest

from framepipe.core.shape import Shape
from framepipe.formats import FORMATS
from framepipe.formats.video.checks import container_checks
from framepipe.formats.video.reader import Packets
from framepipe.options import EncodeOptions
from framepipe.timeline import Timeline


@pytest.mark.parametrize(
    ("packets", "decoded", "seen"),
    [(10, 10, "10"), (10, 11, "11"), (11, 10, "11"), (9, 10, "9"), (9, 9, "9")],
)
def test_frames_are_counted_in_both_ways(tmp_path, packets, decoded, seen):
    timeline = Timeline.of(range(10), fps=10)
    sources = [tmp_path / str(k) for k in range(10)]
    expected = FORMATS["mp4"].expected(timeline, sources, Shape(64, 48, "RGB"), (0, 0, 0), EncodeOptions())
    rows = [(str(k), k) for k in range(packets)]
    read = Packets([Fraction(k, 10) for k in range(packets)], (64, 48), rows, "")
    checks = {check.name: check for check in container_checks(expected, read, decoded, None)}
    assert (checks["frames"].ok, checks["frames"].seen) == (packets == decoded == 10, seen)
