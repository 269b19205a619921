"""Slots: how many worker processes draw at once, over the pools of several renders that run side by side."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable


class Slots:
    """Slots for workers, which the renders of one program share.

    A render takes all that it can use; the next one takes what those before it leave, and gives it back when
    one of these needs it, as soon as a frame is drawn.

    Parameters
    ----------
    count : int
        Workers that may draw at once.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.lock = threading.Lock()
        self._numbers = itertools.count()
        self._drawing: dict[int, Share] = {}

    def resize(self, count: int) -> None:
        """Change how many there are: processes elsewhere come and go."""
        with self.lock:
            self.count = count

    def share(self) -> Share:
        """Return the share of one more render, which comes after those before it."""
        with self.lock:
            return Share(self, next(self._numbers))

    def free_for(self, share: Share) -> int:
        """Return how many slots a share may have: those that no other has, or an earlier one waits for."""
        others = [each for each in self._drawing.values() if each is not share]
        earlier = [each for each in others if each.number < share.number]
        return max(0, self.count - sum(each.held for each in others) - sum(each.short for each in earlier))

    def note(self, share: Share) -> None:
        """Note what a share has now."""
        if share.held or share.short:
            self._drawing[share.number] = share
        else:
            self._drawing.pop(share.number, None)


class Share:
    """What one render has of the slots; its worker pool calls this. Safe in several threads.

    Attributes
    ----------
    number : int
        Shares of lower numbers come first.
    held : int
        Slots of workers that draw, or are about to.
    short : int
        Slots that it waits for.
    """

    def __init__(self, slots: Slots, number: int) -> None:
        self._slots, self.number = slots, number
        self.held = self.short = self._granted = self._wanted = 0

    def take(self, wanted: int) -> int:
        """Take up to so many slots, with those that it holds; return how many workers may draw now."""
        with self._slots.lock:
            self._wanted, self._granted = wanted, min(wanted, self._slots.free_for(self))
            self.held = max(self.held, self._granted)
            self._slots.note(self)
            return self._granted

    def keep(self, used: int, has_more: Callable[[], bool]) -> None:
        """Give back all slots but those of workers that draw.

        Parameters
        ----------
        used : int
        has_more : callable
            Returns True if there are more frames to draw; called only if that matters.
        """
        short = self._wanted - self._granted
        if short and (used < self._granted or not has_more()):
            short = 0
        with self._slots.lock:
            self.held, self.short = used, short
            self._slots.note(self)

    def end(self) -> None:
        """Give all slots back."""
        self.keep(0, lambda: False)
