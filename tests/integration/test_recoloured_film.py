"""A film of many points that take long to draw, in several processes: what they learn, they share."""

import io

import numpy as np
import pytest
from PIL import Image

import framepipe as fp
from tests.support.sizes import all_if_long

FRAMES = 8
SCRIPT = """
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation

places = np.random.default_rng(0).normal(size=(70_000, 2))
fig, ax = plt.subplots(figsize=(4, 4))
scatter = ax.scatter(*places.T, s=4, c=places[:, 0], vmin=-1, vmax=1)
line = ax.plot([], [], "r")[0]


def update(k):
    scatter.set_array(np.cos(places[:, 0] * 3 - k))
    line.set_data([0, k], [k, 0])
    {more}


anim = FuncAnimation(fig, update, frames=8)
"""
MOVES = "scatter.set_offsets(places * (1 + k / 20))"
MOVES_LATE = "if k > 4: scatter.set_offsets(places * (1 + k / 20))"


@pytest.mark.parametrize("more", all_if_long(["pass", MOVES, MOVES_LATE], "pass", MOVES_LATE))
def test_points_that_change_their_colours(tmp_path, more):
    script = tmp_path / "film.py"
    script.write_text(SCRIPT.format(more=more))
    report = fp.render(str(script), store=tmp_path / "s", workers=2)
    assert len(report.drawn) == FRAMES
    assert report.notes == ()
    assert report.trials <= 2
    assert report.compared >= (1 if more == "pass" else 0)
    space = {}
    exec(script.read_text(), space)
    space["anim"]._draw_was_started = True  # else it complains when it is deleted
    for number in range(FRAMES):
        space["update"](number)
        buffer = io.BytesIO()
        space["fig"].savefig(buffer, format="png")
        due, shown = (
            np.array(Image.open(each).convert("RGB"))
            for each in (buffer, tmp_path / f"s/frame_{number:06d}.png")
        )
        assert np.array_equal(due, shown), number
    space["plt"].close("all")
