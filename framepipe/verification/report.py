"""The checks of a movie, and the report of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framepipe.core.summary import Summary, short_path


@dataclass(frozen=True)
class Check:
    """One measurement: the expected and the measured value."""

    name: str
    ok: bool
    expected: str
    seen: str


@dataclass(frozen=True, repr=False)
class VerifyReport(Summary):
    """All checks of one movie.

    Attributes
    ----------
    movie : Path
    checks : tuple of Check
    """

    movie: Path
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """True if every check is as expected."""
        return bool(self.checks) and all(check.ok for check in self.checks)

    def verdict(self) -> str:
        """Count the checks that are as expected, and list those that are not."""
        wrong = [check for check in self.checks if not check.ok]
        lines = [f"{len(self.checks) - len(wrong)} of {len(self.checks)} checks as expected"]
        lines += [f"  NO  {check.name}: expected {check.expected}, seen {check.seen}" for check in wrong]
        return "\n".join(lines)

    def summary(self) -> str:
        """See `Summary`."""
        return f"{short_path(self.movie)}: {self.verdict()}"

    def details(self) -> str:
        """See `Summary`."""
        return self.table()

    def table(self) -> str:
        """Format the checks as aligned text, a line each."""
        rows = [("", "check", "expected", "seen")]
        rows += [("ok" if c.ok else "NO", c.name, c.expected, c.seen) for c in self.checks]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        return "\n".join(
            "  ".join([*(text.ljust(width) for text, width in zip(row, widths)), row[3]]).rstrip()
            for row in rows
        )

    def to_dict(self) -> dict[str, Any]:
        """Convert for JSON."""
        checks = [vars(check) for check in self.checks]
        return {"movie": str(self.movie), "passed": self.passed, "checks": checks}

    def to_json(self) -> str:
        """Convert to JSON text."""
        return json.dumps(self.to_dict(), indent=1)


def same(name: str, expected: object, actual: object) -> Check:
    """Check two values that must be equal."""
    return Check(name, expected == actual, str(expected), str(actual))


def same_list(name: str, expected: Sequence[int], actual: Sequence[int], unit: str) -> Check:
    """Check two lists that must be equal; name the first position where they differ."""
    if tuple(expected) == tuple(actual):
        text = f"{_steps(expected)} {unit}"
        return Check(name, True, text, text)
    wrong = next(
        (k for k, (a, b) in enumerate(zip(expected, actual)) if a != b), min(len(expected), len(actual))
    )
    at = f"from frame {wrong}: {', '.join(map(str, actual[wrong : wrong + 4])) or 'none'}"
    return Check(name, False, f"{_steps(expected)} {unit}", at)


def _steps(values: Sequence[int]) -> str:
    distinct = sorted(set(values))
    return ", ".join(map(str, distinct[:5])) + (" …" if len(distinct) > 5 else "")


def centiseconds(delays: Sequence[int]) -> str:
    """Format the sum of delays in seconds."""
    return f"{sum(delays) / 100:.2f} s"


def plays(count: int) -> str:
    """Format how often a movie plays."""
    return "for ever" if count == 0 else f"{count} time{'s' if count > 1 else ''}"
