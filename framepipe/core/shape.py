"""The shape of pictures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """The shape of all frames of a movie: ``width`` and ``height`` in pixels, ``mode`` RGB or RGBA."""

    width: int
    height: int
    mode: str

    def __str__(self) -> str:
        return f"{self.width}x{self.height} {self.mode}"
