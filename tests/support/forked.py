"""Python programs in processes that are forked from one which has loaded matplotlib: half a second less each.

Each is a process of its own: with its own `__main__`, folder, environment, session, signals and exit code. Its
libraries and the seed of its hashes are those of the others; the processes that framepipe starts are as ever.
Where the loading itself is the subject (what is imported, from where, in which order), start a process instead.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import types
from collections.abc import Mapping, Sequence
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
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}


def run_python(
    arguments: Sequence[object], cwd: Path, env: Mapping[str, str], timeout_s: float = 240
) -> subprocess.CompletedProcess[str]:
    """What ``python -m MODULE …`` or ``python SCRIPT …`` does in ``cwd``, with ``env`` added to the environment.

    Raises
    ------
    subprocess.TimeoutExpired
        It and what it had in its session was ended.
    """
    command, environment = [os.fsdecode(os.fspath(_text(each))) for each in arguments], {**os.environ, **env}
    if (server := _Server.for_(environment)) is None:
        return subprocess.run(
            [sys.executable, *command],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=timeout_s,
        )
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        order = {"command": command, "cwd": str(cwd), "env": environment, "out": str(out), "err": str(err)}
        code = server.run(order, timeout_s)
        said = [path.read_text(errors="surrogateescape") for path in (out, err)]
    return subprocess.CompletedProcess([sys.executable, *command], code, *said)


def _text(argument: object) -> Any:
    return argument if isinstance(argument, os.PathLike) else str(argument)


class _Server:
    """The process that forks, as its client sees it."""

    running: _Server | None = None

    @classmethod
    def for_(cls, environment: Mapping[str, str]) -> _Server | None:
        """The one there is; None where forking is not safe, or libraries would not be loaded as they were."""
        if sys.platform != "linux":
            return None
        if cls.running is None:
            cls.running = cls()
        return cls.running if cls.running._fits(environment) else None

    def __init__(self) -> None:
        from tests.support.processes import MARK

        self.env = {name: value for name, value in os.environ.items() if name != MARK}
        self.popen = subprocess.Popen(
            [sys.executable, __file__],
            env={**self.env, **ONE_THREAD},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(self.close)

    def _fits(self, environment: Mapping[str, str]) -> bool:
        names = {name for name in {*environment, *self.env} if name.startswith(READ_WHILE_LOADING)}
        return all(environment.get(name) == self.env.get(name) for name in names)

    def run(self, order: Mapping[str, Any], timeout_s: float) -> int:
        assert self.popen.stdin is not None and self.popen.stdout is not None
        print(json.dumps(order), file=self.popen.stdin, flush=True)
        pid, expired = int(self.popen.stdout.readline()), threading.Event()

        def end() -> None:
            expired.set()
            os.killpg(pid, signal.SIGKILL)

        timer = threading.Timer(timeout_s, end)
        timer.start()
        code = int(self.popen.stdout.readline())
        timer.cancel()
        if expired.is_set():
            raise subprocess.TimeoutExpired(order["command"], timeout_s)
        return code

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.popen.communicate()


def serve() -> None:
    """Fork a process for each line of standard input; say its id and its exit code."""
    import gc

    import numpy as np
    import pylab  # noqa: F401

    import framepipe.cli  # noqa: F401

    gc.freeze()
    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            os.setsid()
            np.random.seed()
            _run(json.loads(line))
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _run(order: Mapping[str, Any]) -> None:
    code = 1
    for number, path in enumerate((os.devnull, order["out"], order["err"])):
        flags = os.O_WRONLY | os.O_CREAT if number else os.O_RDONLY
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    try:
        code = _code_of(order["command"])
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):  # which a program may have closed
            with contextlib.suppress(AttributeError, ValueError):
                stream.flush()
        os._exit(code)


def _code_of(command: list[str]) -> int:
    try:
        _execute(command)
    except SystemExit as end:
        if not isinstance(end.code, int):
            print(*filter(None, [end.code]), file=sys.stderr)
            return int(end.code is not None)
        return end.code & 255
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _execute(command: list[str]) -> None:
    import runpy
    import warnings

    if command[0] == "-W":
        warnings.simplefilter(command[1])  # type: ignore[arg-type]
        del command[:2]
    if command[0] == "-m":
        sys.path[0], sys.argv = os.getcwd(), command[1:]
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
        return
    script = Path(command[0])
    sys.path[0], sys.argv = os.path.abspath(script.parent), command
    main = types.ModuleType("__main__")
    main.__file__ = str(script)
    sys.modules["__main__"] = main
    exec(compile(script.read_bytes(), str(script), "exec"), vars(main))


if __name__ == "__main__":
    serve()
