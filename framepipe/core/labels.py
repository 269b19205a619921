"""Labels of frames: the text that a player shows with each picture."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from framepipe.errors import UsageError

#: The labels that need no list: each frame's number, and the value that it was drawn from.
NUMBER, VALUE = "number", "value"
Labels = str | tuple[str, ...]
_MAX_CHARACTERS = 1000  # a whole array's text is a mistake


def parse_labels(labels: object) -> Labels:
    """Parse labels: a word, a sequence of texts or numbers, or a file with a line per frame.

    Raises
    ------
    UsageError
    """
    if isinstance(labels, str) and labels in (NUMBER, VALUE):
        return labels
    if isinstance(labels, (str, os.PathLike)):
        return tuple(map(label_of, _lines_of(Path(labels))))
    if not isinstance(labels, Iterable):
        raise UsageError(f"labels {labels!r} is not number, value, a list of texts, or a file")
    return tuple(map(label_of, labels))


def _lines_of(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name, bytes that are no UTF-8
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"labels is number, value, or a file of a line a frame; {str(path)[:80]!r}: {reason}"
        ) from None


def label_of(value: object) -> str:
    """Format a value as a label: texts unchanged, floats with up to 6 digits.

    Raises
    ------
    UsageError
        It is too long, or holds several values.
    """
    if isinstance(value, bytes) or (hasattr(value, "__len__") and not isinstance(value, str)):
        raise UsageError(f"labels: a {type(value).__name__} is not a text or a number")
    is_float = isinstance(value, float) or getattr(getattr(value, "dtype", None), "kind", "") == "f"
    text = f"{value:.6g}" if is_float else str(value)
    if len(text) > _MAX_CHARACTERS:
        raise UsageError(f"labels: {text[:40]!r} … has {len(text)} characters; {_MAX_CHARACTERS} at most")
    return text
