"""Drawing in processes of this machine.

One loop in one thread knows which process has which frame; a thread a process does nothing but
read its answers into a queue. So a process that dies or hangs costs its frame and nothing else,
and nobody waits on a lock that a dead process holds.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from framepipe.control import Stop
from framepipe.engines.base import Crew, Failed, Outcome, Task, Tasks, Work, after
from framepipe.engines.cpus import usable_cpus
from framepipe.engines.payload import Payload
from framepipe.engines.worker import receive, send
from framepipe.errors import EngineError
from framepipe.scenes.figures import callbacks_too
from framepipe.scenes.load import by_value
from framepipe.scenes.style import all_rcparams

_BOOT = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[2]); "
    "from framepipe.engines.worker import main; main(int(sys.argv[1]))"
)
_ONE_THREAD = {f"{lib}_NUM_THREADS": "1" for lib in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "BLIS")}
_ONE_THREAD["VECLIB_MAXIMUM_THREADS"] = "1"
_TICK_S = 0.2
_END_S = 3.0
_DEATHS_AT_START = 3


class CannotSend(EngineError):
    """The scene cannot be pickled, and has no address from which workers could load it."""


class LocalEngine:
    """Worker processes on this machine.

    Parameters
    ----------
    workers : int, optional
        Default: as many as this process may use, see `usable_cpus`.
    frame_timeout_s : float, optional
        Seconds after which a frame is given up and its process killed.
    recycle : int
        Frames after which a process is replaced by a new one, so that leaks stay bounded.
    """

    name = "local"
    splits = True

    def __init__(
        self,
        workers: int | None = None,
        *,
        frame_timeout_s: float | None = None,
        recycle: int = 500,
    ) -> None:
        self.workers = workers or usable_cpus()
        self.frame_timeout_s = frame_timeout_s
        self.recycle = recycle

    @contextlib.contextmanager
    def crew(self, work: Work, stop: Stop, wanted: int) -> Iterator[Crew]:
        """See `Engine`."""
        payload = _payload(work)
        crew = _Processes(payload, stop, min(self.workers, wanted), self.frame_timeout_s, self.recycle)
        try:
            yield crew
            crew.end()
        finally:
            crew.kill()
            payload.close()


def _payload(work: Work) -> Payload:
    """The work by value; if it cannot be pickled, as the order to load the script there."""
    rcparams = all_rcparams()
    try:
        with by_value(work.scene.sources), callbacks_too():
            return Payload((rcparams, _ByValue(work)))
    except EngineError as error:
        if work.scene.ref is None:
            raise CannotSend(
                f"{work.scene.name} cannot be sent to worker processes: {error}. Put it into a "
                "script and give SCRIPT.py:NAME, or draw with engine='serial'"
            ) from None
        scene = (type(work.scene), work.scene.ref, work.scene.params)
        return Payload((rcparams, _ByReference(replace(work, scene=None), *scene)))  # type: ignore[arg-type]


@dataclass
class _ByValue:
    work: Work

    def __call__(self) -> Work:
        return self.work


@dataclass
class _ByReference:
    work: Work
    kind: Any
    ref: str
    params: Any

    def __call__(self) -> Work:
        from framepipe.scenes.load import load

        loaded = load(self.ref)
        return replace(self.work, scene=self.kind(loaded.thing, self.params, loaded))


class _Guard:
    """A process that ends the workers' groups when this one dies, see ``guard``."""

    def __init__(self) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def tell(self, sign: str, pid: int) -> None:
        """``+``: watch over this group; ``-``: it has ended."""
        assert self._popen.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # it was killed: the workers see our end too
            self._popen.stdin.write(f"{sign}{pid}\n".encode())
            self._popen.stdin.flush()

    def close(self) -> None:
        assert self._popen.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._popen.stdin.write(b"end\n")
            self._popen.stdin.close()
        self._popen.wait()


class _Process:
    """One worker process as its parent sees it."""

    def __init__(
        self, payload: Payload, answers: queue.SimpleQueue[Any], guard: _Guard, recycle: int
    ) -> None:
        self._recycle = recycle
        self.task: Task | None = None
        self.deadline: float | None = None
        self.ready = False
        self.drawn = 0
        self.position: int | None = 0
        self._popen = subprocess.Popen(
            [sys.executable, "-c", _BOOT, str(payload.descriptor), json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[payload.descriptor],
            start_new_session=True,
            env={**os.environ, **_ONE_THREAD, "MPLBACKEND": "Agg"},
        )
        self._guard = guard
        guard.tell("+", self._popen.pid)
        self._listener = threading.Thread(target=self._listen, args=(answers,), daemon=True)
        self._listener.start()

    def _listen(self, answers: queue.SimpleQueue[Any]) -> None:
        assert self._popen.stdout is not None
        try:
            while True:
                answers.put((self, receive(self._popen.stdout)))
        except Exception:  # the pipe's end, or what a dying process wrote last
            answers.put((self, ("gone",)))

    def give(self, task: Task | None, timeout_s: float | None = None) -> None:
        """Send a task, or None to let it end."""
        self.task = task
        if task:
            updates = task.index - (self.position or 0) + 1 if task.replay else 1
            self.deadline = time.monotonic() + timeout_s * updates if timeout_s else None
            self.drawn, self.position = self.drawn + 1, after(self.position, task)
        assert self._popen.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it is dead: its listener says so
            send(self._popen.stdin, task)

    @property
    def worn(self) -> bool:
        """See `Hand`."""
        return self.drawn >= self._recycle

    @property
    def dead(self) -> bool:
        return self._popen.poll() is not None

    def kill(self) -> None:
        """End the process and all that it started, now."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        self._guard.tell("-", self._popen.pid)
        self._listener.join(_TICK_S)
        pipes = [self._popen.stdin]
        if not self._listener.is_alive():  # a daemon of the user's may hold the pipe open
            pipes.append(self._popen.stdout)
        for pipe in pipes:
            with contextlib.suppress(OSError, ValueError):
                pipe.close()  # type: ignore[union-attr]

    def wait(self, seconds: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(max(0.0, seconds))

    def epitaph(self) -> str:
        """How it died, for a message."""
        self.wait(1.0)
        code = self._popen.poll()
        if code is None:
            return "its process closed its connection to framepipe"
        if code == -signal.SIGKILL:
            return "its process was killed (signal 9: usually out of memory)"
        if code < 0:
            return f"its process crashed (signal {-code}: {signal.strsignal(-code) or 'unknown'})"
        return f"its process ended by itself (exit code {code})"


class _Processes:
    """The crew: hands out tasks, gathers outcomes, replaces the dead."""

    def __init__(
        self, payload: Payload, stop: Stop, count: int, timeout_s: float | None, recycle: int
    ) -> None:
        self._payload, self._stop, self._timeout_s, self._recycle = (
            payload,
            stop,
            timeout_s,
            recycle,
        )
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._tasks: Tasks
        self._deaths_at_start = 0
        self._processes: list[_Process] = []
        try:
            self._guard = _Guard()
        except OSError as error:
            raise EngineError(f"no process can be started ({error.strerror})") from None
        try:
            for _ in range(count):
                self._hire()
        except BaseException:
            self.kill()
            raise

    def _hire(self) -> None:
        try:
            self._start()
        except OSError as error:
            raise EngineError(
                f"no further process can be started ({error.strerror}): fewer --workers, or a higher "
                "ulimit -n and -u"
            ) from None

    def _start(self) -> None:
        self._processes.append(_Process(self._payload, self._answers, self._guard, self._recycle))

    def draw(self, tasks: Tasks, *, at_once: int | None = None) -> Iterator[tuple[Task, Outcome]]:
        """See `Crew`."""
        limit = at_once or len(self._processes)
        self._tasks = tasks
        while True:
            if not self._stop.requested:
                self._hand_out(tasks, limit)
            if not self._busy() and (self._stop.requested or not tasks.more):
                return
            if self._stop.out_of_time:
                self.kill()
                return
            yield from self._gather()

    def _busy(self) -> list[_Process]:
        return [process for process in self._processes if process.task]

    def _hand_out(self, tasks: Tasks, limit: int) -> None:
        """Give idle processes work."""
        for process in list(self._processes):
            if not process.ready or process.task:
                continue
            if len(self._busy()) >= limit:
                break
            task = tasks.next(process)
            if isinstance(task, Task):
                self._give(process, task)
            elif task is not None:
                self._retire(process)

    def _give(self, process: _Process, task: Task) -> None:
        try:
            process.give(task, self._timeout_s)
        except Exception as error:  # the value's own class refuses to be pickled
            message = f"its value cannot be sent to a worker: {type(error).__name__}: {error}"
            self._answers.put((process, ("outcome", Failed(task.number, "raised", message))))

    def _gather(self) -> list[tuple[Task, Outcome]]:
        """Wait a moment for an answer; see to the dead and the late."""
        try:
            process, answer = self._answers.get(timeout=_TICK_S)
        except queue.Empty:
            return [*self._bury_dead(), *self._kill_late()]
        if process not in self._processes:
            return []
        kind, *rest = answer
        if kind == "ready":
            process.ready, self._deaths_at_start = True, 0
        elif kind == "unusable":
            raise CannotSend(f"a worker process cannot use the scene: {rest[0]}\n{rest[1]}")
        elif kind == "gone":
            return self._bury(process)
        else:
            task, process.task = process.task, None
            return [(task, rest[0]), *self._kill_late()]
        return []

    def _retire(self, process: _Process) -> None:
        self._remove(process)
        self._hire()
        process.give(None)
        process.wait(_END_S)
        process.kill()

    def _remove(self, process: _Process) -> None:
        self._processes.remove(process)
        self._tasks.gone(process)

    def _bury_dead(self) -> list[tuple[Task, Outcome]]:
        """A dead process whose child holds its pipe open is not noticed by its listener."""
        return [outcome for each in list(self._processes) if each.dead for outcome in self._bury(each)]

    def _bury(self, process: _Process) -> list[tuple[Task, Outcome]]:
        self._remove(process)
        task, epitaph = process.task, process.epitaph()
        process.kill()
        if not process.ready:
            self._deaths_at_start += 1
            if self._deaths_at_start >= _DEATHS_AT_START:
                if not any(each.ready for each in self._processes):
                    raise EngineError(f"worker processes die while they start: {epitaph}")
                return []  # go on with those that did start
        self._hire()
        return [(task, Failed(task.number, "lost", epitaph))] if task else []

    def _kill_late(self) -> list[tuple[Task, Outcome]]:
        outcomes: list[tuple[Task, Outcome]] = []
        now = time.monotonic()
        for process in self._busy():
            if process.task and process.deadline is not None and now > process.deadline:
                message = f"not drawn within {self._timeout_s:g} s (--frame-timeout)"
                outcomes.append((process.task, Failed(process.task.number, "timeout", message)))
                self._remove(process)
                process.kill()
                self._hire()
        return outcomes

    def end(self) -> None:
        """Let all processes end by themselves."""
        until = time.monotonic() + _END_S
        for process in self._processes:
            with contextlib.suppress(OSError, ValueError):
                process.give(None)
        for process in self._processes:
            process.wait(until - time.monotonic())

    def kill(self) -> None:
        """End all processes now."""
        for process in self._processes:
            process.kill()
        self._processes.clear()
        self._guard.close()
