"""Sends a scene to worker processes: pickled once, its arrays shared by all of them.

Functions of a script, a notebook or ``__main__`` travel by value (cloudpickle), so workers do not
run the script again and need no ``if __name__ == "__main__":``. Arrays go out of band (pickle
protocol 5, PEP 574) into one nameless file that all workers map copy-on-write: ten workers hold
one copy of a large array. Arrays that share memory (a row, an inner part, a field of records) do so in
the other process too: a change of one shows in the others.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
import random
import struct
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

import cloudpickle

from framepipe.errors import EngineError
from framepipe.job.read_tracer import ReadTracer
from framepipe.rendering.engines.base import Work
from framepipe.scenes.rcparams import all_rcparams, apply_rcparams

_COUNT = struct.Struct(">Q")
_ALIGN = 64


class Payload:
    """A pickled object in a file that has no name where the system allows it.

    Attributes
    ----------
    descriptor : int
        Inherited by workers.
    by_address : bool
        True if it is a `SceneByAddress`.
    """

    def __init__(self, thing: Any) -> None:
        self.by_address = isinstance(thing, SceneByAddress)
        buffers: list[pickle.PickleBuffer] = []
        try:
            body = _pickled(thing, buffers.append)
        except Exception as error:  # pickling runs the classes' own code
            raise EngineError(f"{type(error).__name__}: {error}") from None
        self._write(_parts([memoryview(body), *(buffer.raw() for buffer in buffers)]))

    @classmethod
    def of_contents(cls, contents: bytes, by_address: bool) -> Payload:
        """Make one of what another process has written, see `contents`."""
        payload = cls.__new__(cls)
        payload.by_address = by_address
        payload._write([contents])
        return payload

    def contents(self) -> bytes:
        """Return the file's contents, for another machine."""
        return os.pread(self.descriptor, os.fstat(self.descriptor).st_size, 0)

    def _write(self, parts: Iterable[bytes | memoryview]) -> None:
        self._file = tempfile.TemporaryFile(prefix="framepipe-")  # noqa: SIM115 (closed by close)
        try:
            for part in parts:
                self._file.write(part)
            self._file.flush()
        except OSError as error:
            raise EngineError(f"no room in {tempfile.gettempdir()} ({error.strerror})") from None
        self.descriptor = self._file.fileno()

    def close(self) -> None:
        """Close the file; workers that have mapped it keep it."""
        self._file.close()


def _parts(views: list[memoryview]) -> Iterator[bytes | memoryview]:
    """Yield what the file holds: the number of views, their lengths, and each of them, aligned."""
    head = _COUNT.pack(len(views)) + b"".join(_COUNT.pack(view.nbytes) for view in views)
    yield head
    offset = len(head)
    for view in views:
        padding = -offset % _ALIGN
        yield bytes(padding)
        yield view
        offset += padding + view.nbytes


def _pickled(thing: Any, add_buffer: Callable[[pickle.PickleBuffer], Any]) -> bytes:
    """Pickle an object twice: once to see which arrays share memory, then with these kept together."""
    views = _Pickler(io.BytesIO(), lambda _: None, frozenset())
    views.dump(thing)
    shared = frozenset(owner for owner, count in views.view_counts.items() if count > 1)
    file = io.BytesIO()
    _Pickler(file, add_buffer, shared).dump(thing)
    return file.getvalue()


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles arrays whose owner is in ``shared`` (by id) as views of that owner."""

    def __init__(
        self, file: io.BytesIO, add_buffer: Callable[[pickle.PickleBuffer], Any], shared: frozenset[int]
    ) -> None:
        super().__init__(file, protocol=5, buffer_callback=add_buffer)
        self.view_counts: Counter[int] = Counter()
        self._shared = shared
        self._owners: list[Any] = []  # an id is not used again while its array lives

    def reducer_override(self, thing: Any) -> Any:
        """See `pickle.Pickler.reducer_override`."""
        if _is_array(thing) and not thing.dtype.hasobject and thing.size:
            owner = _owner_of(thing)
            self._owners.append(owner)
            self.view_counts[id(owner)] += 1
            if owner is not thing and id(owner) in self._shared and _is_plain(owner):
                offset = thing.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
                layout = offset, thing.shape, thing.strides, thing.dtype, thing.flags.writeable
                return _view_of, (type(thing), owner, *layout)
        return super().reducer_override(thing)


def _is_array(thing: Any) -> bool:
    """True for numpy's own arrays; numpy is not loaded to find out."""
    kind = type(thing)
    return kind.__module__ in ("numpy", "numpy.rec") and kind.__name__ in ("ndarray", "recarray")


def _owner_of(array: Any) -> Any:
    """Return the array that owns the memory."""
    import numpy as np

    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _is_plain(owner: Any) -> bool:
    whole = owner.flags.c_contiguous or owner.flags.f_contiguous
    return _is_array(owner) and whole and not owner.dtype.hasobject


def _view_of(
    kind: type[Any], owner: Any, offset: int, shape: Any, strides: Any, dtype: Any, writeable: bool
) -> Any:
    """Make an array of this layout in the owner's memory; offset and strides in bytes."""
    import numpy as np

    memory = owner.view(np.ndarray).reshape(-1, order="A").view(np.uint8)
    view = np.ndarray(shape, dtype, buffer=memory, offset=offset, strides=strides)
    view.flags.writeable = writeable and owner.flags.writeable
    return view if kind is np.ndarray else view.view(kind)


def read_payload(descriptor: int) -> Any:
    """Load the object, its arrays mapped copy-on-write from the file."""
    size = os.fstat(descriptor).st_size
    memory = mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY)
    os.close(descriptor)
    view = memoryview(memory)
    (count,) = _COUNT.unpack_from(view)
    offset, views = _COUNT.size * (1 + count), []
    for index in range(count):
        (length,) = _COUNT.unpack_from(view, _COUNT.size * (1 + index))
        offset += -offset % _ALIGN
        views.append(view[offset : offset + length])
        offset += length
    return pickle.loads(views[0], buffers=views[1:])  # written by our own parent process


@dataclass
class SceneByValue:
    """A scene of this process, by value, with the process state that drawing uses: for the stage.

    Attributes
    ----------
    work : Work
    rcparams : dict
    random_state, numpy_state : object
        The states of ``random`` and ``numpy.random``.
    """

    work: Work
    rcparams: Mapping[str, Any] = field(default_factory=dict)
    random_state: Any = None
    numpy_state: Any = None

    @classmethod
    def of(cls, work: Work) -> SceneByValue:
        """Take the scene and the state as they are now."""
        # another thread may be importing numpy.random for its first use: `import_module` waits for that
        numpy_state = import_module("numpy.random").get_state() if "numpy.random" in sys.modules else None
        rcparams = all_rcparams() if "matplotlib" in sys.modules else {}
        return cls(work, rcparams, random.getstate(), numpy_state)

    def __call__(self, stage: Any) -> tuple[Any, None, None]:
        """Restore scene and state in the process that will draw."""
        apply_rcparams(self.rcparams)
        random.setstate(self.random_state)
        if self.numpy_state is not None:
            import numpy as np

            np.random.set_state(self.numpy_state)
        stage.set_work(self.work)
        if self.work.scene.keeps_state:
            stage.tracer = ReadTracer(self.work.store, {}, folder_of(self.work.scene))
        return self.work.scene, None, None


@dataclass
class SceneByAddress:
    """A scene of this process that cannot be pickled: the stage loads it from its address."""

    work: Work
    kind: Any
    ref: str
    params: Any

    def __call__(self, stage: Any) -> tuple[Any, None, None]:
        """Load the scene in the process that will draw."""
        from framepipe.scenes.loading import load

        loaded = load(self.ref)
        scene = self.kind(loaded.thing, self.params, loaded)
        stage.tracer = ReadTracer(self.work.store, {}, folder_of(scene))
        stage.set_work(replace(self.work, scene=scene))
        return scene, None, None


def folder_of(scene: Any) -> str:
    """Return the folder of the scene's script, to which the paths of files are relative."""
    return os.path.dirname(scene.sources[0]) if scene.sources else os.getcwd()
