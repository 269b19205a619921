"""The hook by which Python tells of files, programs and connections that this process opens.

One log at a time hears of them. Python cannot remove a hook; without a log it does nothing.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol


class Log(Protocol):
    """What hears of what is opened; see `ReadLog`."""

    def note_file(self, path: Any) -> None:
        """A file is opened for reading."""

    def note_written(self, path: Any) -> None:
        """A file is opened for writing."""

    def note_removed(self, path: Any) -> None:
        """A file is removed."""

    def note_renamed(self, source: Any, target: Any) -> None:
        """A file gets another name."""

    def note_use(self, kind: str, name: str) -> None:
        """The network or a program is used: ``kind`` is ``"network"`` or ``"programs"``."""


_log: Log | None = None
_is_installed = False
_thread = threading.local()
_WRITING = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def attach(log: Log) -> None:
    """Tell this log from now on, in place of any other."""
    global _log, _is_installed
    _log = log
    if not _is_installed:
        _is_installed = True
        sys.addaudithook(_hook)


def detach(log: Log) -> None:
    """Tell this log nothing more."""
    global _log
    if _log is log:
        _log = None


def listener() -> Log | None:
    """Return the log, if it is to hear of what this thread does now."""
    return None if getattr(_thread, "busy", False) else _log


@contextlib.contextmanager
def unrecorded() -> Iterator[None]:
    """Do not record what this thread reads meanwhile: framepipe reads for itself."""
    before = getattr(_thread, "busy", False)
    _thread.busy = True
    try:
        yield
    finally:
        _thread.busy = before


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _HANDLERS or (log := listener()) is None:
        return
    _thread.busy = True
    try:
        _HANDLERS[event](log, *arguments)
    except Exception:  # noqa: S110  # whatever happens here must not become the failure of the user's open()
        pass
    finally:
        _thread.busy = False


def _on_open(log: Log, path: Any, mode: Any, flags: Any) -> None:
    if isinstance(path, int):
        return
    writes = isinstance(mode, str) and any(letter in mode for letter in "wax")
    if writes or (isinstance(flags, int) and flags & _WRITING):
        log.note_written(path)
    else:  # r+ too: numpy.memmap's default
        log.note_file(path)


def _on_sqlite(log: Log, database: Any, *_: Any) -> None:
    text = os.fsdecode(database)
    if text.startswith("file:"):
        text = urllib.parse.unquote(urllib.parse.urlsplit(text).path)
    if text in ("", ":memory:"):
        return
    if not Path(text).exists():
        log.note_written(text)
        return
    log.note_file(text)
    if Path(f"{text}-wal").exists():  # rows that are not yet in the file itself
        log.note_file(f"{text}-wal")


def _on_connect(log: Log, _socket: Any, address: Any, *_: Any) -> None:
    if isinstance(address, tuple) and len(address) >= 2:  # else the path of a socket on this machine
        log.note_use("network", f"{address[0]}:{address[1]}")


def _on_program(log: Log, program: Any, arguments: Any = None, *_: Any) -> None:
    if program is None and isinstance(arguments, (list, tuple)) and arguments:
        program = arguments[0]
    log.note_use("programs", os.fsdecode(program))


def _on_library(log: Log, name: Any) -> None:
    if isinstance(name, str) and os.sep in name:
        log.note_file(name)


def _on_remove(log: Log, path: Any, folder: int = -1) -> None:
    if folder == -1:
        log.note_removed(path)


def _on_rename(log: Log, source: Any, target: Any, *folders: int) -> None:
    if all(folder == -1 for folder in folders):
        log.note_renamed(source, target)


_HANDLERS: dict[str, Callable[..., None]] = {
    "open": _on_open,
    "sqlite3.connect": _on_sqlite,
    "socket.connect": _on_connect,
    "subprocess.Popen": _on_program,
    "os.system": _on_program,
    "os.posix_spawn": _on_program,
    "ctypes.dlopen": _on_library,
    "os.remove": _on_remove,
    "os.rename": _on_rename,
}
