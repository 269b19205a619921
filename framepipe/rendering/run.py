"""One run over the pending frames: draws the first, checks the order, draws the others, retries lost ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

from framepipe.core.control import Stop
from framepipe.errors import RenderError, StoreError
from framepipe.job.frames import format_range
from framepipe.job.record import Order
from framepipe.rendering.costs import Costs
from framepipe.rendering.engines.base import Drawn, Ended, Failed, Outcome, Task, WorkerPool
from framepipe.rendering.engines.original import Original, digest_of
from framepipe.rendering.schedule import Chunks, ContiguousChunks, FixedSequences, InOrder
from framepipe.scenes.base import SceneEnded
from framepipe.scenes.picture import FrameGeometry
from framepipe.scenes.warned import SceneWarning

_RETRIED_KINDS = ("lost", "timeout")
_MAX_PILOTS = 3
_CHUNKS_PER_WORKER = 8  # with fewer, workers idle at the end; more cost a fork each
_MIN_CHUNKS_PER_WORKER, _MIN_CHUNK_S = 3, 0.5  # frames that take milliseconds are not worth so many forks
_OPEN_CHUNK = 8  # if the number of frames is unknown
_MAX_CHUNK = 64
_EARLY_CHECK_S = 1.0  # a frame that takes longer is not drawn twice before the others
_STRIDES = (16, 8, 4, 2, 1)  # of coarse passes; each ends with idle workers, so not more of them
_MIN_FRAMES = 3  # below this there is nothing to share out
#: At most 5 % of an animation of `_LONG` frames or more are drawn twice, to compare: the second frame, some
#: where workers meet, and of what is drawn by its changes one in so many and the last. In films that are just
#: long enough there is no room for all of these.
_LONG, _LONG_WITH_LAST, _LONG_WITH_SOME = 50, 60, 80
_SHORT_EVERY, _LONG_EVERY, _FREE_EVERY = 20, 40, 50
_MAX_MEETING_SHARE = 0.015
_MIN_JUMPED_S = 2.0  # jumping over fewer seconds of updates gains nothing


class OrderMatters(Exception):
    """Pictures differ that must be equal in this order, or another order is faster.

    Attributes
    ----------
    order : {"free", "replay", "serial"}
        The order to continue in.
    text : str
        For the user: which frames, what it means, what to do; empty if the user need not know.
    """

    def __init__(self, order: Order, text: str) -> None:
        super().__init__(text)
        self.order, self.text = order, text


class RedrawDiffers(Exception):
    """A frame of which only the changes were drawn differs from the same frame drawn in full."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(
            f"frame {number} came out different when only what had changed in it was drawn: so all frames "
            "are drawn in full (redraw full), those that were there too"
        )


class DiffersElsewhere(Exception):
    """A worker's picture of a frame differs from that of the program which handed the scene over."""


@dataclass(frozen=True)
class FramePlan:
    """The index, value and digest of each frame of the plan.

    Attributes
    ----------
    first : int
        Number of the plan's first frame, which fixes the geometry of all.
    index, value : mapping of int
        The index in the order of updates, and the value for the scene, by number.
    digest : callable
        Returns the digest of a frame's value by its number, None if only the scene knows the value.
    last : int or None
        Number of the plan's last frame, if it is known.
    streams : bool
        True if a frame exists only until the next one is produced.
    jumps : bool
        True if jumping over the scene's updates may be faster.
    """

    first: int
    index: Mapping[int, int]
    value: Mapping[int, Any]
    digest: Callable[[int], str | None]
    last: int | None = None
    streams: bool = False
    jumps: bool = False

    def is_compared(self, number: int, order: Order) -> bool:
        """True for a frame that is drawn in full too; `Run` adds others.

        In order "free" each process compares its first one.
        """
        index, count = self.index[number], len(self.index)
        if order == "free":
            return index > 0 and index % (_SHORT_EVERY if count < _LONG else _FREE_EVERY) == 0
        if number == self.last:
            return not _LONG <= count < _LONG_WITH_LAST
        if count < _LONG:
            return index > 0 and index % _SHORT_EVERY == 0
        return index > 0 and index % _LONG_EVERY == 0 and count >= _LONG_WITH_SOME


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
    compared : int
        Number of frames that were also drawn in full.
    drawn_numbers : list of int
    failures : list of Failed
    trials : int
        Number of frames that were drawn only to compare.
    costs : Costs
        Of all frames that were drawn, those too.
    reads : set of (str, str)
        Files that frames were drawn from, and the digests of their contents then.
    uses : set of str
        Other sources that frames used, as the network.
    warnings : list of dict
        The scene's warnings in each frame.
    original : Original or None
        Draws the first frames in a copy of the program that handed the scene over.
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
        self.compared = 0
        self._redraw, self._coarse_first = redraw, coarse_first
        self.drawn_numbers: list[int] = []
        self.failures: list[Failed] = []
        self.trials = 0
        self.reads: set[tuple[str, str]] = set()
        self.uses: set[str] = set()
        self.warnings: list[Mapping[SceneWarning, int]] = []
        self.end_index: int | None = None
        self._plan, self._replay, self._order = plan, order != "free", order
        self._stop, self._max_failures = stop, max_failures
        self._on_frame, self._on_failure = on_frame, on_failure
        self.original: Original | None = None
        self._digests: dict[int, str] = {}
        self._files_by_number: dict[int, dict[str, str]] = {}
        self.costs = Costs()
        self._costs: list[tuple[float, float]] = []
        self._has_compared = False
        self._reused: set[int] = set()  # frames of which only what had changed was drawn
        self._is_redraw_proven = False  # in the process that the others are forked from

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
        lost_tasks: list[Task] = []
        for numbers in self._passes(pool, rest):
            if self._has_failed_too_often:
                return
            lost_tasks += self._draw(pool, self._source(pool, numbers, geometry, checked, workers), checked)
        if checked and not self._has_compared and self._order != "serial" and len(self.drawn_numbers) > 1:
            self._redraw_to_compare(pool, geometry, self.drawn_numbers[-1])
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
        self._digests.clear()  # the second frame had no geometry of the first: a tight box may differ
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
            return ContiguousChunks(list(tasks), workers) if checked else InOrder(tasks)
        if self._order == "serial":
            return Chunks(
                self._tasks(numbers, geometry), _OPEN_CHUNK, 0, one_worker=True, forks=pool.checkpoints
            )
        is_listed = not isinstance(numbers, Endless)
        number_list = list(numbers) if is_listed else []
        size = _OPEN_CHUNK
        if self._plan.streams:
            size = 1
        elif is_listed and not pool.checkpoints:
            size = max(1, -(-len(number_list) // workers))
        elif is_listed:
            size = self._chunk_size(len(number_list), workers)
        compared = 0
        if checked and not self._plan.streams:
            compared = max(1, int(len(number_list) * _MAX_MEETING_SHARE))
        tasks = self._tasks(number_list if is_listed else numbers, geometry)
        return Chunks(tasks, size, compared, forks=pool.checkpoints)

    def _chunk_size(self, count: int, workers: int) -> int:
        """Return the frames of a chunk: so few that no worker idles at the end, so many that forks pay."""
        most = -(-count // (workers * _MIN_CHUNKS_PER_WORKER))
        size = -(-count // (workers * _CHUNKS_PER_WORKER))
        if self._costs:
            size = max(size, min(most, int(_MIN_CHUNK_S / max(self._frame_s(), 1e-3))))
        return min(_MAX_CHUNK, max(1, size))

    def _probe(
        self, pool: WorkerPool, geometry: FrameGeometry | None, rest: Iterator[int], checked: bool
    ) -> Iterator[int]:
        """Draw the second frame where the first was drawn; check the order and redrawing with it.

        Raises
        ------
        OrderMatters, RedrawDiffers
        """
        draws_changes = self._redraw == "auto" and not self._plan.streams
        is_proof_due = self._replay and draws_changes and pool.checkpoints
        if not (checked or is_proof_due) or (second := next(rest, None)) is None:
            return rest
        if not (self.drawn_numbers and self._follows(second, self.drawn_numbers[-1])):
            if not isinstance(rest, Endless):
                return chain([second], rest)
            rest.put_back(second)
            return rest
        count = len(self.drawn_numbers)
        is_drawn_again = checked and self._frame_s() < _EARLY_CHECK_S
        tasks = [replace(task, watch=not self._replay) for task in self._tasks([second], geometry)]
        if is_proof_due:  # drawn in full by another process, or here
            redraw = "reuse" if is_drawn_again else "compare"
            tasks = [replace(task, redraw=redraw) for task in tasks]
        lost_tasks = self._draw(pool, InOrder(tasks), checked, at_once=1)
        if not isinstance(rest, Endless):
            rest = chain([each.number for each in lost_tasks], rest)
        if len(self.drawn_numbers) > count:
            if is_drawn_again:
                self._redraw_to_compare(pool, geometry, second)
            self._is_redraw_proven = is_proof_due
        self._check_jumping(pool, geometry, second)
        return rest

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
        digests = dict(self._digests)
        jump = self._task(number, geometry, keep=False, replay=False)
        for task, outcome in pool.draw(FixedSequences([[replace(jump, watch=True)]]), at_once=1):
            self.trials += 1
            is_same = digest_of(outcome) == digests.get(task.number)
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
        value = self._plan.value[number]
        digest = self._plan.digest(number)
        redraw = "full"
        if keep and self._redraw == "auto":
            usual = "reuse" if self._is_redraw_proven else "auto"
            redraw = "compare" if self._plan.is_compared(number, self._order) else usual
        index = self._plan.index[number]
        return Task(number, index, value, geometry, keep, is_replayed, digest, redraw=redraw)

    def _draw(
        self,
        pool: WorkerPool,
        source: InOrder | ContiguousChunks | Chunks,
        checked: bool,
        at_once: int | None = None,
    ) -> list[Task]:
        """Draw all frames; return the tasks whose process died or hung."""
        lost_tasks: list[Task] = []
        for task, outcome in pool.draw(source, at_once=1 if self._order == "serial" else at_once):
            self._check_outcome(task, outcome, checked)
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
        """Compare a frame that was drawn twice, and check whether drawing has changed the scene's state."""
        if isinstance(outcome, Drawn):
            self._check_redraw(task, outcome)
        if not task.keep:
            self.trials += 1
            self._has_compared = True
        if isinstance(outcome, Drawn):
            if task.keep:
                self._costs.append((outcome.costs.update_s, outcome.costs.draw_s))
            self.costs += outcome.costs
            if checked and outcome.changed and not self._replay:
                raise _stateful_by(outcome.changed)
        digest = digest_of(outcome)
        if self.original and (reason := self.original.differs(task.number, digest)):
            raise DiffersElsewhere(reason)
        if not checked:
            return
        if digest is None or self._digests.setdefault(task.number, digest) == digest:
            is_in_full = not task.keep and isinstance(outcome, Drawn) and outcome.redraw == "full"
            self.compared += is_in_full and task.number in self._reused
            self._files_by_number.setdefault(task.number, _files_of(outcome))
            return
        if _files_differ(self._files_by_number.get(task.number, {}), _files_of(outcome)):
            return  # a file changed, which says nothing about the order; its old frames will be drawn again
        if self._replay and task.number in self._reused:  # in full, it will show whether that was the reason
            raise RedrawDiffers(task.number)
        raise _random([task.number]) if self._replay else _stateful([task.number])

    def _check_redraw(self, task: Task, outcome: Drawn) -> None:
        """Note whether only what had changed was drawn, and what comparing with the frame in full gave."""
        if outcome.redraw in ("same", "differs"):
            self.compared += 1
        if outcome.redraw == "differs":
            raise RedrawDiffers(task.number)
        if outcome.redraw in ("same", "reused"):
            self._reused.add(task.number)
        if outcome.redraw == "useless":
            self._redraw = "full"

    def _redraw_to_compare(self, pool: WorkerPool, geometry: FrameGeometry | None, number: int) -> None:
        """Let a fresh worker draw a frame again to compare; in order "free" it jumps there.

        Raises
        ------
        OrderMatters
        """
        for task, outcome in pool.draw(
            FixedSequences([[self._task(number, geometry, keep=False)]]), at_once=1
        ):
            try:
                self._check_outcome(task, outcome)
            except RedrawDiffers:
                if self._is_random(pool, geometry, number, digest_of(outcome)):
                    raise _random([number]) from None
                raise
            except OrderMatters:
                if self._replay:
                    raise
                repeat_task = self._task(number, geometry, keep=False, replay=True)
                digests = [
                    digest_of(outcome)
                    for _, outcome in pool.draw(FixedSequences([[repeat_task], [repeat_task]]), at_once=2)
                ]
                self.trials += len(digests)
                raise (_random if len(set(digests)) > 1 else _stateful)([number]) from None

    def _is_random(
        self, pool: WorkerPool, geometry: FrameGeometry | None, number: int, digest: str | None
    ) -> bool:
        """True if a frame drawn in full in one more process is yet another one."""
        tasks = [self._task(number, geometry, keep=False)]
        digests = [digest_of(outcome) for _, outcome in pool.draw(FixedSequences([tasks]), at_once=1)]
        self.trials += len(digests)
        return digests != [digest]

    def _check_resume_points(
        self, pool: WorkerPool, geometry: FrameGeometry | None, resume_points: Mapping[int, str]
    ) -> None:
        """Redraw the last frames of the previous run; if they differ, the new frames would not continue them.

        Raises
        ------
        OrderMatters
        """
        self._digests |= resume_points
        for task, outcome in pool.draw(InOrder(self._tasks(resume_points, geometry, keep=False)), at_once=1):
            if digest_of(outcome) not in (None, resume_points[task.number]):
                self.trials += 1
                raise _of_another_run(task.number) if self._replay else _stateful([task.number])
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


def _files_of(outcome: Outcome) -> dict[str, str]:
    return dict(outcome.reads) if isinstance(outcome, Drawn) else {}


def _files_differ(earlier: Mapping[str, str], now: Mapping[str, str]) -> bool:
    return any(earlier[name] != now[name] for name in {*earlier} & {*now})


def coarsest_first(numbers: Sequence[int], strides: Sequence[int]) -> list[list[int]]:
    """Return passes over numbers, each of what the coarser ones have left.

    >>> coarsest_first(range(10), (4, 2, 1))
    [[0, 4, 8], [2, 6], [1, 3, 5, 7, 9]]
    """
    passes: list[list[int]] = []
    coarser: set[int] = set()
    for stride in strides:
        passes.append([number for number in numbers[::stride] if number not in coarser])
        coarser |= {*numbers[::stride]}
    return [each for each in passes if each]


class Endless:
    """Numbers of frames whose count is unknown."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers

    def put_back(self, number: int) -> None:
        """Yield this number next."""
        self._numbers = chain([number], self._numbers)

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        return next(self._numbers)


_IN_ORDER = (
    "So all updates run in order, and each worker is forked where its first frame begins (order replay)"
)


def _stateful(numbers: Sequence[int]) -> OrderMatters:
    return OrderMatters(
        "replay",
        f"the scene keeps state: {_frames(numbers)} came out different when jumped to and when all frames "
        f"before it were run first. {_IN_ORDER}",
    )


def _stateful_by(names: Sequence[str]) -> OrderMatters:
    text = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
    return OrderMatters("replay", f"the scene keeps state: drawing a frame changes {text}. {_IN_ORDER}")


def _random(numbers: Sequence[int]) -> OrderMatters:
    return OrderMatters(
        "serial",
        f"{_frames(numbers)} came out different each time, after the same updates. So all frames are "
        "drawn in one process, one after the other (order serial). What random and numpy.random give "
        "without a seed is the same in every run of a job, so this is something else: the time of day, "
        "os.urandom, a generator of another library (seed it), the network, or what drawing itself changes",
    )


def _of_another_run(number: int) -> OrderMatters:
    return OrderMatters(
        "serial",
        f"{_frames([number])} of an earlier run came out different now, so new frames would not continue it. "
        "So all frames are drawn again from the first one (order serial)",
    )


def _frames(numbers: Sequence[int]) -> str:
    return f"frame{'s' if len(numbers) > 1 else ''} {format_range(numbers)}"


def _mark_retried(outcome: Outcome) -> Outcome:
    if isinstance(outcome, Failed):
        return replace(outcome, message=f"{outcome.message}; tried twice")
    return outcome
