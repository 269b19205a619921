"""One render: what is pending, in an order that is safe, through an engine, with a report of it."""

from __future__ import annotations

import itertools
import shlex
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from framepipe import files
from framepipe.control import Progress, ProgressCallback, Stop, ignore_progress
from framepipe.engines import (
    CannotSend,
    Engine,
    Failed,
    LocalEngine,
    OrderMatters,
    Run,
    SerialEngine,
    Shots,
    Work,
)
from framepipe.errors import (
    EngineError,
    FramesFailed,
    IncompleteStore,
    Interrupted,
    StoreError,
    UsageError,
)
from framepipe.frames import format_range
from framepipe.job import Job, JobRecord, Order
from framepipe.pictures import read_png
from framepipe.scenes.animation import AnimationScene
from framepipe.scenes.base import Scene
from framepipe.scenes.canvas import Fit, picture_of
from framepipe.scenes.function import FunctionScene
from framepipe.scenes.generator import GeneratorScene
from framepipe.store import Store, StoreStatus

#: Updates that a check of the order runs through: of a function, which makes figures; of an animation.
_FAR, _FAR_UPDATES = 6, 100


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
    order : {"free", "replay", "serial"}
        How it was drawn, see `render`.
    notes : tuple of str
        What the user should know, as why it was drawn in that order.
    ended : int or None
        Frames that the scene has, if it came to its end.
    record : JobRecord or None
        What ``job.json`` says now.
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
    order: str = "free"
    notes: tuple[str, ...] = ()
    ended: int | None = None
    record: JobRecord | None = None

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
            "order": self.order,
            "notes": list(self.notes),
        }


class Rendering:
    """One render: looks at the store, draws what is pending in an order that is safe, and reports."""

    def __init__(
        self,
        job: Job,
        store: Store,
        engine: Engine,
        mine: Sequence[int],
        again: bool,
        stale: str,
        max_failures: int | None,
        progress: ProgressCallback | None,
        stop: Stop | None,
    ) -> None:
        self._job, self._store, self._engine = job, store, engine
        self._mine, self._again, self._stale, self._max_failures = mine, again, stale, max_failures
        self._progress, self._stop = progress or ignore_progress, stop or Stop()
        self._growing = job.frames.extent == "growing"
        self._notes: list[str] = []
        self._touched = False
        self._drawn_now: set[int] = set()  # before the order turned out to matter

    def carry_out(self, record: JobRecord, asked: str) -> RenderReport:
        """Draw; where the order turns out to matter, draw again in one that is safe."""
        began = time.monotonic()
        self._store.create()
        self._store.sweep()
        before = self._store.known_job()
        runs_on = not self._engine.splits and isinstance(self._job.scene, AnimationScene)
        record = _going_on(record, before, asked, runs_on)
        while True:
            try:
                report = self._draw(record, before, checked=asked == "auto")
            except CannotSend as error:
                if not isinstance(self._job.scene, AnimationScene):
                    raise
                reason = str(error).partition("\n")[0]
                self._notes.append(f"drawn in this process, one frame after the other: {reason}")
                self._engine = SerialEngine()
                if asked == "auto" and record.order == "free":
                    record = record.in_order("replay")
            except OrderMatters as finding:
                if self._touched and not self._engine.splits and isinstance(self._job.scene, FunctionScene):
                    raise EngineError(  # what it has run in this process cannot be undone
                        f"{finding.text}. Engine serial cannot do that in this process: use --engine local"
                    ) from None
                self._drawn_now |= set(self._run.drawn)
                self._notes.append(finding.text)
                self._again |= finding.order == record.order  # what there is does not fit
                record = record.in_order(finding.order)
            else:
                return _judged(replace(report, seconds=time.monotonic() - began), self._stop)

    def _draw(self, record: JobRecord, before: JobRecord | None, checked: bool) -> RenderReport:
        found = self._look(record, before)
        self._store.write_job(record)
        done = () if self._again else (*found.done, *(found.stale if self._stale == "keep" else ()))
        pending = [] if self._growing else _without(self._mine, done)
        kept = len(done) if self._growing else len(self._mine) - len(pending)

        def told(run: Run) -> None:
            total = None if self._growing else len(self._mine)
            so_far = kept + len(run.drawn) + len(run.failed)
            self._progress(Progress("draw", so_far, total, len(run.failed), self._store.path.name))

        work, shots = self._work(record, checked)
        self._run = run = Run(shots, record.order, self._stop, self._max_failures, told)
        told(run)
        engine = self._engine
        if pending or self._growing:
            fit = _known_fit(found, self._job)
            wanted = engine.workers if self._growing else min(engine.workers, len(pending))
            todo = _endless(set(done)) if self._growing else pending
            samples, seams = self._samples(checked), self._seams(checked, found, done, pending)
            hands = 1 if record.order == "serial" else max(wanted, 2 if samples else 1)
            if record.order == "free" and self._leaves_out(pending):
                self._check_apart(run, work, fit, checked)
            self._touched = True
            with engine.crew(work, self._stop, hands) as crew:
                run.draw(crew, todo, fit, samples, seams, wanted)
            record = self._ended(run, record)
            files.sync_folder(self._store.path)
        return RenderReport(
            store=self._store.path,
            total=len(self._mine) if not self._growing else len(record.numbers) or kept + len(run.drawn),
            drawn=tuple(run.drawn),
            kept=kept,
            redrawn=_redrawn(found, set(run.drawn if self._growing else pending) - self._drawn_now),
            failed=tuple(sorted(run.failed, key=lambda each: each.number)),
            engine=engine.name,
            workers=engine.workers if self._growing else min(engine.workers, len(pending)),
            resumable=record.resumable,
            order=record.order,
            notes=tuple(self._notes),
            ended=run.ended,
            record=record,
        )

    def _look(self, record: JobRecord, before: JobRecord | None) -> StoreStatus:
        frames = self._job.frames
        numbers = None if self._growing else self._mine
        values = None if self._growing else frames.by_number()
        found = self._store.scan(record, values=values, numbers=numbers, deep=True, before=before)
        if before and found.stale and _name(before) != _name(record):
            raise StoreError(
                f"{self._store.path} holds frames of {_name(before)}, which {_name(record)} would draw over: "
                "choose another --store, or remove that one"
            )
        if found.stale and self._stale == "error":
            raise IncompleteStore(_stale_message(found), status=found)
        return found

    def _work(self, record: JobRecord, checked: bool) -> tuple[Work, Shots]:
        frames, scene = self._job.frames, cast(Scene, self._job.scene)
        values: Mapping[int, Any] = frames.by_number()
        if isinstance(scene, GeneratorScene):
            scene, values = scene.run()
        earlier: Any = ()
        if isinstance(scene, FunctionScene) and (record.order != "free" or checked):
            everything = record.order != "free" or frames.are_numbers
            first = range(min(_FAR + 1, len(frames)))
            earlier = frames.values if everything else [frames.values[k] for k in first]
        work = Work(scene, self._job.canvas, record, self._store.path, earlier)
        return work, Shots(frames.numbers[0], frames.index_by_number(), values)

    def _leaves_out(self, pending: Sequence[int]) -> bool:
        """True where a function is drawn in this process, and not all of its frames, as they come."""
        left_out = list(pending) != list(self._job.frames.numbers)
        return left_out and not self._engine.splits and isinstance(self._job.scene, FunctionScene)

    def _check_apart(self, run: Run, work: Work, fit: Fit | None, checked: bool) -> None:
        """Check the order in fresh processes; a function that cannot go there is drawn unchecked."""
        samples = self._samples(checked, apart=True)
        try:
            if samples:
                with LocalEngine(2).crew(work, self._stop, 2) as crew:
                    run.check_order(crew, fit, samples)
        except CannotSend:
            self._notes.append("whether frames depend on those before them could not be checked (order free)")

    def _samples(self, checked: bool, *, apart: bool = False) -> tuple[int, ...]:
        """Frames by which the order is checked: the first ones, and one further on."""
        scene, frames = cast(Scene, self._job.scene), self._job.frames
        if not (checked and (self._engine.splits or apart) and scene.keeps_state):
            return ()
        far = _FAR_UPDATES if isinstance(scene, AnimationScene) and not self._growing else _FAR
        within = [number for number, index in zip(frames.numbers, frames.indices) if 0 < index <= far][:far]
        return tuple(dict.fromkeys([*within[:2], *within[-1:]]))

    def _seams(
        self, checked: bool, found: StoreStatus, done: Collection[int], pending: Collection[int]
    ) -> dict[int, str]:
        """Some frames after which this run goes on, and how they look."""
        runs_on = not self._engine.splits and isinstance(self._job.scene, AnimationScene)
        if not (checked and cast(Scene, self._job.scene).keeps_state and found.shape) or runs_on:
            return {}
        last, to_draw = set(done), set(pending)
        if self._growing:
            at = sorted(number for number in last if number + 1 not in last)
        else:
            at = [one for one, other in pairwise(self._mine) if one in last and other in to_draw]
        fit = Fit(found.shape)
        some = sorted({at[0], at[len(at) // 2], at[-1]} if at else ())
        return {n: picture_of(read_png(self._store.frame_path(n)), fit).digest() for n in some}

    def _ended(self, run: Run, record: JobRecord) -> JobRecord:
        """The record of a growing job whose end was found."""
        if not self._growing or run.ended is None:
            return record
        if run.ended == 0:
            raise UsageError(f"{self._job.scene.name} has no frames: it ended before the first one")
        record = record.ended_at(run.ended)
        self._store.write_job(record)
        return record


def _going_on(record: JobRecord, before: JobRecord | None, asked: str, runs_on: bool) -> JobRecord:
    """The record with what an earlier run of the same job was told or has found out.

    An animation that ``runs_on`` in one process never jumps: its updates cost little.
    """
    same = before is not None and before.in_order("free").parts == record.parts
    if before and same and record.goal is None:
        record = replace(record, goal=before.goal)  # a make that is helped along stays a make
    if asked != "auto":
        return record.in_order(cast(Order, asked))
    if before and same and (before.order != "free" or runs_on):
        return record.in_order(before.order)
    # where only the scene knows its end, each worker runs through its frames anyway
    return record.in_order("replay" if runs_on or record.extent == "growing" else "free")


def _without(numbers: Sequence[int], done: Iterable[int]) -> list[int]:
    gone = set(done)
    return [number for number in numbers if number not in gone]


def _endless(done: set[int]) -> Iterator[int]:
    return (number for number in itertools.count() if number not in done)


def _name(record: JobRecord) -> str:
    """The scene's name with its file's, as a person would say it."""
    place = (record.ref or "").rpartition(":")[0]
    return f"{Path(place).name}:{record.name}" if place else record.name


def _known_fit(found: StoreStatus, job: Job) -> Fit | None:
    """What done frames have fixed, if it can be read from them (a tight box cannot)."""
    return Fit(found.shape) if found.shape and not job.canvas.tight else None


def _redrawn(found: StoreStatus, wanted: set[int]) -> dict[str, int]:
    reasons = [(f"stale: {why}", number) for number, why in found.stale.items()]
    reasons += [(f"broken: {why}", number) for number, why in found.broken.items()]
    return dict(Counter(reason for reason, number in reasons if number in wanted))


def _stale_message(found: StoreStatus) -> str:
    return (
        f"{len(found.stale)} of {found.total} frames in {found.path} are stale:\n  "
        + "\n  ".join(line for line in found.problems() if line.startswith("stale"))
        + "\nDraw them again with --stale draw, or use them as they are with --stale keep"
    )


def _judged(report: RenderReport, stop: Stop) -> RenderReport:
    """The report, if all is well."""
    growing = report.record is not None and report.record.extent == "growing"
    left = 0 if growing else report.total - report.kept - len(report.drawn) - len(report.failed)
    if stop.requested and (left or growing):
        raise Interrupted(
            f"stopped{stop.by}: "
            f"{report.kept + len(report.drawn)}{'' if growing else f' of {report.total}'} frames are safe in "
            f"{report.store}. Run the same again to go on",
            signal_name=stop.signal_name,
            report=report,
        )
    if report.failed:
        raise FramesFailed(failure_message(report, left), report=report)
    if left and report.ended is not None:
        raise FramesFailed(
            f"the scene ended after {report.ended} frames, {left} of those asked for do not exist. The "
            f"others are safe in {report.store}: run it again with --frames {report.ended}",
            report=report,
        )
    if left:
        raise EngineError(f"engine {report.engine} gave no outcome for {left} frames")
    return report


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
