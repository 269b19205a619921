"""The report of a movie's checks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framepipe.core.summary import Summary, short_path
from framepipe.verification.check import Check


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
