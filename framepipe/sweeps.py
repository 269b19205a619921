"""One movie for each combination of parameters: `sweep`, which resumes as a whole."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framepipe.core.control import ProgressCallback, Stop
from framepipe.core.summary import Summary, short_path
from framepipe.errors import FramepipeError, Interrupted, SweepFailed, UsageError
from framepipe.grids import grid as make_grid
from framepipe.movie.check import clean
from framepipe.movie.cleanup import CleanupReport
from framepipe.options import DrawOptions, EncodeOptions, SceneOptions, takes
from framepipe.pipeline import MakeKeywords, MakeReport, PathLike, check_outputs, make
from framepipe.rendering.engines.mpi import among_ranks
from framepipe.scenes.address import split_address
from framepipe.timeline import Timing

if TYPE_CHECKING:
    from typing_extensions import Unpack

_MAX_POINTS = 10_000


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
        return f"{self.name}: {movies}, {len(render.drawn)} frames drawn, {render.kept} were done"

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
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]
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


@takes(SceneOptions, DrawOptions, Timing, EncodeOptions)
@among_ranks
def sweep(
    scene: str | Callable[..., Any],
    frames: Any = None,
    output: PathLike | Sequence[PathLike] = (),
    *,
    values: Mapping[str, Sequence[Any]],
    grid: PathLike | None = None,
    store: PathLike | None = None,
    keep_frames: bool = False,
    progress: bool | ProgressCallback | None = None,
    stop: Stop | None = None,
    **options: Unpack[MakeKeywords],
) -> SweepReport:
    """Make a movie for each combination of parameters, one after the other, each with all workers.

    A point that fails does not end the others. Frames are deleted when all points have their movies; until
    then the same call goes on: frames that are done stay.

    Parameters
    ----------
    scene : callable or str
        What draws, with a parameter for each name in ``values``; see `make`.
    frames, progress, stop
        See `make`.
    output : path-like or sequence of path-like
        With ``{name}`` for each name in ``values`` that has several: ``"{amplitude}_{phase}.mp4"``.
    values : mapping of str to sequence
        Values by the name of a parameter; all combinations are made, the last name varying fastest.
    grid : path-like, optional
        One more movie, of all points side by side with their values above, see `framepipe.grid`.
    store : path-like, optional
        The folder of the points' stores, as ``STORE/amplitude=0.5,phase=1``. Default:
        ``frames/<script>-<name>-sweep``.
    keep_frames : bool
        Do not delete the frames.

    Returns
    -------
    SweepReport

    Raises
    ------
    UsageError
        Two points would have the same movie; there is no point; the first one cannot be made as it is asked.
    SweepFailed
        Some points failed; its ``report`` has all of them.
    Interrupted
    """
    points = combinations(values)
    if grid is not None:
        check_outputs([Path(grid)])
    outputs = [output] if isinstance(output, (str, os.PathLike)) else list(output)
    movies = [[_named(path, point) for path in outputs] for point in points]
    _check_distinct(movies, points)
    folder = Path(store) if store is not None else Path("frames", f"{_name_of_scene(scene)}-sweep")
    base: Mapping[str, Any] = options.get("params") or {}
    if twice := sorted({*base} & {*values}):
        raise UsageError(f"{', '.join(twice)}: given both as a parameter and as values of the sweep")
    done: list[SweepPoint] = []
    for point, paths in zip(points, movies):
        options["params"] = {**base, **point}
        where, began = folder / _folder_name(point), time.perf_counter()
        report, error = None, None
        try:
            with _saying_which(point, len(done) + 1, len(points)):
                report = make(
                    *(scene, frames, paths),
                    store=where,
                    keep_frames=True,
                    progress=progress,
                    stop=stop,
                    **options,
                )
        except Interrupted:
            raise
        except FramepipeError as failure:
            if isinstance(failure, UsageError) and not done:  # it is the same for all
                raise
            error = failure
        done.append(SweepPoint(point, where, report, error, time.perf_counter() - began))
    if errors := [each.error for each in done if each.error]:
        message = _failure_message(done)
        raise SweepFailed(message, report=SweepReport(tuple(done)), exit_code=errors[0].exit_code)
    side_by_side = None
    if grid is not None:
        columns = len(list(values.values())[-1]) if len(values) > 1 else None
        grid_options = {**_for_a_grid(options), "progress": progress, "stop": stop}
        side_by_side = _side_by_side(done, grid, columns, folder / "grid", grid_options)
    cleanups = () if keep_frames else tuple(clean(each.store) for each in done)
    if not keep_frames:
        _remove_if_empty(folder)
    return SweepReport(tuple(done), cleanups, side_by_side)


@contextlib.contextmanager
def _saying_which(point: Mapping[str, Any], position: int, total: int) -> Iterator[None]:
    """Say in the message of an interruption at which point of the sweep it was."""
    try:
        yield
    except Interrupted as interruption:
        raise Interrupted(
            f"{name_of(point)}, {position} of {total} points: {interruption}",
            signal_name=interruption.signal_name,
        ) from None


def _side_by_side(
    points: Sequence[SweepPoint], output: PathLike, columns: int | None, store: Path, options: dict[str, Any]
) -> MakeReport:
    """Make the movie of all points, with their values above."""
    titles = [each.name.replace(",", ", ") for each in points]
    return make_grid(
        [each.store for each in points], output, columns=columns, titles=titles, store=store, **options
    )


def _for_a_grid(options: MakeKeywords) -> dict[str, Any]:
    """Return the options that say how movies are encoded, their rate, and how many workers draw."""
    names = {"fps", "loop", "workers", *EncodeOptions.__dataclass_fields__} - {"labels", "title", "metadata"}
    return {name: value for name, value in options.items() if name in names}


def combinations(values: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return all combinations of values by name.

    >>> combinations({"a": [1, 2], "b": "xy"})
    [{'a': 1, 'b': 'x'}, {'a': 1, 'b': 'y'}, {'a': 2, 'b': 'x'}, {'a': 2, 'b': 'y'}]

    Raises
    ------
    UsageError
        A name has no values, or there are more than 10,000 combinations.
    """
    if not values:
        raise UsageError("a sweep needs values of at least one parameter, as amplitude=0.5,1,2")
    for name, each in values.items():
        if not len(each):
            raise UsageError(f"{name} has no values to sweep over")
    count = 1
    for each in values.values():
        count *= len(each)
    if count > _MAX_POINTS:
        raise UsageError(f"{count:,} combinations; {_MAX_POINTS:,} are supported. Split the sweep")
    return [dict(zip(values, combination)) for combination in itertools.product(*values.values())]


def parse_values(text: str) -> list[Any]:
    """Parse the values of a parameter: ``0.5,1,2``, or ``START:STOP`` or ``START:STOP:STEP`` without STOP.

    >>> parse_values("0.5,1,high"), parse_values("0:3"), parse_values("0:1:0.25")
    ([0.5, 1, 'high'], [0, 1, 2], [0, 0.25, 0.5, 0.75])

    Raises
    ------
    UsageError
    """
    if re.fullmatch(r"[^,:]+:[^,:]+(:[^,:]+)?", text):
        try:
            bounds = [Decimal(part.strip()) for part in text.split(":")]
        except InvalidOperation:
            return [text]
        start, stop, step = [*bounds, Decimal(1)][:3]
        if not all(each.is_finite() for each in bounds) or step == 0:
            raise UsageError(f"range {text}: START:STOP:STEP are finite numbers, and STEP is not 0")
        count = max(0, math.ceil((stop - start) / step))
        if count > _MAX_POINTS:
            raise UsageError(f"range {text} has {count:,} values; {_MAX_POINTS:,} are supported")
        return [_plain(start + k * step) for k in range(count)]
    return [_parsed(part.strip()) for part in text.split(",") if part.strip()]


def _plain(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def text_of(value: Any) -> str:
    """Return a value as it stands in names: ``0.5``, ``high``."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def name_of(point: Mapping[str, Any]) -> str:
    """Return a point's values as ``amplitude=0.5,phase=1``."""
    return ",".join(f"{name}={text_of(value)}" for name, value in point.items())


def _folder_name(point: Mapping[str, Any]) -> str:
    return ",".join(f"{name}={_of_a_file(value)}" for name, value in point.items())


def _of_a_file(value: Any) -> str:
    """Return a value as a part of a file's name: letters, digits and ``. _ + -``."""
    return re.sub(r"[^\w.+-]+", "-", text_of(value)).strip(".")[:60] or "-"


def _named(path: PathLike, point: Mapping[str, Any]) -> str:
    text = os.fspath(path)
    for name, value in point.items():
        text = text.replace(f"{{{name}}}", _of_a_file(value))
    return text


def _check_distinct(movies: Sequence[Sequence[str]], points: Sequence[Mapping[str, Any]]) -> None:
    point_of: dict[str, Mapping[str, Any]] = {}
    for paths, point in zip(movies, points):
        for path in paths:
            if (other := point_of.setdefault(path, point)) is not point:
                names = [name for name in point if text_of(point[name]) != text_of(other[name])]
                placeholder = f"{{{names[0]}}}" if names else "a name for each point"
                raise UsageError(
                    f"{name_of(other)} and {name_of(point)} would both be {path}: put {placeholder} into -o"
                )
    folders = {_folder_name(point) for point in points}
    if len(folders) < len(points):
        raise UsageError("two points have the same values, as far as a file name can show them")


def _name_of_scene(scene: str | Callable[..., Any]) -> str:
    if not isinstance(scene, str):
        return str(getattr(scene, "__name__", type(scene).__name__)).strip("<>")
    script, name = split_address(scene)
    return "-".join(part for part in (Path(script).stem, name) if part)


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # something else is in it
        return


def _failure_message(points: Sequence[SweepPoint]) -> str:
    failed = [each for each in points if each.error]
    lines = [f"{len(failed)} of {len(points)} points failed"]
    lines += [f"  {each.summary()}" for each in failed[:10]]
    lines += [f"  and {len(failed) - 10} others"] if len(failed) > 10 else []
    first = failed[0]
    lines.append(f"The frames of all points are kept. The first one, in full: {first.name}")
    lines.append(str(first.error))
    return "\n".join(lines)
