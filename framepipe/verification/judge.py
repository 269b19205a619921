"""Judge pictures by their errors against their sources, and against the neighbouring sources."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from statistics import median

from framepipe.core.images import PERFECT_DB
from framepipe.verification.check import Check
from framepipe.verification.expected import Expected
from framepipe.verification.likeness import FINE_DB, FrameScore, psnr_and_patch, read

#: A frame this much worse than its neighbour, whose source is nearly alike, does not show its own source.
OUTLIER_DB = 6.0
#: A frame this much closer to another's source shows that one, even if no patch differs much.
_MUCH_DB = 2.0


def spread(count: int, max_count: int) -> list[int]:
    """Return all positions, or ``max_count`` evenly spread ones with the first and the last."""
    max_count = min(count, max_count)
    return sorted({round(index * (count - 1) / max(1, max_count - 1)) for index in range(max_count)})


def picture_checks(
    frames: Sequence[FrameScore], expected: Expected, foreign: str = "", alike_mse: float = 0.0
) -> list[Check]:
    """Judge every frame of a movie by its errors against its source and the neighbouring ones.

    The floor of the PSNR alone lets much pass, as it must (see `Tolerance.floor_db`). Wrong pictures are
    detected by patches, by a neighbouring source that is closer, and by a lower PSNR than a neighbour
    whose source is nearly alike. A lower PSNR than the movie's median is reported and is not an error:
    frames with more detail have less.

    Parameters
    ----------
    frames : sequence of FrameScore
    expected : Expected
    foreign : str
        Describes a frame that shows another's source, from `framepipe.verification.blocks`; else empty.
    alike_mse : float
        Sources whose mean squared difference is less are too alike for this codec.
    """
    levels = [frame.own_db for frame in frames]
    middle, worst = median(levels), min(range(len(frames)), key=levels.__getitem__)
    worst_patch = max(range(len(frames)), key=lambda position: frames[position].off)
    low = sum(1 for level in levels if level < middle - OUTLIER_DB)
    below = f"; {low} more than {OUTLIER_DB:g} dB below" if low else ""
    foreign = _foreign(frames, expected) or foreign
    own = "each frame shows its own"
    alike = _too_alike(frames, alike_mse)
    note = f"; {alike} too like the next to be told apart" if alike else ""
    return [
        Check(
            "pictures",
            levels[worst] >= expected.tolerance.floor_db,
            f"at least {expected.tolerance.floor_db:g} dB",
            f"{middle:.1f} dB in the median of {len(frames)}, {levels[worst]:.1f} at least "
            f"(frame {worst}){below}",
        ),
        Check(
            "patches",
            frames[worst_patch].off <= expected.tolerance.patch_limit,
            f"8x8 px within {expected.tolerance.patch_limit:.0f}/255",
            f"off by {frames[worst_patch].off:.1f} at most (frame {worst_patch})",
        ),
        Check("order", not foreign, own, foreign or f"{own}{note}"),
    ]


def _too_alike(frames: Sequence[FrameScore], alike_mse: float) -> int:
    """Count the frames whose source is too close to the next one to tell them apart, but not equal to it."""
    if not 0 < alike_mse < float("inf"):
        return 0
    min_db = 10 * log10(255**2 / alike_mse)
    return sum(1 for frame in frames if min_db < frame.next_source_db < PERFECT_DB)


def _foreign(frames: Sequence[FrameScore], expected: Expected) -> str:
    """Describe the first frame that shows another's source or none; empty if there is none.

    A frame may be closer to a neighbour's source where they hardly differ: encoders skip small motion,
    palettes have steps. So a patch must differ, too, or the advantage be large.
    """
    for position, frame in enumerate(frames):
        for neighbour, close_db, off in zip(
            (position - 1, position + 1), frame.neighbour_db, frame.neighbour_off
        ):
            if _matches_better(frame, close_db, off, expected):
                return f"frame {position} shows {expected.sources[neighbour].name}"
        for neighbour, sources_db in (
            (position + 1, frame.next_source_db),
            (position - 1, _alike(frames, position - 1)),
        ):
            is_worse = sources_db and _is_much_worse(
                frame, frames[neighbour], sources_db, expected.tolerance.closer_off
            )
            if is_worse and _are_alike(expected, position, neighbour, frame.own_db + OUTLIER_DB):
                return (
                    f"frame {position} has {frame.own_db:.1f} dB, frame {neighbour}, drawn nearly alike, "
                    f"{frames[neighbour].own_db:.1f}"
                )
    return ""


def _matches_better(frame: FrameScore, close_db: float, off: float, expected: Expected) -> bool:
    """True if a frame matches a neighbour's source better than its own, by a patch or a large PSNR margin."""
    closer_db = close_db - frame.own_db
    own_off = frame.off + frame.forgiven  # as for the neighbours
    if closer_db > expected.tolerance.closer_db and own_off > off + expected.tolerance.closer_off:
        return True
    is_visible = frame.own_db < FINE_DB and expected.tolerance.closer_off < float("inf")
    return is_visible and closer_db > expected.tolerance.closer_db + _MUCH_DB


def _are_alike(expected: Expected, one: int, other: int, min_db: float) -> bool:
    """True if two sources are alike in full size too: means of blocks hide what moves within a block."""
    planes = [read(expected.sources[position], expected.to_planes) for position in (one, other)]
    return psnr_and_patch(*planes)[0] > min_db


def _alike(frames: Sequence[FrameScore], position: int) -> float:
    return frames[position].next_source_db if position >= 0 else 0.0


def _is_much_worse(frame: FrameScore, neighbour: FrameScore, sources_db: float, closer_off: float) -> bool:
    """True if a frame has a much lower PSNR and a worse patch than its neighbour."""
    has_lower_db = frame.own_db < min(FINE_DB, neighbour.own_db - OUTLIER_DB, sources_db - OUTLIER_DB)
    return has_lower_db and frame.off > neighbour.off + closer_off
