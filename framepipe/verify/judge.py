"""How close pictures are to their sources, and to the sources beside these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from framepipe.pictures import Picture, psnr_db
from framepipe.verify.expected import Expected
from framepipe.verify.report import Check

SAMPLES = 8  # compared pixel by pixel, with their neighbours too
COMPARED = 2000  # compared patch by patch: all frames of most movies


def spread(count: int, most: int) -> list[int]:
    """Positions: all, or ``most`` evenly spread ones with the first and the last."""
    most = min(count, most)
    return sorted({round(index * (count - 1) / max(1, most - 1)) for index in range(most)})


def picture_checks(
    pictures: Mapping[int, Picture], off: Mapping[int, float], expected: Expected
) -> Iterator[Check]:
    """Judge how close pictures are to their sources, and to the sources beside these.

    Parameters
    ----------
    pictures : mapping of int to Picture
        Sampled ones, by position in the timeline.
    off : mapping of int to float
        How far off the worst patch of each compared frame is.
    """
    close: dict[int, float] = {}
    foreign = ""
    for own, seen in pictures.items():
        close[own] = psnr_db(seen, expected.source(own))
        for beside in (own - 1, own + 1):
            if foreign or not 0 <= beside < len(expected.sources):
                continue
            if psnr_db(seen, expected.source(beside)) > close[own] + expected.closer_db:
                foreign = f"frame {own} shows {expected.sources[beside].name}"
    worst, worst_off = min(close, key=close.__getitem__), max(off, key=off.__getitem__)
    yield Check(
        "pictures",
        close[worst] >= expected.floor_db,
        f"at least {expected.floor_db:g} dB",
        f"{close[worst]:.1f} dB at least, in {len(close)} frames (frame {worst})",
    )
    yield Check(
        "patches",
        off[worst_off] <= expected.patch_limit,
        f"8x8 px within {expected.patch_limit:.0f}/255",
        f"off by {off[worst_off]:.1f} at most, in {len(off)} frames (frame {worst_off})",
    )
    yield Check("order", not foreign, "each frame shows its own", foreign or "each frame shows its own")
