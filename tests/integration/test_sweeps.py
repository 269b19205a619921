"""A movie for each combination of parameters, resumed as a whole; and movies side by side, by time."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import framepipe as fp
from framepipe.core.images import read_png
from framepipe.errors import IncompleteStore, UsageError
from framepipe.sweeps.points import combinations, parse_values

FAST = {"engine": "serial", "order": "free", "progress": False}


def draw(k, red=0, green=0):
    if red == 13 and "LUCK" not in os.environ:
        raise ValueError("unlucky")
    return np.full((16, 24, 3), (red, green, k), np.uint8)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def swept(values, output="{red}_{green}.gif", frames=3, **more):
    return fp.sweep(draw, frames, output, values=values, **{**FAST, **more})


def test_each_combination_has_its_movie_and_frames_go_at_the_end(folder):
    report = swept({"red": [10, 20], "green": (1, 2)})
    assert sorted(path.name for path in folder.glob("*.gif")) == [
        "10_1.gif",
        "10_2.gif",
        "20_1.gif",
        "20_2.gif",
    ]
    assert [each.values for each in report.points] == combinations({"red": [10, 20], "green": [1, 2]})
    assert sum(each.deleted for each in report.cleanups) == 12
    assert not [*folder.rglob("*.png")]
    assert "red  green  frames  seconds  movies" in report.summary()
    assert len(report.to_dict()["points"]) == 4
    json.dumps(report.to_dict())


def test_a_point_that_fails_does_not_end_the_others_and_the_same_call_goes_on(folder, monkeypatch):
    with pytest.raises(fp.SweepFailed) as failed:
        swept({"red": [13, 20]}, "{red}.gif")
    assert failed.value.exit_code == 3
    assert "1 of 2 points failed" in str(failed.value) and "unlucky" in str(failed.value)
    assert (folder / "20.gif").exists() and not (folder / "13.gif").exists()
    assert len([*folder.rglob("*.png")]) == 3, "the frames of the other point are kept"
    monkeypatch.setenv("LUCK", "yes")
    report = swept({"red": [13, 20]}, "{red}.gif")
    assert [len(each.report.render.drawn) for each in report.points] == [3, 0]
    assert not [*folder.rglob("*.png")]


@pytest.mark.parametrize(
    ("values", "output", "words"),
    [
        ({"red": [1, 2]}, "same.gif", r"red=1 and red=2 would both be same.gif: put \{red\} into -o"),
        ({"red": [1, 1]}, "{red}.gif", "both be 1.gif"),
        ({"red": []}, "{red}.gif", "red has no values"),
        ({}, "a.gif", "needs values"),
        ({"blue": [1]}, "{blue}.gif", "blue"),
        ({"red": range(101), "green": range(100)}, "{red}_{green}.gif", "10,100 combinations"),
    ],
)
def test_a_sweep_that_cannot_be_right_is_refused_before_anything_is_drawn(folder, values, output, words):
    with pytest.raises(UsageError, match=words):
        swept(values, output)
    assert not [*folder.rglob("*.png"), *folder.glob("*.gif")]


def test_a_scene_that_keeps_state_begins_anew_for_each_point_in_one_process_too(folder):
    (folder / "s.py").write_text(
        "import numpy as np\nstate = [0]\n"
        "def draw(k, a=1):\n    state[0] += a\n    return np.full((8, 8, 3), state[0], 'u1')\n"
    )
    fp.sweep("s.py:draw", 3, "{a}.gif", values={"a": [1, 5]}, keep_frames=True, **{**FAST, "order": "replay"})
    shades = [read_png(path)[0, 0, 0] for path in sorted(folder.glob("frames/s-draw-sweep/*/*.png"))]
    assert [*map(int, shades)] == [1, 2, 3, 5, 10, 15]


def test_a_value_and_a_parameter_of_one_name_are_refused():
    with pytest.raises(UsageError, match="both as a parameter and as values"):
        swept({"red": [1]}, params={"red": 2})


@pytest.mark.parametrize("value", ["../up", "/etc/x", "a b;$(c)", "%d", "-x", "ä\n"])
def test_values_of_any_text_name_files_in_this_folder_only(folder, value):
    report = fp.sweep(
        lambda k, text="": np.full((8, 8, 3), k, np.uint8), 2, "m{text}.gif", values={"text": [value]}, **FAST
    )
    (movie,) = report.points[0].report.movies
    assert movie.path.parent == folder
    assert {path.name for path in folder.iterdir()} == {"frames", movie.path.name}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.5,1,2", [0.5, 1, 2]),
        ("0:3", [0, 1, 2]),
        ("0:1:0.1", [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),
        ("3:0:-1", [3, 2, 1]),
        ("3:0", []),
        ("high,low", ["high", "low"]),
        ("true,null", [True, None]),
        ("12:30:x", ["12:30:x"]),
        ("", []),
    ],
)
def test_values_are_written_as_a_list_or_a_range(text, values):
    assert parse_values(text) == values


@pytest.mark.parametrize("text", ["0:1:0", "0:inf", "0:1:0.000001"])
def test_a_range_without_an_end_is_refused(text):
    with pytest.raises(UsageError, match="range"):
        parse_values(text)


def test_the_command_line_sweeps_and_says_so_in_a_table(folder, cli_process):
    (folder / "s.py").write_text(
        "import numpy as np\ndef draw(k, a=1):\n    return np.full((8, 8, 3), k * a, 'u1')\n"
    )
    command = (
        "make",
        "s.py:draw",
        "--frames",
        2,
        "--sweep",
        "a=1:3",
        "-o",
        "{a}.gif",
        "--engine",
        "serial",
        "-q",
    )
    done = cli_process(*command, "--grid", "all.gif", ok=True)
    assert done.stdout.splitlines()[0].split() == ["a", "frames", "seconds", "movies"]
    assert {path.name for path in folder.glob("*.gif")} == {"1.gif", "2.gif", "all.gif"}
    assert "movies of a --sweep" in cli_process(*command[:4], "-o", "x.gif", "--grid", "all.gif").stderr
    refused = cli_process(*command, "--all")
    assert refused.returncode == 2 and "leave --all" in refused.stderr


def shows(k, height=16, width=24, shift=0):
    return np.full((height, width, 3), (k + shift, 0, 200), np.uint8)


def film(name: str, frames: int, fps: float, **params: int) -> Path:
    """A store whose frame k is (k, 0, 200) all over, with a movie of this rate."""
    fp.render(shows, frames, store=name, params=params, **FAST)
    fp.assemble(name, f"{name}.gif", fps=fps, progress=False)
    return Path(name)


def test_a_grid_shows_each_store_by_time_and_holds_the_last_frame(folder):
    stores = [film("slow", 4, 2), film("short", 5, 10, height=10, width=12)]
    report = fp.grid(stores, "g.gif", columns=2, gap_px=2, keep_frames=True, progress=False)
    assert report.movies[0].duration_s == 2
    pixels = [read_png(fp.Store("frames/g-grid").frame_path(k))[..., :3] for k in range(20)]
    assert pixels[0].shape == (20, 54, 3)
    assert [int(each[10, 5, 0]) for each in pixels] == [k // 5 for k in range(20)]
    assert [int(each[10, 40, 0]) for each in pixels] == [min(k, 4) for k in range(20)]
    assert tuple(pixels[0][3, 29]) == (255, 255, 255), "a smaller film stands in the middle of its cell"


def test_titles_are_a_template_or_a_list_and_take_room_above(folder):
    stores = [film("one", 2, 5), film("two", 2, 5)]
    plain = fp.grid(stores, "p.gif", columns=2, progress=False).movies[0]
    titled = fp.grid(stores, "t.gif", columns=2, titles="{store}", progress=False).movies[0]
    assert titled.height == plain.height + 16 and titled.width == plain.width
    with pytest.raises(UsageError, match="1 titles for 2 stores"):
        fp.grid(stores, "t.gif", titles=["one"])


def test_a_grid_is_drawn_again_where_a_frame_has_changed(folder):
    store = film("one", 3, 5)
    fp.grid([store], "g.gif", keep_frames=True, progress=False)
    fp.render(shows, 3, store=store, params={"shift": 9}, stale="draw", **FAST)
    report = fp.grid([store], "g.gif", keep_frames=True, stale="draw", progress=False)
    assert len(report.render.drawn) == 3


def test_a_store_with_holes_makes_no_grid(folder):
    store = film("one", 3, 5)
    fp.Store(store).frame_path(1).unlink()
    with pytest.raises(IncompleteStore, match="1 of 3 frames cannot be shown"):
        fp.grid([store], "g.gif")
    with pytest.raises(UsageError, match="needs a store"):
        fp.grid([], "g.gif")


def test_options_that_are_given_whole_are_those_of_the_grid_too(folder):
    encode = fp.EncodeOptions(colors=4, metadata={"title": "of each point"})
    report = swept({"red": [90, 250]}, "{red}.gif", grid="all.gif", encode=encode)
    assert report.grid is not None and len(report.grid.movies) == 1
    with Image.open(folder / "all.gif") as movie:
        assert len(np.unique(np.asarray(movie.convert("RGB")).reshape(-1, 3), axis=0)) <= 4
