"""Measure a movie against its timeline and its frames, from the file alone.

Nothing that an encoder reports is used here: blocks and times are read from the bytes, every frame
is decoded by another reader (Pillow for GIF, a new ffmpeg with ``-xerror`` for MP4), and every frame
is compared with its PNG, and with those it could be mistaken for, so that a shifted, swapped or
stale frame is not taken for a badly encoded one.
"""

from __future__ import annotations

from framepipe.verification.blocks import Grain
from framepipe.verification.check import Check
from framepipe.verification.expected import Expected
from framepipe.verification.report import VerifyReport
from framepipe.verification.tolerance import Tolerance

__all__ = ["Check", "Expected", "Grain", "Tolerance", "VerifyReport"]
