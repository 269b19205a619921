"""What became of a sweep: a line for each point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framepipe.core.summary import Summary, short_path, table
from framepipe.errors import FramepipeError
from framepipe.movie.cleanup import CleanupReport
from framepipe.pipeline.report import MakeReport
from framepipe.sweeps.points import name_of, text_of


@dataclass(frozen=True, repr=False)
class SweepPoint(Summary):
    """One combination of values, and what became of it.

    Attributes
    ----------
    values : dict of str to object
    store : Path
    report : MakeReport or None
        None if it failed.
    error : FramepipeError or None
    seconds : float
        On the clock.
    """

    values: Mapping[str, Any]
    store: Path
    report: MakeReport | None
    error: FramepipeError | None
    seconds: float

    @property
    def name(self) -> str:
        """Its values, as ``amplitude=0.5,phase=1``."""
        return name_of(self.values)

    def summary(self) -> str:
        """See `Summary`."""
        if self.report is None:
            return f"{self.name}: {str(self.error).splitlines()[0]}"
        movies = ", ".join(short_path(movie.path) for movie in self.report.movies)
        render = self.report.render
        kept = f", {render.kept} were done" if render.kept else ""
        return f"{self.name}: {movies}, {len(render.drawn)} frames drawn{kept}"

    def to_dict(self) -> dict[str, Any]:
        """Convert for JSON."""
        return {
            "values": dict(self.values),
            "store": str(self.store),
            "seconds": round(self.seconds, 3),
            "error": None if self.error is None else str(self.error),
            **({} if self.report is None else self.report.to_dict()),
        }


@dataclass(frozen=True, repr=False)
class SweepReport(Summary):
    """The result of `sweep`.

    Attributes
    ----------
    points : tuple of SweepPoint
    cleanups : tuple of CleanupReport
        Empty if the frames were kept.
    grid : MakeReport or None
        Of the movie of all points.
    """

    points: tuple[SweepPoint, ...]
    cleanups: tuple[CleanupReport, ...] = ()
    grid: MakeReport | None = None

    def summary(self) -> str:
        """See `Summary`: a table, a line for each point."""
        names = list(self.points[0].values)
        rows = [(*names, "frames", "seconds", "movies")]
        for point in self.points:
            values = (text_of(value) for value in point.values.values())
            report, failed = point.report, str(point.error).splitlines()[0] if point.error else ""
            frames = "" if report is None else str(report.render.kept + len(report.render.drawn))
            movies = "" if report is None else ", ".join(short_path(each.path) for each in report.movies)
            rows.append((*values, frames, f"{point.seconds:.1f}", movies or f"failed: {failed}"))
        lines = table(rows)
        lines += [movie.summary() for movie in self.grid.movies] if self.grid else []
        deleted = sum(each.deleted for each in self.cleanups)
        return "\n".join([*lines, *([f"{deleted} frames deleted"] if self.cleanups else [])])

    def timings(self) -> str:
        """Where the time of each point went."""
        return "\n".join(f"{each.name}\n{each.report.timings()}" for each in self.points if each.report)

    def to_dict(self) -> dict[str, Any]:
        """Convert for JSON."""
        return {
            "points": [each.to_dict() for each in self.points],
            "cleanup": [each.to_dict() for each in self.cleanups],
            "grid": self.grid.to_dict() if self.grid else None,
        }


def failure_message(points: Sequence[SweepPoint]) -> str:
    """Return what is said of points that failed."""
    failed = [each for each in points if each.error]
    lines = [f"{len(failed)} of {len(points)} points failed"]
    lines += [f"  {each.summary()}" for each in failed[:10]]
    lines += [f"  and {len(failed) - 10} others"] if len(failed) > 10 else []
    first = failed[0]
    lines.append(f"The frames of all points are kept. The first one, in full: {first.name}")
    lines.append(str(first.error))
    return "\n".join(lines)
