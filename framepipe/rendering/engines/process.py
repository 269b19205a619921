"""The stage as the main process sees it: starts, loads, guards and restarts it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from framepipe.core.control import Stop, reap
from framepipe.errors import EngineError, Interrupted
from framepipe.rendering.engines.base import Work
from framepipe.rendering.engines.link import Link, can_be_read
from framepipe.rendering.engines.payload import Payload, SceneByAddress, SceneByValue
from framepipe.rendering.stage_start import started
from framepipe.scenes.loading import by_value

_TICK_S = 0.1
_END_S = 3.0


class CannotSend(EngineError):
    """The scene cannot be pickled, and has no address from which workers could load it."""


class Guard:
    """A process that kills framepipe's remaining process groups when this process dies, see ``guard``."""

    def __init__(self) -> None:
        try:
            self._popen = subprocess.Popen(
                [sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise EngineError(f"no process can be started ({error.strerror})") from None

    def watch(self, pid: int) -> None:
        """Add a process group to those to kill."""
        self._write(f"+{pid}\n")

    def forget(self, pid: int) -> None:
        """Remove a process group that has ended."""
        self._write(f"-{pid}\n")

    def _write(self, line: str) -> None:
        assert self._popen.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # the guard was killed
            self._popen.stdin.write(line.encode())
            self._popen.stdin.flush()

    def close(self) -> None:
        """End the guard."""
        self._write("end\n")
        assert self._popen.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._popen.stdin.close()
        self._popen.wait()


class StageProcess:
    """A clean process that loads a scene and forks workers from it, see `framepipe.rendering.engines.stage`.

    Parameters
    ----------
    load : callable or Payload
        Called there with the `Stage`; returns the scene, its `Frames` (or None) and a description for this
        process. Or a payload with such a callable, which is closed with this.
    cwd : str, optional
        Its working folder; default: that of this process.
    path : sequence of str, optional
        Its ``sys.path``; default: that of this process.
    env : mapping, optional
        Further environment variables.
    silent : bool
        Print nothing while loading.

    Attributes
    ----------
    description : object
        Set by `load`.
    obstacle : str or None
        Why it cannot be forked; then `another` starts a further process that loads the scene anew.
    pid : int
    link : Link
    guard : Guard
    """

    def __init__(
        self,
        load: Callable[..., Any] | Payload,
        *,
        cwd: str | None = None,
        path: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        silent: bool = False,
    ) -> None:
        self.payload = load if isinstance(load, Payload) else Payload(load)
        self._cwd, self._path, self._env = cwd, path, dict(env or {})
        self.guard = Guard()
        self.description: Any = None
        self.obstacle: str | None = None
        self._is_loaded = self._has_worker = False
        self._copies: list[StageProcess] = []
        self._popen: subprocess.Popen[bytes] | None = None
        try:
            self._start(silent)
        except BaseException:
            self.close()
            raise

    @classmethod
    def of_work(cls, work: Work) -> StageProcess:
        """Start a stage for a scene that exists in this process.

        Raises
        ------
        CannotSend
            See `payload_of`.
        """
        return cls(payload_of(work))

    @property
    def forks(self) -> bool:
        """True if workers are forked from it."""
        return self.obstacle is None

    def _start(self, silent: bool = False) -> None:
        path = sys.path if self._path is None else list(self._path)
        try:
            self._popen, end = started(self._cwd, path, self._env)
        except OSError as error:
            raise EngineError(
                f"no further process can be started ({error.strerror}): fewer --workers, or a higher "
                "ulimit -n and -u"
            ) from None
        self.pid, self.link = self._popen.pid, Link(end)
        self.guard.watch(self.pid)
        with contextlib.suppress(OSError):  # it died: waiting for its answer reports that
            self.link.send((list(path), silent), self.payload.descriptor)

    def load(self, stop: Stop) -> Any:
        """Wait until the scene is loaded; return its description.

        Raises
        ------
        Interrupted
            A stop was requested: loading ends at once.
        FramepipeError
            The scene cannot be loaded.
        EngineError
            The process died.
        """
        if self._has_worker:  # by a worker of an earlier pool
            self.restart(stop)
        while not self._is_loaded:
            if stop.requested:
                self._kill()
                raise Interrupted(
                    f"stopped{stop.by} while the scene was loaded: no frame was drawn",
                    signal_name=stop.signal_name,
                )
            if can_be_read(self.link, _TICK_S):
                self._receive_description()
        return self.description

    def _receive_description(self) -> None:
        try:
            kind, *rest = self.link.receive()
        except EOFError:
            self._kill()
            raise EngineError(
                f"the process that loads the scene died: {_death(self.wait_status(_TICK_S))}"
            ) from None
        if kind == "unusable":
            error, traceback_text = rest
            self._kill()
            if isinstance(error, BaseException) and not self.payload.by_address:
                raise error
            raise CannotSend(f"a worker process cannot use the scene: {error}\n{traceback_text}")
        self.description, self.obstacle = rest
        self._is_loaded = True

    def restart(self, stop: Stop) -> None:
        """Load the scene again in a new process."""
        self._kill()
        self._is_loaded = self._has_worker = False
        self._start(silent=True)
        self.load(stop)

    def another(self, stop: Stop) -> StageProcess:
        """Return a further process that has loaded the scene itself: this one, if no worker uses it yet."""
        if not self._has_worker:
            self._has_worker = True
            return self
        copy = StageProcess.__new__(StageProcess)
        copy.__dict__.update(self.__dict__)
        copy._is_loaded, copy._copies = False, []
        copy._start(silent=True)
        self._copies.append(copy)
        copy.load(stop)
        return copy

    def wait_status(self, seconds: float) -> int | None:
        """Return its wait status, None if it does not end in time."""
        assert self._popen is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._popen.wait(max(0.0, seconds))
            return -code if code < 0 else code << 8
        return None

    def _kill(self) -> None:
        if self._popen is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        reap(self._popen)
        self.guard.forget(self._popen.pid)
        self.link.close()

    def close(self) -> None:
        """End the process, after the script's exit handlers."""
        for each in [*self._copies, self]:
            each._end()
        self.guard.close()
        self.payload.close()

    def _end(self) -> None:
        if self._popen is None:
            return
        with contextlib.suppress(OSError, ValueError):
            self.link.send(("end",))
        self.wait_status(_END_S)
        self._kill()
        self._popen = None


def payload_of(work: Work) -> Payload:
    """Return the payload that gives a stage a scene of this process: pickled, or loaded from its address.

    Raises
    ------
    CannotSend
        Neither is possible.
    """
    try:
        from framepipe.scenes.figures import pickling_callbacks

        with by_value(work.scene.sources), pickling_callbacks():
            return Payload(SceneByValue.of(work))
    except EngineError as error:
        if work.scene.ref is None:
            raise CannotSend(
                f"{work.scene.name} cannot be sent to worker processes: {error}. Put it into a "
                "script and give SCRIPT.py:NAME, or draw with engine='serial'"
            ) from None
        scene = (type(work.scene), work.scene.ref, work.scene.params)
        return Payload(SceneByAddress(replace(work, scene=None), *scene))  # type: ignore[arg-type]


def _death(status: int | None) -> str:
    if status is None:
        return "its connection was closed"
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return f"signal {-code}, {signal.strsignal(-code) or 'unknown'}"
    return f"exit code {code}"
