"""Bad input of every option of every verb: exit code 2, one line on stderr, no traceback."""

from __future__ import annotations

import sys

import pytest

from framepipe.cli import run
from tests.support.sizes import all_if_long

SCENE = """
from matplotlib import pyplot as plt

number, text, bag, empty = 5, "abc", {1, 2}, []

def draw(value, amp=1.0):
    fig, ax = plt.subplots(figsize=(1, 1), dpi=20)
    return fig

def nothing():
    return None

def stream(value):
    yield value

class Thing:
    pass
"""

DRAW = ["scene.py:draw", "--frames", "2", "--store", "s", "--engine", "serial"]
SCENES = [
    ["nope.py:draw"],
    ["scene.py:nope"],
    ["scene.py:number"],
    ["scene.py:nothing"],
    ["scene.py:stream"],
    [":draw"],
    ["draw"],
    [""],
    ["no.such.package:draw"],
    ["json:nope"],
    ["."],
    ["./:draw"],
]
FRAMES = [
    "0",
    "",
    "x",
    "1-",
    "1-5x0",
    "0.5",
    "1-99999999999",
    "99999999999",
    "9" * 5000,
    "text",
]
FRAMES += ["bag", "empty", "draw", "nope", "٣x"]
SCENE_OPTIONS = [
    *(["--frames", each] for each in FRAMES),
    ["--param", "amp"],
    ["--param", "=3"],
    ["--param", "1x=3"],
    ["--param", "nope=3"],
    ["--param", "value=3"],
    ["--input", "nope.csv"],
    ["--input", ""],
    ["--dpi", "0"],
    ["--dpi", "-50"],
    ["--dpi", "nan"],
    ["--dpi", "inf"],
    ["--dpi", "fine"],
    ["--store", ""],
    *(["--seed", each] for each in ("", "x", "-1", "1.5", str(2**32), "9" * 5000, "None")),
    *(["--env", each] for each in ("", "A=B", "=")),
    ["--animation", "1"],
    ["--animation", ""],
    ["--first-call", "thrice"],
    ["--first-call", ""],
    ["more", "words"],
]
#: A script that is run as it is, which makes the animations ``one`` and ``two``.
FILMS = ["films.py", "--store", "s", "-o", "a.gif"]
OF_SCRIPTS = [
    ["--animation", "one", "--param", "amp=2"],
    ["--animation", "one", "more"],
    ["--all"],
    ["--all", "--animation", "1"],
]
#: What is told with a list of what there is, or with what the script itself says.
LISTED = [
    ["make", *FILMS],
    ["render", *FILMS[:3]],
    *(["make", *FILMS, "--animation", each] for each in ("", "0", "3", "-1", "three", "1.0")),
]
DRAWING = [
    ["--workers", "0"],
    ["-j", "-3"],
    ["-j", "two"],
    ["-j", "1.5"],
    ["--engine", "cloud"],
    ["--stale", "perhaps"],
    ["--frame-timeout", "0", "--engine", "local"],
    ["--frame-timeout", "-1", "--engine", "local"],
    ["--frame-timeout", "nan", "--engine", "local"],
    ["--frame-timeout", "5"],
    ["--frame-timeout", "soon"],
    ["--max-frames-per-worker", "0"],
    ["--max-frames-per-worker", "x"],
    ["--workers", "4", "--engine", "serial"],
    ["--max-failures", "-1"],
    ["--max-failures", "x"],
]
PARTIAL = [
    *(
        ["--shard", each]
        for each in ("", "0/3", "4/3", "1", "1/2/3", "a/b", "-1/3", "1/0", "1.0/2", "9" * 5000 + "/1")
    ),
    *(["--only", each] for each in ("", "x", "7", "0-9", "1-")),
]
TIMING = [
    *(["--fps", each] for each in ("0", "-5", "", "fast", "nan", "inf", "1/0", "1001", "24,5")),
    *(["--hold-first", each] for each in ("-1", "x", "nan", "inf", "1e9")),
    *(["--hold-last", each] for each in ("-1", "x", "nan", "inf", "1e9")),
    *(["--loop", each] for each in ("-1", "x", "", "1.5", "65537", "9" * 5000)),
    ["--fps", "60"],
    ["--hold-last", "700"],
]
ENCODING = [
    ["--encoder", "gifski"],
    ["--palette", "x"],
    *(["--colors", each] for each in ("1", "257", "x", "-4", "3")),
    ["--dither", "x"],
    ["--dither", "riemersma"],
    ["--dither", "bayer", "--encoder", "imagemagick"],
    ["--crf", "-1"],
    ["--crf", "64"],
    ["--crf", "x"],
    ["--preset", "warp"],
    *(["--idle-timeout", each] for each in ("x", "0", "-1", "nan")),
]
OUTPUTS = [["-o", each] for each in ("a", "a.avi", "", "no/such/a.gif", "folder.gif", "a.gif/b.gif")]
NOT_GIVEN = [["make"], ["make", "scene.py:draw"], ["make", "scene.py:draw", "--frames", "2"], ["render"]]
NOT_GIVEN += [
    ["render", "scene.py:draw"],
    ["resume"],
    ["status"],
    ["assemble"],
    ["assemble", "s"],
    ["verify"],
]
NOT_GIVEN += [["verify", "a.gif"], ["clean"], ["nope"], ["--nope"], ["doctor", "x"], ["demo", "--nope"]]

CASES = [
    *NOT_GIVEN,
    *(["render", *scene, *DRAW[1:]] for scene in SCENES),
    *(["render", *DRAW, *wrong] for wrong in [*SCENE_OPTIONS, *DRAWING, *PARTIAL]),
    *(["make", *DRAW, "-o", "a.gif", *wrong] for wrong in [*SCENE_OPTIONS, *DRAWING, *TIMING, *ENCODING]),
    *(["make", *DRAW, *wrong] for wrong in OUTPUTS),
    ["make", *DRAW, "-o", "a.gif", "--all"],
    ["make", *DRAW, "-o", "{name}.gif", "--all"],
    ["make", *DRAW, "-o", "a.gif", "--preview", "--dpi", "0"],
    ["make", *DRAW, "-o", "a.gif", "--preview", "--store", ""],
    *(["make", *FILMS, *wrong] for wrong in OF_SCRIPTS),
    ["make", "films.py", "--store", "s", "-o", "{name}.gif", "--all", "--animation", "1"],
    ["make", "ends.py", "--store", "s", "-o", "a.gif"],
    ["make", *DRAW, "-o", "a.gif", "-o", "./a.gif"],
    ["make", *DRAW, "-o", "a.mp4", "--encoder", "imagemagick"],
    *(["assemble", "full", "-o", "a.gif", *wrong] for wrong in [*TIMING, *ENCODING]),
    *(["assemble", "full", *wrong] for wrong in OUTPUTS),
    ["assemble", "full", "-o", "a.gif", "--missing", "x"],
    ["assemble", "full", "-o", "a.gif", "--stale", "x"],
    *(["resume", "full", *wrong] for wrong in DRAWING if wrong != ["--frame-timeout", "5"]),
    ["resume", "full", "--engine", "serial", "--frame-timeout", "5"],
    # what is wrong with these shows when the scene is loaded: mostly here, which is the faster
    *(["resume", "full", "--engine", "serial", *wrong] for wrong in PARTIAL),
    *(["resume", "full", *wrong] for wrong in (["--shard", "0/3"], ["--only", "7"])),
    ["resume", "full", "--scene", "nope.py:draw"],
    ["resume", "full", "--scene", "draw"],
    *(["resume", "full", *wrong] for wrong in (["--idle-timeout", "-1"], ["--idle-timeout", "nan"])),
    ["verify", "nope.gif", "--store", "full"],
    ["verify", "folder.gif", "--store", "full"],
    ["verify", "scene.py", "--store", "full"],
    *(["verify", "movie.gif", "--store", "full", *wrong] for wrong in TIMING if wrong[0] == "--fps"),
    *(["verify", "movie.gif", "--store", "full", *wrong] for wrong in TIMING if wrong[0] != "--fps"),
    *(
        ["verify", "movie.gif", "--store", "full", *wrong]
        for wrong in (["--colors", "1"], ["--crf", "99"], ["--crf", "x"])
    ),
    ["clean", "full", "--movie", "nope.gif"],
    ["demo", "--folder", "no/such"],
    ["status", "full", "--nope"],
]


SCRIPT = """
import argparse
from matplotlib import pyplot as plt
from matplotlib.animation import FuncAnimation

argparse.ArgumentParser().parse_args()
one = FuncAnimation(plt.figure(), lambda k: (), 2)
two = FuncAnimation(plt.figure(), lambda k: (), 2)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a script, a whole store of two frames, a movie of them, and traps."""
    folder = tmp_path_factory.mktemp("bad input")
    (folder / "scene.py").write_text(SCENE)
    (folder / "films.py").write_text(SCRIPT)
    (folder / "empty.py").write_text("")
    (folder / "ends.py").write_text("raise SystemExit(3)")
    (folder / "folder.gif").mkdir()
    (folder / "a.gif.txt").write_text("")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", list(sys.path))
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
        assert run(["render", *DRAW, "--store", "full", "-q"]) == 0
        assert run(["assemble", "full", "-o", "movie.gif", "-q"]) == 0
    return folder


@pytest.mark.parametrize("arguments", CASES, ids=lambda case: " ".join(case).replace("9" * 4999, "…")[:90])
def test_bad_input_is_told_in_one_line_with_exit_code_2(home, monkeypatch, capsys, arguments):
    monkeypatch.chdir(home)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    code = run(arguments)
    said = capsys.readouterr()
    assert code == 2, said.err
    assert len(said.err.splitlines()) == 1, said.err
    assert said.err.startswith("framepipe")
    assert "Traceback" not in said.err
    assert said.out == ""
    assert len(said.err) < 400 + len(" ".join(arguments))


@pytest.mark.parametrize("arguments", all_if_long(LISTED, *LISTED[:2], LISTED[4]), ids=" ".join)
def test_which_animation_is_told_with_all_that_there_are(home, monkeypatch, capfd, arguments):
    monkeypatch.chdir(home)
    code = run(arguments)
    said = capfd.readouterr()
    assert code == 2, said.err
    first, *listed = said.err.splitlines()
    assert first.startswith("framepipe: films.py has ") and len(first) < 100
    assert [line[:8] for line in listed[:2]] == ["  1  one", "  2  two"]
    assert len(listed) <= 3 and said.out == ""


@pytest.mark.parametrize(
    ("script", "ways_out"),
    [
        ("scene.py", ["draw(value", "scene.py:draw"]),
        ("scene.py:", ["draw(value"]),
        ("empty.py", ["def draw("]),
    ],
)
def test_a_script_without_a_film_is_told_with_what_was_seen(home, monkeypatch, capfd, script, ways_out):
    monkeypatch.chdir(home)
    code = run(["make", script, "--store", "s", "-o", "a.gif"])
    said = capfd.readouterr()
    assert code == 2, said.err
    assert said.err.startswith(f"framepipe: {script.rstrip(':')} made no figure and no animation")
    assert all(way_out in said.err for way_out in ways_out)
    assert "Traceback" not in said.err and len(said.err.splitlines()) <= 4
    assert said.out == ""


def test_what_a_script_says_of_its_arguments_is_told(home, monkeypatch, capfd):
    monkeypatch.chdir(home)
    code = run(["make", *FILMS, "--animation", "one", "--", "--no-such-option"])
    said = capfd.readouterr()
    assert code == 2, said.err
    assert said.err.startswith("framepipe: films.py refuses its arguments:\n")
    assert "error: unrecognized arguments: --no-such-option" in said.err
    assert "Traceback" not in said.err
    assert said.out == ""


def test_bad_input_has_left_nothing_behind(home):
    assert {path.name for path in home.iterdir()} >= {"full", "movie.gif", "scene.py"}
    assert not (home / "a.gif").exists()
    assert not (home / "s").exists()
    assert not list(home.glob("*-preview"))
    assert len(list((home / "full").glob("frame_*.png"))) == 2
