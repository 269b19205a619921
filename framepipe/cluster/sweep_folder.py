"""The folder of a submitted sweep: ``sweep.json`` names its points, whose stores are folders beside it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framepipe.cluster.submission import folders_of
from framepipe.core import files, signing
from framepipe.errors import StoreError

_NAME = "sweep.json"
_GRID = "grid"
_MAX_BYTES = 64_000_000
_GIVEN_UP = ("failed", "cancelled")


@dataclass(frozen=True)
class SubmittedPoint:
    """One point, as it was submitted.

    Attributes
    ----------
    values : mapping of str to object
    store : Path
        Absolute; a folder in that of the sweep.
    outputs : tuple of Path
        Absolute.
    """

    values: Mapping[str, Any]
    store: Path
    outputs: tuple[Path, ...]

    @property
    def state(self) -> str:
        """What became of its newest submission, see `JobFolder.result`; empty while nobody knows."""
        folders = folders_of(self.store)
        return folders[-1].result()[0] if folders else ""

    @property
    def is_done(self) -> bool:
        """True if its movies are there."""
        return self.state == "done" and all(path.exists() for path in self.outputs)


@dataclass(frozen=True)
class SweepFolder:
    """The points of a submitted sweep.

    Attributes
    ----------
    path : Path
        Absolute.
    points : tuple of SubmittedPoint
    keep_frames : bool
        False to delete the frames when all points have their movies, and the grid is built.
    grid : Path or None
        The movie that shows all points side by side; absolute.
    columns : int or None
        Of the grid; None for about a square.
    """

    path: Path
    points: tuple[SubmittedPoint, ...]
    keep_frames: bool
    grid: Path | None = None
    columns: int | None = None

    @classmethod
    def read(cls, path: Path) -> SweepFolder | None:
        """Read the sweep of a folder; None if none was submitted from there.

        Raises
        ------
        StoreError
            ``sweep.json`` is damaged, or was not written by this account: frames would be deleted by it.
        """
        file = path / _NAME
        if not file.exists():
            return None
        try:
            data = json.loads(files.read_file(file, _MAX_BYTES))
            is_signed = signing.is_valid(data, data.pop("seal"))
            points = tuple(
                SubmittedPoint(each["values"], path / each["store"], tuple(map(Path, each["outputs"])))
                for each in data["points"]
            )
            keep_frames, columns = bool(data["keep_frames"]), data.get("columns")
            grid = Path(data["grid"]) if data.get("grid") else None
            is_here = all(point.store.parent == path for point in points)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise StoreError(f"{file} cannot be read ({error}). Submit again") from None
        if not is_signed or not is_here:
            raise StoreError(f"{file} was not written by this account, so what it names is not used")
        return cls(path, points, keep_frames, grid, columns)

    @classmethod
    def of_point(cls, store: Path) -> SweepFolder | None:
        """Return the sweep to which a store belongs, if it does."""
        sweep = cls.read(store.parent)
        return sweep if sweep and store in [point.store for point in sweep.points] else None

    def write(self) -> None:
        """Write ``sweep.json``; points of an earlier submission that are under way stay in it.

        Raises
        ------
        StoreError
        """
        before = SweepFolder.read(self.path)
        stores = {point.store for point in self.points}
        earlier = [each for each in before.points if each.store not in stores] if before else []
        points = [*(each for each in earlier if each.state not in _GIVEN_UP), *self.points]
        data: dict[str, Any] = {
            "framepipe_sweep": 1,
            "keep_frames": self.keep_frames,
            "points": [_for_json(point) for point in points],
            "grid": None if self.grid is None else str(self.grid),
            "columns": self.columns,
        }
        data = json.loads(json.dumps(data, default=str))
        data["seal"] = signing.sign(data)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            files.write_atomic(self.path / _NAME, json.dumps(data, indent=1).encode() + b"\n")
        except OSError as error:
            raise StoreError(f"{self.path / _NAME} cannot be written: {error.strerror}") from None

    def remove_unused(self) -> None:
        """Remove ``sweep.json``, and the folder if nothing else is in it, unless a point was submitted."""
        if any(folders_of(point.store) for point in self.points):
            return
        with contextlib.suppress(OSError):
            (self.path / _NAME).unlink(missing_ok=True)
            self.path.rmdir()

    @property
    def grid_point(self) -> SubmittedPoint | None:
        """The grid as if it were a point: its store, its movie, and how far its own job is."""
        return None if self.grid is None else SubmittedPoint({}, self.path / _GRID, (self.grid,))

    def unfinished(self) -> Sequence[SubmittedPoint]:
        """Return the points that have no movies yet."""
        return [point for point in self.points if not point.is_done]


def _for_json(point: SubmittedPoint) -> dict[str, Any]:
    return {
        "values": dict(point.values),
        "store": point.store.name,
        "outputs": [str(path) for path in point.outputs],
    }
