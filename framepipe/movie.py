"""What comes out of assembling: a movie that passed verification, or a share of its segments."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from framepipe.encoders.tools import Tool
from framepipe.notebook import mimebundle
from framepipe.verify import VerifyReport


@dataclass(frozen=True)
class Movie:
    """A movie that passed verification and has its name.

    Attributes
    ----------
    path : Path
    format : str
    encoder : Tool
    frames : int
        Pictures in the file.
    duration_s : float
        Of one play.
    width, height : int
        In pixels.
    size_bytes : int
        With the pictures beside it, if it is a page that has them there.
    report : VerifyReport
    notes : tuple of str
        What the user should know: rounded times, missing frames, tools passed over.
    """

    path: Path
    format: str
    encoder: Tool
    frames: int
    duration_s: float
    width: int
    height: int
    size_bytes: int
    report: VerifyReport
    notes: tuple[str, ...] = ()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """How Jupyter shows it: as the movie."""
        return mimebundle(self.path, self.format, self.width, self.height, repr(self))

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "path": str(self.path),
            "format": self.format,
            "encoder": asdict(self.encoder),
            "frames": self.frames,
            "duration_s": self.duration_s,
            "width_px": self.width,
            "height_px": self.height,
            "size_bytes": self.size_bytes,
            "notes": list(self.notes),
            "verified": self.report.to_dict(),
        }


@dataclass(frozen=True)
class ShareReport:
    """What `encode_share` did.

    Attributes
    ----------
    output : Path
        The movie that the segments are for.
    segments : int
        Of the whole movie; 0 if it is too short, or of a format, that has none.
    mine : tuple of int
        Positions of those of this share.
    taken : int
        How many of them were in the store before.
    """

    output: Path
    segments: int
    mine: tuple[int, ...]
    taken: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "output": str(self.output), "mine": list(self.mine)}
