"""The scene on its way to worker processes: pickled once, its arrays shared by all of them.

Functions of a script, a notebook or ``__main__`` travel by value (cloudpickle), so workers do not
run the script again and need no ``if __name__ == "__main__":``. Arrays go out of band (pickle
protocol 5, PEP 574) into one nameless file that all workers map copy-on-write: ten workers hold
one copy of a large array.
"""

from __future__ import annotations

import mmap
import os
import pickle
import struct
import tempfile
from typing import Any

import cloudpickle

from framepipe.errors import EngineError

_COUNT = struct.Struct(">Q")
_ALIGN = 64


class Payload:
    """A pickled object in a file that has no name where the system allows it.

    Attributes
    ----------
    descriptor : int
        To be inherited by workers.
    """

    def __init__(self, thing: Any) -> None:
        buffers: list[pickle.PickleBuffer] = []
        try:
            body = cloudpickle.dumps(thing, protocol=5, buffer_callback=buffers.append)
        except Exception as error:  # pickling runs the classes' own code
            raise EngineError(f"{type(error).__name__}: {error}") from None
        self._file = tempfile.TemporaryFile(prefix="framepipe-")  # noqa: SIM115 (closed by close)
        try:
            self._write([memoryview(body), *(buffer.raw() for buffer in buffers)])
        except OSError as error:
            raise EngineError(f"no room in {tempfile.gettempdir()} ({error.strerror})") from None
        self.descriptor = self._file.fileno()

    def _write(self, views: list[memoryview]) -> None:
        self._file.write(_COUNT.pack(len(views)))
        self._file.write(b"".join(_COUNT.pack(view.nbytes) for view in views))
        for view in views:
            self._file.write(bytes(-self._file.tell() % _ALIGN))
            self._file.write(view)
        self._file.flush()

    def close(self) -> None:
        """Give the file up; workers that have mapped it keep it."""
        self._file.close()


def read_payload(descriptor: int) -> Any:
    """The object, its arrays mapped copy-on-write from the file."""
    size = os.fstat(descriptor).st_size
    memory = mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY)
    os.close(descriptor)
    view = memoryview(memory)
    (count,) = _COUNT.unpack_from(view)
    at, views = _COUNT.size * (1 + count), []
    for index in range(count):
        (length,) = _COUNT.unpack_from(view, _COUNT.size * (1 + index))
        at += -at % _ALIGN
        views.append(view[at : at + length])
        at += length
    return pickle.loads(views[0], buffers=views[1:])  # what our own parent process wrote
