"""Reports as a few lines of text: the same on the command line, at Python's prompt and in a log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class Summary:
    """A report that prints as its summary, not as all of its fields.

    Declare a dataclass that derives from it with ``repr=False``.
    """

    def summary(self) -> str:
        """Summarise what happened, in one line or a few."""
        raise NotImplementedError

    def details(self) -> str:
        """Return what the command line prints: the summary, and all measurements."""
        return self.summary()

    def __repr__(self) -> str:
        return self.summary()

    def __str__(self) -> str:
        return self.summary()


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of text as lines, in columns.

    >>> table([("a", "frames"), ("0.5", "60")])
    ['a    frames', '0.5  60']
    """
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]


def short_path(path: Path) -> str:
    """Shorten a path: relative to the working folder if it is inside."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):  # it is elsewhere; the working folder is missing
        return str(path)


def size_text(size_bytes: int) -> str:
    """Format a number of bytes for people, in powers of 1000."""
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
