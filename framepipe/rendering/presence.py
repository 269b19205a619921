"""One process among those that draw frames of a store: what it says of itself and heeds of others."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

from framepipe.core import allocation
from framepipe.core.control import Control
from framepipe.core.usage import Usage
from framepipe.errors import StoreError
from framepipe.job.frames import format_range
from framepipe.job.record import JobRecord, Order
from framepipe.options import ORDERS
from framepipe.rendering.engines import Failed, Outcome, Task
from framepipe.rendering.news import FailureNews
from framepipe.rendering.order import OrderMatters, RedrawDiffers
from framepipe.rendering.siblings import differences_between, refusal
from framepipe.store.failures import FailureLog
from framepipe.store.heartbeats import BEAT_S, Findings, Heartbeat, Heartbeats, born_at, details_of
from framepipe.store.store import Store

_LOOK_S, _HEED_S = 2.0, 60.0
_FIRST_BEAT_S = 1.0
_RECENT = 64
#: Frames of which a heartbeat says who has drawn them.
_NEWEST = 4096
#: A frame that has taken d seconds is begun if d times this, and some seconds to end, are left.
_SAFETY, _END_S = 1.25, 5.0


class Presence:
    """The heartbeat of this process, its failures, and the time that is left to it.

    Parameters
    ----------
    store : Store
    control : Control
    shard : tuple of int
        (K, N); (1, 1) for all frames.
    time_left_s : float or None
        Seconds after which this process will be ended; None if nobody knows.
    """

    def __init__(
        self, store: Store, control: Control, shard: tuple[int, int], time_left_s: float | None
    ) -> None:
        self.is_shared = shard[1] > 1
        self._store, self._control, self._shard = store, control, shard
        self._heartbeats = Heartbeats(store.path)
        array = allocation.array_task()
        self.beat = Heartbeat(
            born=born_at(Heartbeat().pid),
            shard=f"{shard[0]}/{shard[1]}" if self.is_shared else "",
            array=array.job if array else "",
            task=array.task if array else "",
            requeues=allocation.requeues(),
        )
        self._failures = FailureLog(store.path, self.beat.name)
        self._logged = self._failures.numbers()
        self.news = FailureNews()
        self._findings: Findings | None = None
        self._is_refused = False
        self._end_s = None if time_left_s is None else time.monotonic() + time_left_s
        self._drawing: dict[int, tuple[float, float]] = {}  # number -> begun, by both clocks
        self._drawn: deque[int] = deque(maxlen=_NEWEST)
        self._usage = Usage()
        self._durations_s: deque[float] = deque(maxlen=_RECENT)
        self._finished_at: deque[float] = deque(maxlen=_RECENT)
        self._last_beat = self._last_look = self._began = 0.0
        self._last_heed = time.monotonic()

    @contextmanager
    def joined(
        self, record: JobRecord, shown: Mapping[str, str], values: Mapping[str, str]
    ) -> Iterator[None]:
        """Say that this process draws, and refuse to if others draw other pictures; end it with the context.

        Parameters
        ----------
        record : JobRecord
        shown : mapping
            Values of global variables by name, as text.
        values : mapping
            Digests of some frames' values by number.

        Raises
        ------
        StoreError
        """
        undecided = record.undecided()
        details = {**details_of(record.details), "values": dict(values)}
        self.beat = replace(
            self.beat,
            parts=undecided.parts,
            details=details,
            shown=shown,
            since_s=self._heartbeats.clock_s(),
        )
        self._findings = Findings(self._store.path, self.beat.job)
        state: Any = "stopped"
        try:
            self._take_place()
            self._write()
            self.heed_siblings()
            with self._control.stop.watched(self.tick):
                yield
            state = "ended"
        finally:
            self._leave(state)

    def _leave(self, state: Any) -> None:
        self._failures.tidy()
        self._drawing.clear()
        if not self.is_shared or self._is_refused:
            self._heartbeats.remove(self.beat)
            return
        if self._control.stop.requested and self.beat.done + self.beat.failed < self.beat.total:
            state = "stopped"
        self.beat = replace(self.beat, state=state)
        self._write()
        if state == "ended" and self._is_whole():
            self._heartbeats.clear()

    def _is_whole(self) -> bool:
        """True if the tasks of all shards have ended, and have drawn all of their frames."""
        ended = {
            beat.shard
            for beat in self._heartbeats.all()
            if beat.state == "ended" and beat.done >= beat.total and not beat.failed
        }
        return all(f"{k}/{self._shard[1]}" in ended for k in range(1, self._shard[1] + 1))

    def others(self) -> list[Heartbeat]:
        """Return the heartbeats of other processes, dead ones too."""
        own = (self.beat.processes, self.beat.pid)
        return [beat for beat in self._heartbeats.all() if (beat.processes, beat.pid) != own]

    def beat_of(self, record: JobRecord) -> Heartbeat:
        """Return the heartbeat of a task that has drawn with this record, or else one made of the record."""
        parts = record.undecided().parts
        beats = (beat for beat in self.others() if beat.parts == parts)
        return next(beats, Heartbeat(parts=parts, details=details_of(record.details)))

    def heed_siblings(self) -> None:
        """Stop if the first of the living tasks draws other pictures under the same names.

        Tasks of the same array count though they have ended.

        Raises
        ------
        StoreError
        """
        siblings = []
        for beat in self.others():
            if beat.is_alive or (beat.array and beat.array == self.beat.array):
                siblings.append(beat)
        # only with the first one, so that one that is about to be refused refuses nobody
        first = min([*siblings, self.beat], key=_age_key)
        if first is not self.beat and (differences := differences_between(self.beat, first)):
            self._is_refused = True
            raise StoreError(refusal(self._store.path, first, differences))

    def _take_place(self) -> None:
        """Remove the heartbeats of dead tasks that had the same part."""
        for beat in self.others():
            if not beat.is_alive and beat.shard == self.beat.shard:
                self._heartbeats.remove(beat)

    def earlier_sibling(self) -> Heartbeat | None:
        """Return a living task that began to draw before this one, None if there is none."""
        living = [beat for beat in self.others() if beat.is_alive]
        first = min([*living, self.beat], key=_age_key)
        return None if first is self.beat else first

    def begin(self, order: str, total: int, done: int) -> None:
        """Note what a run is about to do.

        Parameters
        ----------
        order : {"free", "replay", "serial"}
        total, done : int
            Frames of this task, and those of them that are done.
        """
        self._drawing.clear()
        self.beat = replace(self.beat, order=order, total=total, done=done, failed=0)
        self._began = self._last_beat = time.monotonic()

    @property
    def findings(self) -> Findings | None:
        """What the tasks that share this job have found out; None if it is not shared."""
        return self._findings if self.is_shared else None

    def heed_findings(self, record: JobRecord) -> None:
        """Draw in another way if another task has found, since the last look, that frames need it.

        Raises
        ------
        OrderMatters, RedrawDiffers
        """
        now = time.monotonic()
        if self.findings is None or now - self._last_look < _LOOK_S:
            return
        self._last_look = now
        if (agreed := self.findings.strictest()) and is_stricter(agreed[0], record.order):
            raise OrderMatters(cast(Order, agreed[0]), agreed[1])
        if record.redraw == "auto" and (number := self.findings.full_redraw()) is not None:
            raise RedrawDiffers(number)

    def handed_out(self, task: Task) -> None:
        """Note that a worker draws a frame now."""
        if task.keep:
            self._drawing[task.number] = time.monotonic(), time.time()

    def ended(self, task: Task, outcome: Outcome) -> None:
        """Note that a worker has ended with a frame."""
        begun = self._drawing.pop(task.number, None)
        if begun and not isinstance(outcome, Failed):
            self._durations_s.append(time.monotonic() - begun[0])
            self._finished_at.append(time.monotonic())
            self._drawn.append(task.number)
            if task.number in self._logged:
                self._failures.drop(task.number)
                self._logged.discard(task.number)

    def failed(self, failure: Failed) -> None:
        """Record a frame that has failed."""
        self._failures.add(failure.number, failure.kind, failure.message, failure.traceback)
        self._logged.add(failure.number)
        self.news.add(failure)
        self.beat = replace(self.beat, error=f"frame {failure.number}: {failure.message}"[:500])

    def count(self, done: int, failed: int, helped: int) -> None:
        """Note how many frames of this task are done and have failed, and how many of others it drew."""
        self.beat = replace(self.beat, done=done, failed=failed, helped=helped)

    def may_begin(self) -> bool:
        """True if a frame can be drawn in the time that is left; if not, request a stop."""
        if self._end_s is None:
            return True
        left_s = self._end_s - time.monotonic()
        frame_s = max(self._durations_s, default=0.0)
        if left_s >= frame_s * _SAFETY + _END_S:
            return True
        self._control.stop.request(
            why=f"{max(0.0, left_s):.0f} s are left of the time that this task has, and a frame takes "
            f"{frame_s:.3g} s"
        )
        return False

    def tick(self) -> None:
        """Write a heartbeat and look at those of others, every few seconds.

        Raises
        ------
        StoreError
            See `heed_siblings`.
        """
        now = time.monotonic()
        # more often at first: who has just begun a render looks whether it goes well
        if now - self._last_beat >= min(BEAT_S, max(_FIRST_BEAT_S, (now - self._began) / 4)):
            self._write()
        if now - self._last_heed >= _HEED_S:  # it reads the heartbeats of all tasks
            self._last_heed = now
            self.heed_siblings()

    def _write(self) -> None:
        finished = self._finished_at
        elapsed_s = finished[-1] - finished[0] if len(finished) > 1 else 0.0
        used = self._usage.look()
        self.beat = replace(
            self.beat,
            drawn=format_range(self._drawn),
            workers=used.workers,
            processors=used.processors,
            memory_bytes=used.memory_bytes,
            drawing={number: since for number, (_, since) in self._drawing.items()},
            rate=(len(finished) - 1) / elapsed_s if elapsed_s else 0.0,
        )
        self._heartbeats.write(self.beat)
        self._last_beat = time.monotonic()


def is_stricter(order: str, than: str) -> bool:
    """True if frames that are drawn in this order are good in the other one, and not the other way round."""
    return ORDERS.index(order) > ORDERS.index(than)


def _age_key(beat: Heartbeat) -> tuple[float, str, int]:
    """Sort tasks by when they began; no two are equal."""
    return beat.since_s, beat.processes, beat.pid
