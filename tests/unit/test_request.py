"""Where frames go that nobody has named a folder for: jobs that differ do not meet."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import pytest

from framepipe.errors import UsageError
from framepipe.job.canvas import Canvas
from framepipe.job.frames import Frames, Unknowns
from framepipe.rendering.request import Request
from framepipe.rendering.request.folder import default_store
from framepipe.rendering.request.preview import preview_of
from tests.unit.test_job import Scene


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def store(scene, **about):
    return default_store(Request(scene, **about)).as_posix()


@pytest.mark.parametrize(
    ("scene", "folder"),
    [
        ("scene.py", "frames/scene"),
        ("./scene.py", "frames/scene"),
        ("sub/../scene.py", "frames/scene"),
        ("scene.py:draw", "frames/scene-draw"),
        ("scene.py:Class.method", "frames/scene-Classmethod"),
        ("scene.py:make()", "frames/scene-make"),
        ("package.module:draw", "frames/module-draw"),
        ("my scene.v2.py:draw", "frames/my scene.v2-draw"),
    ],
)
def test_a_store_is_called_after_what_draws(scene, folder):
    assert store(scene) == folder


def test_an_absolute_address_here_is_the_same_job(here):
    assert store(f"{here}/scene.py:draw") == store("scene.py:draw")


DIFFERENT = [
    {"params": {"a": 1}},
    {"params": {"a": 2}},
    {"params": {"b": 1}},
    {"params": {"a": "1"}},
    {"script_args": ("--fast",)},
    {"script_args": ("--fast", "1")},
    {"script_args": ("--fast 1",)},
    {"animation": "1"},
    {"animation": "2"},
    {"canvas": Canvas(dpi=40)},
    {"canvas": Canvas(dpi=80)},
    {"canvas": Canvas(tight=True)},
    {"canvas": Canvas(transparent=True)},
    {"canvas": Canvas(transparent=False)},
]


def test_jobs_that_differ_do_not_meet():
    stores = [store(name, **about) for name in ("scene.py", "sub/scene.py") for about in ({}, *DIFFERENT)]
    assert len(set(stores)) == len(stores)
    assert all(re.fullmatch("frames/scene-[0-9a-f]{8}", each) for each in stores[1:])


@pytest.mark.parametrize("about", DIFFERENT, ids=str)
def test_the_same_job_comes_back_to_its_store(about):
    assert store("scene.py", **about) == store("./scene.py", **about)


def test_what_does_not_change_which_film_it_is_does_not_change_the_store(here):
    (here / "a.csv").write_text("1")
    same = [{"inputs": ["a.csv"]}, {"env": ("HOME",)}, {"frames": 3}, {"seed": 5}, {"first_call": "twice"}]
    assert {store("scene.py:draw", **about) for about in same} == {"frames/scene-draw"}


def test_a_project_that_has_moved_keeps_its_stores(here, monkeypatch):
    before = store("sub/scene.py", params={"a": 1})
    (here / "moved" / "sub").mkdir(parents=True)
    monkeypatch.chdir(here / "moved")
    assert store("sub/scene.py", params={"a": 1}) == before


def test_an_object_is_called_after_its_script_and_name(here):
    scene = Scene([here / "sub" / "run.py"])
    scene.stem, scene.name = "run", "ani <1>"
    folder = default_store(Request(scene), scene).as_posix()
    assert re.fullmatch("frames/run-ani1-[0-9a-f]{8}", folder)
    scene.name, scene.sources = "<lambda>", (here / "run.py",)
    assert default_store(Request(scene), scene) == Path("frames/run-lambda")
    scene.name = "<>"
    assert default_store(Request(scene), scene) == Path("frames/run-draw")


@pytest.mark.parametrize(
    "about",
    [{"scene": None}, {"command": "prog"}, {"inputs": ["nope.csv"]}],
    ids=str,
)
def test_a_request_that_makes_no_sense_is_refused(about):
    with pytest.raises(UsageError):
        Request(**{"scene": "scene.py:draw", **about})


@pytest.mark.parametrize("name", ["", "A=B", "=", "a\0b"])
def test_what_is_no_name_of_a_variable_is_refused(name):
    with pytest.raises(UsageError, match="not a name of an environment variable"):
        Request("scene.py:draw", env=["HOME", name])


def test_a_name_chooses_no_animation_of_a_script():
    with pytest.raises(UsageError, match=r"SCRIPT\.py alone"):
        Request("scene.py:draw", animation="1")


def test_a_preview_of_a_script_s_loop_leaves_values_to_the_script():
    plan, fps = preview_of(Frames(range(60), Unknowns(60), ""), Fraction(10))
    assert isinstance(plan.values, Unknowns)
    assert (len(plan), list(plan.numbers)[-1], fps) == (20, 57, Fraction(10, 3))
