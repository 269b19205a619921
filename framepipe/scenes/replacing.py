"""Put something else in the place of an attribute for a while, where it is matplotlib's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def swap(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Set an attribute of a class or module to ``value`` in this context."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def is_own(thing: Any) -> bool:
    """True for a class or a function of matplotlib's own, mplot3d's too, which no script has replaced."""
    return str(getattr(thing, "__module__", "")).startswith(("matplotlib.", "mpl_toolkits."))
