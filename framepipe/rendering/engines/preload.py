"""Loads what most scenes need while the main process is still reading its command line.

Only packages that are installed, and that read no configuration of the user: what a scene is drawn from is
observed from the moment on at which it is loaded. So matplotlib itself, which reads ``matplotlibrc``, is not
among them, but a third of the time that it takes to load is.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from collections.abc import Callable

from framepipe.job.places import is_installed

#: Of matplotlib's dependencies, and of ours: the slowest first.
_NAMES = (
    "numpy",
    "framepipe.scenes.scripts.exploring",
    "PIL.Image",
    "PIL.PngImagePlugin",
    "pyparsing",
    "numpy.ma",
    "numpy.random",
    "dateutil.rrule",
    "dateutil.parser",
    "fontTools.agl",
    "kiwisolver",
    "contourpy",
    "packaging.version",
)


def load_while(is_waiting: Callable[[], bool]) -> None:
    """Load one package after the other while ``is_waiting()``."""
    for name in _NAMES:
        if not is_waiting():
            return
        with contextlib.suppress(Exception):  # whoever needs it will say what is wrong with it
            if name.startswith("framepipe.") or _is_package(name.partition(".")[0]):
                importlib.import_module(name)


def _is_package(name: str) -> bool:
    """True if this is a package's name; the user may have a module of that name."""
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None and is_installed(spec.origin)
