"""Watches, in one process, whether drawing a frame changes state that later frames could use."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

#: Largest share of a frame's time that a check may cost, unless it is due.
_MAX_SHARE = 0.05


class StateWatch:
    """Compares a scene's state with that at the beginning of drawing in this process.

    Parameters
    ----------
    state : callable
        Returns digests of the state by name, see `framepipe.scenes.base.Scene.state`.
    """

    def __init__(self, state: Callable[[], Mapping[str, str]]) -> None:
        self._state = state
        self._cost_s = float("inf")
        self._initial = self._measure()

    def changed(self, due: bool, frame_s: float) -> tuple[str, ...]:
        """Return the names of what has changed; nothing if the check is not ``due`` and too expensive.

        Parameters
        ----------
        due : bool
        frame_s : float
            Seconds that a frame takes.
        """
        if not due and self._cost_s > _MAX_SHARE * frame_s:
            return ()
        now = self._measure()
        return tuple(
            sorted(name for name in {*now, *self._initial} if now.get(name) != self._initial.get(name))
        )

    def _measure(self) -> Mapping[str, str]:
        began = time.perf_counter()
        state = self._state()
        self._cost_s = time.perf_counter() - began
        return state
