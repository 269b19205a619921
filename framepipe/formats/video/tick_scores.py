"""Score each tick of a video, while it is decoded, against its source and those beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from framepipe.core.images import Pixels
from framepipe.verification.blocks import BlockComparison
from framepipe.verification.cells import (
    SAMPLES,
    Cells,
    block_errors,
    differences,
    patch_sums,
    psnr,
    squares,
    worst_patch,
)
from framepipe.verification.likeness import FrameScore, could_be_another
from framepipe.verification.tolerance import Tolerance


class TickScores:
    """The scores of all ticks so far.

    Parameters
    ----------
    positions : sequence of int
        The position in the timeline of each tick.
    samples : int
        The number of samples of a small picture.
    tolerance : Tolerance
    blocks : BlockComparison or None
        Compares the blocks of each tick; None if each sample is compared with its source anyway.

    Attributes
    ----------
    scores : list of FrameScore
        Of each tick; those against the neighbours only where a neighbour could be nearer.
    """

    def __init__(
        self, positions: Sequence[int], samples: int, tolerance: Tolerance, blocks: BlockComparison | None
    ) -> None:
        self.scores: list[FrameScore] = []
        self._positions, self._samples = positions, samples
        self._tolerance, self._blocks = tolerance, blocks
        self._last: _Tick | None = None

    def add(self, tick: int, decoded: Cells, source: Cells) -> None:
        """Score the next tick, as it is decoded and as it was drawn."""
        errors = block_errors(differences(decoded, source))
        this = _Tick(decoded, source, patch_sums(decoded), patch_sums(source))
        own_db = psnr(float(errors.sum()) / SAMPLES, self._samples)
        score = FrameScore(own_db, worst_patch(this.decoded_sums, this.source_sums))
        if last := self._last:
            before = replace(self.scores[-1], next_source_db=self._psnr(last.source, source))
            self.scores[-1] = _with_neighbour(before, 1, self._against(before, last, this))
            score = _with_neighbour(score, 0, self._against(score, this, last))
        self.scores.append(score)
        self._last = this
        if self._blocks and tick < len(self._positions):
            self._blocks.add(self._positions[tick], decoded, source, errors)

    def _against(self, score: FrameScore, shown: _Tick, neighbour: _Tick) -> tuple[float, float]:
        """Compare a tick with a neighbour's source: PSNR, and the worst patch."""
        if not could_be_another(score, self._tolerance):
            return 0.0, 255.0
        off = worst_patch(shown.decoded_sums, neighbour.source_sums)
        return self._psnr(shown.decoded, neighbour.source), off

    def _psnr(self, one: Cells, other: Cells) -> float:
        return psnr(squares(one, other), self._samples)


@dataclass(frozen=True)
class _Tick:
    """A tick's cells as decoded and as drawn, and the sums of their patches."""

    decoded: Cells
    source: Cells
    decoded_sums: list[Pixels]
    source_sums: list[Pixels]


def _with_neighbour(score: FrameScore, which: int, near: tuple[float, float]) -> FrameScore:
    """Set the scores against one of the neighbours: 0 is before, 1 after."""
    levels, offs = list(score.neighbour_db), list(score.neighbour_off)
    levels[which], offs[which] = near
    return replace(score, neighbour_db=(levels[0], levels[1]), neighbour_off=(offs[0], offs[1]))
