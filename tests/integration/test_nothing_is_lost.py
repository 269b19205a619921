"""What is somebody's stays; what no movie shows is not deleted; what is drawn is today's code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import framepipe as fp
from framepipe.core import png


def test_a_movie_of_part_of_the_plan_lets_no_frame_go(folder: Path) -> None:
    fp.render("scene.py:draw", 6, store="s", engine="serial", shard="1/2")
    fp.assemble("s", "part.gif", missing="skip")
    for movie in (None, "part.gif"):
        with pytest.raises(fp.VerificationFailed, match=r"1-5x2 .*in no verified movie"):
            fp.clean("s", movie=movie)
    assert len(fp.Store("s").numbers()) == 3


def test_a_job_json_of_somebody_else_is_neither_written_over_nor_deleted(folder: Path) -> None:
    (folder / "mine").mkdir()
    own = folder / "mine" / "job.json"
    own.write_text(json.dumps({"my": "precious"}))
    with pytest.raises(fp.StoreError, match="is not framepipe's"):
        fp.make("scene.py:draw", 2, "a.gif", store="mine", engine="serial")
    assert json.loads(own.read_text()) == {"my": "precious"}


def test_a_frame_retouched_by_hand_is_moved_aside_and_not_drawn_over(folder: Path) -> None:
    fp.render("scene.py:draw", 3, store="s", engine="serial")
    path = fp.Store("s").frame_path(1)
    path.write_bytes(png.encode(np.zeros((4, 4, 3), np.uint8)))
    retouched = path.read_bytes()
    fp.render("scene.py:draw", 3, store="s", engine="serial")
    assert fp.status("s", deep=True).complete
    assert path.with_name(f"{path.name}.aside-1").read_bytes() == retouched


def test_a_script_edited_in_the_same_process_is_drawn_as_it_is_now(folder: Path) -> None:
    def colours() -> set[tuple[int, ...]]:
        with Image.open(fp.Store("s").frame_path(0)) as image:
            return {colour for _, colour in image.convert("RGB").getcolors(100_000)}

    script = folder / "plain.py"
    text = "from matplotlib import pyplot as plt\ndef draw(k):\n    return plt.figure(figsize=(1, 1), facecolor={!r})\n"
    script.write_text(text.format("red"))
    fp.render("plain.py:draw", 1, store="s", engine="serial")
    assert colours() == {(255, 0, 0)}
    script.write_text(text.format("blue"))
    report = fp.render("plain.py:draw", 1, store="s", engine="serial")
    assert report.redrawn == {"stale: the function changed, plain.py changed": 1}
    assert colours() == {(0, 0, 255)}


def test_a_style_that_a_script_sets_counts_for_it_each_time_and_for_nobody_else(folder: Path) -> None:
    (folder / "dark.py").write_text(
        "from matplotlib import pyplot as plt\nplt.style.use('dark_background')\n"
        "def draw(k):\n    return plt.figure(figsize=(1, 1))\n"
    )
    import matplotlib

    before = dict(matplotlib.rcParams)
    for store in ("a", "b"):
        fp.render("dark.py:draw", 1, store=store, engine="serial")
        with Image.open(fp.Store(store).frame_path(0)) as image:
            assert image.convert("RGB").getpixel((5, 5)) == (0, 0, 0)
    assert dict(matplotlib.rcParams) == before
