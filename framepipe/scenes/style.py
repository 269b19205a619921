"""rcParams: which ones a scene changed, and how worker processes get the same ones."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

#: What decides where a window opens, not what is drawn.
_NO_PIXELS: tuple[str, ...] = ("backend", "interactive", "toolbar", "keymap", "webagg", "tk.", "macosx")
_NO_PIXELS += ("figure.max_open_warning", "figure.raise_window", "savefig.directory", "animation.")


def _matters(name: str) -> bool:
    return not name.startswith(_NO_PIXELS)


def changed_rcparams() -> dict[str, Any]:
    """The rcParams that differ from matplotlib's own defaults and can change pixels."""
    import matplotlib

    default = matplotlib.rcParamsDefault
    return {
        name: matplotlib.rcParams[name]  # one by one: reading "backend" would choose one
        for name in sorted(filter(_matters, matplotlib.rcParams))
        if name not in default or default[name] != matplotlib.rcParams[name]
    }


def style_texts() -> dict[str, str]:
    """`changed_rcparams` as text."""
    return {name: repr(value) for name, value in changed_rcparams().items()}


def all_rcparams() -> dict[str, Any]:
    """All rcParams that can change pixels, to be applied in another process."""
    import matplotlib
    import matplotlib.font_manager  # builds the font cache once, before many workers try to

    return {name: matplotlib.rcParams[name] for name in filter(_matters, matplotlib.rcParams)}


def apply_rcparams(params: Mapping[str, Any]) -> None:
    """Take over rcParams; for worker processes, which are framepipe's own."""
    if not params:
        return
    import warnings

    import matplotlib

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated ones are among them
        matplotlib.rcParams.update(dict(params))  # type: ignore[arg-type]


def rcparams_now() -> dict[str, Any]:
    """All rcParams that can change pixels; empty if matplotlib is not loaded."""
    return all_rcparams() if "matplotlib" in sys.modules else {}


def changed_since(before: Mapping[str, Any]) -> dict[str, Any]:
    """The rcParams that are not what they were; ``before`` is empty if matplotlib was not loaded."""
    if not before:
        return changed_rcparams() if "matplotlib" in sys.modules else {}
    return {name: value for name, value in rcparams_now().items() if before.get(name, before) != value}


@contextmanager
def keep_rcparams() -> Iterator[None]:
    """What is changed in rcParams meanwhile is not there afterwards."""
    import matplotlib

    with matplotlib.rc_context():
        yield
