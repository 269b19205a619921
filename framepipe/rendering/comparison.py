"""Frames that were drawn more than once: whether their pictures agree, and what it means if they do not."""

from __future__ import annotations

from collections.abc import Mapping

from framepipe.rendering.engines.base import Drawn, Outcome, Task
from framepipe.rendering.engines.original import Original, digest_of
from framepipe.rendering.order import (
    DiffersElsewhere,
    RedrawDiffers,
    random_frames,
    stateful_by_names,
    stateful_frames,
)


class Comparison:
    """Compares the pictures of frames that were drawn more than once.

    Parameters
    ----------
    replay : bool
        All updates before a frame are run.

    Attributes
    ----------
    compared : int
        Number of frames that were drawn by their changes, and in full.
    trials : int
        Number of frames that were drawn only to compare.
    has_compared : bool
        True once a picture of another process was there to compare with.
    original : Original or None
        Draws the first frames in a copy of the program that handed the scene over.
    """

    def __init__(self, replay: bool) -> None:
        self.compared = self.trials = 0
        self.has_compared = False
        self.original: Original | None = None
        self._replay = replay
        self._digests: dict[int, str] = {}
        self._files_by_number: dict[int, dict[str, str]] = {}
        self._reused: set[int] = set()  # frames of which only what had changed was drawn
        self._in_full: set[int] = set()  # frames that were drawn in full besides, to compare

    def learn(self, digests: Mapping[int, str]) -> None:
        """Note the digests of frames that were drawn earlier."""
        self._digests |= digests

    def forget(self) -> None:
        """Forget all digests."""
        self._digests.clear()

    def is_known(self, number: int, digest: str | None) -> bool:
        """True if a frame was drawn before, with this digest."""
        return digest is not None and self._digests.get(number) == digest

    def check(self, task: Task, outcome: Outcome, checked: bool = True) -> None:
        """Compare a picture with earlier ones of the same frame; look whether drawing it changed the scene.

        Parameters
        ----------
        task : Task
        outcome : Outcome
        checked : bool
            The order of frames is in question.

        Raises
        ------
        OrderMatters, RedrawDiffers, DiffersElsewhere
        """
        if isinstance(outcome, Drawn):
            self._check_redraw(task, outcome)
        digest = digest_of(outcome)
        if not task.keep:
            self.trials += 1
            self.has_compared |= digest is not None
        if checked and isinstance(outcome, Drawn) and outcome.changed and not self._replay:
            raise stateful_by_names(outcome.changed)
        if self.original and (reason := self.original.differs(task.number, digest)):
            raise DiffersElsewhere(reason)
        if checked and digest is not None:
            self._compare(task.number, outcome, digest)

    def _check_redraw(self, task: Task, outcome: Drawn) -> None:
        """Note whether only what had changed was drawn, and what comparing with the frame in full gave."""
        if outcome.redraw in ("same", "differs"):
            self.compared += 1
        if outcome.redraw == "differs":
            raise RedrawDiffers(task.number)
        if outcome.redraw in ("same", "reused", "learning"):
            self._reused.add(task.number)
        if not task.keep and outcome.redraw == "full":
            self._in_full.add(task.number)

    def _compare(self, number: int, outcome: Outcome, digest: str) -> None:
        if number not in self._digests:
            self._digests[number], self._files_by_number[number] = digest, _files_of(outcome)
            return
        if self._digests[number] == digest:
            self.compared += number in self._reused & self._in_full
            self._in_full.discard(number)
            self._files_by_number.setdefault(number, _files_of(outcome))
        elif _files_differ(self._files_by_number.get(number, {}), _files_of(outcome)):
            pass  # a file changed, which says nothing about the order; its old frames will be drawn again
        elif self._replay and number in self._reused:  # in full, it will show whether that was the reason
            raise RedrawDiffers(number)
        else:
            raise random_frames([number]) if self._replay else stateful_frames([number])


def _files_of(outcome: Outcome) -> dict[str, str]:
    return dict(outcome.reads) if isinstance(outcome, Drawn) else {}


def _files_differ(earlier: Mapping[str, str], now: Mapping[str, str]) -> bool:
    return any(earlier[name] != now[name] for name in {*earlier} & {*now})
