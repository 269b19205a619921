"""One run over the pending frames: draws the first, checks the order, draws the others, retries lost ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice, repeat

from framepipe.core.control import Stop
from framepipe.errors import RenderError, StoreError
from framepipe.job.record import Order
from framepipe.rendering.comparison import Comparison
from framepipe.rendering.costs import Costs
from framepipe.rendering.engines.base import Drawn, Ended, Failed, Outcome, Task, WorkerPool
from framepipe.rendering.engines.original import digest_of
from framepipe.rendering.frame_plan import Endless, FramePlan, coarsest_first
from framepipe.rendering.order import (
    OrderMatters,
    RedrawDiffers,
    of_another_run,
    random_frames,
    stateful_frames,
)
from framepipe.rendering.schedule import Chunks, ContiguousChunks, FixedSequences, InOrder, WithChecks
from framepipe.scenes.base import SceneEnded
from framepipe.scenes.picture import FrameGeometry
from framepipe.scenes.warned import SceneWarning

_RETRIED_KINDS = ("lost", "timeout")
_MAX_PILOTS = 3
_CHUNKS_PER_WORKER = 8  # with fewer, workers idle at the end; more are compared where they meet
_MIN_CHUNK_S = 0.1  # frames that take milliseconds are not worth so many forks
_FORK_S = 0.01  # in which a worker is forked and has its own copies of what it changes
_OPEN_CHUNK = 8  # if the number of frames is unknown
_MAX_CHUNK, _MAX_RANGE = 64, 128
_SLOW_S = 0.3  # a frame that takes longer is not drawn while other workers wait
_FEW = 50  # so few slow frames are compared where two workers meet, and not before
_USELESS = 0.95  # of the time of a frame in full
_STRIDES = (16, 8, 4, 2, 1)  # of coarse passes; each ends with idle workers, so not more of them
_MIN_FRAMES = 3  # below this there is nothing to share out
_MAX_MEETING_SHARE = 0.015
_MIN_JUMPED_S = 2.0  # jumping over fewer seconds of updates gains nothing


class Run:
    """Draws frames, and keeps their numbers and failures.

    Parameters
    ----------
    plan : FramePlan
    order : {"free", "replay", "serial"}
    stop : Stop
    max_failures : int or None
        End after more failures than this.
    on_frame : callable
        Called after each frame.
    on_failure : callable
        Called with each `Failed`, before ``on_frame``.
    redraw : {"auto", "full"}
        Draw only what has changed in a frame, or all of it.
    coarse_first : bool
        Draw every 16th frame first.

    Attributes
    ----------
    drawn_numbers : list of int
    failures : list of Failed
    comparison : Comparison
        Of frames that were drawn more than once.
    costs : Costs
        Of all frames that were drawn, those too.
    reads : set of (str, str)
        Files that frames were drawn from, and the digests of their contents then.
    uses : set of str
        Other sources that frames used, as the network.
    warnings : list of dict
        The scene's warnings in each frame.
    end_index : int or None
        The first index that the scene does not have, if it has ended.
    """

    def __init__(
        self,
        plan: FramePlan,
        order: Order,
        stop: Stop,
        max_failures: int | None,
        on_frame: Callable[[Run], None],
        on_failure: Callable[[Failed], None],
        redraw: str = "full",
        coarse_first: bool = False,
    ) -> None:
        self._redraw, self._coarse_first = redraw, coarse_first
        self.drawn_numbers: list[int] = []
        self.failures: list[Failed] = []
        self.reads: set[tuple[str, str]] = set()
        self.uses: set[str] = set()
        self.warnings: list[Mapping[SceneWarning, int]] = []
        self.end_index: int | None = None
        self._plan, self._replay, self._order = plan, order != "free", order
        self._stop, self._max_failures = stop, max_failures
        self._on_frame, self._on_failure = on_frame, on_failure
        self.comparison = Comparison(self._replay)
        self.costs = Costs()
        self._costs: list[tuple[float, float]] = []
        self._least_reused_s = float("inf")
        self._is_learning = False  # in the last frame: the next ones may be faster for it
        self._compared_last: int | None = None  # which a fresh worker draws, in full
        self._is_redraw_proven = False  # or is about to be, and if not, all frames are drawn again
        self._checks: list[Task] = []  # frames that a fresh worker will draw again, to compare

    def draw(
        self,
        pool: WorkerPool,
        pending: Iterable[int],
        geometry: FrameGeometry | None,
        checked: bool,
        resume_points: Mapping[int, str],
        workers: int,
    ) -> None:
        """Draw ``pending``; frames whose process died or hung are drawn once more, alone.

        Parameters
        ----------
        pool : WorkerPool
        pending : iterable of int
            In the order of the plan.
        geometry : FrameGeometry or None
            The geometry of finished frames; None to learn it from the first frame.
        checked : bool
            Check that this order is right, before and while the other frames are drawn.
        resume_points : mapping of int to str
            Frames of an earlier run after which this one continues, and the digests of their pixels.
        workers : int
            Number of workers.

        Raises
        ------
        OrderMatters
        StoreError
        """
        rest = iter(pending)
        if geometry is None:
            geometry, rest = self._pilot(pool, rest, checked)
        self._check_resume_points(pool, geometry, resume_points)
        if self._order != "serial" and not self._stop.requested:
            rest = self._probe(pool, geometry, rest, checked)
            if workers == 1:
                self._compare_again(pool)
        lost_tasks: list[Task] = []
        for numbers in self._passes(pool, rest):
            if self._has_failed_too_often:
                return
            lost_tasks += self._draw(pool, self._source(pool, numbers, geometry, checked, workers), checked)
        is_due = checked and not self.comparison.has_compared and self._order != "serial"
        if is_due and len(self.drawn_numbers) > 1 and not self._checks:
            self._checks = [self._task(self.drawn_numbers[-1], geometry, keep=False)]
        self._compare_again(pool)
        for task, outcome in pool.draw(InOrder(sorted(lost_tasks, key=lambda task: task.index)), at_once=1):
            if self._record_outcome(task, _mark_retried(outcome)):
                return

    def _passes(self, pool: WorkerPool, numbers: Iterator[int]) -> Iterable[Iterator[int]]:
        """Split the frames into passes over the movie, the coarsest first."""
        is_in_order = self._plan.streams or self._order == "serial" or isinstance(numbers, Endless)
        if not self._coarse_first or is_in_order or (self._replay and not pool.checkpoints):
            return [numbers]
        strides = (_STRIDES[0], 1) if self._replay else _STRIDES  # a pass of updates each
        return map(iter, coarsest_first(list(numbers), strides))

    def check_beginning(self, pool: WorkerPool) -> FrameGeometry | None:
        """Draw the first two frames in two processes, to compare; keep neither.

        All shards do this before they store anything, so that they agree on the order.

        Returns
        -------
        FrameGeometry or None
            The geometry of the first frame; None if it could not be drawn.

        Raises
        ------
        OrderMatters
        """
        tasks = [self._task(number, None, keep=False) for number in islice(self._plan.index, 2)]
        watched = [replace(task, watch=not self._replay) for task in tasks]
        geometry = None
        for task, outcome in pool.draw(FixedSequences([watched, tasks[-1:]]), at_once=2):
            if task.number == self._plan.first and isinstance(outcome, Drawn):
                geometry = outcome.geometry
            self._check_outcome(task, outcome)
        self.comparison.forget()  # the second frame had no geometry of the first: a tight box may differ
        return geometry

    def _source(
        self,
        pool: WorkerPool,
        numbers: Iterator[int],
        geometry: FrameGeometry | None,
        checked: bool,
        workers: int,
    ) -> InOrder | ContiguousChunks | Chunks:
        """Return the schedule: which worker draws which frame."""
        if not self._replay and not self._plan.streams:
            tasks = self._tasks(numbers, geometry)
            if not checked:
                return InOrder(tasks)
            listed = list(tasks)  # of a long movie the first frames are to be there first, to be encoded
            return ContiguousChunks(listed, max(workers, -(-len(listed) // _MAX_RANGE)))
        if self._order == "serial":
            tasks = self._tasks(numbers, geometry)
            return Chunks(tasks, repeat(_OPEN_CHUNK), 0, one_worker=True, forks=pool.checkpoints)
        is_listed = not isinstance(numbers, Endless)
        number_list = list(numbers) if is_listed else []
        sizes: Iterator[int] = repeat(_OPEN_CHUNK)
        if self._plan.streams:
            sizes = repeat(1)
        elif is_listed and not pool.checkpoints:
            sizes = repeat(max(1, -(-len(number_list) // workers)))
        elif is_listed:
            sizes = self._chunk_sizes(len(number_list), workers)
        compared = 0
        if checked and not self._plan.streams and self._compared_last is None:
            compared = max(1, int(len(number_list) * _MAX_MEETING_SHARE))
        tasks = self._tasks(number_list if is_listed else numbers, geometry)
        reach = 0 if self._plan.streams or not pool.checkpoints else self._reach()
        return Chunks(tasks, sizes, compared, forks=pool.checkpoints, reach=reach)

    def _reach(self) -> int:
        """Return how many updates a worker runs in the time in which a fresh one is forked."""
        return int(_FORK_S / max(1e-5, min((update for update, _ in self._costs), default=_FORK_S * 2)))

    def _chunk_sizes(self, count: int, workers: int) -> Iterator[int]:
        """Yield the frames of each chunk: so few at the end that no worker idles, so many that forks pay."""
        size = min(_MAX_CHUNK, max(1, -(-count // (workers * _CHUNKS_PER_WORKER))))
        if size <= self._reach():  # workers go on from one to another by themselves
            yield from repeat(size)
        least = max(1, min(size, int(_MIN_CHUNK_S / max(self._frame_s(), 1e-3))))
        while True:
            size = min(_MAX_CHUNK, max(least, -(-count // (2 * workers))))
            yield size
            count = max(0, count - size)

    def _probe(
        self, pool: WorkerPool, geometry: FrameGeometry | None, rest: Iterator[int], checked: bool
    ) -> Iterator[int]:
        """Draw the second frame where the first was drawn; a fresh worker is to draw it again, in full.

        That one does so while others draw on: if the pictures differ, all that was drawn is drawn again, in
        another way. Workers do not wait for a slow frame, which is drawn with the others then, unless what is
        found out in it makes all others faster.

        Raises
        ------
        OrderMatters, RedrawDiffers
        """
        draws_changes = self._redraw == "auto" and not self._plan.streams
        is_proof_due = self._replay and draws_changes and pool.checkpoints
        if not (checked or is_proof_due) or (second := next(rest, None)) is None:
            return rest
        follows = self.drawn_numbers and self._follows(second, self.drawn_numbers[-1])
        is_slow = checked and self._is_slow()
        if not follows or (is_slow and not self._is_learning):
            if follows:
                self._is_redraw_proven = is_proof_due
                self._set_check(second, geometry, is_slow)
            return _put_back(second, rest)
        if is_slow and not isinstance(rest, Endless):
            rest = iter(numbers := list(rest))
            self._compared_last = self._last_of(numbers)
        lost_tasks = self._draw_second(pool, geometry, second, checked, is_proof_due, is_slow)
        return rest if isinstance(rest, Endless) else chain([each.number for each in lost_tasks], rest)

    def _draw_second(
        self,
        pool: WorkerPool,
        geometry: FrameGeometry | None,
        number: int,
        checked: bool,
        is_proof_due: bool,
        is_slow: bool,
    ) -> list[Task]:
        """Draw the second frame, and begin the proof; return its task if it was lost."""
        count, is_together = len(self.drawn_numbers), self._compared_last is not None
        tasks = [replace(task, watch=not self._replay) for task in self._tasks([number], geometry)]
        if is_proof_due:  # drawn in full by another process, or here
            tasks = [replace(task, redraw="reuse" if checked else "compare") for task in tasks]
        if is_together:  # then other processors are idle
            self._set_check(number, geometry, is_slow)
        lost_tasks = self._draw(pool, InOrder(tasks), checked, at_once=2 if is_together else 1)
        if len(self.drawn_numbers) > count:
            self._is_redraw_proven = is_proof_due
            self._check_jumping(pool, geometry, number)
            if checked and not is_together:
                self._set_check(number, geometry, is_slow)
        return lost_tasks

    def _set_check(self, second: int, geometry: FrameGeometry | None, is_slow: bool) -> None:
        """Let a fresh worker draw a frame again; few slow ones are compared only where workers meet."""
        number = second if self._compared_last is None else self._compared_last
        if not is_slow or number != second or len(self._plan.index) >= _FEW or not self._replay:
            self._checks = [self._task(number, geometry, keep=False)]

    def _last_of(self, numbers: Sequence[int]) -> int | None:
        """Return the last frame if few slow ones are left that will be faster, and a worker is there soon.

        Then this is the one to be drawn in full, while others are drawn, instead of some where workers meet.
        """
        if not numbers or not self._is_learning or not self._replay or len(self._plan.index) >= _FEW:
            return None
        update_s = min(update for update, _ in self._costs)
        draw_s = min(draw for _, draw in self._costs)
        return numbers[-1] if update_s * self._plan.index[numbers[-1]] < draw_s else None

    def _is_slow(self) -> bool:
        """True if drawing a frame takes long, and not what its updates take."""
        return any(draw >= max(_SLOW_S, update) for update, draw in self._costs)

    def _follows(self, number: int, other: int) -> bool:
        return self._plan.index.get(number) == self._plan.index[other] + 1

    def _frame_s(self) -> float:
        return min((update + draw for update, draw in self._costs), default=0.0)

    def _check_jumping(self, pool: WorkerPool, geometry: FrameGeometry | None, number: int) -> None:
        """Change to order "free" if updates cost more than drawing and a jump gives the same picture.

        Raises
        ------
        OrderMatters
        """
        if not (self._plan.jumps and self._replay and self._costs) or self._stop.requested:
            return
        update_s = min(update for update, _ in self._costs)
        draw_s = min(draw for _, draw in self._costs)
        if update_s < draw_s or update_s * len(self._plan.index) < _MIN_JUMPED_S:
            return
        jump = self._task(number, geometry, keep=False, replay=False)
        for _, outcome in pool.draw(FixedSequences([[replace(jump, watch=True)]]), at_once=1):
            self.comparison.trials += 1
            is_same = self.comparison.is_known(number, digest_of(outcome))
            if is_same and not (isinstance(outcome, Drawn) and outcome.changed):
                raise OrderMatters("free", "")

    def first_tasks(self, count: int) -> list[Task]:
        """Return tasks for the first frames of the plan, with all updates run."""
        numbers = list(islice(self._plan.index, count))
        return [self._task(number, None, keep=False, replay=True) for number in numbers]

    def _tasks(
        self, numbers: Iterable[int], geometry: FrameGeometry | None, keep: bool = True
    ) -> Iterator[Task]:
        """Yield tasks, made on demand: a running generator has to continue for each."""
        for number in numbers:
            if number not in self._plan.index:  # the user has limited their number
                self.end_index = number
                return
            try:
                yield self._task(number, geometry, keep)
            except SceneEnded:
                self.end_index = self._plan.index[number]
                return
            except RenderError as error:
                self._note_failure(Failed(number, "raised", str(error), getattr(error, "traceback", "")))
                self._on_frame(self)
                return

    def _task(
        self, number: int, geometry: FrameGeometry | None, keep: bool = True, replay: bool | None = None
    ) -> Task:
        is_replayed = self._replay if replay is None else replay
        value, index, digest = self._plan.value[number], self._plan.index[number], self._plan.digest(number)
        redraw = self._redraw if keep else "full"
        return Task(number, index, value, geometry, keep, is_replayed, digest, redraw=redraw)

    def _decide(self, task: Task) -> Task:
        """Return a task with how it is to be drawn, as is known when it is handed out."""
        if task.redraw != "auto" or self._redraw == "full":
            return replace(task, redraw="full") if task.redraw == "auto" else task
        if self._plan.is_compared(task.number, self._order) and task.number != self._compared_last:
            return replace(task, redraw="compare")
        return replace(task, redraw="reuse") if self._is_redraw_proven else task

    def _draw(
        self,
        pool: WorkerPool,
        source: InOrder | ContiguousChunks | Chunks,
        checked: bool,
        at_once: int | None = None,
    ) -> list[Task]:
        """Draw all frames, and what is to be drawn again if there is room; return tasks that were lost."""
        lost_tasks: list[Task] = []
        checks, at_once = self._checks, 1 if self._order == "serial" else at_once
        if at_once != 1:
            self._checks = []
        tasks = WithChecks(source, [] if at_once == 1 else checks, self._decide)
        for task, outcome in pool.draw(tasks, at_once=at_once):
            try:
                self._check_outcome(task, outcome, checked)
            except (OrderMatters, RedrawDiffers) as finding:
                if task.number in [each.number for each in checks]:
                    raise self._explained(pool, checks[0], finding) from None
                raise
            if isinstance(outcome, Failed) and outcome.kind in _RETRIED_KINDS:
                lost_tasks += [task] if task.keep else []
            elif isinstance(outcome, Ended):
                self._set_end(outcome)
                if isinstance(source, (InOrder, Chunks)):
                    source.end(outcome.index)
            elif task.keep and self._record_outcome(task, outcome):
                return []
        return lost_tasks

    def _set_end(self, outcome: Ended) -> None:
        self.end_index = outcome.index if self.end_index is None else min(self.end_index, outcome.index)

    def _check_outcome(self, task: Task, outcome: Outcome, checked: bool = True) -> None:
        """Note what a frame has cost, and compare its picture, see `Comparison.check`."""
        if isinstance(outcome, Drawn):
            self.costs += outcome.costs
            if task.keep:
                self._costs.append((outcome.costs.update_s, outcome.costs.draw_s))
            self._note_gain(task, outcome)
        self.comparison.check(task, outcome, checked)

    def _note_gain(self, task: Task, outcome: Drawn) -> None:
        """Draw all frames in full if a slow one took as long when only what had changed was drawn."""
        draw_s = outcome.costs.draw_s
        self._is_learning = outcome.redraw == "learning"
        if outcome.redraw == "reused":
            self._least_reused_s = min(self._least_reused_s, draw_s)
        is_in_full = not task.keep and outcome.redraw == "full" and draw_s > _SLOW_S
        is_useless = is_in_full and _USELESS * draw_s <= self._least_reused_s < float("inf")
        if outcome.redraw == "useless" or is_useless:
            self._redraw = "full"

    def _compare_again(self, pool: WorkerPool) -> None:
        """Let a fresh worker draw what is to be drawn again, if other workers have not had the time.

        Raises
        ------
        OrderMatters, RedrawDiffers
        """
        if self._checks and not self._stop.requested:
            self._draw(pool, InOrder(()), checked=True, at_once=2)

    def _explained(self, pool: WorkerPool, check: Task, finding: Exception) -> Exception:
        """Return what it means that a frame came out different when a fresh worker drew it again."""
        if isinstance(finding, RedrawDiffers):  # is it the same in one more process?
            digests = {*self._drawn_alone(pool, [check, check])}
            return random_frames([check.number]) if len(digests) > 1 else finding
        if self._replay:
            return finding
        repeat = replace(check, replay=True)
        digests = {*self._drawn_alone(pool, [repeat, repeat])}
        return (random_frames if len(digests) > 1 else stateful_frames)([check.number])

    def _drawn_alone(self, pool: WorkerPool, tasks: Sequence[Task]) -> list[str | None]:
        """Return the digests of frames, each drawn by a fresh worker; others may still be under way."""
        digests = []
        for task, outcome in pool.draw(FixedSequences([[task] for task in tasks]), at_once=len(tasks)):
            if not task.keep:
                self.comparison.trials += 1
                digests.append(digest_of(outcome))
        return digests

    def _check_resume_points(
        self, pool: WorkerPool, geometry: FrameGeometry | None, resume_points: Mapping[int, str]
    ) -> None:
        """Redraw the last frames of the previous run; if they differ, the new frames would not continue them.

        Raises
        ------
        OrderMatters
        """
        self.comparison.learn(resume_points)
        for task, outcome in pool.draw(InOrder(self._tasks(resume_points, geometry, keep=False)), at_once=1):
            if digest_of(outcome) not in (None, resume_points[task.number]):
                self.comparison.trials += 1
                raise of_another_run(task.number) if self._replay else stateful_frames([task.number])
            self._check_outcome(task, outcome)

    def _pilot(
        self, pool: WorkerPool, pending: Iterator[int], checked: bool
    ) -> tuple[FrameGeometry | None, Iterator[int]]:
        """Draw the plan's first frame, or if that fails the first one that can be drawn.

        All shards draw the same pilot, so they agree without communicating; a pilot of another shard is not
        stored. Returns its geometry and the remaining frames. If the first few all fail, the others are
        drawn in parallel without a pilot.
        """
        head = next(pending, None)
        if head is None:
            return None, pending
        if isinstance(pending, Endless):
            pending.put_back(head)
        else:
            pending = chain([head], pending)
        if head != self._plan.first:
            for _, outcome in self._draw_alone(pool, self._plan.first, keep=False):
                if isinstance(outcome, Drawn):
                    return outcome.geometry, pending
        for _ in range(_MAX_PILOTS):
            if (number := next(pending, None)) is None:
                break
            for task, outcome in self._draw_alone(pool, number):
                if isinstance(outcome, Failed):  # perhaps only in a worker
                    self._check_outcome(task, outcome, checked)
                if isinstance(outcome, Ended):
                    self._set_end(outcome)
                elif self._record_outcome(task, outcome):
                    return None, iter(())
                if isinstance(outcome, Drawn):
                    self._check_outcome(task, outcome, checked)
                    return outcome.geometry, pending
            if self._stop.requested or self.end_index is not None:
                return None, iter(())
        return None, pending

    def _draw_alone(self, pool: WorkerPool, number: int, keep: bool = True) -> Iterator[tuple[Task, Outcome]]:
        """Draw one frame alone, and once more if its process died or hung."""
        tasks = (replace(task, watch=not self._replay) for task in self._tasks([number], None, keep))
        for task, outcome in pool.draw(InOrder(tasks), at_once=1):
            if isinstance(outcome, Failed) and outcome.kind in _RETRIED_KINDS:
                for repeat_task, second in pool.draw(InOrder([task]), at_once=1):
                    yield repeat_task, _mark_retried(second)
            else:
                yield task, outcome

    def _record_outcome(self, task: Task, outcome: Outcome) -> bool:
        """Record an outcome; return True if the run must end."""
        if isinstance(outcome, Drawn):
            self.drawn_numbers.append(task.number)
            self.reads |= set(outcome.reads)
            self.uses |= set(outcome.uses)
            self.warnings.append(outcome.warnings)
        elif isinstance(outcome, Failed):
            if outcome.kind == "store":
                raise StoreError(outcome.message)
            self._note_failure(outcome)
        self._on_frame(self)
        return self._has_failed_too_often

    @property
    def _has_failed_too_often(self) -> bool:
        return self._max_failures is not None and len(self.failures) > self._max_failures

    def _note_failure(self, failure: Failed) -> None:
        self.failures.append(failure)
        self._on_failure(failure)


def _put_back(number: int, rest: Iterator[int]) -> Iterator[int]:
    if not isinstance(rest, Endless):
        return chain([number], rest)
    rest.put_back(number)
    return rest


def _mark_retried(outcome: Outcome) -> Outcome:
    if isinstance(outcome, Failed):
        return replace(outcome, message=f"{outcome.message}; tried twice")
    return outcome
