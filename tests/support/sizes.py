"""How long the tests may take: what `scripts/test` says of ``FRAMEPIPE_FAULTS`` and ``FRAMEPIPE_LONG``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import pytest

#: How many times the size of CI; scales the loops of the fault battery.
FAULTS = max(1, int(os.environ.get("FRAMEPIPE_FAULTS", "1")))
#: Whether the tests run that are marked `long`, which CI leaves out: each has a stronger twin there.
LONG = FAULTS > 1 or os.environ.get("FRAMEPIPE_LONG", "") not in ("", "0")


def examples(count: int) -> int:
    """How many examples hypothesis tries: all in the long run, a third in CI."""
    return count if LONG else count // 3


def all_if_long(values: Iterable[Any], *usual: Any) -> list[Any]:
    """Values for ``parametrize``, tuples for several names: all but the ``usual`` ones are marked `long`.

    Of values that walk the same code, the usual are those that differ most.
    """
    values = list(values)
    assert (unknown := [value for value in usual if value not in values]) == [], unknown
    return [value if value in usual else _long(value) for value in values]


def _long(value: Any) -> Any:
    return pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.long)
