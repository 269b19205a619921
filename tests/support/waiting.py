"""Waiting for what is to come: an event, and how long it may take before that counts as a hang."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

#: Long, for it is spent only where something hangs; a busy machine may stop a process for many seconds.
PATIENCE_S = 120.0
_TICK_S = 0.01

Answer = TypeVar("Answer")


def wait_for(what: Callable[[], Answer], patience_s: float = PATIENCE_S) -> Answer:
    """What ``what`` returns as soon as that is true."""
    until = time.monotonic() + patience_s
    while not (answer := what()):
        assert time.monotonic() < until, f"waited {patience_s:g} s in vain for {what}"
        time.sleep(_TICK_S)
    return answer
