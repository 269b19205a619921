"""Failures as they happen, for people: each kind in full once, those that are alike collected."""

from __future__ import annotations

import time

from framepipe.job.frames import format_range_briefly
from framepipe.rendering.engines import Failed
from framepipe.store.failures import alike

_COLLECTED_S = 30.0


class FailureNews:
    """Collects failures, and gives text about them now and then."""

    def __init__(self) -> None:
        self._messages: dict[str, str] = {}
        self._new: list[Failed] = []
        self._collected: dict[str, list[int]] = {}
        self._told_at = time.monotonic()

    def add(self, failure: Failed) -> None:
        """Take a failure."""
        kind = key_of(failure)
        if kind in self._messages:
            self._collected.setdefault(kind, []).append(failure.number)
        else:
            self._messages[kind] = failure.message
            self._new.append(failure)

    def take(self, is_last: bool = False) -> str:
        """Return the text that is due: new kinds at once, others every half minute and at the end."""
        lines = []
        for failure in self._new:
            lines.append(f"frame {failure.number} failed: {failure.message}")
            lines += [failure.traceback] if failure.traceback else []
        self._new = []
        if self._collected and (is_last or time.monotonic() - self._told_at > _COLLECTED_S):
            for kind, numbers in self._collected.items():
                noun = "frames" if len(numbers) > 1 else "frame"
                text = format_range_briefly(numbers)
                lines.append(f"{noun} {text} failed alike: {self._messages[kind]}")
            self._collected = {}
            self._told_at = time.monotonic()
        return "\n".join(lines)


def key_of(failure: Failed) -> str:
    """Return what is the same for failures that are alike."""
    return alike(failure.kind, failure.message, failure.traceback)
