"""Find the source that a frame shows by its blocks: among all sources, even if only a few strokes differ.

A small picture is cut into blocks of 16x16 samples of each plane, see `cells`. The error of a decoded block
against its source is a sum of squares. The error that an encoder may leave has a limit, which rises with its
compression and with the detail in the block (see `Grain`): measured on right movies, decision 11. A frame
with blocks far over the limit shows no source. A frame with blocks near it is compared with every source: it
shows another one if it is nearer to that in the blocks where the two sources differ by more than the limit.
Sources that differ by less are too alike for the codec; they are counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from framepipe.core.images import Pixels
from framepipe.verification.cells import BLOCK_PX, SAMPLES, SIDE, Blocks, Cells, Indices, cut_at, places

#: A block with this much detail (a sum of squares around its mean: a dim digit) has twice the limit.
_BUSY = 300_000.0
#: How far a frame must be moved towards another source to count as that one: 0 is its own, 1 the other.
_RATHER = 0.65
#: A block whose error is more than ``_FOREIGN`` limits is no source's, whatever the others are. The error
#: of a block with much detail (over ``_NOISY``), as of noise, must also be ``_WIPED`` times as large as if
#: all in it had become one colour: the worst that an encoder does.
_FOREIGN, _NOISY, _WIPED = 4.0, 75_000.0, 1.25
#: The number of worst blocks of a frame, and of the places among them that are compared with all sources:
#: areas of 32x32 px with all planes, since another plane may show clearly what one plane lacks.
_MAX_BLOCKS, _MAX_PLACES = 16, 6
#: The number of frames that are read once more, those with the largest errors.
_MAX_SECOND_LOOKS = 16
#: In a movie whose frames all have large errors, the limit is this multiple of the better ones' error.
_NOISE = 4.0


@dataclass(frozen=True)
class Grain:
    """The limit of an encoder's error in a block.

    Attributes
    ----------
    limit : float
        Sum of squares in a flat block of 16x16 samples.
    """

    limit: float

    def of(self, source: Pixels) -> Pixels:
        """Return the limit of each of some blocks, float32."""
        limits: Pixels = self.limit * (1 + _spread(source) / _BUSY)
        return limits


@dataclass(frozen=True)
class SuspectFrame:
    """A frame with blocks whose errors are so large that it may show another source.

    Attributes
    ----------
    position : int
    at : ndarray of int
        The indices of these blocks.
    decoded, source : ndarray of uint8
        These blocks, as decoded and as drawn.
    limits : ndarray of float32
        The limit of each.
    over : ndarray of float32
        The error of each, in limits.
    """

    position: int
    at: Indices
    decoded: npt.NDArray[np.uint8]
    source: npt.NDArray[np.uint8]
    limits: Pixels
    over: Pixels

    def alien(self, scale: float) -> bool:
        """True if a part shows no source of this movie, whose limits are multiplied by ``scale``."""
        spread = _spread(self.source)
        wiped = np.where(spread > _NOISY, _WIPED * spread / self.limits, 0)
        return bool(np.any(self.over > np.maximum(_FOREIGN * scale, wiped)))


class SecondLook(Protocol):
    """Reads a frame once more before it is called wrong."""

    def decoded_blocks(self, positions: Sequence[int]) -> Iterator[Blocks]:
        """Yield all blocks of some frames as decoded, in turn."""

    def source_blocks(self, position: int) -> Blocks:
        """Return all blocks of a source."""

    def excuses(self, suspect: SuspectFrame, *, alien: bool) -> bool:
        """True if the format could do no better, for a frame that shows another source or none."""


@dataclass
class BlockComparison:
    """Examines frames one by one, and then compares the suspect ones with all sources."""

    grain: Grain
    suspects: list[SuspectFrame] = field(default_factory=list)
    #: The error of the worst block of each frame, in limits.
    over: list[float] = field(default_factory=list)
    _places: Indices | None = None

    @property
    def min_squares(self) -> float:
        """A frame whose blocks all have smaller errors need not be added and can be skipped."""
        return _RATHER**2 * self.grain.limit

    def skip(self) -> None:
        """Count the next frame as not suspect."""
        self.over.append(0.0)

    def add(self, position: int, decoded: Cells, source: Cells, errors: Pixels) -> None:
        """Add the next frame, as decoded and as drawn, and the error of each of its blocks."""
        if self._places is None:
            self._places = places(source)
        most = _greatest(errors, _MAX_BLOCKS)
        over = errors[most] / self.grain.of(cut_at(source, most))
        self.over.append(float(over.max()))
        if self.over[-1] <= _RATHER**2:
            return
        worst = most[over > _RATHER**2][np.argsort(-over[over > _RATHER**2])]
        chosen = list(dict.fromkeys(self._places[worst].tolist()))[:_MAX_PLACES]
        at = np.flatnonzero(np.isin(self._places, chosen))
        decoded_part, source_part = (cut_at(each, at).astype(np.uint8) for each in (decoded, source))
        limits = self.grain.of(source_part)
        self.suspects.append(
            SuspectFrame(position, at, decoded_part, source_part, limits, errors[at] / limits)
        )

    @property
    def scale(self) -> float:
        """The factor of the limits in this movie: above 1 if all its frames have large errors.

        A palette that lacks colours causes errors everywhere. A quarter of the frames is assumed to be right.
        """
        return max(1.0, _NOISE * float(np.quantile(self.over, 0.25))) if self.over else 1.0

    @property
    def alike_mse(self) -> float:
        """Sources with a smaller mean squared difference are too alike: no block can be over the limit."""
        blocks = 1 if self._places is None else len(self._places)
        return self.scale * self.grain.limit / (blocks * BLOCK_PX**2)

    def search(self) -> Search | None:
        """Return the search of the suspects' sources, None if there are no suspects."""
        scale = self.scale
        self.suspects = [each for each in self.suspects if each.over.max() > _RATHER**2 * scale]
        return Search(self.suspects, scale) if self.suspects else None

    def verdict(self, search: Search | None, names: Sequence[str], look: SecondLook) -> str:
        """Describe the first frame that shows another's source, or none; empty if each shows its own.

        Parameters
        ----------
        search : Search or None
            After it has seen all sources.
        names : sequence of str
            The names of the sources.
        look : SecondLook
            Reads a frame once more before it is reported.
        """
        nearest = search.nearest if search else ()
        aliens = [
            each for each, other in zip(self.suspects, nearest) if other is None and each.alien(self.scale)
        ]
        for suspect in aliens:
            if not look.excuses(suspect, alien=True):
                return f"frame {suspect.position} shows none of the sources in a part"
        matches = [(each, other) for each, other in zip(self.suspects, nearest) if other is not None]
        matches = sorted(matches, key=lambda pair: -float(pair[0].over.max()))[:_MAX_SECOND_LOOKS]
        matches.sort(key=lambda pair: pair[0].position)
        decoded_frames = (
            look.decoded_blocks([suspect.position for suspect, _ in matches]) if matches else iter(())
        )
        for (suspect, other), decoded in zip(matches, decoded_frames):
            own_source, other_source = look.source_blocks(suspect.position), look.source_blocks(other)
            if self._is_other(decoded, own_source, other_source) and not look.excuses(suspect, alien=False):
                return f"frame {suspect.position} shows {names[other]}"
        return ""

    def _is_other(self, decoded: Blocks, own: Blocks, other: Blocks) -> bool:
        """True if a frame is nearer to another's source in all that differs, not only in a corner.

        H.265 and AV1 may leave a block as it was some frames earlier.
        """
        step = other - own
        differ, progress = (np.einsum("ij,ij->i", step, each) for each in (step, decoded - own))
        clear = SAMPLES * differ > self.scale * self.grain.of(own)
        return bool(np.sum(progress[clear]) > 0.5 * np.sum(differ[clear]))


class Search:
    """Compares all suspects with one source after the other.

    Attributes
    ----------
    nearest : list of int or None
        The source that each suspect matches better than its own, None if there is none.
    """

    def __init__(self, suspects: Sequence[SuspectFrame], scale: float) -> None:
        count, length = len(suspects), max(len(suspect.at) for suspect in suspects)
        self._at = np.zeros((count, length), np.intp)
        self._limits = np.full((count, length), np.inf, np.float32)
        self._own = np.zeros((count, length, SIDE**2), np.float32)
        self._off = np.zeros_like(self._own)
        for row, suspect in enumerate(suspects):
            size = len(suspect.at)
            self._at[row, :size], self._limits[row, :size] = suspect.at, scale * suspect.limits
            self._own[row, :size] = suspect.source
            self._off[row, :size] = suspect.decoded.astype(np.float32) - suspect.source
        self._real = np.isfinite(self._limits)
        self._best = np.full(count, _RATHER, np.float32)
        self.nearest: list[int | None] = [None] * count

    def show(self, position: int, source: Blocks) -> None:
        """Compare the suspects with the next source."""
        step = source[self._at] - self._own
        differ, progress = (np.einsum("ijk,ijk->ij", step, other) * self._real for other in (step, self._off))
        clear = SAMPLES * differ > self._limits
        total = np.sum(differ * clear, 1)
        share = np.sum(progress * clear, 1) / np.maximum(total, 1)
        whole = np.sum(progress, 1) > 0.5 * np.sum(differ, 1)
        # 1 is this source; beyond that it is another one
        near = 1 - np.abs(1 - share)
        for row in np.flatnonzero((total > 0) & whole & (near > self._best)):
            self._best[row], self.nearest[row] = near[row], position


def _greatest(errors: Pixels, count: int) -> Indices:
    """Return the indices of the greatest errors; most blocks of a plot have none, and are left out first."""
    some = np.flatnonzero(errors)
    if some.size > count:
        some = some[np.argpartition(errors[some], some.size - count)[-count:]]
    return some if some.size else np.zeros(1, np.intp)


def _spread(blocks: Pixels) -> Pixels:
    """Return the detail in each block: a sum of squares around its mean, of samples."""
    spread: Pixels = blocks.astype(np.float32).var(axis=1) * BLOCK_PX**2
    return spread
