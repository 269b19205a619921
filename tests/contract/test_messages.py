"""docs/messages.md knows every class of errors, its exit code, and only messages that are raised."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from framepipe import errors
from framepipe.cli.manual import EXIT_CODES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "messages.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("| ").split(" | ")] for line in PAGE.splitlines() if "| " in line
]


@pytest.fixture(scope="module")
def raised():
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import messages
    finally:
        sys.path.remove(str(ROOT / "scripts"))
    return messages.messages()


def test_each_class_stands_beside_its_exit_code():
    codes = {row[0]: row[1] for row in ROWS if row[0].isdigit()}
    assert set(codes) == {str(code) for code in EXIT_CODES}
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.FramepipeError) and name != "Interrupted":
            assert any(row[0] == str(kind.exit_code) and f"`{name}`" in row[1] for row in ROWS), name


def test_a_frequent_message_is_one_that_is_raised(raised):
    frequent = [row[0].strip("`") for row in ROWS if re.fullmatch(r"`[a-z …,;-]+[\w ]*`", row[0])]
    assert len(frequent) > 10
    for words in frequent:
        assert any(words in message.text for message in raised), words


def test_messages_are_found_in_the_source(raised):
    texts = [message.text for message in raised]
    assert "a movie needs at least one frame" in texts
    assert len(texts) > 250
