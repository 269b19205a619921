"""Messages between framepipe's own processes: pickles with their length, over a socket pair.

A message may carry the descriptor of another socket (``SCM_RIGHTS``, unix(7)), so that a process forked
from a forked process talks directly to the one that hands out tasks.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import socket
import struct
import threading
import time
from collections import deque
from typing import Any

_LENGTH = struct.Struct(">Q")
_BLOCK = 1 << 18
_MAX_DESCRIPTORS = 8


class Link:
    """One end of a connection.

    Parameters
    ----------
    end : socket
        One of `socket.socketpair`.
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._sends = threading.Lock()
        self._received = bytearray()
        self._descriptors: deque[int] = deque()

    def fileno(self) -> int:
        """Return the descriptor, for ``select``."""
        return self._socket.fileno()

    def send(self, message: Any, descriptor: int | None = None) -> None:
        """Send a message, optionally with a descriptor; wait until the other side has room for it.

        Threads may send at once.

        Raises
        ------
        OSError
            The other side is gone.
        """
        import cloudpickle

        body = cloudpickle.dumps(message, protocol=5)
        head = _LENGTH.pack(len(body))
        with self._sends:
            if descriptor is not None:
                socket.send_fds(self._socket, [head], [descriptor])
            else:
                body = head + body
            self._socket.sendall(body)

    def receive(self) -> Any:
        """Wait for a message.

        Raises
        ------
        EOFError
            The other side is gone.
        """
        while (message := self._next()) is _NONE:
            self._read()
        return message

    def arrived(self) -> list[Any]:
        """Return the messages that have arrived completely, without waiting.

        Raises
        ------
        EOFError
            The other side is gone, and all its messages have been read.
        """
        if can_be_read(self, 0):
            self._read()
        messages = []
        while (message := self._next()) is not _NONE:
            messages.append(message)
        return messages

    def wait_for_end(self, seconds: float) -> None:
        """Read until the other side is gone or the time is up.

        Raises
        ------
        EOFError
            The other side is gone.
        """
        until = time.monotonic() + seconds
        while (left_s := until - time.monotonic()) > 0 and can_be_read(self, left_s):
            self.arrived()

    def descriptor(self) -> int:
        """Return the oldest descriptor that came with a message."""
        return self._descriptors.popleft()

    def _read(self) -> None:
        try:
            block, descriptors, _, _ = socket.recv_fds(self._socket, _BLOCK, _MAX_DESCRIPTORS)
        except OSError as error:  # reset, or closed by the user's code
            raise EOFError from error
        if not block:
            raise EOFError
        self._received += block
        self._descriptors.extend(descriptors)

    def _next(self) -> Any:
        if len(self._received) < _LENGTH.size:
            return _NONE
        end = _LENGTH.size + _LENGTH.unpack_from(self._received)[0]
        if len(self._received) < end:
            return _NONE
        body = bytes(self._received[_LENGTH.size : end])
        del self._received[:end]
        return pickle.loads(body)  # from our own parent or child process

    def close(self) -> None:
        """Close this end and all descriptors that nobody has taken; the other side notices."""
        with contextlib.suppress(OSError):
            self._socket.close()
        while self._descriptors:
            with contextlib.suppress(OSError):
                os.close(self._descriptors.popleft())


_NONE = object()


def can_be_read(source: Link | int, seconds: float) -> bool:
    """Wait until something can be read or the time is up; True in the first case.

    Uses poll(2): select(2) does not support descriptors from 1024 on, which a user's program may have.

    Raises
    ------
    EOFError
        The source is closed.
    """
    poll = select.poll()
    try:
        poll.register(source, select.POLLIN | select.POLLHUP | select.POLLERR)
    except (OSError, ValueError, TypeError) as error:
        raise EOFError from error
    return bool(poll.poll(max(0.0, seconds) * 1000))
