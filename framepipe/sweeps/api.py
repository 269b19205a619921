"""`sweep`: one movie for each combination of parameters, which resumes as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framepipe.core.control import Control, ProgressCallback, Stop
from framepipe.core.cpus import usable_cpus
from framepipe.core.progress_bar import controlled
from framepipe.errors import SweepFailed
from framepipe.grids import grid as make_grid
from framepipe.movie.check import clean
from framepipe.options import DrawOptions, EncodeOptions, SceneOptions, options_of, split, takes
from framepipe.pipeline import MakeKeywords, MakeReport, check_outputs, make
from framepipe.rendering.engines import LocalEngine
from framepipe.rendering.engines.mpi import among_ranks
from framepipe.rendering.engines.slots import Slots
from framepipe.scenes.loading import refuse_while_loading
from framepipe.sweeps.making import make_in_a_row, make_side_by_side
from framepipe.sweeps.points import PathLike, Point, folder_of, points_of
from framepipe.sweeps.progress import SweepProgress
from framepipe.sweeps.report import SweepPoint, SweepReport, failure_message
from framepipe.timeline import Timing

if TYPE_CHECKING:
    from typing_extensions import Unpack


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
    """Make a movie for each combination of parameters, in order, with one pool of workers for all.

    While a point's last frames are drawn, and its movie is encoded and verified, the next ones are drawn: by
    engine local, of a scene that is given by its address. Else one point is made after the other.

    A point that fails does not end the others. Frames are deleted when all points have their movies; until
    then the same call goes on: frames that are done stay.

    Parameters
    ----------
    scene : callable or str
        What draws, with a parameter for each name in ``values``; see `make`.
    frames, stop
        See `make`.
    progress : bool or callable, optional
        See `make`; its frames are those of all points.
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
    refuse_while_loading("sweep")
    folder = folder_of(scene, store)
    points = points_of(values, output, folder, options.get("params") or {})
    if grid is not None:
        check_outputs([Path(grid)])
    with controlled(progress, stop) as control:
        done = _make_all(scene, frames, points, folder.name, options, control)
        if errors := [each.error for each in done if each.error]:
            message = failure_message(done)
            raise SweepFailed(message, report=SweepReport(tuple(done)), exit_code=errors[0].exit_code)
        side_by_side = None
        if grid is not None:
            columns = len(list(values.values())[-1]) if len(values) > 1 else None
            grid_options = {**_for_a_grid(options), "progress": control.progress, "stop": control.stop}
            side_by_side = _side_by_side(done, grid, columns, folder / "grid", grid_options)
    cleanups = () if keep_frames else tuple(clean(each.store) for each in done)
    if not keep_frames:
        _remove_if_empty(folder)
    return SweepReport(tuple(done), cleanups, side_by_side)


def _make_all(
    scene: str | Callable[..., Any],
    frames: Any,
    points: Sequence[Point],
    name: str,
    options: MakeKeywords,
    control: Control,
) -> list[SweepPoint]:
    """Make all points, side by side if their workers are forked in other processes."""
    _, draw, *_ = split(options, SceneOptions, DrawOptions, Timing, EncodeOptions, verb="sweep")
    workers = draw.workers or usable_cpus()
    is_local = draw.engine == "local" and isinstance(
        scene, str
    )  # an object is of this process, see `Original`
    slots = Slots(workers) if is_local and workers > 1 and len(points) > 1 else None
    common: dict[str, Any] = {key: value for key, value in options.items() if key not in _OF_DRAWING}
    params = options.get("params") or {}

    def make_point(at: int, note: ProgressCallback, stop: Stop) -> MakeReport:
        engine = _sharing_engine(draw, slots) if slots else draw.engine
        return make(
            *(scene, frames, points[at].outputs),
            store=points[at].store,
            keep_frames=True,
            progress=note,
            stop=stop,
            **{**common, "draw": replace(draw, engine=engine), "params": {**params, **points[at].values}},
        )

    progress = SweepProgress(control.progress, name, [each.name for each in points])
    make_points = make_side_by_side if slots else make_in_a_row
    return make_points(points, make_point, control, progress)


_OF_DRAWING = {"draw", *options_of(DrawOptions)}


def _sharing_engine(draw: DrawOptions, slots: Slots) -> LocalEngine:
    return LocalEngine(
        frame_timeout_s=draw.frame_timeout_s, max_frames_per_worker=draw.max_frames_per_worker, slots=slots
    )


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


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # something else is in it
        return
