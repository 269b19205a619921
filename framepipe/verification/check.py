"""A check: what is expected of a movie, what is seen, and whether that is as expected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

#: Characters of an error in a check.
_MAX_ERROR = 200


@dataclass(frozen=True)
class Check:
    """One measurement: the expected and the measured value."""

    name: str
    ok: bool
    expected: str
    seen: str


def requirement(name: str, expected: str, problem: str = "") -> Check:
    """Check a requirement in words: it is seen as expected, unless there is a problem."""
    return Check(name, not problem, expected, problem or expected)


def failure(name: str, expected: str, error: Exception) -> Check:
    """Return the check that an error ends: nothing more can be seen of the movie."""
    return Check(name, False, expected, f"{type(error).__name__}: {error}"[:_MAX_ERROR])


def same(name: str, expected: object, actual: object) -> Check:
    """Check two values that must be equal."""
    return Check(name, expected == actual, str(expected), str(actual))


def same_size(expected: tuple[int, int], actual: tuple[int, int] | None) -> Check:
    """Check width and height in pixels; None if the movie does not say them."""
    return same("size", "{}x{}".format(*expected), "{}x{}".format(*actual) if actual else "")


def same_duration(expected_s: Fraction, actual_s: Fraction, *, within_s: Fraction) -> Check:
    """Check the running time of one play."""
    is_near = abs(actual_s - expected_s) <= within_s
    return Check("duration", is_near, f"{float(expected_s):.3f} s", f"{float(actual_s):.3f} s")


def times_within(limit_s: Fraction, limit: str, errors_s: Iterable[Fraction]) -> Check:
    """Check the errors of the times of all frames; ``limit`` is the limit in words."""
    worst_s = max(map(abs, errors_s), default=Fraction(0))
    return Check("times", worst_s <= limit_s, limit, f"off by {float(worst_s) * 1000:.3g} ms at most")


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


def plays(count: int) -> str:
    """Format how often a movie plays."""
    return "for ever" if count == 0 else f"{count} time{'s' if count > 1 else ''}"
