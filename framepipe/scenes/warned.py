"""Warnings of a scene, counted where they happen and reported once."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_MAX_WARNINGS = 200  # different ones: a text with a time or an address differs each time
_MAX_LENGTH = 300  # characters


@dataclass(frozen=True)
class SceneWarning:
    """A warning's class, text and place; can be pickled.

    Attributes
    ----------
    category : str
        The name of its class.
    text : str
        Its first line.
    place : str
        ``file:line``; empty for the entry that counts all further warnings.
    """

    category: str
    text: str
    place: str


#: How often each warning was issued, or in how many frames.
Counts = Mapping[SceneWarning, int]

_OTHERS = SceneWarning("Warning", "others, too many to list", "")


@contextmanager
def collecting_warnings() -> Iterator[Counter[SceneWarning]]:
    """Count the warnings of the block instead of printing them; for one frame of a worker.

    Warning filters stay as they are: warnings that the user or a library ignores are ignored, and those
    that are errors are raised. But a warning that Python prints once per place is counted in every frame.
    Other threads' warnings count too.

    Yields
    ------
    Counter of SceneWarning
        How often each warning was issued; filled during the block.
    """
    counts: Counter[SceneWarning] = Counter()

    def count(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: Any = None,
        line: str | None = None,
    ) -> None:
        warning = SceneWarning(category.__name__, _first_line(message), f"{filename}:{lineno}")
        counts[_or_others(counts, warning)] += 1

    with warnings.catch_warnings():
        pass  # so that modules forget their earlier warnings, which Python prints only once per place
    original = warnings.showwarning
    warnings.showwarning = count
    try:
        yield counts
    finally:
        if warnings.showwarning is count:
            warnings.showwarning = original


def merged(frames: Iterable[Counts]) -> Counter[SceneWarning]:
    """Return in how many frames each warning was issued; ``frames`` holds the counts of each frame."""
    total: Counter[SceneWarning] = Counter()
    for counts in frames:
        frame_warnings: set[SceneWarning] = set()
        for warning in counts:
            frame_warnings.add(_or_others(total, warning, frame_warnings))
        total.update(frame_warnings)
    return total


def warning_lines(counts: Counts) -> list[str]:
    """Return a line per warning, the most frequent first: "in 40 frames: UserWarning: … (scene.py:12)".

    Parameters
    ----------
    counts : mapping of SceneWarning to int
        From `merged`.
    """
    lines = []
    for warning, count in sorted(counts.items(), key=lambda item: (-item[1], item[0].place, item[0].text)):
        place = f" ({_short(warning.place)})" if warning.place else ""
        lines.append(f"in {count} frame{'s' if count > 1 else ''}: {warning.category}: {warning.text}{place}")
    return lines


def _or_others(
    counts: Counter[SceneWarning], warning: SceneWarning, pending: Collection[SceneWarning] = ()
) -> SceneWarning:
    """Return the warning itself, or `_OTHERS` if there are too many."""
    return warning if warning in counts or len(counts) + len(pending) < _MAX_WARNINGS else _OTHERS


def _first_line(message: Warning | str) -> str:
    lines = str(message).strip().splitlines() or [""]
    return lines[0] if len(lines[0]) <= _MAX_LENGTH else lines[0][: _MAX_LENGTH - 1] + "…"


def _short(place: str) -> str:
    """Shorten a path: relative to the working folder, or to ``site-packages``."""
    path, colon, line = place.rpartition(":")
    below = os.path.relpath(path)
    if not below.startswith(os.pardir):
        return f"{below}{colon}{line}"
    _, installed, rest = path.rpartition(f"site-packages{os.sep}")
    return f"{rest if installed else path}{colon}{line}"
