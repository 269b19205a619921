"""Python programs in processes that are forked from one which has loaded matplotlib and framepipe: 0.6 s less each.

Each is a process of its own and a child of the one that started it: with its own `__main__`, folder, environment,
session, descriptors, signals and exit code, and in ``/proc`` it reads as if it had been started. Its libraries and
the seed of its hashes are those of the others. Where the loading itself is the subject (what is imported, from
where, in which order), start a process instead; with `LONG` all are started.
"""

from __future__ import annotations

import array
import contextlib
import inspect
import json
import os
import platform
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

#: What Python and its libraries read while they are loaded: where it differs, a process is started as usual.
READ_WHILE_LOADING = (
    "PYTHON",
    "LD_",
    "LC_",
    "LANG",
    "TZ",
    "TMP",
    "HOME",
    "XDG_C",
    "MPL",
    "MATPLOTLIB",
    "OMP_",
)
#: A process with threads is not forked safely, and numpy's are started when it is loaded.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
#: Without the libraries: what framepipe starts beside each encoder and each pool, and which imports next to nothing.
LEAN, OF_LEAN = ["-I", "-S"], ("core/watchdog.py", "engines/guard.py")
#: Of these variables, what Python reads for such a program.
READ_BY_LEAN = ("LD_", "LC_", "LANG", "TZ")
#: Of the stage, which framepipe starts to load a scene.
STAGE = "from framepipe.rendering.engines.stage import main"
#: Characters that the process which forks has for the arguments and the environment of a fork.
ROOM = {"arguments": 8_000, "environment": 24_000}
#: The number of the system call by which the server forks, by machine.
SYS_CLONE = {"x86_64": 56, "aarch64": 220}
#: In the environment of a program whose stages are not forked.
WITHOUT_FORKS = "FRAMEPIPE_TEST_WITHOUT_FORKS"
ROOMS_NAME = "FRAMEPIPE_TEST_ROOM"
_OPTIONS = ("-m", "-c", "-W")
_LIMITS = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
_IGNORABLE = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


#: What starts a program.
_START = subprocess.Popen
_PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")


class Python(subprocess.Popen):  # type: ignore[type-arg]
    """A Python program, running; forked if that makes no difference to it, else started.

    Attributes
    ----------
    command : str
        Only what has this in its command line is forked.
    """

    command = ""

    def _execute_child(self, *arguments: Any) -> None:
        started = super()._execute_child  # type: ignore[misc]
        given = inspect.signature(started).bind(*arguments).arguments
        order = _order(given, self.command)
        server = Server.of_this_process(is_lean=order is not None and order["is_lean"])
        if order is None or server is None:
            started(*arguments)
            return
        descriptors = {number: number for number in given["pass_fds"]}
        for number, end in enumerate(("p2cread", "c2pwrite", "errwrite")):
            descriptors[number] = number if given[end] == -1 else given[end]
        if (pid := server.fork(order, descriptors)) is None:
            started(*arguments)
            return
        sys.audit("subprocess.Popen", sys.executable, given["args"], given["cwd"], given["env"])
        self.pid, self._child_created = pid, True
        self._close_pipe_fds(*(given[end] for end in _PIPES))  # type: ignore[attr-defined]


class _Popen(Python):
    """What ``subprocess.Popen`` is while framepipe's stages are forked, and all else is started."""

    command = STAGE


_Popen.__module__, _Popen.__qualname__ = "subprocess", "Popen"


def _order(given: Mapping[str, Any], contains: str) -> dict[str, Any] | None:
    """What is to be run and how; None if it must be started."""
    if sys.platform != "linux" or platform.machine() not in SYS_CLONE:
        return None
    command = given["args"]
    if (
        isinstance(command, (str, bytes, os.PathLike))
        or given["shell"]
        or given["preexec_fn"]
        or not given["close_fds"]
    ):
        return None
    command = [os.fsdecode(each) for each in command]
    unusual = [given["executable"], given["gid"], given["gids"], given["uid"]]
    if command[0] != sys.executable or len(command) < 2 or any(each is not None for each in unusual):
        return None
    is_lean = command[1:3] == LEAN and command[3].endswith(OF_LEAN)
    if not is_lean and (
        (command[1].startswith("-") and command[1] not in _OPTIONS)
        or not any(contains in each for each in command)
    ):
        return None
    environment = os.environ if given["env"] is None else given["env"]
    return {
        "command": command[1:],
        "is_lean": is_lean,
        "cwd": os.path.abspath(os.fsdecode(given["cwd"] or os.getcwd())),
        "env": {os.fsdecode(name): os.fsdecode(value) for name, value in environment.items()},
        "leads": bool(given["start_new_session"]),
        "blocked": [int(each) for each in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
        "ignored": [int(each) for each in _IGNORABLE if signal.getsignal(each) == signal.SIG_IGN],
        "umask": int(Path("/proc/self/status").read_text().partition("\nUmask:")[2].split()[0], 8),
        "limits": {each: resource.getrlimit(each) for each in _LIMITS},
        "cpus": list(os.sched_getaffinity(0)),
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
    }


class Server:
    """The process that forks, as the one sees it whose children the forks become.

    Parameters
    ----------
    environment : mapping
        In which it has loaded its libraries.
    link : socket, optional
        The connection to it; without one it is started when it is needed.
    is_lean : bool
        It has loaded no libraries, for programs that need none.
    """

    current: Server | None = None
    lean: Server | None = None

    def __init__(
        self, environment: Mapping[str, str], link: socket.socket | None = None, is_lean: bool = False
    ) -> None:
        self._environment, self._link, self._is_lean = dict(environment), link, is_lean
        self._owner, self._lock = os.getpid(), threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def of_this_process(cls, is_lean: bool = False) -> Server | None:
        """None where there is none, as in a process that was forked from one that has it."""
        server = cls.lean if is_lean else cls.current
        return server if server is not None and server._owner == os.getpid() else None

    def fork(self, order: Mapping[str, Any], descriptors: Mapping[int, int]) -> int | None:
        """Return its process id; None if its libraries would be others, or the server has ended.

        Parameters
        ----------
        order : mapping
            See `_order`.
        descriptors : mapping of int to int
            What each descriptor of the fork is here.
        """
        if not self._fits(order["env"]):
            return None
        text = json.dumps({**order, "descriptors": list(descriptors)}).encode()
        rights = array.array("i", descriptors.values())
        with self._lock:
            if self._link is None and not self._start():
                return None
            assert self._link is not None
            try:
                head = struct.pack("q", len(text))
                self._link.sendmsg([head], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
                self._link.sendall(text)
                return max(0, *struct.unpack("q", self._link.recv(8, socket.MSG_WAITALL))) or None
            except (OSError, struct.error):
                return None

    def _fits(self, environment: Mapping[str, str]) -> bool:
        read = READ_BY_LEAN if self._is_lean else READ_WHILE_LOADING
        names = {name for name in {*environment, *self._environment} if name.startswith(read)}
        return all(
            environment.get(name) == self._environment.get(name)
            or (name in ONE_THREAD and environment[name] == ONE_THREAD[name])
            for name in names
        )

    def _start(self) -> bool:
        if threading.current_thread() is not threading.main_thread():  # with whose end it would end
            return False
        self._link, its = socket.socketpair()
        file = str(Path(__file__).with_name("forked_server.py"))
        with its:
            self._process = _START(
                [sys.executable, file, str(its.fileno()), str(self._is_lean), "." * ROOM["arguments"]],
                env={**self._environment, **ONE_THREAD, ROOMS_NAME: "." * ROOM["environment"]},
                stdin=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
                start_new_session=True,
            )
        return True

    def close(self) -> None:
        """End it."""
        if self._is_lean:
            Server.lean = None
        else:
            Server.current = None
        if self._link is not None:
            self._link.close()
        if self._process is not None:
            self._process.wait()


@contextlib.contextmanager
def stages_are_forked() -> Iterator[None]:
    """Fork `Python` and the stages of framepipe, in this process and in those that it forks."""
    server = begin_to_fork(Server(os.environ))
    Server.lean = lean = Server(os.environ, is_lean=True)
    try:
        yield
    finally:
        subprocess.Popen = _START  # type: ignore[misc]
        server.close()
        lean.close()


def begin_to_fork(server: Server) -> Server:
    """Let a server fork them from now on; return it."""
    Server.current, subprocess.Popen = server, _Popen  # type: ignore[misc]
    return server


def run_python(
    arguments: Sequence[object],
    cwd: Path,
    env: Mapping[str, str],
    timeout_s: float = 240,
    has_forks: bool = True,
) -> subprocess.CompletedProcess[str]:
    """What ``python -m MODULE …`` or ``python SCRIPT …`` does in ``cwd``, with ``env`` added to the environment.

    Its stages are forked too if it ``has_forks``, for which it has one more open connection.

    Raises
    ------
    subprocess.TimeoutExpired
        It and what it had in its session was ended.
    """
    command = [sys.executable, *(os.fsdecode(os.fspath(_text(each))) for each in arguments)]
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        with out.open("wb") as to_out, err.open("wb") as to_err:
            process = Python(
                command,
                cwd=cwd,
                env={**os.environ, **env, **({} if has_forks else {WITHOUT_FORKS: "1"})},
                stdin=subprocess.DEVNULL,
                stdout=to_out,
                stderr=to_err,
                start_new_session=True,
            )
        try:
            code = process.wait(timeout_s)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        said = [path.read_text(errors="surrogateescape") for path in (out, err)]
    return subprocess.CompletedProcess(command, code, *said)


def _text(argument: object) -> Any:
    return argument if isinstance(argument, os.PathLike) else str(argument)
