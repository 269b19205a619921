"""Draws in processes that others provide: sends them units of frames and gathers the answers.

What carries the units is a `Carrier`: an executor, dask, or the ranks of MPI. All else is the same: a unit is
a run of frames for one worker, so long that sending it costs little; what a lost process had is sent again;
the source of tasks (see `framepipe.rendering.schedule`) sees workers that take tasks one by one, as those of
engine ``local``.
"""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from concurrent import futures
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from framepipe.core import files
from framepipe.core.control import Stop
from framepipe.errors import EngineError, Interrupted, StoreError
from framepipe.rendering.engines.base import Failed, Outcome, Task, Tasks, Work, WorkerPool, position_after
from framepipe.rendering.engines.local import LocalEngine, work_without_scene
from framepipe.rendering.engines.parcel import (
    Commission,
    Unit,
    packages_here,
    packed,
    read,
    versions_here,
    write,
)
from framepipe.rendering.engines.process import CannotSend, payload_of
from framepipe.rendering.engines.slots import Share, Slots
from framepipe.store.heartbeats import details_of
from framepipe.store.store import Store

_TICK_S, _POLL_S = 0.2, 0.1
#: A unit takes at least so long, and several times what sending it costs; it grows no faster than this.
_UNIT_S, _TIMES_OVERHEAD, _GROWTH, _MAX_UNIT = 0.5, 4.0, 2, 1000
_MAX_LOSSES = 3


class CarrierLost(Exception):
    """Nothing can be sent any more; the message says why."""


class Carrier(Protocol):
    """What carries units to processes elsewhere.

    Attributes
    ----------
    name : str
        For messages: "dask".
    """

    name: str

    def slots(self) -> int:
        """Return how many units can be drawn at once now; at least 1."""

    def submit(
        self, head: dict[str, Any], unit: bytes, commission: bytes | None, where: str | None
    ) -> futures.Future[dict[str, Any]]:
        """Send a unit for `framepipe.rendering.engines.site.draw_unit`.

        Parameters
        ----------
        head, unit, commission
            See there.
        where : str or None
            The ``where`` of an earlier answer: the process that is best, if it can be chosen.

        Raises
        ------
        CarrierLost
        """

    def is_loss(self, error: BaseException) -> bool:
        """True if an error says that a process was lost, and with it the unit, which can be sent again.

        Raises
        ------
        CarrierLost
            It says that nothing can be sent any more.
        """

    def close(self, job: str) -> None:
        """End the stages of a render, as far as they can be reached; others end by themselves."""


class RemoteEngine:
    """An engine whose frames are drawn by processes that a `Carrier` reaches.

    Parameters
    ----------
    carrier : Carrier
    workers : int, optional
        Largest number of units at once. Default: as many as the carrier can take.
    frame_timeout_s, max_frames_per_worker
        See `LocalEngine`.
    shared_store : bool
        The processes store frames themselves; else they are returned, and stored here.
    slots : Slots, optional
        For units; shared with the engines of other renders that run side by side, through the same processes.
    """

    is_parallel = True

    def __init__(
        self,
        carrier: Carrier,
        workers: int | None = None,
        *,
        frame_timeout_s: float | None = None,
        max_frames_per_worker: int = 500,
        shared_store: bool = True,
        slots: Slots | None = None,
    ) -> None:
        self._slots = slots
        self.name = carrier.name
        self._carrier, self._limit = carrier, workers
        self._frame_timeout_s, self._max_frames = frame_timeout_s, max_frames_per_worker
        self._shared_store = shared_store

    @property
    def workers(self) -> int:
        """Number of units that are drawn at once now."""
        slots = self._carrier.slots()
        return slots if self._limit is None else min(slots, self._limit)

    @contextlib.contextmanager
    def pool(self, work: Work, stop: Stop, count: int) -> Iterator[WorkerPool]:
        """See `Engine`. Order "serial" is one process, which is one of this machine."""
        if work.record.order == "serial":
            local = LocalEngine(
                1, frame_timeout_s=self._frame_timeout_s, max_frames_per_worker=self._max_frames
            )
            with local.pool(work, stop, 1) as one:
                yield one
            return
        with self._probe(work.store) as probe:
            limits = self._limit, self._max_frames
            pool = _RemotePool(
                self._carrier, self._commission(work, probe), work, stop, *limits, slots=self._slots
            )
            try:
                pool.begin()
                yield pool
            finally:
                pool.close()

    @contextlib.contextmanager
    def _probe(self, folder: Path) -> Iterator[str]:
        """Write a file that shows other machines whether they see the same folder."""
        if not self._shared_store:
            yield ""
            return
        path = files.temporary_beside(folder / f"probe-{secrets.token_hex(8)}")
        try:
            path.touch()
        except OSError as error:
            raise StoreError(f"{folder} cannot be written ({error.strerror})") from None
        try:
            yield os.fspath(path)
        finally:
            with contextlib.suppress(OSError):
                path.unlink()

    def _commission(self, work: Work, probe: str) -> Commission:
        stage = getattr(work.scene, "stage", None)
        payload = stage.payload if stage is not None else payload_of(work)
        contents = payload.contents()
        if stage is None:
            payload.close()
        record = stage.description.record if stage is not None else None
        env = work.record.details.get("env", {})
        return Commission(
            contents,
            payload.by_address,
            work_without_scene(work) if stage is not None else None,
            os.fspath(work.store),
            probe,
            parts=record.parts if record else {},
            details=details_of(record.details) if record else {},
            packages={} if record else packages_here(),
            frame_timeout_s=self._frame_timeout_s,
            env={name: os.environ[name] for name in env if name in os.environ},
        )


@dataclass(eq=False)
class _Worker:
    """A worker as the source of tasks sees it: its frames are drawn wherever its units come to."""

    number: int
    position: int | None
    max_frames: int
    frame_count: int = 0
    unit: _Sent | None = None
    where: str | None = None
    replacement_at: int | None = None

    @property
    def exhausted(self) -> bool:
        """See `framepipe.rendering.engines.base.Worker`."""
        return self.frame_count >= self.max_frames


@dataclass(eq=False)
class _Sent:
    """A unit that was sent."""

    data: bytes
    tasks: list[Task]
    future: futures.Future[dict[str, Any]]
    sent_at: float = field(default_factory=time.monotonic)
    losses: int = 0


class _RemotePool:
    """The worker pool, see `WorkerPool`."""

    checkpoints = True

    def __init__(
        self,
        carrier: Carrier,
        commission: Commission,
        work: Work,
        stop: Stop,
        limit: int | None,
        max_frames: int,
        slots: Slots | None = None,
    ) -> None:
        self._slots = slots or Slots(1)
        self._share: Share = self._slots.share()
        self._carrier, self._stop, self._limit, self._max_frames = carrier, stop, limit, max_frames
        self._commission, self._store = write(commission), Store(work.store)
        self._knows_values = commission.work is not None
        self._job = secrets.token_hex(16)
        self._head = {"job": self._job, "versions": versions_here()}
        self._workers: list[_Worker] = []
        self._count = 0
        self._length = _UnitLength()
        self._outcomes: list[tuple[Task, Outcome]] = []
        self._tasks: Tasks
        self._is_alone = False  # one frame at a time

    def begin(self) -> None:
        """Let one process load the scene: what is wrong with it shows now, once.

        Raises
        ------
        Interrupted
            A stop was requested while no process could be reached, or while it loaded the scene.
        CannotSend, EngineError, StoreError
        """
        sent = self._sent(write(Unit(0, 0, True, ())), [], self._commission, None)
        while True:
            if self._stop.requested:
                sent.future.cancel()
                raise Interrupted(
                    f"stopped{self._stop.by} before {self._carrier.name} had loaded the scene: no frame was "
                    "drawn",
                    signal_name=self._stop.signal_name,
                )
            self._stop.tick()
            _wait([sent.future])
            if not sent.future.done():
                continue
            if (answer := self._answer(sent)) is not None:
                self.checkpoints = answer["forks"]
                return
            if sent.losses >= _MAX_LOSSES:
                raise EngineError(f"processes of {self._carrier.name} are lost while they load the scene")
            sent = self._again(sent)

    def draw(self, tasks: Tasks, *, at_once: int | None = None) -> Iterator[tuple[Task, Outcome]]:
        """See `WorkerPool`."""
        self._tasks, self._is_alone = tasks, at_once == 1
        while True:
            self._stop.tick()
            if not self._stop.requested:
                self._hand_out(at_once)
            if not self._busy() and (self._stop.requested or not tasks.more) and not self._outcomes:
                return
            if self._stop.out_of_time:
                self._drop()
                return
            yield from self._gather()

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.unit]

    def _hand_out(self, at_once: int | None) -> None:
        """Send units to idle workers, and add workers while there is room for them."""
        slots = self._carrier.slots()
        count = slots if self._limit is None else min(slots, self._limit)
        self._slots.resize(count)
        limit = self._share.take(count if at_once is None else at_once)
        for worker in [each for each in self._workers if not each.unit]:
            if len(self._busy()) < limit:
                self._send_next(worker)
        while len(self._workers) < limit and (at := self._tasks.start()) is not None:
            self._send_next(self._added(at))
        self._share.keep(len(self._busy()), lambda: self._tasks.more)

    def _added(self, at: int) -> _Worker:
        self._count += 1
        worker = _Worker(self._count, at, self._max_frames)
        self._workers.append(worker)
        return worker

    def _send_next(self, worker: _Worker) -> None:
        """Send a worker its next unit, or replace it by a fresh one."""
        while True:
            if worker.replacement_at is not None:
                self._workers.remove(worker)
                self._tasks.on_worker_exit(worker)
                worker = self._added(worker.replacement_at)
            is_fresh, position = worker.frame_count == 0, worker.position
            if taken := self._taken(worker):
                unit = Unit(worker.number, position, is_fresh, [as_sent for _, as_sent in taken])
                worker.unit = self._sent(write(unit), [task for task, _ in taken], None, worker.where)
                return
            if worker.replacement_at is None:
                return

    def _taken(self, worker: _Worker) -> list[tuple[Task, Task]]:
        """Take tasks for a worker's next unit; return each as it is here, and as it travels.

        A frame alone is a unit: if the next one ends its process, it is in the store.
        """
        taken: list[tuple[Task, Task]] = []
        while len(taken) < (1 if self._is_alone else self._length.frames):
            task = self._tasks.next(worker)
            if not isinstance(task, Task):
                worker.replacement_at = None if task is None else task.at
                break
            try:
                taken.append((task, packed(task, self._knows_values)))
            except Exception as error:  # the value's own class refuses to be pickled
                message = f"its value cannot be sent to a worker: {type(error).__name__}: {error}"
                self._outcomes.append((task, Failed(task.number, "raised", message)))
                continue
            worker.frame_count, worker.position = (
                worker.frame_count + 1,
                position_after(worker.position, task),
            )
        return taken

    def _sent(self, data: bytes, tasks: list[Task], commission: bytes | None, where: str | None) -> _Sent:
        try:
            return _Sent(data, tasks, self._carrier.submit(self._head, data, commission, where))
        except CarrierLost as error:
            raise self._lost(error) from None

    def _again(self, sent: _Sent) -> _Sent:
        """Send a unit again, with what all units have in common."""
        return replace(self._sent(sent.data, sent.tasks, self._commission, None), losses=sent.losses)

    def _lost(self, error: CarrierLost) -> Interrupted:
        return Interrupted(
            f"{self._carrier.name} is gone: {error}. Finished frames are safe. Run the same again to go on"
        )

    def _gather(self) -> list[tuple[Task, Outcome]]:
        """Wait a moment for answers."""
        outcomes, self._outcomes = self._outcomes, []
        busy = self._busy()
        if not outcomes:
            _wait([worker.unit.future for worker in busy if worker.unit])
        for worker in busy:
            sent = worker.unit
            if sent is None or not sent.future.done():
                continue
            answer = self._answer(sent)
            if answer is not None:
                worker.unit, worker.where = None, answer.get("where")
                self._length.learn(len(sent.tasks), answer["seconds"], time.monotonic() - sent.sent_at)
                outcomes += self._stored(sent.tasks, answer)
            elif sent.losses < _MAX_LOSSES:
                worker.unit = self._again(sent)
            else:
                worker.unit = None
                message = f"the process that drew it was lost {sent.losses} times"
                outcomes += [(task, Failed(task.number, "lost", message)) for task in sent.tasks]
        return outcomes

    def _answer(self, sent: _Sent) -> dict[str, Any] | None:
        """Return the answer to a unit; None if it has to be sent again.

        Raises
        ------
        CannotSend, EngineError, StoreError
            Nothing can be drawn there.
        Interrupted
            Nothing can be sent any more.
        """
        try:
            answer = sent.future.result()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            try:
                is_loss = self._carrier.is_loss(error)
            except CarrierLost as loss:
                raise self._lost(loss) from None
            if not is_loss:
                raise _refusal(self._carrier.name, error) from error
            sent.losses += 1
            return None
        if "missing" in answer:
            return None
        if "error" in answer:
            reason = answer["error"]
            kind = type(reason) if isinstance(reason, (CannotSend, StoreError)) else EngineError
            raise kind(f"{self._carrier.name}, on {answer['host']}: {reason}")
        return answer

    def _stored(self, tasks: Iterable[Task], answer: dict[str, Any]) -> list[tuple[Task, Outcome]]:
        """Store the frames that were returned; return the outcomes."""
        outcomes: list[tuple[Task, Outcome]] = []
        for place, (task, outcome) in enumerate(zip(tasks, read(answer["outcomes"]))):
            try:
                if (data := answer["frames"].get(place)) is not None:
                    self._store.commit(task.number, data)
            except StoreError as error:
                outcome = Failed(task.number, "store", str(error))
            if (log := answer["logs"].get(place)) is not None:
                self._store.keep_log(task.number, log)
            outcomes.append((task, outcome))
        return outcomes

    def _drop(self) -> None:
        """Wait for no unit any more."""
        for worker in self._busy():
            if worker.unit:
                worker.unit.future.cancel()
        self._workers.clear()

    def close(self) -> None:
        """End what the render has elsewhere.

        Frames in progress are waited for: another round of the render may draw them in another way, and
        must not be overtaken.
        """
        pending = [worker.unit.future for worker in self._busy() if worker.unit]
        pending = [future for future in pending if not future.cancel()]
        while pending and not self._stop.requested:
            _wait(pending)
            pending = [future for future in pending if not future.done()]
        self._share.end()
        with contextlib.suppress(Exception):  # it is gone; stages without work end by themselves
            self._carrier.close(self._job)


class _UnitLength:
    """How many frames a unit has: so many that sending it costs little, so few that all have work.

    Attributes
    ----------
    frames : int
    """

    def __init__(self) -> None:
        self.frames = 1
        self._overhead_s = math.inf

    def learn(self, frames: int, seconds: float, seconds_in_all: float) -> None:
        """Note what a unit has taken: drawing, and from sending it to the answer."""
        if not frames:
            return
        self._overhead_s = min(self._overhead_s, max(0.0, seconds_in_all - seconds))
        target_s = max(_UNIT_S, _TIMES_OVERHEAD * self._overhead_s)
        fitting = int(target_s / max(seconds / frames, 1e-4))
        self.frames = max(1, min(fitting, _GROWTH * max(self.frames, frames), _MAX_UNIT))


def _wait(pending: list[futures.Future[dict[str, Any]]]) -> None:
    """Wait a moment for one of these; not all executors have futures of the standard library."""
    if all(isinstance(each, futures.Future) for each in pending):
        if pending:
            futures.wait(pending, _TICK_S, futures.FIRST_COMPLETED)
        else:
            time.sleep(_TICK_S)
    elif not any(each.done() for each in pending):
        time.sleep(_POLL_S)


def _refusal(name: str, error: BaseException) -> EngineError:
    """Return what to say of an error that is not the scene's."""
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == "framepipe":
        return EngineError(
            f"the processes of {name} have no framepipe ({error}): install it in their Python, in the same "
            "version as here"
        )
    return EngineError(f"{name} cannot draw: {type(error).__name__}: {error}")
