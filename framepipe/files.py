"""Files that are whole or absent: temporary name in the same folder, fsync, rename.

``rename`` without ``fsync`` leaves files of zero bytes after a power cut (ext4, measured; git
bc22d845 "core.fsync: harden references" for the history), so both are always done.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

_HOST = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:40] or "host"
_COUNTER = itertools.count()
_TEMPORARY = re.compile(r"\..+\.([A-Za-z0-9-]+)\.(\d+)\.\d+\.tmp", re.DOTALL)
LONGEST_NAME = 255  # bytes; NAME_MAX of all file systems in use
_TAIL_ROOM = 80
_ATTEMPTS = 3
#: Errors that network file systems report for a moment: nfs(5), open(2).
_PASSING = {errno.ESTALE, errno.EINTR, errno.EAGAIN, errno.ETIMEDOUT, errno.EIO}
_FOREIGN_AGE_S = 3600.0


def temporary_beside(path: Path) -> Path:
    """A name next to ``path`` that no other process on any host uses: ``.<name>.<host>.<pid>.<n>.tmp``."""
    return path.with_name(f"{_stem(path)}.{_HOST}.{os.getpid()}.{next(_COUNTER)}.tmp")


def _stem(path: Path) -> str:
    """What all temporaries of ``path`` begin with: a dot and its name, cut to leave room."""
    return "." + os.fsdecode(os.fsencode(path.name)[: LONGEST_NAME - _TAIL_ROOM])


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` so that the name only ever shows a complete file.

    Passing errors of network file systems are tried again; a rename that was done but reported as
    failed (a retransmitted NFS call) is recognised by reading the file back.

    Raises
    ------
    OSError
        What the file system said, after the temporary file was removed.
    """
    for attempt in itertools.count(1):
        temporary = temporary_beside(path)
        try:
            _write_synced(temporary, data)
            os.replace(temporary, path)
            return
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            if _holds(path, data):
                return
            if error.errno not in _PASSING or attempt == _ATTEMPTS:
                raise
            time.sleep(0.05 * 2**attempt)


def _write_synced(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            os.close(descriptor)
        raise
    os.close(descriptor)  # NFS may report a failed write only here


def _holds(path: Path, data: bytes) -> bool:
    try:
        about = path.lstat()  # a fifo would keep a reader waiting for ever
        return stat.S_ISREG(about.st_mode) and about.st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def publish(temporary: Path, path: Path) -> None:
    """Give a file that is complete its final name: fsync it, rename it, fsync the folder."""
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
        about = os.fstat(file.fileno())
    try:
        os.replace(temporary, path)
    except OSError:
        if not _is_now(path, about):  # done, but reported as failed: a retransmitted NFS call
            raise
    sync_folder(path.parent)


def _is_now(path: Path, about: os.stat_result) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return (found.st_ino, found.st_dev, found.st_size) == (about.st_ino, about.st_dev, about.st_size)


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` survive a power cut, where the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def leftover_temporaries(folder: Path, of: Path | None = None) -> Iterator[Path]:
    """Temporaries in ``folder``, all or those of one file, whose writer is gone.

    A writer on this host is asked for by its process id. One on another host is taken for gone
    after an hour, by the file system's own clock (clocks of hosts differ).
    """
    try:
        names = [entry.name for entry in os.scandir(folder)]
    except OSError:
        return
    stem = f"{_stem(of)}." if of else "."
    names = [name for name in names if name.startswith(stem)]
    found = [(name, match) for name in names if (match := _TEMPORARY.fullmatch(name))]
    now_s = _clock_of(folder) if any(match[1] != _HOST for _, match in found) else 0.0
    for name, match in found:
        path = folder / name
        if match[1] == _HOST:
            gone = not _alive(int(match[2]))
        else:
            try:
                gone = now_s - path.lstat().st_mtime > _FOREIGN_AGE_S
            except OSError:
                continue
        if gone:
            yield path


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    try:  # Linux: a dead process whose parent has not asked for its end is dead
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return True


def _clock_of(folder: Path) -> float:
    probe = temporary_beside(folder / "clock")
    try:
        probe.touch()
        now_s = probe.stat().st_mtime
        probe.unlink()
    except OSError:
        return 0.0
    return now_s
