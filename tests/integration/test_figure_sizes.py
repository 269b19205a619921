"""Figures whose size in pixels is not a whole number as a float: matplotlib rounds, we follow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

import framepipe as fp


@pytest.mark.parametrize("inches", [(4.1, 4.0), (3.33, 2.51), (6.41, 4.81), (8.2, 0.57), (3.0, 2.0)])
def test_any_figure_size_is_drawn_as_savefig_draws_it(inches: tuple[float, float], tmp_path: Path) -> None:
    def draw(k: int) -> plt.Figure:
        fig, ax = plt.subplots(figsize=inches, dpi=100)
        ax.plot([0, k])
        return fig

    fp.render(draw, 2, store=tmp_path / "s", engine="serial")
    fig = draw(1)
    fig.savefig(tmp_path / "own.png")
    plt.close(fig)
    stored = Image.open(fp.Store(tmp_path / "s").frame_path(1)).convert("RGB")
    own = Image.open(tmp_path / "own.png").convert("RGB")
    assert np.array_equal(np.asarray(stored), np.asarray(own))


def test_a_dark_figure_of_odd_size_has_no_white_edge_in_mp4(tmp_path: Path) -> None:
    def draw(k: int) -> plt.Figure:
        return plt.figure(figsize=(0.51, 0.51), dpi=100, facecolor="black")

    fp.render(draw, 2, store=tmp_path / "s", engine="serial")
    plan = fp.assemble(tmp_path / "s", tmp_path / "a.mp4")
    assert (plan.width, plan.height) == (52, 52)
    import subprocess

    raw = subprocess.run(
        [plan.encoder.path, "-v", "error", "-i", plan.path, "-f", "rawvideo", "-pix_fmt", "gray", "-"],
        capture_output=True,
        check=True,
    ).stdout
    assert max(raw) < 30
