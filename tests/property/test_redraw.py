"""Whatever sequence of changes a figure sees, drawing only these shows what drawing all shows."""

from __future__ import annotations

import contextlib
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framepipe.job.canvas import Canvas
from framepipe.scenes import tapes
from framepipe.scenes.incremental import Incremental
from framepipe.scenes.rasterize import rasterise
from tests.support.figures import FIGURES, changes
from tests.support.sizes import LONG

_FIGURES = ("line", "scatter", "legends", "twins", "laid_out", "in_3d")
_STEPS = st.lists(st.tuples(st.integers(0, 10), st.integers(0, 100)), min_size=1, max_size=6)


@pytest.mark.filterwarnings("ignore")
@given(name=st.sampled_from(_FIGURES), frames=st.lists(_STEPS, min_size=2, max_size=5))
@settings(max_examples=300 if LONG else 6, deadline=None, suppress_health_check=list(HealthCheck))
@patch.object(tapes, "_PATIENCE", 10**6)  # look at what changes each time, each time
def test_any_sequence_of_changes_shows_as_in_full_drawing(name, frames):
    (figure, artists), (other, others) = FIGURES[name](), FIGURES[name]()
    incremental = Incremental(figure)
    for steps in [[], *frames]:
        for which, step in steps:
            for each in (artists, others):
                known = list(changes(each[which % len(each)]))
                with contextlib.suppress(Exception):  # not for this artist
                    known[step % len(known)][1]()
        try:
            full = rasterise(other, Canvas())
        except Exception:  # it cannot be drawn so, in full
            return
        picture = incremental.rasterise(figure, Canvas(), None, "auto")
        assert np.array_equal(picture.pixels, full.pixels)
