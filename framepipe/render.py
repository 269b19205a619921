"""From a job to frames in the store: find what is pending, draw it through an engine, report."""

from __future__ import annotations

import os
import re
import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from framepipe import files
from framepipe.control import Progress, ProgressCallback, Stop, ignore_progress
from framepipe.engines import Engine, Failed, Run, Work, choose
from framepipe.errors import (
    EngineError,
    FramesFailed,
    IncompleteStore,
    Interrupted,
    StoreError,
    UsageError,
)
from framepipe.frames import Frames, format_range, parse_range
from framepipe.job import Canvas, Job, JobRecord
from framepipe.scenes.canvas import Fit
from framepipe.scenes.function import FunctionScene
from framepipe.scenes.load import Loaded, load, refuse_while_loading
from framepipe.store import Store, StoreStatus

STALE = ("draw", "keep", "error")


@dataclass(frozen=True)
class RenderReport:
    """What a render did.

    Attributes
    ----------
    store : Path
    total : int
        Frames that this run was to see to (those of its shard).
    drawn : tuple of int
        Numbers of frames drawn now.
    kept : int
        Frames that were done before.
    redrawn : dict of str to int
        Why frames that were there were drawn again: reason -> how many.
    failed : tuple of Failed
    engine : str
    workers : int
    seconds : float
    resumable : bool
        ``framepipe resume`` can go on with it; else the program that started it must.
    """

    store: Path
    total: int
    drawn: tuple[int, ...] = ()
    kept: int = 0
    redrawn: Mapping[str, int] = field(default_factory=dict)
    failed: tuple[Failed, ...] = ()
    engine: str = ""
    workers: int = 0
    seconds: float = 0.0
    resumable: bool = True

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "store": str(self.store),
            "total": self.total,
            "drawn": format_range(self.drawn),
            "drawn_count": len(self.drawn),
            "kept": self.kept,
            "redrawn": dict(self.redrawn),
            "failed": {str(each.number): each.message for each in self.failed},
            "engine": self.engine,
            "workers": self.workers,
            "seconds": round(self.seconds, 3),
        }


def make_job(
    scene: Callable[..., Any] | str,
    frames: Any,
    *,
    params: Mapping[str, Any] | None = None,
    inputs: Iterable[str | os.PathLike[str]] = (),
    dpi: float | None = None,
    tight: bool = False,
    transparent: bool | None = None,
) -> Job:
    """A job from what a user gives; parameters as in `render`."""
    loaded = load(scene) if isinstance(scene, str) else None
    canvas = Canvas(dpi, tight, transparent)
    drawing = FunctionScene(loaded.thing if loaded else scene, params, loaded)  # type: ignore[arg-type]
    planned = Frames.of(frames, lookup=_lookup(loaded))
    paths = tuple(sorted(map(_input, inputs)))
    return Job(drawing, planned, canvas, paths)


def _input(path: str | os.PathLike[str]) -> Path:
    found = Path(os.path.abspath(path))
    if not os.fspath(path) or not found.exists():
        raise UsageError(f"input {os.fspath(path)!r} does not exist")
    return found


def _lookup(loaded: Loaded | None) -> Callable[[str], Any] | None:
    return loaded.lookup if loaded else None


def default_store(job: Job) -> Path:
    """``frames/<script>-<name>`` below the working folder."""
    scene = job.scene
    stem = getattr(scene, "stem", "notebook")
    name = "".join(char if char.isalnum() or char in "-_" else "" for char in scene.name)
    return Path("frames") / f"{stem}-{name or 'draw'}"


def parse_shard(shard: str | tuple[int, int] | None) -> tuple[int, int]:
    """``"K/N"`` as (K, N), 1 <= K <= N; None is (1, 1).

    Raises
    ------
    UsageError
    """
    if shard is None:
        return 1, 1
    texts = shard.split("/") if isinstance(shard, str) else [str(part) for part in shard]
    if len(texts) == 2 and all(re.fullmatch("[0-9]{1,9}", text) for text in texts):
        k, n = map(int, texts)
        if 1 <= k <= n:
            return k, n
    raise UsageError(f"shard {shard} is not K/N with 1 <= K <= N. Example: 2/8")


def render(
    scene: Callable[..., Any] | str,
    frames: Any,
    *,
    store: str | os.PathLike[str] | None = None,
    params: Mapping[str, Any] | None = None,
    inputs: Iterable[str | os.PathLike[str]] = (),
    dpi: float | None = None,
    tight: bool = False,
    transparent: bool | None = None,
    engine: str | Engine = "local",
    workers: int | None = None,
    shard: str | tuple[int, int] | None = None,
    only: str | None = None,
    stale: str = "draw",
    frame_timeout_s: float | None = None,
    recycle: int = 500,
    max_failures: int | None = None,
    progress: ProgressCallback | None = None,
    stop: Stop | None = None,
) -> RenderReport:
    """Draw the frames that are not in the store yet.

    Parameters
    ----------
    scene : callable or str
        A function of one frame's value that returns a Figure (or an Axes, or draws on pyplot's
        current figure), or the address of one, ``"SCRIPT.py:NAME"``, ``"package.module:NAME"``.
    frames : int, range, str or sequence
        See `Frames.of`.
    store : path-like, optional
        Folder of the frames. Default: ``frames/<script>-<name>``.
    params : mapping, optional
        Keyword arguments of the function, the same for all frames.
    inputs : iterable of path-like
        Files that the function reads: when one changes, the frames are stale.
    dpi : float, optional
        As in ``savefig``. Default: ``savefig.dpi``, then the figure's.
    tight : bool
        Cut all frames to the tight box of the first frame.
    transparent : bool, optional
        As in ``savefig``.
    engine : {"local", "serial"} or Engine
        Where drawing runs: processes of this machine, or this process.
    workers : int, optional
        Processes. Default: as many as this process may use.
    shard : str or tuple of int, optional
        ``"K/N"`` draws frames K-1, K-1+N, K-1+2N … of the plan.
    only : str, optional
        A frame range: draw only these numbers of the plan, whether done or not.
    stale : {"draw", "keep", "error"}
        What to do with frames that another version of the job drew.
    frame_timeout_s : float, optional
        Seconds after which a frame is given up (and tried once more, alone).
    recycle : int
        Frames after which a worker process is replaced. Default 500: a start of about a second
        in some hundred frames is little, and leaks of user code stay bounded.
    max_failures : int, optional
        Stop after more than this many failed frames. Default: draw all that can be drawn.
    progress : callable, optional
        Called with a `Progress` after each frame, in this thread.
    stop : Stop, optional
        To ask for a stop from a signal handler or another thread.

    Returns
    -------
    RenderReport

    Raises
    ------
    UsageError
        Wrong arguments; nothing was drawn.
    FramesFailed
        Some frames could not be drawn; the others are in the store. Has the ``report``.
    StoreError
        The store cannot be written.
    IncompleteStore
        With ``stale="error"``: frames are stale; ``status`` says which and why.
    Interrupted
        A stop was requested; the same call goes on.
    """
    refuse_while_loading("render")
    job = make_job(scene, frames, params=params, inputs=inputs, dpi=dpi, tight=tight, transparent=transparent)
    return render_job(
        job,
        Store(store if store is not None else default_store(job)),
        choose(engine, workers=workers, frame_timeout_s=frame_timeout_s, recycle=recycle),
        shard=shard,
        only=only,
        stale=stale,
        max_failures=max_failures,
        progress=progress,
        stop=stop,
    )


def render_job(
    job: Job,
    store: Store,
    engine: Engine,
    *,
    shard: str | tuple[int, int] | None = None,
    only: str | None = None,
    stale: str = "draw",
    max_failures: int | None = None,
    progress: ProgressCallback | None = None,
    stop: Stop | None = None,
    record: JobRecord | None = None,
) -> RenderReport:
    """`render` for a job that stands; parameters, result and errors as there.

    Parameters
    ----------
    record : JobRecord, optional
        What the job was when it began, if the caller needs it too. Default: as it is now.
    """
    if stale not in STALE:
        raise UsageError(f"stale is {stale!r}; give one of {', '.join(STALE)}")
    if max_failures is not None and max_failures < 0:
        raise UsageError(f"max_failures is {max_failures}; give 0 or more")
    mine = _mine(job.frames, shard, only)
    began = time.monotonic()
    stop, tell = stop or Stop(), progress or ignore_progress
    store.create()
    store.sweep()
    before, record = store.known_job(), record or job.record()
    if before and record.goal is None and before.parts == record.parts:
        record = replace(record, goal=before.goal)  # a make that is helped along stays a make
    values = job.frames.by_number()
    found = store.scan(record, values=values, numbers=mine, deep=True, before=before)
    if before and found.stale and _name(before) != _name(record):
        raise StoreError(
            f"{store.path} holds frames of {_name(before)}, which {_name(record)} would draw over: "
            "choose another --store, or remove that one"
        )
    if found.stale and stale == "error":
        raise IncompleteStore(_stale_message(found), status=found)
    store.write_job(record)
    pending = _pending(found, mine, keep_stale=stale == "keep", again=only is not None)
    kept = len(mine) - len(pending)

    def told(run: Run) -> None:
        done = kept + len(run.drawn) + len(run.failed)
        tell(Progress("draw", done, len(mine), len(run.failed), store.path.name))

    run = Run(record.numbers[0], values, stop, max_failures, told)
    told(run)
    if pending:
        work = Work(job.scene, job.canvas, record, store.path)  # type: ignore[arg-type]
        with engine.crew(work, stop, len(pending)) as crew:
            run.draw(crew, pending, _known_fit(found, job))
        files.sync_folder(store.path)
    report = RenderReport(
        store=store.path,
        total=len(mine),
        drawn=tuple(run.drawn),
        kept=kept,
        redrawn=_redrawn(found, pending),
        failed=tuple(sorted(run.failed, key=lambda each: each.number)),
        engine=engine.name,
        workers=min(engine.workers, len(pending)),
        seconds=time.monotonic() - began,
        resumable=record.resumable,
    )
    _judge(report, stop, pending)
    return report


def _mine(frames: Frames, shard: str | tuple[int, int] | None, only: str | None) -> list[int]:
    k, n = parse_shard(shard)
    numbers = list(frames.numbers)[k - 1 :: n]
    if only is None:
        return numbers
    asked = parse_range(only)
    unknown = set(asked) - set(frames.numbers)
    if unknown:
        raise UsageError(f"only {only}: frames {format_range(unknown)} are not in the plan")
    wanted = set(asked)
    return [number for number in numbers if number in wanted]


def _pending(found: StoreStatus, mine: Sequence[int], *, keep_stale: bool, again: bool) -> list[int]:
    if again:
        return list(mine)
    done = {*found.done, *(found.stale if keep_stale else ())}
    return [number for number in mine if number not in done]


def _name(record: JobRecord) -> str:
    """The scene's name with its file's, as a person would say it."""
    place = (record.ref or "").rpartition(":")[0]
    return f"{Path(place).name}:{record.name}" if place else record.name


def _known_fit(found: StoreStatus, job: Job) -> Fit | None:
    """What done frames have fixed, if it can be read from them (a tight box cannot)."""
    return Fit(found.shape) if found.shape and not job.canvas.tight else None


def _redrawn(found: StoreStatus, pending: Sequence[int]) -> dict[str, int]:
    wanted = set(pending)
    reasons = [(f"stale: {why}", number) for number, why in found.stale.items()]
    reasons += [(f"broken: {why}", number) for number, why in found.broken.items()]
    return dict(Counter(reason for reason, number in reasons if number in wanted))


def _stale_message(found: StoreStatus) -> str:
    return (
        f"{len(found.stale)} of {found.total} frames in {found.path} are stale:\n  "
        + "\n  ".join(line for line in found.problems() if line.startswith("stale"))
        + "\nDraw them again with --stale draw, or use them as they are with --stale keep"
    )


def _judge(report: RenderReport, stop: Stop, pending: Sequence[int]) -> None:
    left = len(pending) - len(report.drawn) - len(report.failed)
    if stop.requested and left:
        raise Interrupted(
            f"stopped{stop.by}: "
            f"{report.kept + len(report.drawn)} of {report.total} frames are safe in {report.store}. "
            "Run the same again to go on",
            signal_name=stop.signal_name,
            report=report,
        )
    if report.failed:
        raise FramesFailed(failure_message(report, left), report=report)
    if left:
        raise EngineError(f"engine {report.engine} gave no outcome for {left} frames")


def failure_message(report: RenderReport, left: int = 0) -> str:
    """What failed, alike failures together, each with one traceback and the next step."""
    alike: dict[tuple[str, str], list[Failed]] = {}
    for each in report.failed:
        alike.setdefault((each.kind, each.message), []).append(each)
    lines = [f"{len(report.failed)} of {report.total} frames failed"]
    for group in alike.values():
        numbers = [each.number for each in group]
        lines.append(f"frame{'s' if len(group) > 1 else ''} {format_range(numbers)}: {group[0].message}")
        if group[0].traceback:
            lines.append(group[0].traceback)
    if left:
        lines.append(f"Stopped there (--max-failures); {left} frames were not tried.")
    if report.kept + len(report.drawn):
        lines.append(f"The other frames are safe in {report.store}.")
    number = report.failed[0].number
    if report.resumable:
        again = f"framepipe resume {shlex.quote(str(report.store))} --only {number} --engine serial"
    else:
        again = f'framepipe.render(…, only="{number}", engine="serial")'
    lines.append(f"Draw one in this process, to look into it:\n  {again}")
    lines.append("Then run the same again; or build without them: framepipe assemble … --missing hold")
    return "\n".join(lines)
