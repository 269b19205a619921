"""Draws units of frames in a process that is not framepipe's own: an executor's, a dask worker, an MPI rank.

`draw_unit` is what is sent there. The process itself draws nothing: it starts a stage, as engine ``local``
does, and forks workers from it (see `framepipe.rendering.engines.stage`). So frames are drawn there exactly
as on one machine: each reached by all updates before it, in a process with one thread, which may crash or
hang without harm to the process that holds it; and everything ends when that is killed.

A stage stays for the next unit. It ends when none has come for a while, or when `close` is called.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from framepipe.core.control import Stop
from framepipe.errors import EngineError, FramepipeError, StoreError
from framepipe.rendering.engines.base import Drawn, Outcome, Replace, Task, Worker
from framepipe.rendering.engines.local import Workers
from framepipe.rendering.engines.parcel import Commission, Unit, packages_here, read, versions_here, write
from framepipe.rendering.engines.payload import Payload
from framepipe.rendering.engines.process import StageProcess
from framepipe.rendering.siblings import differences_between
from framepipe.store.failures import FailureLog
from framepipe.store.heartbeats import Heartbeat, details_of
from framepipe.store.store import Store

#: Seconds after which a stage ends to which nothing was sent; between two looks for renders that are over.
_IDLE_S, _WATCH_S = 60.0, 1.0
#: A folder of NFS may be looked at late, though a name that was never asked for is not cached (nfs(5)).
_PROBE_S, _PROBE_TICK_S = 3.0, 0.2
_NEVER = sys.maxsize  # the render itself counts the frames of a worker


def draw_unit(head: Mapping[str, Any], unit: bytes, commission: bytes | None = None) -> dict[str, Any]:
    """Draw a unit of frames in a stage of this process.

    Parameters
    ----------
    head : dict
        Plain values: ``job`` names the render, ``versions`` are those of `versions_here` where it runs.
    unit : bytes
        A `Unit`.
    commission : bytes, optional
        A `Commission`; needed once in each process.

    Returns
    -------
    dict
        ``missing`` alone: send the commission too. ``error``: nothing was drawn, and why. Else ``outcomes``,
        ``frames`` and ``logs`` (by place in the unit), ``seconds``, ``forks``. Always ``host`` and ``pid``.
    """
    answer: dict[str, Any] = {"host": socket.gethostname(), "pid": os.getpid()}
    versions = versions_here()
    if head["versions"] != versions:
        lines = [
            f"{name} {head['versions'].get(name)} here, {version} there" for name, version in versions.items()
        ]
        return {**answer, "error": EngineError(f"versions differ: {'; '.join(lines)}")}
    _sites.remember(head["job"], commission)
    if not _sites.knows(head["job"]):
        return {**answer, "missing": True}
    request: Unit = read(unit)
    site: _Site | None = None
    try:
        site = _sites.take(head["job"], request.worker)
        answer |= site.draw(request)
    except BaseException as error:
        if site is not None:
            site.close()
            _sites.drop(head["job"])
        if not isinstance(error, FramepipeError):
            raise
        return {**answer, "error": error}
    _sites.put_back(head["job"], site)
    return answer


def close(job: str | None = None) -> None:
    """End the idle stages of a render in this process, or of all."""
    _sites.close(job)


class _Site:
    """A stage with at most one worker."""

    def __init__(self, commission: Commission) -> None:
        self.worker: int | None = None
        self._position: int | None = None
        self._holder: Worker | None = None
        self._stack = contextlib.ExitStack()
        try:
            self._open(commission)
        except BaseException:
            self.close()
            raise

    def _open(self, commission: Commission) -> None:
        self._folder: Path | None = None
        if commission.probe:
            _look_for(Path(commission.probe))
        else:
            self._folder = Path(tempfile.mkdtemp(prefix="framepipe-"))
            self._stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
        folders = [*commission.path, *(entry for entry in sys.path if entry not in commission.path)]
        stage = StageProcess(
            Payload.of_contents(commission.payload, commission.by_address),
            cwd=commission.cwd if os.path.isdir(commission.cwd) else None,
            path=folders,
            env=commission.env,
            silent=True,
        )
        self._stack.callback(stage.close)
        stop = Stop()
        description = stage.load(stop)
        _refuse_other_pictures(commission, description)
        self.forks = stage.forks
        timeout_s = commission.frame_timeout_s
        workers = Workers(stage, commission.work, stop, 1, timeout_s, _NEVER, self._folder)
        self._workers = self._stack.enter_context(workers.running())

    def draw(self, unit: Unit) -> dict[str, Any]:
        """Draw a unit; return what `draw_unit` does."""
        began = time.monotonic()
        is_its_own = not unit.is_fresh and (self.worker, self._position) == (unit.worker, unit.position)
        source = _InOneProcess(unit, self._holder if is_its_own else None)
        outcomes = _in_order(unit.tasks, [outcome for _, outcome in self._workers.draw(source)])
        self._holder, self.worker = source.worker, unit.worker
        self._position = self._holder.position if self._holder is not None else None
        answer = {"outcomes": write(outcomes), "forks": self.forks, "seconds": time.monotonic() - began}
        return {**answer, **self._collected(unit.tasks, outcomes)}

    def _collected(self, tasks: Sequence[Task], outcomes: Sequence[Outcome]) -> dict[str, Any]:
        """Return the frames and the output of failed programs that were stored here, and delete them."""
        frames: dict[int, bytes] = {}
        logs: dict[int, bytes] = {}
        if self._folder is None:
            return {"frames": frames, "logs": logs}
        for place, (task, outcome) in enumerate(zip(tasks, outcomes)):
            path = Store(self._folder).frame_path(task.number)
            if isinstance(outcome, Drawn) and task.keep:
                frames[place] = path.read_bytes()
                path.unlink()
            elif output := FailureLog(self._folder).output(task.number):
                logs[place] = output.encode()
                FailureLog(self._folder).drop(task.number)
        return {"frames": frames, "logs": logs}

    def close(self) -> None:
        """End its processes."""
        self._stack.close()


def _in_order(tasks: Sequence[Task], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return each task's outcome; they come as frames are stored, while later ones are drawn."""
    left = list(outcomes)
    ordered = []
    for task in tasks:
        place = next(place for place, outcome in enumerate(left) if outcome.number == task.number)
        ordered.append(left.pop(place))
    return ordered


class _InOneProcess:
    """The tasks of a unit, for the process that has drawn the worker's frames before, or for a fresh one.

    If that dies, a fresh one draws the others. See `Tasks`.
    """

    def __init__(self, unit: Unit, worker: Worker | None) -> None:
        self._tasks = deque(unit.tasks)
        self.worker = worker
        self._at = unit.position if unit.is_fresh else None
        self._awaits_one = False

    @property
    def more(self) -> bool:
        return bool(self._tasks)

    def start(self) -> int | None:
        if not self._tasks or self._awaits_one or self.worker is not None:
            return None
        self._awaits_one = True
        return self._begins_at()

    def _begins_at(self) -> int:
        if self._at is not None:
            return self._at
        return self._tasks[0].index if self._tasks[0].replay else 0

    def next(self, worker: Worker) -> Task | Replace | None:
        if not self._tasks:
            return None
        if worker is not self.worker:
            if self.worker is not None or worker.frame_count or (worker.position or 0) > self._begins_at():
                self._awaits_one = True
                return Replace(self._begins_at())
            self.worker, self._awaits_one = worker, False
        return self._tasks.popleft()

    def on_worker_exit(self, worker: Worker) -> None:
        if worker is self.worker:
            self.worker = self._at = None
        elif not worker.frame_count:
            self._awaits_one = False


class _Sites:
    """The stages of this process, by render."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._renders: dict[str, _Render] = {}
        self._watcher: threading.Thread | None = None
        self._pid = os.getpid()

    def remember(self, job: str, commission: bytes | None) -> None:
        """Keep what all units of a render have in common."""
        if self._pid != os.getpid():  # forked: the stages are our parent's
            self.__init__()  # type: ignore[misc]
        with self._lock:
            if commission is not None and job not in self._renders:
                self._renders[job] = _Render(read(commission))

    def knows(self, job: str) -> bool:
        """True if that is here."""
        return job in self._renders

    def take(self, job: str, worker: int) -> _Site:
        """Return an idle stage, if possible that in which this worker is; or start one."""
        with self._lock:
            render = self._renders[job]
            render.units += 1
            render.idle.sort(key=lambda site: (site.worker == worker, site.worker is None))
            site = render.idle.pop() if render.idle else None
        try:
            return site if site is not None else _Site(render.commission)
        except BaseException:
            self.drop(job)
            raise

    def drop(self, job: str) -> None:
        """Note that a unit has ended whose stage is not kept."""
        with self._lock:
            if (render := self._renders.get(job)) is not None:
                render.units -= 1

    def put_back(self, job: str, site: _Site) -> None:
        """Keep a stage for the next unit; none may come."""
        with self._lock:
            if (render := self._renders.get(job)) is not None:
                render.units -= 1
                render.idle.append(site)
                render.used_at = time.monotonic()
                if self._watcher is None or not self._watcher.is_alive():
                    self._watcher = threading.Thread(target=self._watch, daemon=True)
                    self._watcher.start()
        if render is None:
            site.close()

    def close(self, job: str | None = None) -> None:
        """End idle stages."""
        if self._pid != os.getpid():
            return
        with self._lock:
            jobs = list(self._renders) if job is None else [job]
            renders = [self._renders.pop(each) for each in jobs if each in self._renders]
        for render in renders:
            for site in render.idle:
                site.close()

    def _watch(self) -> None:
        """End the stages of renders that have ended, or from which nothing has come for a while."""
        while self._renders:
            time.sleep(_WATCH_S)
            with self._lock:
                over = [job for job, render in self._renders.items() if render.is_over]
            for job in over:
                self.close(job)


class _Render:
    """A render as this process knows it."""

    def __init__(self, commission: Commission) -> None:
        self.commission = commission
        self.idle: list[_Site] = []
        self.units = 0
        self.used_at = time.monotonic()

    @property
    def is_over(self) -> bool:
        """True if it has ended, as far as can be seen from here."""
        if self.units:
            return False
        is_gone = bool(self.commission.probe) and not os.path.exists(self.commission.probe)
        return is_gone or time.monotonic() - self.used_at > _IDLE_S


_sites = _Sites()
atexit.register(_sites.close)


def _look_for(probe: Path) -> None:
    """Wait until the file is seen that the render has written into the store.

    Raises
    ------
    StoreError
    """
    until = time.monotonic() + _PROBE_S
    while not probe.exists():
        if time.monotonic() > until:
            raise StoreError(
                f"{probe.parent} is not the store: the file {probe.name} that was written there just now is "
                "not seen. Choose a --store that all machines share, or let frames come back: "
                "--no-shared-store"
            )
        with contextlib.suppress(OSError):  # looking at a folder renews what NFS knows of it
            os.listdir(probe.parent)
        time.sleep(_PROBE_TICK_S)


def _refuse_other_pictures(commission: Commission, description: Any) -> None:
    """Refuse to draw where the scene, its data or its packages are others.

    Raises
    ------
    EngineError
    """
    if description is None:
        here = packages_here()
        lines = [
            f"{name}: {version} here, {here[name]} there"
            for name, version in commission.packages.items()
            if here[name] != version
        ]
    else:
        record = description.record
        own = Heartbeat(parts=commission.parts, details=commission.details)
        lines = differences_between(own, Heartbeat(parts=record.parts, details=details_of(record.details)))
    if lines:
        raise EngineError("it would draw other frames:\n  " + "\n  ".join(lines[:8]))
