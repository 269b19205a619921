"""What was measured, in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Check:
    """One thing measured: what was expected, what was seen."""

    name: str
    ok: bool
    expected: str
    seen: str


@dataclass(frozen=True)
class VerifyReport:
    """All that was measured of one movie.

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

    def table(self) -> str:
        """The checks as aligned text, a line each."""
        rows = [("", "check", "expected", "seen")]
        rows += [("ok" if c.ok else "NO", c.name, c.expected, c.seen) for c in self.checks]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        return "\n".join(
            "  ".join([*(text.ljust(width) for text, width in zip(row, widths)), row[3]]).rstrip()
            for row in rows
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        checks = [vars(check) for check in self.checks]
        return {"movie": str(self.movie), "passed": self.passed, "checks": checks}

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(self.to_dict(), indent=1)


def same(name: str, expected: object, seen: object) -> Check:
    """A check of two things that must be equal."""
    return Check(name, expected == seen, str(expected), str(seen))


def same_list(name: str, expected: Sequence[int], seen: Sequence[int], unit: str) -> Check:
    """A check of two lists that must be equal; names the first place where they are not."""
    if tuple(expected) == tuple(seen):
        text = f"{_steps(expected)} {unit}"
        return Check(name, True, text, text)
    wrong = next((k for k, (a, b) in enumerate(zip(expected, seen)) if a != b), min(len(expected), len(seen)))
    at = f"from frame {wrong}: {', '.join(map(str, seen[wrong : wrong + 4])) or 'none'}"
    return Check(name, False, f"{_steps(expected)} {unit}", at)


def _steps(values: Sequence[int]) -> str:
    distinct = sorted(set(values))
    return ", ".join(map(str, distinct[:5])) + (" …" if len(distinct) > 5 else "")


def centiseconds(delays: Sequence[int]) -> str:
    """Their sum in seconds."""
    return f"{sum(delays) / 100:.2f} s"


def plays(count: int) -> str:
    """How often a movie plays."""
    return "for ever" if count == 0 else f"{count} time{'s' if count > 1 else ''}"
