"""The process of a rank that speaks MPI: hands messages on between framepipe's process there and rank 0.

Started as ``python -c …`` by `framepipe.rendering.engines.mpi`, which knows no MPI: a process must not fork
after ``MPI_Init`` (Open MPI's and MPICH's manuals), and framepipe forks wherever it draws or encodes.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from typing import Any

from framepipe.rendering.engines.link import Link
from framepipe.rendering.stage_start import LEFT_TO_PARENT

_BUSY_S, _IDLE_S = 0.0, 0.005
_BEAT_S, _SILENCE_S, _LEAVE_S = 5.0, 90.0, 30.0
_MESSAGE, _BEAT = 1, 2
_TEMPFAIL = 75


def main(descriptor: int) -> None:
    """Initialise MPI, say which rank this is, and hand messages on until the end.

    Parameters
    ----------
    descriptor : int
        Our end of the connection to framepipe's process.
    """
    for name in LEFT_TO_PARENT:  # a launcher sends them to every process
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    link = Link(socket.socket(fileno=descriptor))
    try:
        import mpi4py

        mpi4py.rc.threads = False
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # mpi4py, or the library that it looks for
        link.send(("missing", f"{type(error).__name__}: {error}"))
        return
    link.send(("rank", MPI.COMM_WORLD.Get_rank(), MPI.COMM_WORLD.Get_size()))
    _Relay(link, MPI).run()


class _Relay:
    """Rank 0's process says to whom; all others speak to rank 0 alone."""

    def __init__(self, link: Link, mpi: Any) -> None:
        self._link, self._mpi, self._comm = link, mpi, mpi.COMM_WORLD
        self._rank, self._size = self._comm.Get_rank(), self._comm.Get_size()
        self._sends: list[Any] = []
        self._heard_at = {rank: time.monotonic() for rank in self._peers()}
        self._beat_at = 0.0
        self._left_at: float | None = None  # framepipe's process has died

    def _peers(self) -> list[int]:
        return [rank for rank in range(self._size) if rank != self._rank] if not self._rank else [0]

    def run(self) -> None:
        """Hand messages on until framepipe's process says that all is done, or nobody is left."""
        while True:
            was_busy = self._receive()
            self._sends = [send for send in self._sends if not send.Test()]
            self._beat()
            if self._left_at is not None and time.monotonic() - self._left_at > _LEAVE_S:
                os._exit(_TEMPFAIL)
            if self._left_at is not None:
                time.sleep(_IDLE_S)
                continue
            if not select.select([self._link], [], [], _BUSY_S if was_busy or self._sends else _IDLE_S)[0]:
                continue
            try:
                messages = self._link.arrived()
            except (EOFError, OSError):
                self._leave()
                continue
            for kind, *rest in messages:
                if kind == "finish":
                    self._finish()
                    return
                if self._rank:
                    self._send(0, (kind, *rest))
                else:
                    self._send(*rest)

    def _receive(self) -> bool:
        """Hand on a message from another rank, if there is one."""
        status = self._mpi.Status()
        if not self._comm.Iprobe(self._mpi.ANY_SOURCE, self._mpi.ANY_TAG, status):
            return False
        rank, tag = status.Get_source(), status.Get_tag()
        message = self._comm.recv(source=rank, tag=tag)
        self._heard_at[rank] = time.monotonic()
        if tag == _BEAT:
            return True
        if self._left_at is None:
            self._tell("from", rank, message) if not self._rank else self._tell(*message)
        elif message[0] == "end":
            self._finish()
            os._exit(_TEMPFAIL)
        return True

    def _tell(self, *message: Any) -> None:
        try:
            self._link.send(message)
        except OSError:
            self._leave()

    def _send(self, rank: int, message: Any, tag: int = _MESSAGE) -> None:
        self._sends.append(self._comm.isend(message, dest=rank, tag=tag))

    def _beat(self) -> None:
        """Show the other side that this rank lives; say which rank is silent."""
        now = time.monotonic()
        if now - self._beat_at < _BEAT_S:
            return
        self._beat_at = now
        for rank in self._peers():
            self._send(rank, None, _BEAT)
            if now - self._heard_at[rank] > _SILENCE_S:
                if self._rank:
                    os._exit(_TEMPFAIL)
                self._tell("from", rank, ("gone", f"nothing was heard of it for {_SILENCE_S:g} s"))

    def _leave(self) -> None:
        """Framepipe's process here has died: tell rank 0, or end all ranks if it was that one."""
        if not self._rank:
            self._comm.Abort(_TEMPFAIL)
        self._left_at = time.monotonic()
        self._send(0, ("gone", "its process has died"))

    def _finish(self) -> None:
        """End MPI with the other ranks."""
        self._mpi.Request.Waitall(self._sends)
        self._mpi.Finalize()
