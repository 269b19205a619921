"""A generator of the user's that raises: its error is reported, whoever came upon it first."""

import pytest

import framepipe as fp

FIGURES = """
import matplotlib.pyplot as plt

def frames():
    for i in range(10):
        if i == 7:
            raise ValueError("no seventh")
        figure, axes = plt.subplots()
        axes.plot([0, i])
        yield figure
"""
VALUES = """
import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation

figure, axes = plt.subplots()
line, = axes.plot([0, 1])

def values():
    for i in range(40):
        if i == 7:
            raise ValueError("no seventh")
        yield i

film = FuncAnimation(figure, lambda i: line.set_ydata([0, i]), frames=values, save_count=40)
"""


@pytest.mark.parametrize("how", [{"workers": 1}, {"workers": 3}, {"engine": "serial"}], ids=str)
@pytest.mark.parametrize("frames", [None, 10], ids=["to its end", "10 frames"])
def test_a_generator_of_figures_that_raises_has_not_ended(tmp_path, frames, how):
    (tmp_path / "scene.py").write_text(FIGURES)
    with pytest.raises(fp.FramesFailed, match="no seventh") as caught:
        fp.render(f"{tmp_path / 'scene.py'}:frames", frames, store=tmp_path / "s", **how)
    assert [failed.number for failed in caught.value.report.failed][:1] == [7]
    assert fp.status(tmp_path / "s").done == tuple(range(7))


@pytest.mark.parametrize("only", [None, "20-25"])
def test_a_source_of_values_that_raises_has_not_ended(tmp_path, only):
    (tmp_path / "scene.py").write_text(VALUES)
    with pytest.raises(fp.FramesFailed, match="no seventh"):
        fp.render(
            str(tmp_path / "scene.py"), 40 if only else None, store=tmp_path / "s", workers=2, only=only
        )
