"""How close pictures are to their sources, and to the sources beside these."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from framepipe.verify.expected import Expected
from framepipe.verify.likeness import Likeness
from framepipe.verify.report import Check

#: A frame that is so much worse than the one beside it, which is drawn nearly alike, is none of its own.
OUTLIER_DB = 6.0
#: So much more a frame is closer to another's source that it is that one, though no patch is far off.
_MUCH_DB = 2.0
#: Above it nobody sees a difference, whatever the frames beside have.
_FINE_DB = 40.0


def spread(count: int, most: int) -> list[int]:
    """Positions: all, or ``most`` evenly spread ones with the first and the last."""
    most = min(count, most)
    return sorted({round(index * (count - 1) / max(1, most - 1)) for index in range(most)})


def picture_checks(frames: Sequence[Likeness], expected: Expected) -> list[Check]:
    """Judge every frame of a movie by how like it is to its source, and to those beside it.

    The floor on PSNR alone lets much pass, as it must (see `Expected.floor_db`); wrong pictures are
    found by patches, by a source beside that is more like them, and by a fall against a frame beside
    that is drawn nearly alike. A fall against the movie's median is told and is not an error: frames
    with more in them have less.
    """
    levels = [frame.own_db for frame in frames]
    middle, worst = median(levels), min(range(len(frames)), key=levels.__getitem__)
    off = max(range(len(frames)), key=lambda position: frames[position].off)
    low = sum(1 for level in levels if level < middle - OUTLIER_DB)
    below = f"; {low} more than {OUTLIER_DB:g} dB below" if low else ""
    foreign = _foreign(frames, expected)
    return [
        Check(
            "pictures",
            levels[worst] >= expected.floor_db,
            f"at least {expected.floor_db:g} dB",
            f"{middle:.1f} dB in the median of {len(frames)}, {levels[worst]:.1f} at least "
            f"(frame {worst}){below}",
        ),
        Check(
            "patches",
            frames[off].off <= expected.patch_limit,
            f"8x8 px within {expected.patch_limit:.0f}/255",
            f"off by {frames[off].off:.1f} at most (frame {off})",
        ),
        Check("order", not foreign, "each frame shows its own", foreign or "each frame shows its own"),
    ]


def _foreign(frames: Sequence[Likeness], expected: Expected) -> str:
    """The first frame that shows another one, or one from elsewhere; empty if there is none.

    A frame may look more like the one beside it where they hardly differ: encoders leave small motion as it
    was, palettes have steps. So a patch must be off, too, or the difference be large.
    """
    for position, frame in enumerate(frames):
        for beside, close_db, off in zip((position - 1, position + 1), frame.beside_db, frame.beside_off):
            if _is_rather(frame, close_db, off, expected):
                return f"frame {position} shows {expected.sources[beside].name}"
        for beside, alike_db in (
            (position + 1, frame.alike_db),
            (position - 1, _alike(frames, position - 1)),
        ):
            if alike_db and _falls(frame, frames[beside], alike_db, expected.closer_off):
                return (
                    f"frame {position} has {frame.own_db:.1f} dB, frame {beside}, drawn nearly alike, "
                    f"{frames[beside].own_db:.1f}"
                )
    return ""


def _is_rather(frame: Likeness, close_db: float, off: float, expected: Expected) -> bool:
    """Whether a frame is another one: clearly by a patch; or so much closer to it that no patch is needed."""
    closer_db = close_db - frame.own_db
    own_off = frame.off + frame.forgiven  # as it is for those beside
    if closer_db > expected.closer_db and own_off > off + expected.closer_off:
        return True
    seen = frame.own_db < _FINE_DB and expected.closer_off < float("inf")
    return seen and closer_db > expected.closer_db + _MUCH_DB


def _alike(frames: Sequence[Likeness], position: int) -> float:
    return frames[position].alike_db if position >= 0 else 0.0


def _falls(frame: Likeness, beside: Likeness, alike_db: float, closer_off: float) -> bool:
    """Whether a frame is worse than the one beside it, and further from its source than that is."""
    worse = frame.own_db < min(_FINE_DB, beside.own_db - OUTLIER_DB, alike_db - OUTLIER_DB)
    return worse and frame.off > beside.off + closer_off
