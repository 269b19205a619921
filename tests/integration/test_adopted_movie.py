"""A movie of pictures that something else drew: assembled, verified, and nothing of it deleted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import framepipe as fp
from framepipe.store.adopt import adopt


def put(path: Path, k: int) -> None:
    """A bright bar that moves, on a gradient."""
    picture = np.zeros((24, 32, 3), np.uint8)
    picture[..., 2] = np.arange(32) * 4
    picture[:, 4 * k : 4 * k + 4, 0] = 255
    Image.fromarray(picture).save(path)


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old").mkdir()
    for k in range(6):
        put(tmp_path / "old" / f"img_{k}.{'bmp' if k == 3 else 'png'}", k)
    return tmp_path / "old"


def test_a_movie_of_adopted_pictures_is_built_verified_and_lets_them_stay(old: Path) -> None:
    adopt("old/img_*", "s")
    for name in ("x.gif", "x.mp4"):
        movie = fp.assemble("s", name, fps=10)
        assert (movie.frames, movie.report.passed) == (6, True)
        assert fp.verify(name, "s").passed
    assert fp.clean("s").deleted == 1  # the one that framepipe itself wrote
    assert len(fp.Store("s").numbers()) == 5
    assert len(list(old.iterdir())) == 6


def test_pictures_that_changed_since_are_refused_or_used_on_request(old: Path) -> None:
    adopt("old/img_*", "s")
    put(old / "img_1.png", 0)
    with pytest.raises(fp.IncompleteStore, match="1 stale\n  stale: 1: changed since it was adopted"):
        fp.assemble("s", "x.gif", fps=10)
    assert fp.assemble("s", "x.gif", fps=10, stale="keep").report.passed
    assert adopt("old/img_*", "s").kept == 6  # as they are now
    assert fp.status("s").complete


def test_a_scene_does_not_draw_over_adopted_pictures(old: Path) -> None:
    adopt("old/img_*", "s")
    (old.parent / "scene.py").write_text(
        "from matplotlib import pyplot as plt\ndef draw(k):\n    return plt.figure()\n"
    )
    with pytest.raises(fp.StoreError, match="holds frames of adopt"):
        fp.render("scene.py:draw", 6, store="s", engine="serial")
    assert fp.status("s").complete
