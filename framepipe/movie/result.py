"""The results of assembling: a movie that passed verification, or a share of its segments."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from framepipe.core.process import Tool
from framepipe.core.summary import Summary, short_path, size_text
from framepipe.formats import in_cell
from framepipe.verification import VerifyReport


@dataclass(frozen=True, repr=False)
class Movie(Summary):
    """A published movie, which passed verification.

    Attributes
    ----------
    path : Path
    format : str
    encoder : Tool
    frames : int
        Pictures in the file.
    duration_s : float
        Seconds of one play.
    width, height : int
        In pixels.
    size_bytes : int
        Including the folder of pictures of an HTML page, if it has one.
    report : VerifyReport
    notes : tuple of str
        Notes for the user: rounded times, missing frames, rejected tools.
    encode_s, verify_s : float
        Seconds on the clock.
    so_far : tuple of int, or None
        Of a movie so far: the number of frames that were drawn, and of those that it is to have.
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
    encode_s: float = 0.0
    verify_s: float = 0.0
    so_far: tuple[int, int] | None = None

    def timings(self) -> str:
        """Where the time went, in a line."""
        return f"{short_path(self.path)}: encode {self.encode_s:.2f} s, verify {self.verify_s:.2f} s"

    def summary(self) -> str:
        """See `Summary`."""
        label = "verified" if self.so_far is None else "not whole; what it shows is verified"
        return "\n".join([*self._head(), f"  {label}: {self.report.verdict()}"])

    def details(self) -> str:
        """See `Summary`."""
        return "\n".join([*self._head(), *("  " + line for line in self.report.table().splitlines())])

    def _head(self) -> list[str]:
        head = (
            f"{short_path(self.path)}: {self.frames} frames, {self.duration_s:.2f} s, "
            f"{self.width}x{self.height}, {size_text(self.size_bytes)}, "
            f"by {self.encoder.name} {self.encoder.version}"
        )
        notes = [f"  note: {note}" for note in self.notes]
        if self.so_far is not None:
            notes.insert(0, f"  so far: {self.so_far[0]} of {self.so_far[1]} frames are drawn")
        return [head, *notes]

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Return the movie for Jupyter's display."""
        markup = in_cell(self.path, self.format, self.width, self.height)
        return {"text/plain": self.summary(), "text/html": markup}

    def to_dict(self) -> dict[str, Any]:
        """Convert for JSON."""
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
            "encode_s": round(self.encode_s, 3),
            "verify_s": round(self.verify_s, 3),
            "verified": self.report.to_dict(),
            "so_far": None if self.so_far is None else dict(zip(("drawn", "frames"), self.so_far)),
        }


@dataclass(frozen=True, repr=False)
class ShareReport(Summary):
    """The result of `encode_share`.

    Attributes
    ----------
    output : Path
        The movie that the segments are for.
    segments : int
        Segments of the whole movie; 0 if it has none, being too short or of a format without segments.
    own_segments : tuple of int
        Positions of the segments of this share.
    reused : int
        The number of these that were in the store already.
    """

    output: Path
    segments: int
    own_segments: tuple[int, ...]
    reused: int

    def summary(self) -> str:
        """See `Summary`."""
        name = short_path(self.output)
        if not self.segments:
            return f"{name}: one segment, nothing to share: leave --shard out"
        encoded = len(self.own_segments) - self.reused
        return (
            f"{name}: {encoded} segments encoded, {self.reused} were in the store; of {self.segments} in all."
            " Join them: the same without --shard"
        )

    def to_dict(self) -> dict[str, Any]:
        """Convert for JSON."""
        return {**vars(self), "output": str(self.output), "own_segments": list(self.own_segments)}
