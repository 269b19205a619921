"""`sweep`: one movie for each combination of parameters, which resumes as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framepipe.core.control import Control, ProgressCallback, Stop
from framepipe.core.cpus import usable_cpus
from framepipe.core.files import PathLike
from framepipe.core.progress_bar import controlled
from framepipe.errors import SweepFailed
from framepipe.grids import grid as make_grid
from framepipe.movie.check import clean
from framepipe.options import DrawOptions, EncodeOptions, SceneOptions, split, takes
from framepipe.pipeline.checks import check_outputs
from framepipe.pipeline.frames_for_movies import FramesForMovies
from framepipe.pipeline.make import MakeKeywords, draw_frames
from framepipe.rendering.engines.mpi import among_ranks
from framepipe.rendering.engines.slots import Slots
from framepipe.scenes.loading import refuse_while_loading
from framepipe.sweeps.making import make_in_a_row, make_side_by_side
from framepipe.sweeps.points import (
    Point,
    columns_of,
    encode_options_of_grid,
    folder_of,
    points_of,
    title_of,
)
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

    While a point's last frames are drawn, and its movie is encoded and verified, the next ones are drawn: of
    a scene that is given by its address, by engine local, dask or an executor. Of a function of the program
    itself, and by the other engines, the next point is drawn while the movie of one is made.

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
            side_by_side = make_grid(
                [each.store for each in done],
                grid,
                columns=columns_of(values),
                titles=[title_of(each.values) for each in done],
                store=folder / "grid",
                workers=options.get("workers"),
                progress=control.progress,
                stop=control.stop,
                **encode_options_of_grid(options),
            )
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
    """Make all points, side by side if their scenes are loaded in other processes."""
    _, draw, *_ = split(options, SceneOptions, DrawOptions, Timing, EncodeOptions, verb="sweep")
    slots = _slots(scene, draw) if len(points) > 1 else None
    params = options.get("params") or {}

    keywords: dict[str, Any] = {**options}

    def draw_point(at: int, note: ProgressCallback, stop: Stop) -> FramesForMovies:
        return draw_frames(
            *(scene, frames, points[at].outputs),
            store=points[at].store,
            keep_frames=True,
            control=Control(note, stop),
            slots=slots,
            **{**keywords, "params": {**params, **points[at].values}},
        )

    progress = SweepProgress(control.progress, name, [each.name for each in points])
    make_points = make_side_by_side if slots else make_in_a_row
    return make_points(points, draw_point, control, progress)


def _slots(scene: str | Callable[..., Any], draw: DrawOptions) -> Slots | None:
    """Return what the workers of points that are drawn side by side share; None if they cannot be.

    An object is of this process: its own threads must not load or draw it, see `make_in_a_row`. Engine serial
    and an engine that is an object draw one thing at a time.
    """
    if not isinstance(scene, str) or draw.engine in ("serial", "mpi") or hasattr(draw.engine, "pool"):
        return None
    if draw.engine != "local":
        return Slots(draw.workers or 1)  # the engine knows how many there are, from time to time
    workers = draw.workers or usable_cpus()
    return Slots(workers) if workers > 1 else None


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # something else is in it
        return
