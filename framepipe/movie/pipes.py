"""Named pipes in place of frames: an encoder reads them in order, and waits at each that is not drawn yet."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

_LOOK_S = 0.02


class Pipes:
    """The frames of one list, given to an encoder one after the other by a thread.

    Parameters
    ----------
    folder : Path
        With a pipe of each name.
    frames : Path
        The folder of the frames themselves.
    names : sequence of str
        In the order in which they are read.
    frame : callable
        Called with a name in the thread: returns the file's bytes, which it may wait for; None to give up.
    give_up : callable
        Called in the thread if there will be no further frame: the encoder has to be ended.
    """

    def __init__(
        self,
        folder: Path,
        frames: Path,
        names: Sequence[str],
        frame: Callable[[str], bytes | None],
        give_up: Callable[[], None],
    ) -> None:
        self._folder, self._frames, self._names = folder, frames.absolute(), [*dict.fromkeys(names)]
        self._frame, self._give_up = frame, give_up
        self._waits = self._is_over = False
        self._current = ""
        self._thread = threading.Thread(target=self._feed, name="framepipe-pipes", daemon=True)

    def waits(self) -> bool:
        """True while the next frame is not there."""
        return self._waits

    def _feed(self) -> None:
        """Give frame after frame; whatever goes wrong, the encoder must not wait for ever."""
        is_fed = False
        try:
            with contextlib.suppress(OSError):  # a frame cannot be read, or the encoder has ended
                is_fed = self._feed_all()
        finally:
            self._waits = False
            if not is_fed and not self._is_over:
                self._give_up()

    def _feed_all(self) -> bool:
        for name in self._names:
            self._waits = True
            data = self._frame(name)
            self._waits = False
            if data is None:
                return False
            self._current = name
            with (self._folder / name).open("wb") as pipe:  # waits for the encoder
                if self._is_over:
                    return False
                self._show_file(name)
                pipe.write(data)
        return True

    def _show_file(self, name: str) -> None:
        """Put the file in the place of a pipe that the encoder has opened: it may read a frame again."""
        link = self._folder / f"{name}.link"
        link.symlink_to(self._frames / name)
        link.replace(self._folder / name)

    @contextlib.contextmanager
    def fed(self) -> Iterator[None]:
        """Give the frames to an encoder that runs in this context.

        Raises
        ------
        OSError
            There can be no named pipes here.
        """
        if not hasattr(os, "mkfifo"):
            raise OSError("there are no named pipes here")
        self._folder.mkdir()
        try:
            for name in self._names:
                os.mkfifo(self._folder / name)
            self._thread.start()
            yield
        finally:
            self._is_over = True
            while self._thread.is_alive():
                self._let_go()
                self._thread.join(_LOOK_S)
            shutil.rmtree(self._folder, ignore_errors=True)

    def _let_go(self) -> None:
        """Open and close the other end of the pipe that the thread may wait at."""
        if self._current:
            with contextlib.suppress(OSError):
                os.close(os.open(self._folder / self._current, os.O_RDONLY | os.O_NONBLOCK))
