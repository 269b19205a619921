"""The few frames of a preview."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from framepipe.job.frames import Frames, Unknowns
from framepipe.options import DEFAULT_FPS

PREVIEW_FRAMES = 24


def preview_of(frames: Frames, fps: Fraction | None) -> tuple[Frames, Fraction | None]:
    """Return evenly spread frames, and the rate at which they have the duration of all."""
    if frames.extent == "growing":
        first = range(PREVIEW_FRAMES)
        return Frames(first, Unknowns(PREVIEW_FRAMES), "", indices=first), fps
    step = -(-len(frames) // PREVIEW_FRAMES)
    places = range(0, len(frames), step)
    numbers = [frames.numbers[place] for place in places]
    values: Sequence[Any] = [frames.values[place] for place in places]
    if frames.are_numbers:
        values = numbers
    elif isinstance(frames.values, Unknowns):  # of a script's loop: only the script knows them
        values = Unknowns(len(numbers))
    rate = (fps or Fraction(DEFAULT_FPS)) / step
    return Frames(numbers, values, None, [frames.indices[place] for place in places]), rate
