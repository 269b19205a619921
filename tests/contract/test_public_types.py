"""What type checkers tell users of framepipe: of right calls nothing, of wrong ones what is wrong."""

from __future__ import annotations

import re
from pathlib import Path

from mypy import api

ROOT = Path(__file__).parents[2]
CALLS = Path(__file__).with_name("public_types.py")


def test_mypy_finds_what_is_wrong_in_calls_and_nothing_else(monkeypatch):
    monkeypatch.chdir(ROOT)  # for its settings and its cache
    printed, complaints, _ = api.run(["--strict", "--follow-imports=silent", str(CALLS)])
    assert not complaints
    errors = re.findall(r"^\S+?:(\d+): error: .*\[([\w-]+)\]$", printed, re.M)
    found = {int(line): code for line, code in errors}
    lines = enumerate(CALLS.read_text().splitlines(), 1)
    wrong = {number: line.partition("# wrong: ")[2] for number, line in lines if "  # wrong: " in line}
    assert len(wrong) > 20
    assert found == wrong, printed
