"""A worker process: reads tasks from its standard input, answers on its standard output.

It leads a session of its own, so that Ctrl-C in the terminal reaches only its parent, and ends
with all its children the moment its parent is gone, even killed with -9: that closes its input.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import queue
import signal
import struct
import threading
import traceback
from typing import IO, Any

_LENGTH = struct.Struct(">Q")
_LEFT_TO_PARENT = ("SIGTERM", "SIGUSR1", "SIGUSR2", "SIGINT", "SIGHUP")


def send(stream: IO[bytes], message: Any) -> None:
    """Write one pickled message."""
    import cloudpickle

    data = cloudpickle.dumps(message, protocol=5)
    stream.write(_LENGTH.pack(len(data)))
    stream.write(data)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """Read one message.

    Raises
    ------
    EOFError
        The other side is gone.
    """
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return pickle.loads(data)  # from our own parent or child process


def main(payload_descriptor: int) -> None:
    """Serve tasks until told to end."""
    inbox, outbox = _take_over_standard_streams()
    tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(inbox, tasks), daemon=True).start()
    for name in _LEFT_TO_PARENT:
        if hasattr(signal, name):  # a handler, not SIG_IGN, which programs we start would inherit
            signal.signal(getattr(signal, name), lambda *_: None)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_behave_as_usual)
    faulthandler.enable()
    try:
        work = _prepare(payload_descriptor)
        from framepipe.engines.base import draw_frame

        player = work.scene.player(work.earlier)
    except BaseException as error:
        send(outbox, ("unusable", f"{type(error).__name__}: {error}", traceback.format_exc()))
        return
    send(outbox, ("ready",))
    while (task := tasks.get()) is not None:
        send(outbox, ("outcome", draw_frame(work, player, task)))


def _behave_as_usual() -> None:
    """For processes that the user's code forks: they can be terminated."""
    for name in _LEFT_TO_PARENT:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)


def _take_over_standard_streams() -> tuple[IO[bytes], IO[bytes]]:
    """Keep the pipes for us; what user code prints goes to standard error."""
    inbox, outbox = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return inbox, outbox


def _listen(inbox: IO[bytes], tasks: queue.SimpleQueue[Any]) -> None:
    try:
        while True:
            task = receive(inbox)
            tasks.put(task)
            if task is None:
                break
        inbox.read()  # returns when the parent closes the pipe or dies
    except (EOFError, OSError):
        pass
    end_group()


def end_group() -> None:
    """End this process and all that it started."""
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def _prepare(payload_descriptor: int) -> Any:
    from framepipe.engines.payload import read_payload
    from framepipe.scenes.style import apply_rcparams

    rcparams, load_work = read_payload(payload_descriptor)
    apply_rcparams(rcparams)
    return load_work()
