"""Start the process in which a scene is loaded: perhaps before it is known which scene that is.

Starting Python and loading framepipe take a fifth of a second, in which the command line is loaded too. The
process then waits for the scene at its end of a socket pair.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

#: Signals that a scheduler sends to every process of a job: only the main process answers them.
LEFT_TO_PARENT = ("SIGTERM", "SIGUSR1", "SIGUSR2", "SIGINT", "SIGHUP")
_BOOT = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[2]); "
    "from framepipe.rendering.engines.stage import main; main(int(sys.argv[1]))"
)
#: One thread for each library that would start one per processor: the workers use the processors already. A
#: process with threads cannot be forked safely either.
_ONE_THREAD = {f"{lib}_NUM_THREADS": "1" for lib in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "BLIS")}
_ONE_THREAD["VECLIB_MAXIMUM_THREADS"] = "1"


class Started(NamedTuple):
    """A process that waits for a scene, and this process's end of its connection."""

    process: subprocess.Popen[bytes]
    end: socket.socket


_ahead: tuple[object, Started] | None = None


def start_ahead() -> None:
    """Start the process that the next call of `started` returns, if it is for this folder and environment."""
    global _ahead
    with contextlib.suppress(OSError):  # it will be tried again where it can be reported
        _ahead = (os.getcwd(), _environment({})), _start(None, sys.path, {})


def end_ahead() -> None:
    """End the process that was started ahead and that nobody has taken."""
    global _ahead
    if _ahead is not None:
        process, end = _ahead[1]
        _ahead = None
        end.close()
        process.kill()
        process.wait()


def started(cwd: str | None, path: Sequence[str], env: Mapping[str, str]) -> Started:
    """Return a process that waits for a scene.

    Parameters
    ----------
    cwd : str or None
        Its working folder; None for that of this process.
    path : sequence of str
        Where it looks for framepipe.
    env : mapping
        Further environment variables.

    Raises
    ------
    OSError
        None can be started.
    """
    global _ahead
    if _ahead is not None and _ahead[0] == (cwd or os.getcwd(), _environment(env)):
        ready, _ahead = _ahead[1], None
        if ready.process.poll() is None:
            return ready
        ready.end.close()
    end_ahead()
    return _start(cwd, path, env)


def _start(cwd: str | None, path: Sequence[str], env: Mapping[str, str]) -> Started:
    own_end, other_end = socket.socketpair()
    try:
        with _signals_blocked():
            process = subprocess.Popen(
                [sys.executable, "-c", _BOOT, str(other_end.fileno()), json.dumps(list(path))],
                stdin=subprocess.DEVNULL,
                pass_fds=[other_end.fileno()],
                start_new_session=True,
                cwd=cwd,
                env=_environment(env),
            )
    except OSError:
        own_end.close()
        raise
    finally:
        other_end.close()
    return Started(process, own_end)


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, **more, **_ONE_THREAD, "MPLBACKEND": "Agg"}


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """Start a process with signals blocked that a scheduler may send it before it has handlers."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [getattr(signal, name) for name in LEFT_TO_PARENT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
