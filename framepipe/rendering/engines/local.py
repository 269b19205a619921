"""Draws in processes of this machine.

One loop in one thread knows which process draws which frame, and waits on the sockets of all of them. So
a process that dies or hangs costs its frame and nothing else, and nobody waits on a lock that a dead
process holds. The code of the processes is in `framepipe.rendering.engines.stage`.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from framepipe.core.control import Stop
from framepipe.core.cpus import usable_cpus
from framepipe.errors import EngineError
from framepipe.rendering.engines.base import Failed, Outcome, Task, Tasks, Work, WorkerPool, position_after
from framepipe.rendering.engines.link import Link, can_be_read
from framepipe.rendering.engines.process import StageProcess
from framepipe.rendering.engines.slots import Share, Slots

_TICK_S = 0.2
_SHORT_TICK_S = 0.05  # while another render has a slot that this one could use
_END_S = 3.0
_STATUS_S = 1.0
_MAX_DEATHS_AT_START = 3
_COSTLY_S = 2.0  # updates that take longer are worth a checkpoint
_MAX_CHECKPOINTS = 8


class LocalEngine:
    """Worker processes on this machine.

    Parameters
    ----------
    workers : int, optional
        Default: one per processor that this process may use, see `usable_cpus`.
    frame_timeout_s : float, optional
        Seconds after which a frame fails and its process is killed.
    max_frames_per_worker : int
        Frames after which a process is replaced by a new one, so that leaks stay bounded.
    slots : Slots, optional
        Which it shares with the engines of other renders that run side by side; then their number is that of
        the workers.
    """

    name = "local"
    is_parallel = True

    def __init__(
        self,
        workers: int | None = None,
        *,
        frame_timeout_s: float | None = None,
        max_frames_per_worker: int = 500,
        slots: Slots | None = None,
    ) -> None:
        self.workers = slots.count if slots else workers or usable_cpus()
        self._share = slots.share() if slots else None
        self.frame_timeout_s = frame_timeout_s
        self.max_frames_per_worker = max_frames_per_worker

    @contextlib.contextmanager
    def pool(self, work: Work, stop: Stop, count: int) -> Iterator[WorkerPool]:
        """See `Engine`."""
        scene_stage = getattr(work.scene, "stage", None)
        stage = scene_stage or StageProcess.of_work(work)
        common = work_without_scene(work) if scene_stage else None
        try:
            count = min(self.workers, count)
            limits = self.frame_timeout_s, self.max_frames_per_worker
            with Workers(stage, common, stop, count, *limits, share=self._share).running() as workers:
                yield workers
        finally:
            if self._share:
                self._share.end()
            if scene_stage is None:
                stage.close()


def work_without_scene(work: Work) -> Work:
    """Return what a stage that has loaded the scene itself needs of it."""
    return replace(work, scene=None, earlier=())  # type: ignore[arg-type]


class _Process:
    """A process that was forked from the stage, or from another one, as its engine sees it."""

    def __init__(
        self, pid: int, link: Link, parent: _Process | StageProcess, position: int, max_frames_per_worker: int
    ):
        self.pid, self.link, self.parent = pid, link, parent
        self._max_frames = max_frames_per_worker
        self.task: Task | None = None
        self.storing: list[Task] = []  # drawn, and not in the store yet
        self.deadline: float | None = None
        self.frame_count = 0
        self.position: int | None = position
        self.requests: deque[_Request] = deque()

    def send_task(self, task: Task, timeout_s: float | None = None) -> None:
        """Send a task."""
        self.task = task = replace(task, in_order=task.replay or task.index == self.position)
        updates = task.index - (self.position or 0) + 1 if task.replay else 1
        self.deadline = time.monotonic() + timeout_s * max(1, updates) if timeout_s else None
        self.frame_count, self.position = self.frame_count + 1, position_after(self.position, task)
        with contextlib.suppress(OSError):  # it has died, which its socket will show
            self.link.send(("task", task))

    def finished(self, outcome: Outcome) -> list[tuple[Task, Outcome]]:
        """Take an outcome, and return it with its task: of the frame that is being stored, or drawn."""
        task = next((each for each in self.storing if each.number == outcome.number), None)
        if task is not None:
            self.storing.remove(task)
        else:
            task, self.task, self.deadline = self.task, None, None
        return [(task, outcome)] if task else []

    @property
    def unfinished(self) -> list[Task]:
        """Its frames that are not in the store."""
        return [*self.storing, *([self.task] if self.task else [])]

    @property
    def exhausted(self) -> bool:
        """See `Worker`."""
        return self.frame_count >= self._max_frames

    @property
    def is_dead(self) -> bool:
        """True if the process has ended, even if a child of its own holds its socket open."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
        except FileNotFoundError:
            return Path("/proc/self").exists()
        except OSError:
            return False

    def kill(self) -> None:
        """Kill the process and its process group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.link.close()


@dataclass
class _Request:
    """A request for a fork.

    Attributes
    ----------
    at : int
        Index before which all updates must have run.
    runs_on : bool
        True for a process that runs through the updates, or stays as a checkpoint; False for a worker.
    since : float
        Time of the request.
    """

    at: int
    runs_on: bool = False
    since: float = 0.0


class Workers:
    """The worker pool: hands out tasks, gathers outcomes, replaces dead workers.

    Parameters
    ----------
    stage : StageProcess
        What workers are forked from; it stays.
    work : Work or None
        Without a scene; None if it was in the stage's payload.
    stop : Stop
    count : int
    timeout_s : float or None
    max_frames_per_worker : int
        See `LocalEngine`.
    store : Path, optional
        Where frames are stored, instead of the folder in ``work``.
    share : Share, optional
        Of the slots of several renders; without it all workers draw at once.
    """

    def __init__(
        self,
        stage: StageProcess,
        work: Work | None,
        stop: Stop,
        count: int,
        timeout_s: float | None,
        max_frames_per_worker: int,
        store: Path | None = None,
        share: Share | None = None,
    ) -> None:
        self._stage, self._work, self._stop, self._store = stage, work, stop, store
        self._share = share or Slots(max(2, count)).share()  # two frames may be compared by one worker too
        self._count, self._timeout_s, self._max_frames = count, timeout_s, max_frames_per_worker
        self._selector = selectors.DefaultSelector()
        self._workers: list[_Process] = []
        self._runners: list[_Process] = []
        self._stage_requests: deque[_Request] = deque()
        self._pending_starts: list[int] = []  # first indices of workers that wait for a runner
        self._deaths_at: dict[int, int] = {}
        self._unreachable_from: tuple[int, Failed] | None = None  # no frame from this index on
        self._outcomes: list[tuple[Task, Outcome]] = []
        self._tasks: Tasks
        self._deaths_at_start = 0
        self._is_unforkable = False  # a worker, since drawing
        self._is_alone = False  # one frame at a time

    @contextlib.contextmanager
    def running(self) -> Iterator[Workers]:
        """Load the scene and provide these workers; all have ended when the context ends."""
        try:
            self._stage.load(self._stop)
            self.begin()
            yield self
            self.end()
        finally:
            self.kill()

    @property
    def checkpoints(self) -> bool:
        """See `WorkerPool`."""
        return self._stage.forks

    def begin(self) -> None:
        """Send the work to the stage."""
        if not self._stage.forks:
            return
        self._send_work(self._stage.link)
        self._selector.register(self._stage.link, selectors.EVENT_READ, self._stage)

    def _send_work(self, link: Link) -> None:
        link.send(("work", self._work))
        if self._store is not None:
            link.send(("store", self._store))

    def draw(self, tasks: Tasks, *, at_once: int | None = None) -> Iterator[tuple[Task, Outcome]]:
        """See `WorkerPool`."""
        limit = at_once or self._count
        self._tasks, self._is_alone = tasks, at_once == 1
        while True:
            self._stop.tick()
            if not self._stop.requested:
                self._hand_out(tasks, limit)
            is_idle = not any(each.unfinished for each in self._workers) and not self._outcomes
            if is_idle and (self._stop.requested or not tasks.more):
                return
            if self._stop.out_of_time:
                self.kill()
                return
            yield from self._gather()

    def _busy(self) -> list[_Process]:
        """Return the workers that can take no task; a frame alone is stored before the next one begins."""
        return [each for each in self._workers if each.task or (each.storing and self._is_alone)]

    def _hand_out(self, tasks: Tasks, limit: int) -> None:
        """Send tasks to idle workers, and request missing workers.

        Workers are requested first: one that is to be forked from an idle worker need not wait for its frame.
        """
        limit = self._share.take(limit)
        assigned: list[tuple[_Process, Task]] = []
        for worker in [each for each in self._workers if not each.task]:
            if len(self._busy()) + len(assigned) + self._expected_workers() >= limit:
                break
            task = tasks.next(worker)
            if isinstance(task, Task):
                assigned.append((worker, task))
            elif task is not None:
                self._dismiss(worker)
                self._request_worker(task.at)
        while len(self._workers) + self._expected_workers() < limit and (at := tasks.start()) is not None:
            self._request_worker(at)
        for worker, task in assigned:
            self._send(worker, task)
        self._share.keep(len(self._busy()) + self._expected_workers(), lambda: tasks.more)

    def _expected_workers(self) -> int:
        """Return the number of workers that are requested but not there yet."""
        requests = [request for queue in self._queues() for request in queue]
        return len(self._pending_starts) + sum(not request.runs_on for request in requests)

    def _send(self, worker: _Process, task: Task) -> None:
        try:
            worker.send_task(task, self._timeout_s)
        except Exception as error:  # the value's own class refuses to be pickled
            message = f"its value cannot be sent to a worker: {type(error).__name__}: {error}"
            worker.task = None
            self._outcomes.append((task, Failed(task.number, "raised", message)))

    def _request_worker(self, at: int) -> None:
        """Request a worker that begins at this index."""
        if self._unreachable_from is not None and at >= self._unreachable_from[0]:
            self._outcomes += self._unreachable(at, self._unreachable_from[1])
            return
        if not self._stage.forks:
            self._add_independent_worker()
        elif at == 0:
            self._fork(self._stage, _Request(0))
        else:
            candidates = [each for each in self._runners if each.position is not None and each.position <= at]
            if candidates:
                self._fork(max(candidates, key=lambda each: each.position or 0), _Request(at))
            else:
                self._pending_starts.append(at)
                self._request_runner(at)

    def _request_runner(self, before: int) -> None:
        """Request a process that runs through the updates, unless one that has not passed this is expected.

        If a worker has begun there, a copy of it: what it keeps of artists that do not change (see
        `framepipe.scenes.tapes`) is then shared by all workers that are forked from it.
        """
        requests = [request for queue in self._queues() for request in queue]
        if any(request.runs_on and request.at <= before for request in requests):
            return
        begun = [
            w for w in self._workers if w.frame_count and w.position is not None and w.position <= before
        ]
        if begun and not self._is_unforkable:
            worker = max(begun, key=lambda each: each.position or 0)
            self._fork(worker, _Request(worker.position or 0, runs_on=True))
        else:
            self._fork(self._stage, _Request(0, runs_on=True))

    def _queues(self) -> list[deque[_Request]]:
        return [self._stage_requests, *(each.requests for each in (*self._runners, *self._workers))]

    def _fork(self, source: _Process | StageProcess, request: _Request) -> None:
        request.since = time.monotonic()
        if isinstance(source, _Process):
            source.requests.append(request)
            updates = request.at - (source.position or 0)
            if self._timeout_s and source.deadline is None and source in self._runners:
                source.deadline = time.monotonic() + self._timeout_s * max(1, updates + 1)
            source.position = request.at
        else:
            self._stage_requests.append(request)
        with contextlib.suppress(OSError):  # it has died, which its socket will show
            source.link.send(("fork", request.at))

    def _add_independent_worker(self) -> None:
        """Add a worker that loads the script itself and replays, where forking is not safe."""
        stage = self._stage.another(self._stop)
        with contextlib.suppress(OSError):
            self._send_work(stage.link)
        self._add_worker(_Process(stage.pid, stage.link, stage, 0, self._max_frames))

    def _add_worker(self, process: _Process) -> None:
        self._workers.append(process)
        self._selector.register(process.link, selectors.EVENT_READ, process)

    def _gather(self) -> list[tuple[Task, Outcome]]:
        """Wait a moment for messages; handle dead and late workers."""
        outcomes, self._outcomes = self._outcomes, []
        tick_s = _SHORT_TICK_S if self._share.short else _TICK_S
        ready = self._selector.select(0 if outcomes else tick_s)
        for key, _ in ready:
            outcomes += self._receive(key.data)
        if not ready:
            for worker in [each for each in self._workers if each.unfinished and each.is_dead]:
                outcomes += self._reap(worker)
        return [*outcomes, *self._kill_late()]

    def _receive(self, source: _Process | StageProcess) -> list[tuple[Task, Outcome]]:
        try:
            messages = source.link.arrived()
        except EOFError:
            if isinstance(source, StageProcess):
                return self._restart_stage()
            return self._reap_runner(source) if source in self._runners else self._reap(source)
        outcomes: list[tuple[Task, Outcome]] = []
        for kind, *rest in messages:
            if kind == "forked":
                self._adopt_fork(source, rest[0])
            elif kind == "unforkable" and isinstance(source, _Process):
                self._is_unforkable = True
                self._take_requests_back(source)
            elif kind == "drawn" and isinstance(source, _Process) and source.task is not None:
                source.storing.append(source.task)
                source.task = source.deadline = None
            elif kind == "outcome" and isinstance(source, _Process):
                outcomes += source.finished(rest[0])
                self._deaths_at_start = 0
        return outcomes

    def _adopt_fork(self, source: _Process | StageProcess, pid: int) -> None:
        """Register a forked process, which draws or runs through the updates."""
        end = socket.socket(fileno=source.link.descriptor())
        end.set_inheritable(False)
        self._stage.guard.watch(pid)
        requests = source.requests if isinstance(source, _Process) else self._stage_requests
        request = requests.popleft()
        process = _Process(pid, Link(end), source, request.at, self._max_frames)
        if not request.runs_on:
            self._add_worker(process)
        else:
            self._runners.append(process)
            self._selector.register(process.link, selectors.EVENT_READ, process)
            for at in sorted(each for each in self._pending_starts if each >= request.at):
                self._pending_starts.remove(at)
                self._fork(process, _Request(at))
            if self._pending_starts:  # this is a checkpoint beyond them
                self._request_runner(min(self._pending_starts))
        if isinstance(source, _Process) and source in self._runners:
            source.deadline = None
            self._keep_checkpoint(source, request)

    def _keep_checkpoint(self, runner: _Process, request: _Request) -> None:
        """If the updates up to here took long, keep a copy of the process in case a worker is lost."""
        duration_s = time.monotonic() - request.since
        at = runner.position or 0  # it never goes back: it has been sent further meanwhile
        if not request.runs_on and duration_s > _COSTLY_S and len(self._runners) <= _MAX_CHECKPOINTS:
            self._fork(runner, _Request(at, runs_on=True))

    def _dismiss(self, worker: _Process) -> None:
        """Let a worker end, when its last frame is in the store."""
        while worker.storing and worker in self._workers and not self._stop.out_of_time:
            self._stop.tick()
            if can_be_read(worker.link, _TICK_S):
                self._outcomes += self._receive(worker)
            elif worker.is_dead:
                self._outcomes += self._reap(worker)
        if worker not in self._workers:  # it has died
            return
        self._remove(worker)
        with contextlib.suppress(OSError):
            worker.link.send(("end",))
        worker.link.close()
        self._stage.guard.forget(worker.pid)

    def _remove(self, worker: _Process) -> None:
        self._workers.remove(worker)
        self._selector.unregister(worker.link)
        self._tasks.on_worker_exit(worker)
        self._take_requests_back(worker)

    def _take_requests_back(self, worker: _Process) -> None:
        """Request from the stage what this worker will not give: a process that runs through the updates."""
        if worker.requests:
            worker.requests.clear()
            self._fork(self._stage, _Request(0, runs_on=True))

    def _reap(self, worker: _Process) -> list[tuple[Task, Outcome]]:
        """Handle a worker that has died; its frame is lost."""
        if worker not in self._workers:
            return []
        self._remove(worker)
        reason = self._exit_reason(worker)
        worker.kill()
        self._stage.guard.forget(worker.pid)
        if not worker.unfinished:
            self._deaths_at_start += 1
            if self._deaths_at_start >= _MAX_DEATHS_AT_START and not self._workers:
                raise EngineError(f"worker processes die while they start: {reason}")
        return [(task, Failed(task.number, "lost", reason)) for task in worker.unfinished]

    def _reap_runner(self, runner: _Process) -> list[tuple[Task, Outcome]]:
        """Handle a process that died while it ran through the updates: try once more, then give up."""
        self._runners.remove(runner)
        self._selector.unregister(runner.link)
        reason = self._exit_reason(runner)
        runner.kill()
        self._stage.guard.forget(runner.pid)
        return self._retry(runner, "lost", f"an update before it ended its process: {reason}")

    def _retry(self, runner: _Process, kind: Any, reason: str) -> list[tuple[Task, Outcome]]:
        requests = [request for request in runner.requests if not request.runs_on]
        if requests:
            at = requests[0].at
            self._deaths_at[at] = self._deaths_at.get(at, 0) + 1
            if self._deaths_at[at] > 1 and self._unreachable_from is None:
                self._unreachable_from = at, Failed(0, kind, f"{reason}; tried twice")
        for request in requests:
            self._request_worker(request.at)
        return []

    def _unreachable(self, at: int, failure: Failed) -> list[tuple[Task, Outcome]]:
        """Return failures for all frames of the worker that would have begun at this index."""
        stand_in = _Process(0, self._stage.link, self._stage, at, self._max_frames)
        outcomes: list[tuple[Task, Outcome]] = []
        while isinstance(task := self._tasks.next(stand_in), Task):
            stand_in.position, stand_in.frame_count = task.index + 1, stand_in.frame_count + 1
            outcomes.append((task, replace(failure, number=task.number)))
        if task is not None:
            outcomes += self._unreachable(task.at, failure)
        return outcomes

    def _restart_stage(self) -> list[tuple[Task, Outcome]]:
        """Load the scene again after the stage was killed, and repeat the pending requests."""
        self._selector.unregister(self._stage.link)
        self._deaths_at_start += 1
        if self._deaths_at_start >= _MAX_DEATHS_AT_START:
            raise EngineError("the process that loaded the scene dies each time a worker begins")
        self._stage.restart(self._stop)
        self.begin()
        requests, self._stage_requests = self._stage_requests, deque()
        for request in requests:
            self._fork(self._stage, request)
        return []

    def _kill_late(self) -> list[tuple[Task, Outcome]]:
        outcomes: list[tuple[Task, Outcome]] = []
        now = time.monotonic()
        for worker in self._busy():
            if worker.task and worker.deadline is not None and now > worker.deadline:
                message = f"not drawn within {self._timeout_s:g} s (--frame-timeout)"
                outcomes.append((worker.task, Failed(worker.task.number, "timeout", message)))
                lost = Failed(0, "lost", "the disk did not take it before the next frame's time limit")
                outcomes += [(task, replace(lost, number=task.number)) for task in worker.storing]
                self._remove(worker)
                worker.kill()
        for runner in [each for each in self._runners if each.deadline and now > each.deadline]:
            self._runners.remove(runner)
            self._selector.unregister(runner.link)
            runner.kill()
            message = f"an update before it did not end within {self._timeout_s:g} s (--frame-timeout)"
            outcomes += self._retry(runner, "timeout", message)
        return outcomes

    def _exit_reason(self, process: _Process) -> str:
        """Return how a process died, for a message."""
        status = self._status_of(process)
        if status is None:
            return "its process closed its connection to framepipe"
        code = os.waitstatus_to_exitcode(status)
        if code == -signal.SIGKILL:
            return "its process was killed (signal 9: usually out of memory)"
        if code < 0:
            return f"its process crashed (signal {-code}: {signal.strsignal(-code) or 'unknown'})"
        return f"its process ended by itself (exit code {code})"

    def _status_of(self, process: _Process) -> int | None:
        """Return its wait status, from the process that forked it; None without an answer in time."""
        parent = process.parent
        if isinstance(parent, StageProcess) and parent.pid == process.pid:
            return parent.wait_status(_STATUS_S)
        with contextlib.suppress(OSError, EOFError):
            parent.link.send(("status", process.pid))
            until = time.monotonic() + _STATUS_S
            with selectors.DefaultSelector() as selector:
                selector.register(parent.link, selectors.EVENT_READ)
                while (left_s := until - time.monotonic()) > 0:
                    if not selector.select(left_s):
                        break
                    for kind, *rest in parent.link.arrived():
                        if kind == "forked":
                            self._adopt_fork(parent, rest[0])
                        elif kind == "status" and rest[0] == process.pid:
                            return rest[1]  # type: ignore[no-any-return]
        return None

    def end(self) -> None:
        """Let all processes end by themselves."""
        for worker in [*self._workers, *self._runners]:
            with contextlib.suppress(OSError):
                worker.link.send(("end",))
        until = time.monotonic() + _END_S
        for worker in [*self._workers, *self._runners]:
            with contextlib.suppress(EOFError, OSError):
                worker.link.wait_for_end(until - time.monotonic())

    def kill(self) -> None:
        """End all processes now, but for the stage."""
        for process in [*self._workers, *self._runners]:
            process.kill()
            self._stage.guard.forget(process.pid)
        self._workers.clear()
        self._runners.clear()
        self._selector.close()
        self._selector = selectors.DefaultSelector()
        self._close_late_forks()

    def _close_late_forks(self) -> None:
        """Close the sockets of late forks of the stage, which then end: nobody waits for them any more."""
        until = time.monotonic() + _STATUS_S
        with contextlib.suppress(EOFError, OSError, ValueError):
            while self._stage_requests and can_be_read(self._stage.link, until - time.monotonic()):
                for kind, *_ in self._stage.link.arrived():
                    if kind == "forked":
                        self._stage_requests.popleft()
                        os.close(self._stage.link.descriptor())
        self._stage_requests.clear()
