"""One render: draws pending frames through an engine, in a safe order, and reports."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from framepipe.core import files
from framepipe.core.control import Control
from framepipe.errors import (
    EngineError,
    StoreError,
    UsageError,
)
from framepipe.job.fingerprint import digest_value
from framepipe.job.frames import format_range_briefly
from framepipe.job.job import Job, ValueDigests
from framepipe.job.record import JobRecord, Order
from framepipe.job.shards import parse_shard
from framepipe.options import ShardOptions
from framepipe.rendering.engines import CannotSend, Drawn, Engine, Failed, Original, SerialEngine, Work
from framepipe.rendering.engines.base import WorkerPool
from framepipe.rendering.frame_plan import Endless, FramePlan
from framepipe.rendering.helping import shards_in_need, share_of
from framepipe.rendering.order import DiffersElsewhere, OrderMatters, RedrawDiffers
from framepipe.rendering.pending import (
    Pending,
    continue_record,
    endless,
    numbers_of,
    owner_of,
    redrawn_reasons,
    refuse_unfit,
    scene_name,
    without,
)
from framepipe.rendering.presence import Presence, is_stricter
from framepipe.rendering.report import RenderReport, check_report
from framepipe.rendering.run import Run
from framepipe.rendering.schedule import InOrder
from framepipe.rendering.siblings import differences_between
from framepipe.rendering.watched import WatchedPool
from framepipe.scenes.base import Scene
from framepipe.scenes.picture import FrameGeometry
from framepipe.scenes.warned import merged, warning_lines
from framepipe.store.failures import FailureLog
from framepipe.store.status import StoreStatus
from framepipe.store.store import Store

#: How often frames are drawn again because a file changed meanwhile.
_MAX_ROUNDS = 3
#: Number of frames of a scene from Python that are compared between workers and the program itself.
_COMPARED = 2
#: Number of frames whose values tasks compare.
_COMPARED_VALUES = 8
#: Parts of a job in which its tasks may differ though nobody has changed the script on purpose.
_PER_TASK = {"data", "env", "matplotlib", "packages", "seed", "style"}


class Rendering:
    """One render: scans the store, draws pending frames in a safe order, and reports.

    Parameters
    ----------
    job : Job
    store : Store
    engine : Engine
    part : ShardOptions
        Which of the job's frames.
    redraws_all : bool
        Draw them even if they are done.
    stale : {"auto", "draw", "keep", "error"}
    redraw : {"auto", "full"}
    coarse_first : bool
    max_failures : int or None
    time_left_s : float or None
        Seconds that this process has.
    owner : {"make", "render"}
        The verb that draws.
    control : Control
    """

    def __init__(
        self,
        job: Job,
        store: Store,
        engine: Engine,
        *,
        part: ShardOptions,
        stale: str,
        redraw: str,
        coarse_first: bool,
        max_failures: int | None,
        time_left_s: float | None,
        owner: str,
        control: Control,
    ) -> None:
        self._owner = owner
        self._shard, self._helps = parse_shard(part.shard), part.only is None and not part.own_only
        self._job, self._store, self._engine = job, store, engine
        self._scene = cast(Scene, job.scene)
        self._numbers, self._redraws_all = numbers_of(job.frames, part), part.only is not None
        self._stale, self._redraw, self._max_failures = stale, redraw, max_failures
        self._coarse_first = coarse_first
        self._control, self._stop = control, control.stop
        self._growing = job.frames.extent == "growing"
        self._values = ValueDigests(job.frames)
        self._notes: list[str] = list(job.notes)
        self._has_drawn = False
        self._drawn_numbers: set[int] = set()  # with earlier orders
        self._trials = self._compared = self._rounds = 0
        self._presence = Presence(store, control, self._shard, time_left_s)
        self._is_agreed = not self._presence.is_shared
        self._skipped: set[int] = set()  # drawn by other tasks meanwhile
        self._finds_old_frames = False  # then a listing of the folder does not tell what is done

    def carry_out(self, record: JobRecord, order: str) -> RenderReport:
        """Draw; if frames turn out to depend on the order, draw again in a safe one.

        Raises
        ------
        UsageError
            The scene has to be drawn in one process, and this one is to draw a part of it.
        StoreError
            The store holds frames of another job, or others draw such frames there.
        """
        started_at = time.monotonic()
        self._store.create()
        self._store.sweep()
        record, previous = self._continued(record, order)
        self._store.remember_files(self._digests)  # now: other tasks begin, and need not read large files
        with self._presence.joined(record, self._scene.shown(), self._sampled_values()):
            self._refuse_doubtful_version(previous, record)
            record = self._as_agreed(record) if order == "auto" else record
            self._refuse_sharing(record)
            report = self._carry_out(record, previous, order)
        return check_report(replace(report, seconds=time.monotonic() - started_at), self._stop)

    def _carry_out(self, record: JobRecord, previous: JobRecord | None, order: str) -> RenderReport:
        """Draw in one way after the other, until no frame says that it needs another."""
        checked = order == "auto" and not record.order_checked
        while True:
            try:
                report = self._draw(record, previous, checked)
                report = self._help_others(report)
            except (CannotSend, DiffersElsewhere, OrderMatters, RedrawDiffers) as finding:
                record = self._in_another_way(finding, record, order)
                continue
            if not self._inputs_changed():
                self._store.remember_files(self._digests)
                return report
            self._drawn_numbers |= set(report.drawn)
            previous = record

    def pending(self, record: JobRecord, order: str) -> list[int]:
        """Return the numbers of the frames that are to be drawn. Draws none, and writes nothing."""
        return self._look(*self._continued(record, order)).numbers

    def _continued(self, record: JobRecord, order: str) -> tuple[JobRecord, JobRecord | None]:
        """Return the record as the continuation of the one in the store, and that one."""
        previous = self._store.known_job()
        self._digests = self._store.file_digests()
        self._digests.learn(self._job.digests.remembered())
        record = replace(record.continued(previous, self._digests), owner=owner_of(previous, self._owner))
        return continue_record(record, previous, order, self._scene), previous

    def _sampled_values(self) -> dict[str, str]:
        """Return the digests of some frames' values by number, so that tasks can compare them."""
        frames = self._job.frames
        if self._growing or frames.are_numbers:
            return {}
        numbers = frames.numbers[:: max(1, len(frames) // _COMPARED_VALUES)]
        digests = {str(number): self._values.digest(number) for number in numbers}
        return {number: digest for number, digest in digests.items() if digest is not None}

    def _refuse_doubtful_version(self, previous: JobRecord | None, record: JobRecord) -> None:
        """Refuse to take the place of a job that differs only in what a script computes anew in each task.

        Raises
        ------
        StoreError
        """
        if previous is None or not self._presence.is_shared or self._stale != "auto":
            return
        if scene_name(previous) != scene_name(record) or not self._store.numbers():
            return
        old, new = self._presence.beat_of(previous), self._presence.beat
        changed = {name for name in {**old.parts, **new.parts} if old.parts.get(name) != new.parts.get(name)}
        if changed and not changed - _PER_TASK:
            lines = "\n  ".join(differences_between(new, old)) or ", ".join(sorted(changed))
            raise StoreError(
                f"{self._store.path} holds frames of another task or an earlier run of this job. The script "
                f"was the same, but:\n  {lines}\nNothing was drawn. All tasks of a job must be the same: "
                "take what differs from --param, a file or a seed. If this is the new version: --stale draw, "
                "and all frames are drawn again"
            )

    def _as_agreed(self, record: JobRecord) -> JobRecord:
        """Return the record as other tasks have found that frames must be drawn."""
        findings = self._presence.findings
        if findings is None:
            return record
        if findings.full_redraw() is not None:
            record = record.redrawn_in_full()
        if (agreed := findings.strictest()) is None:
            return record
        self._is_agreed = True
        order, why = agreed
        if not is_stricter(order, record.order):
            return record
        self._notes += [why] if why else []
        return record.in_order(cast(Order, order))

    def _refuse_sharing(self, record: JobRecord) -> None:
        """Refuse to draw a part of a scene whose frames must all be drawn in one process.

        Raises
        ------
        UsageError
        """
        if record.order != "serial":
            return
        name = self._job.scene.name
        if self._presence.is_shared:
            raise UsageError(
                f"{name} cannot be shared among tasks: its frames come out different in each process (order "
                "serial), so the parts would not fit together. Give what differs a seed, as in "
                "np.random.default_rng(0), random.seed(0), torch.manual_seed(0); or draw it in one task, "
                "without --shard"
            )
        if (other := self._presence.earlier_sibling()) is not None:
            raise UsageError(
                f"{other.name} draws frames in {self._store.path}, and {name} has to be drawn in one process "
                "(order serial): wait for it, or end it"
            )

    def _in_another_way(self, finding: Exception, record: JobRecord, order: str) -> JobRecord:
        """Choose another engine, order or way of drawing after ``finding``; return the record for it.

        Raises
        ------
        CannotSend
            The scene cannot be drawn in this process either.
        EngineError
            Updates have run in this process, and cannot be undone.
        """
        scene = self._scene
        if isinstance(finding, CannotSend):
            if not (scene.handed_over and scene.runs_updates) or scene.streams:
                raise finding
            reason = str(finding).partition("\n")[0]
            self._notes.append(f"drawn in this process, one frame after the other: {reason}")
            self._engine = SerialEngine()
            return record.in_order("replay") if order == "auto" and record.order == "free" else record
        if isinstance(finding, DiffersElsewhere):
            self._notes.append(f"{finding}. So it is drawn in this process, one frame after the other")
            self._engine = SerialEngine()
            return self._in_stricter_order(record, "serial", str(finding))
        self._drawn_numbers |= set(self._run.drawn_numbers)
        self._compared += self._run.comparison.compared
        is_spoilt = self._has_drawn and not self._engine.is_parallel and not scene.runs_updates
        if isinstance(finding, RedrawDiffers):
            self._notes.append(str(finding))
            record = record.redrawn_in_full()
            if self._presence.findings:
                self._presence.findings.add_full_redraw(finding.number)
            self._store.write_job(record)  # from now on the frames that are there are stale
            if is_spoilt:
                raise EngineError(
                    f"{finding}. Engine serial cannot do that in this process: run it again"
                ) from None
            return record
        assert isinstance(finding, OrderMatters)
        if finding.order == "serial":
            self._refuse_sharing(record.in_order("serial"))
        if is_spoilt:
            raise EngineError(
                f"{finding.text}. Engine serial cannot do that in this process: use --engine local"
            ) from None
        self._notes += [finding.text] if finding.text else []
        self._redraws_all |= finding.order == record.order  # existing frames do not fit
        return self._in_stricter_order(record, finding.order, finding.text)

    def _in_stricter_order(self, record: JobRecord, order: Order, why: str) -> JobRecord:
        """Return the record in another order, and tell other tasks."""
        record = record.in_order(order)
        if self._presence.findings:
            self._presence.findings.add(order, why)
        if order == "serial":
            self._store.write_job(record)  # from now on the frames that are there are stale
            self._refuse_sharing(record)
        return record

    def _draw(self, record: JobRecord, previous: JobRecord | None, checked: bool) -> RenderReport:
        """Draw what is pending in the record's order, and report.

        Raises
        ------
        OrderMatters, RedrawDiffers, DiffersElsewhere, CannotSend
            It has to be drawn in another way.
        """
        pending = self._look(record, previous)
        self._store.write_job(record)
        work, plan = self._work(record, open_order=checked)

        self._presence.begin(record.order, len(self._numbers), pending.kept)
        self._run = run = self._run_of(plan, record, lambda run: self._tell(run, record, pending.kept))
        self._tell(run, record, pending.kept)
        if pending.numbers or self._growing:
            jumps = record.order == "free" and not self._engine.is_parallel and self._scene.keeps_state
            if checked and jumps and pending.numbers != [*self._job.frames.numbers]:
                raise OrderMatters("replay", "")  # frames are left out, and only this process draws
            record = self._draw_pending(run, work, record, pending, checked)
        return self._report(run, record, pending)

    def _run_of(self, plan: FramePlan, record: JobRecord, on_frame: Callable[[Run], None]) -> Run:
        redraw = self._redraw if record.redraw == "auto" else "full"
        failed = self._presence.failed
        limits = self._stop, self._max_failures
        return Run(plan, record.order, *limits, on_frame, failed, redraw, self._coarse_first)

    def _tell(self, run: Run, record: JobRecord, kept: int, is_last: bool = False) -> None:
        """Tell the caller and the other tasks how far this run is, and look at what they have found out.

        Raises
        ------
        OrderMatters, RedrawDiffers
            Another task has found out that frames must be drawn in another way.
        """
        done = kept + len(run.drawn_numbers) + len(self._skipped)
        total = None if self._growing else len(self._numbers)
        failed = len(run.failures)
        self._presence.count(done, failed, 0)
        news = self._presence.news.take(is_last)
        if news or not is_last:
            store = self._store.path
            self._control.tell(
                "draw", done + failed, total, failed=failed, label=store.name, news=news, store=str(store)
            )
        self._presence.heed_findings(record)

    def _draw_pending(
        self, run: Run, work: Work, record: JobRecord, pending: Pending, checked: bool
    ) -> JobRecord:
        """Let the engine draw; return the record with what was found out meanwhile."""
        engine = self._engine
        checked = checked and self._scene.keeps_state
        checked, is_alone = checked and engine.is_parallel, checked and not engine.is_parallel
        numbers = Endless(endless(set(pending.done))) if self._growing else pending.numbers
        at_once = self._at_once(pending)
        resume_points = self._resume_points(checked, pending)
        self._has_drawn = True
        with (
            engine.pool(work, self._stop, 1 if record.order == "serial" else at_once) as pool,
            self._compared_with_original(run, work, checked),
        ):
            watched = WatchedPool(pool, self._presence, self._looker(record))
            geometry = pending.geometry(self._job)
            if checked and not self._is_agreed and not self._scene.streams:
                geometry = run.check_beginning(watched) or geometry
                if not self._stop.requested:
                    self._is_agreed = True
                    if self._presence.findings:
                        self._presence.findings.add(record.order, "")
            elif is_alone and self._presence.findings and not self._scene.streams:
                geometry = self._compare_first_frame(run, pool, record) or geometry
            run.draw(watched, numbers, geometry, checked, resume_points, at_once)
            self._skipped |= set(watched.skipped)
        if checked and not self._stop.requested:
            record = replace(record, order_checked=True)
        if checked or self._presence.is_shared:  # a task that was not the same may have written its own
            self._store.write_job(record)
        self._note_uses(run)
        record = self._record_end(run, record)
        files.sync_folder(self._store.path)
        return record

    def _compare_first_frame(self, run: Run, pool: WorkerPool, record: JobRecord) -> FrameGeometry | None:
        """Compare the first frame with that of the other tasks that draw in one process each, as this one.

        Returns
        -------
        FrameGeometry or None
            That of the frame; None if it could not be drawn.

        Raises
        ------
        UsageError
            It comes out different in each process.
        """
        findings = self._presence.findings
        assert findings is not None
        for _, outcome in pool.draw(InOrder(run.first_tasks(1))):
            run.comparison.trials += 1
            if not isinstance(outcome, Drawn):
                continue
            files = digest_value(sorted(outcome.reads))
            if findings.first_frame(outcome.digest, files) != outcome.digest:
                name = self._job.scene.name
                why = f"the first frame of {name} came out different in the processes of two tasks"
                self._in_stricter_order(record, "serial", why)
            return outcome.geometry
        return None

    def _looker(self, record: JobRecord) -> Callable[[int], bool] | None:
        """Return a function that looks whether another task has drawn a frame meanwhile."""
        if not self._presence.is_shared or self._redraws_all:
            return None
        look = self._store.looker(record, self._values, self._digests)
        return lambda number: bool(look(number).done)

    def _help_others(self, report: RenderReport) -> RenderReport:
        """Draw what is left of the frames of other tasks that have begun, from the far end of their parts.

        They need not know: both would store the same pixels, and both look before they begin a frame. A task
        that has not begun yet is left its frames.
        """
        record = report.record
        if record is None or not (self._presence.is_shared and self._helps) or self._growing:
            return report
        helped: list[int] = []
        failed: list[Failed] = []
        while not self._stop.requested and (numbers := self._left_to_others(record)):
            run, skipped = self._draw_of_others(record, numbers, len(helped))
            helped += run.drawn_numbers
            failed += run.failures
            if not (run.drawn_numbers or run.failures or skipped):
                break
        notes = report.notes
        if failed:
            numbers = [each.number for each in failed]
            notes = (*notes, f"frames of other tasks failed here: {format_range_briefly(numbers)}")
        return replace(report, helped=tuple(sorted(helped)), notes=notes)

    def _left_to_others(self, record: JobRecord) -> list[int]:
        """Return frames of other tasks that are not done and have not failed, see `share_of`."""
        plan = list(self._job.frames.numbers)
        failed, there = FailureLog(self._store.path).numbers(), {*self._store.numbers()}
        left = []
        for k in shards_in_need(self._presence.others(), self._shard, record.order):
            part = plan[k - 1 :: self._shard[1]]
            if self._finds_old_frames:
                status = self._store.scan(
                    record, values=self._values, numbers=part, digests=self._digests, keeps_states=False
                )
                there = {*status.done}
            left.append([number for number in part if number not in there and number not in failed])
        return share_of(left, self._shard, self._job.frames.index_by_number())

    def _draw_of_others(self, record: JobRecord, numbers: list[int], helped: int) -> tuple[Run, list[int]]:
        """Draw frames of other tasks; return the run, and which frames were done meanwhile."""
        work, plan = self._work(record, open_order=False)
        status = self._store.scan(
            record, values=self._values, numbers=self._numbers[:1], digests=self._digests, keeps_states=False
        )
        geometry = Pending(status, (), [], 0).geometry(self._job)
        name = f"{self._store.path.name} (of other tasks)"

        def tell(run: Run) -> None:
            done = len(run.drawn_numbers) + len(run.failures)
            self._presence.count(self._presence.beat.done, self._presence.beat.failed, helped + done)
            self._control.tell("draw", done, len(numbers), failed=len(run.failures), label=name)
            self._presence.heed_findings(record)

        run = self._run_of(plan, record, tell)
        at_once = min(self._engine.workers, len(numbers))
        with self._engine.pool(work, self._stop, at_once) as pool:
            watched = WatchedPool(pool, self._presence, self._looker(record))
            run.draw(watched, numbers, geometry, False, {}, at_once)
        return run, watched.skipped

    def _at_once(self, pending: Pending) -> int:
        """How many workers draw."""
        return self._engine.workers if self._growing else min(self._engine.workers, len(pending.numbers))

    def _report(self, run: Run, record: JobRecord, pending: Pending) -> RenderReport:
        self._tell(run, record, pending.kept, is_last=True)
        drawn_earlier = sorted(self._drawn_numbers & {*pending.done})  # by this call, so not kept ones
        redrawn = set(run.drawn_numbers if self._growing else pending.numbers) - self._drawn_numbers
        total = len(self._numbers)
        if self._growing:
            total = len(record.numbers) or pending.kept + len(run.drawn_numbers)
        return RenderReport(
            store=self._store.path,
            total=total,
            drawn=(*drawn_earlier, *run.drawn_numbers),
            kept=pending.kept - len(drawn_earlier) + len(self._skipped),
            redrawn=redrawn_reasons(pending.status, redrawn),
            failed=tuple(sorted(run.failures, key=lambda each: each.number)),
            engine=self._engine.name,
            workers=self._at_once(pending),
            resumable=record.resumable,
            order=record.order,
            trials=self._trials + run.comparison.trials,
            compared=self._compared + run.comparison.compared,
            notes=tuple(self._notes),
            warnings=tuple(warning_lines(merged(run.warnings))),
            costs=run.costs,
            ended=run.end_index,
            record=record,
        )

    @contextlib.contextmanager
    def _compared_with_original(self, run: Run, work: Work, checked: bool) -> Iterator[None]:
        """Also draw the first frames of a handed-over scene in a copy of this process, to compare."""
        is_comparable = checked and self._scene.handed_over and hasattr(os, "fork")
        if not is_comparable or self._growing or self._scene.streams:
            yield
            return
        run.comparison.original = Original(work, run.first_tasks(_COMPARED))
        try:
            yield
        finally:
            run.comparison.original.close()

    def _note_uses(self, run: Run) -> None:
        if run.uses:
            self._notes.append(
                f"drawing used {', '.join(sorted(run.uses))}: a change there is not detected, so those "
                "frames would not be drawn again"
            )

    def _inputs_changed(self) -> bool:
        """True if a file has changed since frames were drawn from it, so that they must be drawn again."""
        base = os.path.dirname(next(iter(self._scene.sources), ""))
        digests = {
            name: self._digests.of(os.path.join(base, name)) for name in {n for n, _ in self._run.reads}
        }
        changed_files = sorted({name for name, digest in self._run.reads if digests[name] != digest})
        if not changed_files or self._stop.requested:
            return False
        names = ", ".join(Path(name).name for name in changed_files)
        if self._rounds >= _MAX_ROUNDS:
            self._notes.append(f"{names} changed again and again: the frames are not of one version")
            return False
        self._rounds += 1
        self._notes.append(f"{names} changed while frames were drawn from it: these were drawn again")
        return True

    def _look(self, record: JobRecord, previous: JobRecord | None) -> Pending:
        """Scan the store, and say which frames are to be drawn."""
        status = self._scan(record, previous)
        self._finds_old_frames |= bool(status.stale or status.broken)
        kept_though_stale = status.stale if self._stale == "keep" else ()
        done = () if self._redraws_all else (*status.done, *kept_though_stale)
        if self._growing:
            return Pending(status, done, [], len(done))
        numbers = without(self._numbers, done)
        return Pending(status, done, numbers, len(self._numbers) - len(numbers))

    def _scan(self, record: JobRecord, previous: JobRecord | None) -> StoreStatus:
        numbers = None if self._growing else self._numbers
        values = None if self._growing else self._values
        status = self._store.scan(
            record,
            values=values,
            numbers=numbers,
            deep=True,
            before=previous,
            digests=self._digests,
            keeps_states=False,
        )
        refuse_unfit(status, record, previous, self._stale)
        return status

    def _work(self, record: JobRecord, open_order: bool) -> tuple[Work, FramePlan]:
        """Return what all frames have in common, and the plan of each."""
        frames, scene = self._job.frames, self._scene
        values: Mapping[int, Any] = frames.by_number()
        if self._engine.is_parallel:
            scene, values = scene.for_workers(values)
        streams = scene.streams
        earlier: Any = () if scene.runs_updates or streams else frames.values
        work = Work(scene, self._job.canvas, record, self._store.path, earlier, open_order)
        jumps = scene.runs_updates and not scene.streams and not self._growing
        digest = (lambda _: None) if self._growing else self._values.digest
        last = None if self._growing else frames.numbers[-1]
        plan = FramePlan(frames.numbers[0], frames.index_by_number(), values, digest, last, streams, jumps)
        return work, plan

    def _resume_points(self, checked: bool, pending: Pending) -> dict[int, str]:
        """Return some finished frames after which this run continues, with the digests of their pixels."""
        if not (checked and pending.status.shape):
            return {}
        finished, to_draw = set(pending.done), set(pending.numbers)
        if self._growing:
            ends = sorted(number for number in finished if number + 1 not in finished)
        else:
            ends = [
                number
                for number, next_number in pairwise(self._numbers)
                if number in finished and next_number in to_draw
            ]
        from framepipe.core.images import read_png
        from framepipe.scenes.rasterize import picture_of

        geometry = FrameGeometry(pending.status.shape)
        numbers = sorted({ends[0], ends[-1]} if ends else ())
        return {n: picture_of(read_png(self._store.frame_path(n)), geometry).digest() for n in numbers}

    def _record_end(self, run: Run, record: JobRecord) -> JobRecord:
        """Return the record, with the number of frames if the end of a growing job was reached."""
        if not self._growing or run.end_index is None:
            return record
        if run.end_index == 0:
            raise UsageError(f"{self._job.scene.name} has no frames: it ended before the first one")
        record = record.ended_at(run.end_index)
        self._store.write_job(record)
        return record
