"""Replaces functions by others that are told the original."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def instead(owner: Any, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a replacement for a function; it is called with the original as its first argument."""

    def decorate(stand_in: Callable[..., Any]) -> Callable[..., Any]:
        original = getattr(owner, name, nothing)

        @functools.wraps(original)
        def wrapper(*arguments: Any, **keywords: Any) -> Any:
            return stand_in(original, *arguments, **keywords)

        setattr(owner, name, wrapper)
        return stand_in

    return decorate


def nothing(*_: Any, **__: Any) -> None:
    """Do nothing."""
