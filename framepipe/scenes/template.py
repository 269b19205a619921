"""A command's text: its words, and their placeholders, which are filled for each frame."""

from __future__ import annotations

import shlex
import string
from collections.abc import Iterator, Mapping
from typing import Any

from framepipe.errors import UsageError

EXAMPLE = "pvbatch state.py --frame {number} --out {output}"
_PLACEHOLDERS = ("number", "index", "value", "output")


def split(command: str) -> tuple[str, ...]:
    """Split a command into words as a POSIX shell would; placeholders remain.

    Raises
    ------
    UsageError
        It cannot be split, has unknown placeholders, or lacks ``{output}``.
    """
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise UsageError(f"command {command!r} cannot be split into words: {error}") from None
    if not words or not words[0]:
        raise UsageError(f"the command is empty. Example: {EXAMPLE}")
    placeholders = [name for word in words for name in names(word)]
    if list(names(words[0])):
        raise UsageError(f"command {command!r}: the program itself has a placeholder. Example: {EXAMPLE}")
    if "output" not in placeholders:
        raise UsageError(
            f"command {command!r} has no {{output}}, the path of the picture to write. Example: {EXAMPLE}"
        )
    return (fill(words[0], {}), *words[1:])


def names(word: str) -> Iterator[str]:
    """Yield the names of the placeholders in a word; refuse unknown ones and conversions."""
    try:
        fields = list(string.Formatter().parse(word))
    except ValueError as error:
        raise UsageError(f"{word!r}: {error}; write a literal brace as {{{{ or }}}}") from None
    for _, name, spec, conversion in fields:
        if name is None:
            continue
        if name not in _PLACEHOLDERS or conversion or "{" in (spec or ""):
            valid = " ".join(f"{{{each}}}" for each in _PLACEHOLDERS)
            placeholder = f"{{{name}!{conversion}}}" if conversion else f"{{{name}}}"
            raise UsageError(
                f"{word!r}: placeholders are {valid}, not {placeholder}; "
                f"write a literal brace as {{{{ or }}}}. Example: {EXAMPLE}"
            )
        if name != "value":
            _try_spec(word, spec or "", "" if name == "output" else 0)
        yield name


def _try_spec(word: str, spec: str, example: object) -> None:
    try:
        format(example, spec)
    except ValueError as error:
        raise UsageError(f"{word!r}: {error}. Example: {{number:06d}}") from None


def fill(word: str, values: Mapping[str, Any]) -> str:
    """Fill a word's placeholders; the inserted text is not parsed again."""
    parts = []
    for literal, name, spec, _ in string.Formatter().parse(word):
        parts.append(literal)
        if name is not None:
            parts.append(format(values[name], spec or ""))
    return "".join(parts)
