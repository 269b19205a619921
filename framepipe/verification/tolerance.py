"""The greatest error of a right movie's pictures."""

from __future__ import annotations

from dataclasses import dataclass

from framepipe.verification.blocks import Grain


@dataclass(frozen=True)
class Tolerance:
    """The greatest error of a right movie's pictures; measured, see the formats.

    Attributes
    ----------
    floor_db : float
        Minimum PSNR of a frame against its source; in videos, of their small pictures. It is low, since the
        worst source is noise in all colours: wrong pictures are detected patch by patch.
    patch_limit : float
        Maximum difference of the means of an 8x8 patch; see `worst_patch`.
    closer_off : float
        Minimum advantage of a neighbour's source in the worst patch before a frame counts as that neighbour.
    grain : Grain
        The limit of the errors of blocks.
    closer_db : float
        Maximum PSNR, in dB, by which a right frame may be closer to a neighbour's source than to its own.
    """

    floor_db: float
    patch_limit: float
    closer_off: float
    grain: Grain
    closer_db: float = 1.0
