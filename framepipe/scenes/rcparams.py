"""rcParams: those that a scene changed, and how worker processes get the same values."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from framepipe.job.sources import package_versions
from framepipe.scenes import matplotlib_private

#: Beginnings of the names of rcParams that do not change pixels.
_NO_PIXELS: tuple[str, ...] = ("backend", "interactive", "toolbar", "keymap", "webagg", "tk.", "macosx")
_NO_PIXELS += ("figure.max_open_warning", "figure.raise_window", "savefig.directory", "animation.")


def _matters(name: str) -> bool:
    return not name.startswith(_NO_PIXELS)


def changed_rcparams() -> dict[str, Any]:
    """Return the rcParams that differ from matplotlib's own defaults and can change pixels."""
    import matplotlib

    default = matplotlib.rcParamsDefault
    return {
        name: matplotlib.rcParams[name]  # one by one: reading "backend" would choose one
        for name in sorted(filter(_matters, matplotlib.rcParams))
        if name not in default or default[name] != matplotlib.rcParams[name]
    }


def style_texts() -> dict[str, str]:
    """Return `changed_rcparams` as text."""
    return {name: repr(value) for name, value in changed_rcparams().items()}


def drawn_with(sources: Sequence[Path]) -> dict[str, str]:
    """Return the versions of matplotlib and of the packages that these sources import."""
    return {**package_versions(sources), "matplotlib": metadata.version("matplotlib")}


def all_rcparams() -> dict[str, Any]:
    """Return all rcParams that can change pixels, to be applied in another process."""
    import matplotlib
    import matplotlib.font_manager  # builds the font cache once, before many workers try to

    return {name: matplotlib.rcParams[name] for name in filter(_matters, matplotlib.rcParams)}


def apply_rcparams(params: Mapping[str, Any]) -> None:
    """Set rcParams; for worker processes, which are framepipe's own."""
    if not params:
        return
    import warnings

    import matplotlib

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated ones are among them
        matplotlib.rcParams.update(dict(params))  # type: ignore[arg-type]


def rcparams_now() -> dict[str, Any]:
    """Return all rcParams that can change pixels; empty if matplotlib is not loaded."""
    return all_rcparams() if "matplotlib" in sys.modules else {}


def changed_since(before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rcParams that have changed since; ``before`` is empty if matplotlib was not loaded."""
    if not before:
        return changed_rcparams() if "matplotlib" in sys.modules else {}
    return {name: value for name, value in rcparams_now().items() if before.get(name, before) != value}


class OwnRcparams:
    """The rcParams that a scene has set so far, set while it runs, and away from it as they were.

    `matplotlib.rc_context` does that too, but copies and sets all 380 of them one by one: it takes a
    third of the time in which the changes of a simple plot are drawn.

    Parameters
    ----------
    **params
        Those that are set from the beginning; names have ``__`` where rcParams have a dot.
    """

    def __init__(self, **params: Any) -> None:
        self._own: dict[str, Any] = {name.replace("__", "."): value for name, value in params.items()}
        self._own_lists: list[_List] = []

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Set them in the block, and keep what it sets."""
        outside = matplotlib_private.values_of_rcparams()
        # artists made before share the lists, so these stay the same objects
        lists = [_List(value) for value in outside.values() if type(value) is list]
        inside = outside | self._own
        matplotlib_private.set_rcparams(self._own)
        for each in self._own_lists:
            each.restore()
        try:
            yield
        finally:
            now = matplotlib_private.values_of_rcparams()
            if now != inside:
                self._own |= {name: value for name, value in now.items() if inside.get(name, inside) != value}
            self._own_lists = [_List(each.live) for each in lists if each.live != each.contents]
            for each in lists:
                each.restore()
            if now != outside:
                matplotlib_private.set_rcparams(outside)


class _List:
    """A list among the rcParams, ``path.effects`` or ``font.family``, and what was in it."""

    def __init__(self, live: list[Any]) -> None:
        self.live, self.contents = live, live.copy()

    def restore(self) -> None:
        """Put in what was in it."""
        if self.live != self.contents:
            self.live[:] = self.contents


@contextmanager
def keep_rcparams() -> Iterator[None]:
    """Restore rcParams after the block."""
    with OwnRcparams()():
        yield


@contextmanager
def leave_rcparams() -> Iterator[None]:
    """Restore rcParams after the block without loading matplotlib; if the block loads it, to its defaults."""
    if "matplotlib" in sys.modules:
        with keep_rcparams():
            yield
        return
    try:
        yield
    finally:
        if matplotlib := sys.modules.get("matplotlib"):
            apply_rcparams(matplotlib.rcParamsOrig)
