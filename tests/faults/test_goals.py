"""What a job is to become, as another framepipe has written it: told in one line, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import framepipe
from framepipe.cli import run
from framepipe.core import signing
from tests.faults.conftest import Bench


@pytest.fixture
def goal(bench: Bench) -> dict[str, Any]:
    """The record of a job that `make` began."""
    keywords = {"store": bench.store, "engine": "serial", "order": "free", "keep_frames": True}
    framepipe.make("tiny.py:draw", 3, bench.folder / "a.gif", **keywords)
    (bench.folder / "a.gif").unlink()
    record: dict[str, Any] = json.loads((bench.store / "job.json").read_bytes())
    return record


def sealed(path: Path, record: dict[str, Any]) -> None:
    path.write_text(json.dumps(record | {"seal": signing.sign(record)}))


CHANGES: dict[str, dict[str, Any]] = {
    "a field more of timing": {"timing": {"warp": 2}},
    "a field more of options": {"options": {"warp": 2}},
    "timing of another type": {"timing": 3},
    "options of another type": {"options": [1]},
    "no timing": {"timing": None},
    "no options": {"options": None},
    "no outputs": {"outputs": None},
    "outputs of another type": {"outputs": 3},
    "an output of another type": {"outputs": [3]},
    "a speed that is a text": {"timing": {"speed": "fast"}},
    "colors that are a text": {"options": {"colors": "many"}},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_goal_that_is_not_understood_is_told_in_one_line(
    bench: Bench, goal: dict[str, Any], change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = bench.frames()
    for name, value in CHANGES[change].items():
        if value is None:
            del goal["goal"][name]
        elif isinstance(value, dict):
            goal["goal"][name] |= value
        else:
            goal["goal"][name] = value
    sealed(bench.store / "job.json", goal)
    code = run(["resume", "store", "--engine", "serial", "-q"])
    err = capsys.readouterr().err
    assert code in (2, 3), err
    assert "this is a bug" not in err
    assert len(err.splitlines()) == 1, err
    assert bench.frames() == frames


def test_a_goal_that_lacks_fields_takes_their_defaults(
    bench: Bench, goal: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """As one of an older framepipe, which had fewer."""
    for fields in (goal["goal"]["timing"], goal["goal"]["options"]):
        for name in list(fields)[1:]:
            del fields[name]
    del goal["goal"]["keep_frames"]
    sealed(bench.store / "job.json", goal)
    assert run(["resume", "store", "--engine", "serial", "-q"]) == 0, capsys.readouterr().err
    assert (bench.folder / "a.gif").exists()


def test_a_goal_with_the_former_name_of_an_option_is_understood(
    bench: Bench, goal: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    options = goal["goal"]["options"]
    options["stall_s"] = options.pop("idle_timeout_s")
    sealed(bench.store / "job.json", goal)
    assert run(["resume", "store", "--engine", "serial", "-q"]) == 0, capsys.readouterr().err
    assert (bench.folder / "a.gif").exists()


@pytest.mark.parametrize("told", [{"warp": 1}, {"command": 3}, {"command": "x", "retries": "many"}], ids=str)
def test_keywords_that_are_not_understood_are_told_in_one_line(
    bench: Bench, goal: dict[str, Any], told: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    sealed(bench.store / "job.json", goal | {"told": told})
    code = run(["resume", "store", "--engine", "serial", "-q"])
    err = capsys.readouterr().err
    assert code in (2, 3), err
    assert len(err.splitlines()) == 1, err
