"""The properties that a movie should have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from framepipe.core.shape import Shape
from framepipe.options import EncodeOptions
from framepipe.timeline import Timeline
from framepipe.verification.likeness import Planes
from framepipe.verification.tolerance import Tolerance

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Expected:
    """The properties that a movie should have; made by its `Format`.

    Attributes
    ----------
    format : str
        Its suffix.
    timeline : Timeline
    sources : sequence of Path
        The PNG of each frame of the timeline.
    shape : Shape
        The shape of the PNGs.
    background : tuple of int
        The colour under transparent pixels, if the format cannot hold them.
    options : EncodeOptions
        The options with which it was built.
    exact : bool
        GIF: its palette holds the colours of all frames, so each pixel must be as drawn.
    lossless : bool
        Each pixel must be as drawn.
    size : tuple of int
        Width and height in pixels.
    duration_s : Fraction
        Seconds of one play, as the file stores them.
    tolerance : Tolerance
    to_planes : callable
        Converts an image to planes as the format shows it, for formats that Pillow reads.
    digests : dict of Path to bytes
        SHA-256 of sources whose bytes are known: whoever builds the movie has read them, and looks again at
        the end whether they have changed.
    """

    format: str
    timeline: Timeline
    sources: Sequence[Path]
    shape: Shape
    background: tuple[int, int, int]
    options: EncodeOptions
    exact: bool
    lossless: bool
    size: tuple[int, int]
    duration_s: Fraction
    tolerance: Tolerance
    to_planes: Callable[[Image], Planes]
    digests: Mapping[Path, bytes] = field(default_factory=dict)
