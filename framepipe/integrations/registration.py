"""Registers ``writer="framepipe"`` with matplotlib, without loading matplotlib.

matplotlib has no entry point for writers. If ``matplotlib.animation`` is loaded already, the writer
registers now; else an import hook registers it right after matplotlib loads, and then removes itself.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import importlib.abc
    import importlib.machinery
    from collections.abc import Sequence
    from types import ModuleType

_MODULE, _WRITER = "matplotlib.animation", "framepipe.integrations.matplotlib_writer"


def register_writer() -> None:
    """Register the writer now, or when ``matplotlib.animation`` is loaded."""
    if _MODULE in sys.modules:
        importlib.import_module(_WRITER)
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:  # importlib.abc, its base class, would take longer to import than all else here
    """Finds ``matplotlib.animation`` through the other finders, and wraps its loader."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != _MODULE:
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        specs = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in specs if spec is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
        return spec


class _Loader:
    """Loads the module as its own loader does, then the writer."""

    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        if module.__spec__ is not None:  # leave no trace of the hook
            module.__spec__.loader = module.__loader__ = self._loader
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
        importlib.import_module(_WRITER)
