"""The difference of two pictures that are equal in most samples, as those of plots: by the others alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from framepipe.core.images import PATCH_PX, Pixels
from framepipe.verification.cells import BLOCK_PX, Indices, psnr

#: Of the words of 8 bytes, one in so many may differ; with more of them all samples are compared faster.
_ONE_IN = 8
_WORD = np.arange(8)


@dataclass(frozen=True)
class SparseDifference:
    """Where two pictures differ, and by how much.

    Attributes
    ----------
    at : ndarray of int
        The differing samples, in the pictures as one row.
    steps : ndarray of int16
        What is added there to the second to become the first.
    shape : tuple of int
        (height, width, colours).
    """

    at: Indices
    steps: Pixels
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, one: Pixels, other: Pixels) -> SparseDifference | None:
        """Compare two pictures.

        Parameters
        ----------
        one, other : ndarray of uint8, shape (height, width, colours)

        Returns
        -------
        SparseDifference or None
            None if they differ in shape or in many samples.
        """
        if one.shape != other.shape:
            return None
        a, b = one.reshape(-1), other.reshape(-1)
        words = a.size // 8
        some = np.flatnonzero(a[: 8 * words].view(np.uint64) != b[: 8 * words].view(np.uint64))
        if some.size > words // _ONE_IN:
            return None
        near = np.concatenate([(some[:, None] * 8 + _WORD).ravel(), np.arange(8 * words, a.size)])
        steps = np.subtract(a[near], b[near], dtype=np.int16)
        differ = np.flatnonzero(steps)
        height, width, colours = one.shape
        return cls(near[differ], steps[differ], (height, width, colours))

    @cached_property
    def psnr(self) -> float:
        """PSNR in dB of all samples; 99 if they are equal."""
        steps, (height, width, colours) = self.steps.astype(np.float64), self.shape
        return psnr(float(np.vdot(steps, steps)), height * width * colours)

    def psnr_and_patch(self) -> tuple[float, float]:
        """Return PSNR in dB (99 if equal), and the greatest difference of means of 8x8 px, 0 to 255."""
        return self.psnr, self._worst_patch()

    def worst_block(self) -> float:
        """Return the greatest sum of squared differences in a block of 16x16 samples of one colour."""
        return float(np.max(self._sums(BLOCK_PX, self.steps.astype(np.float64) ** 2)))

    def _worst_patch(self) -> float:
        height, width, _ = self.shape
        sums = np.abs(self._sums(PATCH_PX, self.steps))
        heights, widths = (
            np.minimum(PATCH_PX, side - np.arange(0, side, PATCH_PX)) for side in (height, width)
        )
        return float(np.max(sums / (heights[:, None, None] * widths[:, None])))

    def _sums(self, side: int, of: Pixels) -> Pixels:
        """Sum what belongs to the samples in squares of some pixels: shape (rows, columns, colours)."""
        height, width, colours = self.shape
        rows, columns = -(-height // side), -(-width // side)
        at = self.at.astype(np.uint32)  # of which numpy divides several at once
        row = at // np.uint32(width * colours)
        rest = at - row * np.uint32(width * colours)
        column = rest // np.uint32(colours)
        row, square = row // np.uint32(side), column // np.uint32(side)
        which = (row * np.uint32(columns) + square) * np.uint32(colours) + rest - column * np.uint32(colours)
        sums: Pixels = np.bincount(which, of, rows * columns * colours).reshape(rows, columns, colours)
        return sums
