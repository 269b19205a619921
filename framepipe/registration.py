"""Makes ``writer="framepipe"`` known to matplotlib, without loading matplotlib.

matplotlib has no entry point for writers. If ``matplotlib.animation`` is loaded already, the writer
registers now; else right after it is loaded, by a finder that asks the other finders for it.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

_MODULE, _WRITER = "matplotlib.animation", "framepipe.adapters.writer"


def register_writer() -> None:
    """Register the writer, now or when matplotlib's animations are loaded."""
    if _MODULE in sys.modules:
        importlib.import_module(_WRITER)
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Finds ``matplotlib.animation`` as the others do, and steps aside."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != _MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    """Loads the module as its own loader does, then the writer."""

    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        importlib.import_module(_WRITER)
