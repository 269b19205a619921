"""The state of a store: of each frame, and why."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from framepipe.core import files
from framepipe.core.shape import Shape
from framepipe.core.summary import Summary, short_path, size_text
from framepipe.job.frames import format_range, format_range_briefly
from framepipe.store.failures import FailureRecord, failure_lines
from framepipe.store.heartbeats import Heartbeat, as_dict, task_lines


@dataclass(frozen=True)
class FrameState:
    """The state of one frame's file.

    Attributes
    ----------
    fingerprint : str
    identity : tuple of int
        The identity of its pixels, see `PngInfo`.
    version : tuple of int or None
        The file's version, if each later change of it shows there; see `files.is_settled`. It is not
        compared: a frame that was drawn again may be the same.
    sha256 : bytes
        Of all bytes of the file, where each was looked at now; else empty. It is not compared either.
    background : tuple of int or None
    reads : dict of str to str, or None
        Digests of the files that a done frame was drawn from; None for another one, and for an adopted one.
    """

    fingerprint: str
    identity: tuple[int, int]
    version: files.Version | None = field(default=None, compare=False)
    sha256: bytes = field(default=b"", compare=False)
    background: tuple[int, int, int] | None = field(default=None, compare=False)
    reads: Mapping[str, str] | None = field(default=None, compare=False)


@dataclass(frozen=True, repr=False)
class StoreStatus(Summary):
    """The state of a plan's frames in the store.

    Attributes
    ----------
    path : Path
    done : tuple of int
        Numbers of frames that are whole and belong to this job.
    missing : tuple of int
    broken, stale : dict of int to str
        Frames that are damaged, or were drawn by another version of the job, and why.
    extra : tuple of int
        Frames in the folder that are not in the plan (from an earlier, longer run). Never used.
    shape : Shape or None
        Of the done frames.
    background : tuple of int or None
        Colour to show transparent frames over.
    size_bytes : int
        Of the done frames.
    frame_states : dict of int to FrameState
        The state of each done or stale frame when it was scanned, if the scan was to keep these.
    numbers : tuple of int
        The plan, in the order of the movie; for a growing job, the frames so far.
    recorded : bool
        A running program drew the frames: only it can draw the missing ones.
    failed : dict of int to FailureRecord
        Those of the missing, broken or stale frames that could not be drawn when they were last tried. Only
        `framepipe.status` looks for them.
    tasks : tuple of Heartbeat
        The processes that draw, and those that did and left frames undone. Only `framepipe.status` looks for
        them.
    """

    path: Path
    done: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    broken: Mapping[int, str] = field(default_factory=dict)
    stale: Mapping[int, str] = field(default_factory=dict)
    extra: tuple[int, ...] = ()
    shape: Shape | None = None
    background: tuple[int, int, int] | None = None
    size_bytes: int = 0
    frame_states: Mapping[int, FrameState] = field(default_factory=dict)
    numbers: tuple[int, ...] = ()
    recorded: bool = False
    failed: Mapping[int, FailureRecord] = field(default_factory=dict)
    tasks: tuple[Heartbeat, ...] = ()

    @property
    def complete(self) -> bool:
        """True when every frame of the plan is done."""
        return not (self.missing or self.broken or self.stale)

    @property
    def total(self) -> int:
        """Frames in the plan."""
        return len(self.done) + len(self.missing) + len(self.broken) + len(self.stale)

    def summary(self) -> str:
        """See `Summary`."""
        lines = [f"{short_path(self.path)}: {len(self.done)} of {self.total} frames done"]
        if self.shape:
            lines[0] += f", {self.shape}, {size_text(self.size_bytes)}"
        lines += [f"  {line}" for line in self.problems()]
        if self.extra:
            lines.append(f"  not in the plan, never used: {format_range_briefly(self.extra)}")
        lines += [f"  {line}" for line in task_lines(self.tasks, self.total - len(self.done))]
        if not self.complete and self.recorded:
            lines.append("Go on: run the program again that recorded them, from recorder.next_number on")
        elif not self.complete and not any(task.is_alive for task in self.tasks):
            lines.append(f"Go on: framepipe resume {shlex.quote(short_path(self.path))}")
        return "\n".join(lines)

    def problems(self) -> list[str]:
        """List what is not done, one line per reason, frames as ranges; each frame once."""
        lines = failure_lines(self.failed.values())
        missing = [number for number in self.missing if number not in self.failed]
        lines += [f"missing: {format_range_briefly(missing)}"] if missing else []
        for kind, frames in (("broken", self.broken), ("stale", self.stale)):
            by_reason: dict[str, list[int]] = {}
            for number, reason in frames.items():
                if number not in self.failed:
                    by_reason.setdefault(reason, []).append(number)
            lines += [f"{kind}: {format_range_briefly(numbers)}: {why}" for why, numbers in by_reason.items()]
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Convert for JSON."""
        return {
            "store": str(self.path),
            "total": self.total,
            "complete": self.complete,
            "done": format_range(self.done),
            "missing": format_range(self.missing),
            "broken": {str(number): reason for number, reason in self.broken.items()},
            "stale": {str(number): reason for number, reason in self.stale.items()},
            "failed": {str(number): record.message for number, record in self.failed.items()},
            "tasks": [as_dict(beat) for beat in self.tasks],
            "extra": format_range(self.extra),
            "width_px": self.shape.width if self.shape else None,
            "height_px": self.shape.height if self.shape else None,
            "mode": self.shape.mode if self.shape else None,
            "size_bytes": self.size_bytes,
        }
