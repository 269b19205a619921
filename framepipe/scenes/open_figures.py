"""The figures that pyplot holds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def closing_figures() -> Iterator[None]:
    """Close the pyplot figures that the block opens."""
    already_open = _open_figures()
    try:
        yield
    finally:
        for number in _open_figures() - already_open:
            sys.modules["matplotlib.pyplot"].close(number)


def _open_figures() -> set[int]:
    """The numbers of pyplot's figures; pyplot is not loaded for it."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    return set(pyplot.get_fignums()) if pyplot else set()
