"""The address of what draws: ``SCRIPT.py:NAME``, ``SCRIPT.py`` or ``package.module:NAME``."""

from __future__ import annotations

from pathlib import Path


def split_address(ref: str) -> tuple[str, str]:
    """Split an address into the script or module and the name in it, which is empty for a script alone."""
    place, _, name = ref.rpartition(":")
    if not place or (not name.isidentifier() and Path(ref).exists()):
        return ref, ""
    return place, name
