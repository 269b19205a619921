"""The process that serves the page of a render beside it; see `framepipe.watching.beside`."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import threading
from collections.abc import Sequence
from typing import Any

from framepipe.store.store import Store
from framepipe.watching.address import Address
from framepipe.watching.server import PageServer

_LOOK_S = 1.0
_NICE = 10


def main(store: str, listener: int, parent: int, address: Sequence[Any]) -> None:
    """Serve until standard input closes, or the parent is gone.

    Parameters
    ----------
    store : str
    listener : int
        The descriptor of a socket that listens.
    parent : int
        The process that has started this one.
    address : sequence
        Host, port and token.
    """
    with contextlib.suppress(OSError):
        os.nice(_NICE)  # drawing goes first
    server = PageServer(Store(store), socket.socket(fileno=listener), Address(*address))

    def end_with_parent() -> None:
        while os.getppid() == parent:
            if select.select([sys.stdin], [], [], _LOOK_S)[0]:
                break  # a line, or the end of the input
        server.stop()

    threading.Thread(target=end_with_parent, daemon=True).start()
    server.run()
