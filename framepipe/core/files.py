"""Write files that are whole or absent: temporary name in the same folder, fsync, rename.

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
from typing import BinaryIO


def _host() -> str:
    """Name the set of processes among which a process id is unique: the host, and its pid namespace.

    Containers of one host may share its name and its folders (``docker run --network host -v``), and each
    has processes of its own.
    """
    name = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:40] or "host"
    try:
        namespace = re.sub("[^0-9]", "", str(Path("/proc/self/ns/pid").readlink()))  # as pid:[4026531836]
    except OSError:  # no Linux
        return name
    return name if namespace in ("", _FIRST_NAMESPACE) else f"{name}-{namespace}"


_FIRST_NAMESPACE = "4026531836"  # of all hosts: PROC_PID_INIT_INO in Linux' include/linux/proc_ns.h
#: Names this set of processes.
HOST = _host()
#: What names a file in public functions.
PathLike = str | os.PathLike[str]
_COUNTER = itertools.count()
_TEMPORARY = re.compile(r"\..+\.([A-Za-z0-9-]+)\.(\d+)\.\d+\.tmp", re.DOTALL)
MAX_NAME = 255  # bytes; NAME_MAX of all file systems in use
_TAIL_ROOM = 80
_ATTEMPTS = 3
#: Transient errors of network file systems: nfs(5), open(2).
_TRANSIENT = {errno.ESTALE, errno.EINTR, errno.EAGAIN, errno.ETIMEDOUT, errno.EIO}
#: How long a folder that is removed waits for the file of a process that asks it for the time.
_GUEST_S = 1.0
_FOREIGN_AGE_S = 3600.0
#: Two changes within this time can leave the same times of a file (FAT: 2 s); git calls such files "racily
#: clean".
RACY_NS = 2_000_000_000
#: What changes with a file: its size, its times of modification and of change in ns, its inode.
Version = tuple[int, int, int, int]


def temporary_beside(path: Path) -> Path:
    """Return a unique name next to ``path`` on any host: ``.<name>.<host>.<pid>.<n>.tmp``."""
    return path.with_name(f"{_stem(path)}.{HOST}.{os.getpid()}.{next(_COUNTER)}.tmp")


def _stem(path: Path) -> str:
    """Return the prefix of all temporaries of ``path``: a dot and its name, cut to leave room."""
    return "." + os.fsdecode(os.fsencode(path.name)[: MAX_NAME - _TAIL_ROOM])


def write_atomic(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write ``data`` to ``path`` so that the name only ever refers to a complete file.

    ``mode`` is who may use it, as for `os.open`: the process's umask is taken off.

    Transient errors of network file systems are retried; a rename that succeeded but was reported as
    failed (a retransmitted NFS call) is recognised by reading the file back.

    Raises
    ------
    OSError
        The file system's error, after the temporary file was removed.
    """
    for attempt in itertools.count(1):
        temporary = temporary_beside(path)
        try:
            _write_synced(temporary, data, mode)
            os.replace(temporary, path)
            return
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            if _holds(path, data):
                return
            if error.errno not in _TRANSIENT or attempt == _ATTEMPTS:
                raise
            time.sleep(0.05 * 2**attempt)


def write_first(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` unless there is a file already: of several writers the first wins.

    Raises
    ------
    OSError
        The file system's error.
    """
    temporary = temporary_beside(path)
    try:
        _write_synced(temporary, data)
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)  # link(2): fails where the name is taken, on NFS too
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _write_synced(path: Path, data: bytes, mode: int = 0o666) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
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


def version_of(state: os.stat_result) -> Version:
    """Return the version of a file."""
    return (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)


def is_settled(version: Version, at_ns: int) -> bool:
    """True if a file was old enough at ``at_ns`` (since 1970) that each later change shows in its version."""
    return max(version[1:3]) + RACY_NS < at_ns


def kind_of(path: Path) -> str:
    """Name what is at ``path`` instead of a file: "a named pipe". Empty for a file, and if nothing is there.

    Links are followed.
    """
    try:
        return _noun_of(path.stat().st_mode)
    except OSError:
        return ""


def _noun_of(mode: int) -> str:
    """Name a kind of file from its mode: "a folder". Empty for a regular file."""
    if stat.S_ISREG(mode):
        return ""
    nouns = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFLNK: "a symbolic link",
    }
    return nouns.get(stat.S_IFMT(mode), "a device")


def open_file(path: Path, *, follow: bool = True) -> BinaryIO:
    """Open a regular file for reading, and nothing else.

    Opening a named pipe would wait for its writer for ever; reading a device may have no end, and opening
    one may have effects (a tape is rewound). So its kind is checked first, and the open does not block if it
    changes in between.

    Parameters
    ----------
    path : Path
    follow : bool
        Follow symbolic links.

    Raises
    ------
    OSError
        It is not a regular file, or cannot be opened; ``strerror`` says which.
    """
    _refuse_special(path, path.stat(follow_symlinks=follow).st_mode)
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    try:
        _refuse_special(path, os.fstat(descriptor).st_mode)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _refuse_special(path: Path, mode: int) -> None:
    if noun := _noun_of(mode):
        raise OSError(errno.EINVAL, f"{path.name} is {noun}, not a file", str(path))


def read_file(path: Path, max_bytes: int) -> bytes:
    """Read a file of at most ``max_bytes`` bytes, see `open_file`.

    Raises
    ------
    OSError
        It is larger, is not a regular file, or cannot be read.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size <= max_bytes:
            data = file.read(size + 1)
            data += file.read(max_bytes + 1 - len(data)) if len(data) > size else b""  # it has grown
            if len(data) <= max_bytes:
                return data
    raise OSError(
        errno.EINVAL, f"{path.name} has more than {max_bytes / 1e6:.0f} MB, so it is not read", str(path)
    )


def _holds(path: Path, data: bytes) -> bool:
    try:
        with open_file(path, follow=False) as file:
            return os.fstat(file.fileno()).st_size == len(data) and file.read(len(data) + 1) == data
    except OSError:
        return False


def publish(temporary: Path, path: Path) -> None:
    """Give a complete file its final name: fsync it, rename it, fsync the folder."""
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
        status = os.fstat(file.fileno())
    try:
        os.replace(temporary, path)
    except OSError:
        if not _is_now(path, status):  # it succeeded, but was reported as failed: a retransmitted NFS call
            raise
    sync_folder(path.parent)


def _is_now(path: Path, status: os.stat_result) -> bool:
    try:
        current = path.lstat()
    except OSError:
        return False
    return (current.st_ino, current.st_dev, current.st_size) == (status.st_ino, status.st_dev, status.st_size)


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` survive a power cut, where the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def leftover_temporaries(folder: Path, of: Path | None = None) -> Iterator[Path]:
    """Find temporaries in ``folder``, all or those of one file, whose writer has ended.

    A writer on this host is looked up by its process id. One on another host counts as ended
    after an hour, by the file system's own clock (clocks of hosts differ).
    """
    try:
        names = [entry.name for entry in os.scandir(folder)]
    except OSError:
        return
    stem = f"{_stem(of)}." if of else "."
    names = [name for name in names if name.startswith(stem)]
    temporaries = [(name, match) for name in names if (match := _TEMPORARY.fullmatch(name))]
    now_s = clock_of(folder) if any(match[1] != HOST for _, match in temporaries) else 0.0
    for name, match in temporaries:
        path = folder / name
        if match[1] == HOST:
            has_ended = not is_alive(int(match[2]))
        else:
            try:
                has_ended = now_s - path.lstat().st_mtime > _FOREIGN_AGE_S
            except OSError:
                continue
        if has_ended:
            yield path


def remove_folder(folder: Path) -> None:
    """Remove a folder that is empty, or is so within a second: another process may ask it for the time.

    See `clock_of`: its file is there for an instant. Who only looks must not leave a folder behind that way.

    Raises
    ------
    OSError
        Something else is in it, or it cannot be removed.
    """
    until_s = time.monotonic() + _GUEST_S
    while True:
        try:
            return folder.rmdir()
        except OSError:
            names = [entry.name for entry in os.scandir(folder)]
            if not all(map(_TEMPORARY.fullmatch, names)) or time.monotonic() > until_s:
                raise
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """True if a process of this host has this id, and has not ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    try:  # Linux: a zombie, whose parent has not yet waited for it, has ended
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return True


def clock_of(folder: Path) -> float:
    """Return the time (s) by the clock of the folder's file system; 0 if nothing can be written there."""
    probe = temporary_beside(folder / "clock")
    try:
        probe.touch()
        now_s = probe.stat().st_mtime
        probe.unlink()
    except OSError:
        return 0.0
    return now_s
