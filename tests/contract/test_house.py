"""What stands in several places of the house says the same in each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import framepipe

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def changes():
    """File and old lines, those that go and those that stay, of each worked diff."""
    for diff in re.findall(r"```diff\n(.*?)```", GUIDE, re.S):
        for part in re.split(r"^--- ", diff, flags=re.M)[1:]:
            name, *lines = part.splitlines()
            if name != "/dev/null":
                yield name.removeprefix("a/"), [line[1:] for line in lines if not line.startswith("+")]


@pytest.mark.parametrize(("name", "lines"), list(changes()), ids=[name for name, _ in changes()])
def test_a_worked_diff_changes_lines_that_are_there_in_that_order(name, lines):
    assert lines
    there = iter((ROOT / name).read_text(encoding="utf-8").splitlines())
    for line in lines:
        assert line in there, f"{name} has no line {line!r} after those before it"


def test_the_citation_is_of_this_version():
    cited = re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.M)
    assert cited[1] == framepipe.__version__


@pytest.mark.parametrize("workflow", ["check", "test"])
def test_each_python_that_is_promised_is_tried(workflow):
    text = (ROOT / ".github" / "workflows" / f"{workflow}.yml").read_text(encoding="utf-8")
    promised = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', PYPROJECT)
    assert promised[0] == re.search(r'requires-python = ">=([\d.]+)"', PYPROJECT)[1]
    assert set(promised) <= set(re.findall(r'"(3\.\d+)"', text))
