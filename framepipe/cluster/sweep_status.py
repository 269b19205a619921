"""How far the points of a submitted sweep are: the table of `framepipe status`, which loads nothing heavy."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framepipe.cluster.sweep_folder import SubmittedPoint, SweepFolder
from framepipe.core.summary import Summary, short_path, table
from framepipe.errors import StoreError
from framepipe.store.store import Store, status
from framepipe.sweeps.points import text_of


@dataclass(frozen=True, repr=False)
class SweepStatus(Summary):
    """How far the points of a submitted sweep are.

    Attributes
    ----------
    folder : Path
    points : tuple of SubmittedPoint
    frames : tuple of (int, int) or None
        Of each point those that are done, and all; None if they cannot be counted, or are deleted.
    grid : SubmittedPoint or None
        The movie of all points side by side, if one is asked for.
    """

    folder: Path
    points: tuple[SubmittedPoint, ...]
    frames: tuple[tuple[int, int] | None, ...]
    grid: SubmittedPoint | None = None

    @property
    def complete(self) -> bool:
        """True if all points have their movies, and the grid is there if one is asked for."""
        return all(point.is_done for point in (*self.points, *([self.grid] if self.grid else [])))

    def summary(self) -> str:
        """See `Summary`: a table, a line for each point."""
        names = dict.fromkeys(name for point in self.points for name in point.values)
        rows = [(*names, "frames", "state")]
        for point, count in zip(self.points, self.frames):
            values = (text_of(point.values.get(name, "")) for name in names)
            rows.append((*values, f"{count[0]} of {count[1]}" if count else "", _STATES[point.state]))
        done = sum(point.is_done for point in self.points)
        lines = [*table(rows), f"{done} of {len(self.points)} points have their movies"]
        return "\n".join([*lines, *([self._of_grid(self.grid)] if self.grid else [])])

    def _of_grid(self, grid: SubmittedPoint) -> str:
        is_early = not grid.state and not all(point.is_done for point in self.points)
        state = "comes when all points have their movies" if is_early else _STATES[grid.state]
        return f"side by side: {short_path(grid.outputs[0])}, {state}"

    def to_dict(self) -> dict[str, Any]:
        """Convert for JSON."""
        points = [
            {
                "values": dict(point.values),
                "store": str(point.store),
                "state": point.state,
                "frames": count,
                "is_done": point.is_done,
            }
            for point, count in zip(self.points, self.frames)
        ]
        grid = self.grid and {"path": str(self.grid.outputs[0]), "state": self.grid.state}
        return {"folder": str(self.folder), "points": points, "grid": grid}


#: The states of `JobFolder.result`, for people.
_STATES = {
    "": "waits, or is drawn",
    "again": "submitted again",
    "built": "its movies are built",
    "done": "done",
    "failed": "failed",
    "cancelled": "cancelled",
}


def sweep_status(folder: str | os.PathLike[str]) -> SweepStatus | None:
    """Return how far the points of a submitted sweep are; None if the folder is not that of one.

    Raises
    ------
    StoreError
    """
    sweep = SweepFolder.read(Store(folder).path)
    if sweep is None:
        return None
    frames = tuple(_frames_of(point) for point in sweep.points)
    return SweepStatus(sweep.path, sweep.points, frames, sweep.grid_point)


def _frames_of(point: SubmittedPoint) -> tuple[int, int] | None:
    try:
        frames = status(point.store)
    except StoreError:  # no task has begun, or they are deleted
        return None
    return len(frames.done), frames.total
