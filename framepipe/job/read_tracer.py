"""What a drawing process has read: files by their content, the network and other programs."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

from framepipe.job.contents import FileDigests
from framepipe.job.places import is_below
from framepipe.job.reads import ReadLog, Reads

#: Files kept for each frame; those that it read itself come before those of earlier frames.
MAX_FILES = 2000
CHANGING = "changed while it was read"


class ReadTracer:
    """Observes what this process reads, from its creation on; a forked process continues with a copy.

    In the process of a user's program it is closed in the end, and observes only while a frame is drawn, see
    `at_work`.

    Parameters
    ----------
    store : path-like
        Files in it do not count.
    remembered : mapping
        See `FileDigests`.
    base : path-like
        The script's folder: paths below it are relative to it, so that all may be moved together.
    loading : Reads, optional
        What loading the scene has read, if that is over.
    """

    def __init__(
        self,
        store: str | os.PathLike[str],
        remembered: Mapping[str, Any],
        base: str | os.PathLike[str],
        loading: Reads | None = None,
    ) -> None:
        self._base = os.path.abspath(base)
        self.digests = FileDigests(remembered)
        self._log = ReadLog([store], loading)
        self._log.start()
        self._uses: dict[str, None] = {}

    def loaded(self) -> tuple[dict[str, str], tuple[str, ...]]:
        """Return digests of the files that loading the scene read, and its local modules."""
        reads = self._log.loaded()
        self._note_uses(reads)
        return {path: self._digest(path) for path in reads.files}, reads.modules

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Observe what is read within the context, and then nothing more until the next one."""
        self._log.resume()
        self._log.begin()
        try:
            yield
        finally:
            self._log.pause()

    def close(self) -> None:
        """Observe nothing more."""
        self._log.stop()

    def begin(self) -> None:
        """Mark the start of a frame: other processes may have drawn since the last one."""
        self._log.begin()

    def frame(self, carried: bool) -> dict[str, str]:
        """Return digests of the files that decide the frame drawn since the last call.

        Parameters
        ----------
        carried : bool
            Each frame may show all that earlier ones have read, see `ReadLog.take`.
        """
        reads = self._log.take(carried=carried)
        self._note_uses(reads)
        return self._digest_all((*reads.files, *reads.modules)[:MAX_FILES])

    def skip_frame(self) -> None:
        """Drop what an update read whose frame is not drawn here."""
        self._log.take()

    def uses(self) -> tuple[str, ...]:
        """Describe network connections and programs used since the last call, for a message."""
        uses, self._uses = tuple(self._uses), {}
        return uses

    def remembered(self) -> dict[str, list[Any]]:
        """See `FileDigests`."""
        return self.digests.remembered()

    def _note_uses(self, reads: Reads) -> None:
        self._uses |= dict.fromkeys(f"the network ({place})" for place in reads.network)
        self._uses |= dict.fromkeys(f"the program {name}" for name in reads.programs)

    def _digest_all(self, paths: tuple[str, ...]) -> dict[str, str]:
        return {self._name(path): self._digest(path) for path in paths}

    def _name(self, path: str) -> str:
        return os.path.relpath(path, self._base) if is_below(path, self._base) else path

    def _digest(self, path: str) -> str:
        digest = self.digests.of(path)
        return digest if self._log.is_as_read(path) else f"{CHANGING} at {time.time_ns()}"
