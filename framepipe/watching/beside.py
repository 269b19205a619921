"""The page of a render that this process carries out, served by a process that ends with this one.

A thread in this process would take turns with the drawing, and a process with threads is not forked safely.
The socket is opened here, so the address is known at once, and what a browser sends meanwhile waits in it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from subprocess import TimeoutExpired

from framepipe.core.control import reap
from framepipe.errors import ToolMissing
from framepipe.watching.address import listen

_BOOT = (
    "import sys, json; order = json.loads(sys.stdin.buffer.readline()); sys.path += order.pop('path'); "
    "from framepipe.watching.child import main; main(**order)"
)
_END_S = 5.0
LIBRARIES = ("starlette", "uvicorn")
GET_LIBRARIES = "pip install 'framepipe[watch]'"


def check_libraries() -> None:
    """Check, without loading them, that the libraries are there that serve the page.

    Raises
    ------
    ToolMissing
    """
    for name in LIBRARIES:
        if find_spec(name) is None:
            raise ToolMissing(f"the page needs {name}, which is not installed: {GET_LIBRARIES}")


class PageBeside:
    """A process that serves a store's page, until `close` is called or this process ends.

    Parameters
    ----------
    store : Path

    Attributes
    ----------
    address : Address

    Raises
    ------
    OSError
        No process can be started.
    """

    def __init__(self, store: Path) -> None:
        listener, self.address = listen(store)
        with listener:
            self._popen = subprocess.Popen(
                [sys.executable, "-I", "-c", _BOOT],
                stdin=subprocess.PIPE,  # it ends when this closes
                stdout=subprocess.DEVNULL,  # who reads ours is not to wait for it
                stderr=subprocess.DEVNULL,
                pass_fds=[listener.fileno()],
                start_new_session=True,  # Ctrl-C is for us
            )
            self._send(
                {
                    # after the standard library: a script's folder may have a module of the same name
                    "path": [each for each in sys.path if each and each != os.getcwd()],
                    "store": str(store),
                    "listener": listener.fileno(),
                    "parent": os.getpid(),
                    "address": [self.address.host, self.address.port, self.address.token],
                }
            )

    def _send(self, order: dict[str, object]) -> None:
        assert self._popen.stdin is not None
        with contextlib.suppress(OSError):  # it has ended: the render goes on without a page
            self._popen.stdin.write(json.dumps(order).encode() + b"\n")
            self._popen.stdin.flush()

    def close(self) -> None:
        """End it, after it has shown how the render has ended to those who look."""
        assert self._popen.stdin is not None
        with contextlib.suppress(OSError):
            self._popen.stdin.write(b"end\n")  # a process that a scene has forked may hold the pipe open
            self._popen.stdin.flush()
        with contextlib.suppress(OSError):
            self._popen.stdin.close()
        try:
            self._popen.wait(_END_S)
        except TimeoutExpired:
            pass
        finally:
            if self._popen.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._popen.pid, signal.SIGKILL)
                reap(self._popen)
