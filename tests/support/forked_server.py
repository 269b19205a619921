"""The process that forks Python programs: it has loaded matplotlib and framepipe, and runs nothing else.

What it forks are children of the process that it serves (``CLONE_PARENT`` of clone(2)), which waits for them and
kills them as if it had started them.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import ctypes
import fcntl
import gc
import importlib
import json
import os
import pkgutil
import platform
import resource
import runpy
import signal
import socket
import struct
import sys
import threading
import traceback
import types
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from forked import LEAN, ONE_THREAD, ROOM, ROOMS_NAME, STAGE, SYS_CLONE, WITHOUT_FORKS, Server, begin_to_fork

_CLONE_PARENT, _CLONE_CHILD_CLEARTID, _CLONE_CHILD_SETTID = 0x8000, 0x200000, 0x1000000
_PR_SET_PDEATHSIG, _PR_GET_TID_ADDRESS = 1, 40
#: What is not loaded before: it brings other libraries with it, or is a program, which Python loads as `__main__`.
LOADED_BY_FEW = (
    "framepipe.__main__",
    "framepipe.formats.gif.magick_child",
    "framepipe.integrations",
    "framepipe.watching",
)
_HIGH = 500  # above all descriptors that a fork is to have
_C = ctypes.PyDLL(None, use_errno=True)


def main() -> None:
    """Load what is slow to load, then serve whoever has the other end of the link."""
    link = socket.socket(fileno=int(sys.argv[1]))
    if is_with_libraries := sys.argv[2] == str(False):
        _load()
    del sys.modules["forked"]  # no module of the programs'
    gc.collect()
    gc.freeze()
    own = {*ONE_THREAD, ROOMS_NAME}
    environment = {name: value for name, value in os.environ.items() if name not in own}
    _serve(link, Memory(), environment, has_forks=is_with_libraries)


def _load() -> None:
    import pylab  # noqa: F401

    import framepipe

    for module in pkgutil.walk_packages(framepipe.__path__, "framepipe."):
        if not module.name.startswith(LOADED_BY_FEW):
            importlib.import_module(module.name)


class Memory:
    """Where the kernel finds the arguments and the environment of this process, see proc(5)."""

    def __init__(self) -> None:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        self._arguments, self._environment = [(int(fields[k]), int(fields[k + 1])) for k in (45, 47)]

    def holds(self, order: Mapping[str, Any]) -> bool:
        """True if both of a fork have room here."""
        arguments, environment = self._texts(order)
        return len(arguments) < ROOM["arguments"] and len(environment) < ROOM["environment"]

    def write(self, order: Mapping[str, Any]) -> None:
        """Show those of a fork in ``/proc``; nothing may use the old ones any more."""
        for (begin, end), text in zip((self._arguments, self._environment), self._texts(order)):
            ctypes.memmove(begin, text.ljust(end - begin, b"\0"), end - begin)

    def _texts(self, order: Mapping[str, Any]) -> tuple[bytes, bytes]:
        arguments = [sys.executable, *order["command"]]
        environment = [f"{name}={value}" for name, value in order["env"].items()]
        return tuple(
            b"".join(os.fsencode(each) + b"\0" for each in texts) for texts in (arguments, environment)
        )  # type: ignore[return-value]


def _serve(link: socket.socket, memory: Memory, environment: Mapping[str, str], has_forks: bool) -> None:
    """Fork a process for each order; say its id, or 0 if it must be started. End with the one that is served."""
    _C.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    while head := _head(link):
        size, descriptors = head
        order = json.loads(link.recv(size, socket.MSG_WAITALL))
        holds = memory.holds(order)
        if (pid := _fork_for_parent() if holds else -1) == 0:
            _be_like_parent(order)
            link.sendall(struct.pack("q", os.getpid()))  # not before: from then on it is sent signals
            link.close()
            _run(order, descriptors, memory, environment, has_forks)
        for each in descriptors:
            os.close(each)
        if pid == -1:
            link.sendall(struct.pack("q", 0))


def _head(link: socket.socket) -> tuple[int, list[int]] | None:
    numbers = array.array("i")
    data, rights, *_ = link.recvmsg(8, socket.CMSG_SPACE(64 * numbers.itemsize))
    for _, _, part in rights:
        numbers.frombytes(part[: len(part) - len(part) % numbers.itemsize])
    return (struct.unpack("q", data)[0], list(numbers)) if data else None


def _fork_for_parent() -> int:
    """Fork a sibling of this process: a child of its parent."""
    address = ctypes.c_void_p()
    flags = _CLONE_PARENT
    if _C.prctl(_PR_GET_TID_ADDRESS, ctypes.byref(address)) == 0:  # the C library keeps its thread's id there
        flags |= _CLONE_CHILD_CLEARTID | _CLONE_CHILD_SETTID
    child_tid = (address, None) if platform.machine() == "x86_64" else (None, address)
    arguments = [ctypes.c_long(SYS_CLONE[platform.machine()]), ctypes.c_long(flags), None, None, *child_tid]
    ctypes.pythonapi.PyOS_BeforeFork()
    if (pid := _C.syscall(*arguments)) == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
    else:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
    return int(pid)


def _run(
    order: Mapping[str, Any],
    descriptors: list[int],
    memory: Memory,
    environment: Mapping[str, str],
    has_forks: bool,
) -> None:
    """Be the program that was ordered, to its end."""
    code = 1
    try:
        _take(order["descriptors"], descriptors)
        is_stage = any(STAGE in each for each in order["command"])
        if has_forks and not is_stage and WITHOUT_FORKS not in order["env"]:
            _begin_own_server(memory, environment)
        os.environ.clear()
        os.environ.update(order["env"])
        memory.write(order)
        os.chdir(order["cwd"])
        if numpy := sys.modules.get("numpy"):
            numpy.random.seed()
        code = _code_of(order["command"])
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):  # which a program may have closed
            with contextlib.suppress(AttributeError, OSError, ValueError):
                stream.flush()
        os._exit(code)


def _take(numbers: list[int], descriptors: list[int]) -> None:
    """Give the descriptors their numbers, and close all others."""
    high = [fcntl.fcntl(each, fcntl.F_DUPFD, _HIGH) for each in descriptors]
    os.closerange(3, _HIGH)
    for number, each in zip(numbers, high):
        os.dup2(each, number)
    os.closerange(_HIGH, max(high) + 1)


def _begin_own_server(memory: Memory, environment: Mapping[str, str]) -> None:
    """Let a copy of this process as it is now fork the stages that the program will start."""
    link, its = socket.socketpair()
    if os.fork() == 0:
        link.close()
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nothing, number)
        os.close(nothing)
        try:
            _serve(its, memory, environment, has_forks=False)
        finally:
            os._exit(0)
    its.close()
    begin_to_fork(Server(environment, link))


def _be_like_parent(order: Mapping[str, Any]) -> None:
    """Take over what a process has from the one that starts it."""
    if order["leads"]:
        os.setsid()
    for number in order["ignored"]:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, order["blocked"])
    os.umask(order["umask"])
    for limit, values in order["limits"].items():
        if resource.getrlimit(int(limit)) != tuple(values):
            resource.setrlimit(int(limit), values)
    if os.sched_getaffinity(0) != (cpus := set(order["cpus"])):
        os.sched_setaffinity(0, cpus)
    if os.getpriority(os.PRIO_PROCESS, 0) != order["nice"]:
        os.setpriority(os.PRIO_PROCESS, 0, order["nice"])


def _code_of(command: list[str]) -> int:
    try:
        _execute(command)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 255
        print(end.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        traceback.print_exc()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _execute(command: list[str]) -> None:
    if command[:2] == LEAN:
        del command[:2]
    if command[0] == "-W":
        warnings.simplefilter(command[1])  # type: ignore[arg-type]
        del command[:2]
    if command[0] == "-m":
        sys.path[0], sys.argv = os.getcwd(), command[1:]
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
        return
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    if command[0] == "-c":
        sys.path[0], sys.argv = "", ["-c", *command[2:]]
        exec(compile(command[1], "<string>", "exec"), vars(main))
        return
    script = Path(command[0])
    sys.path[0], sys.argv = os.path.abspath(script.parent), command
    main.__file__ = os.path.abspath(script)
    exec(compile(script.read_bytes(), main.__file__, "exec"), vars(main))


if __name__ == "__main__":
    main()
