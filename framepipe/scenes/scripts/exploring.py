"""Finds a script's film by running it, with processes that wait where each possible film begins.

Which of its figures are the film is known only later: perhaps the script makes an animation after all,
saves a second picture under a numbered name, or clears its figure after ``anim.save``. So at the first
moment of each possible film the process forks: one copy waits there, frozen, the other one explores on.
When that has found the film, the frozen copy at its beginning becomes the stage, and nothing had to be
drawn to find out.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from framepipe.scenes.forking import flush, fork
from framepipe.scenes.scripts import capture
from framepipe.scenes.scripts.moments import Decision, Moment, Series
from framepipe.scenes.scripts.run import ScriptRun, choose, no_film_message, run_script
from framepipe.scenes.scripts.stand_ins import capturing

#: Exploring a loop ends after this number of frames or seconds: a loop may have no end. Drawing then goes on
#: to the real end.
_MAX_FRAMES, _MAX_S = 1000, 20.0
_MIN_FRAMES = 3


@dataclass(frozen=True)
class FilmInfo:
    """A script's film: an animation, or a series of frames.

    Attributes
    ----------
    animation : Animation or None
        The animation, if the film is one.
    name : str
        The animation's name; empty if it has none, or if the film is a series.
    save : SaveCall or None
        The script's own call to save the animation.
    series : Series or None
        The series, if the script makes its frames by itself.
    moment : Moment or None
        The first of these frames.
    count : int or None
        Their number, if the script has ended.
    notes : tuple of str
    films : int
        Number of films in the script.
    """

    animation: Any = None
    name: str = ""
    save: Any = None
    series: Series | None = None
    moment: Moment | None = None
    count: int | None = None
    notes: tuple[str, ...] = ()
    films: int = 1


@dataclass
class _Frozen:
    """A copy of this process that waits where a film may begin."""

    pid: int
    to: int
    back: int

    def send(self, order: str, argument: Any = None) -> None:
        """Send an order, and wait until it is carried out."""
        _write(self.to, (order, argument))
        with contextlib.suppress(EOFError):
            _read(self.back)


@dataclass
class Exploration:
    """The sink of a script while it is explored, and while it is played from the beginning of its film.

    Parameters
    ----------
    path : str
    argv : sequence of str
        The script's own arguments.
    selection : str or None
        The film to choose, by name or number.
    begin : callable
        Called with the `FilmInfo` in the process that waits at its beginning; serves there.
    go_on : callable
        Called at each further frame of the film in a process that plays it.
    end : callable
        Called when the script ends in such a process.
    enough : int or None
        Number of frames that are needed; None for all.
    """

    draws_here = False

    path: str
    argv: Sequence[str]
    selection: str | None
    begin: Callable[[FilmInfo], None]
    go_on: Callable[[Moment], None]
    end: Callable[[], None]
    enough: int | None = None
    _frozen: dict[Any, _Frozen] = field(default_factory=dict)
    _playing: str | None = None
    _began: float = 0.0
    _run: ScriptRun | None = None

    def run(self) -> None:
        """Run the script; returns only when nothing is left to do."""
        self._began = time.monotonic()
        run = run_script(self.path, self.argv, self)
        if self._playing is not None:
            self.end()
            return
        self._decide(run)

    # The methods of a `FrameSink`.

    def frame(self, moment: Moment) -> None:
        """See `FrameSink`."""
        if self._playing is not None:
            if moment.series == self._playing:
                self.go_on(moment)
            return
        if moment.index == 0:
            self._freeze(("series", moment.series), moment)
            if self._playing is not None:
                return
        is_long = moment.index >= _MAX_FRAMES or time.monotonic() - self._began > _MAX_S
        is_enough = self.enough is not None and moment.index + 1 >= self.enough
        if moment.index >= _MIN_FRAMES and (is_long or is_enough):
            self._decide_now()

    def maybe(self, moment: Moment) -> Decision:
        """See `FrameSink`."""
        if self._playing is None:
            self._freeze(("series", moment.series), moment)
        return _Undecided(self, moment)

    def on_save(self, animation: Any, save: Any) -> None:
        """See `FrameSink`."""
        if self._playing is None and save.method == "save" and ("save", id(animation)) not in self._frozen:
            self._freeze(("save", id(animation)), (animation, save))

    def on_show(self, animations: Sequence[Any]) -> None:
        """See `FrameSink`."""
        keys = [("show", id(animation)) for animation in animations]
        new = [key for key in keys if key not in self._frozen and ("save", key[1]) not in self._frozen]
        if self._playing is None and new:
            self._freeze(new[0], list(animations))
            for key in new[1:]:
                self._frozen[key] = self._frozen[new[0]]

    def write(self, moment: Moment) -> None:
        """Let the copy that waits at this moment write the picture that the script asked for."""
        if (frozen := self._frozen.get(("series", moment.series))) is not None:
            frozen.send("write", moment.path)

    # Freezing and waking.

    def _freeze(self, key: Any, at: Any) -> None:
        """Fork: the copy explores on; this process waits here for orders."""
        orders_in, orders_out = os.pipe()
        replies_in, replies_out = os.pipe()
        pid = fork(in_script=True)
        if not pid:
            self._frozen[key] = _Frozen(os.getppid(), orders_out, replies_in)
            os.close(orders_in)
            os.close(replies_out)
            return
        os.close(orders_out)
        os.close(replies_in)
        self._wait_for_orders(pid, at, orders_in, replies_out)

    def _wait_for_orders(self, explorer: int, at: Any, orders_in: int, replies_out: int) -> None:
        """Wait for orders from the copy that explores; return if the film begins here."""
        while True:
            try:
                order, argument = _read(orders_in)
            except EOFError:  # the explorer is the stage itself now, or has failed and reported it
                _, status = os.waitpid(explorer, 0)
                os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
            if order == "write":
                with contextlib.suppress(Exception):
                    at.figure.savefig(argument, **at.savefig)
                _write(replies_out, None)
            elif order == "play":  # the explorer ends without waiting for an answer
                os.waitpid(explorer, 0)
                self._wake(at, argument)
                return

    def _wake(self, at: Any, details: Mapping[str, Any]) -> None:
        if isinstance(at, Moment):
            self._playing = at.series
            if details["count"] is not None:  # the explorer has printed the rest of the output already
                _silence_output()
            self.begin(FilmInfo(moment=at, **details))
        else:
            self._playing = ""
            if isinstance(at, list):
                details = dict(details)
                animation_id = details.pop("id")
                animation, save = next(each for each in at if id(each) == animation_id), None
            else:
                animation, save = at
            self.begin(FilmInfo(animation=animation, save=save, **details))

    def _decide_now(self) -> None:
        """Choose by the frames so far, as the script runs for long."""
        running = capture.running()
        assert running is not None
        run = ScriptRun(self.path, sys.modules["__main__"], (), tuple(running.moments.films()), (), running)
        self._decide(run, has_ended=False)

    def _decide(self, run: ScriptRun, has_ended: bool = True) -> None:
        """Wake the copy that waits where the film begins, or become the stage if there is none."""
        film = choose(run, self.selection)
        if isinstance(film, Series):
            key: Any = ("series", film.name)
            details: dict[str, Any] = {"series": film, "count": film.frames if has_ended else None}
        else:
            name = film.name or (f"animation-{film.number}" if len(run.animations) > 1 else "")
            key, details = ("save", id(film.animation)), {"name": name}
            if key not in self._frozen and ("show", key[1]) in self._frozen:
                key, details["id"] = ("show", key[1]), key[1]
        details |= {"notes": run.notes, "films": len(run.animations or run.series)}
        if key in self._frozen:
            flush()
            _write(self._frozen[key].to, ("play", details))
            os._exit(0)
        assert not isinstance(film, Series), no_film_message(run)
        self._playing = ""
        self.begin(FilmInfo(animation=film.animation, save=next(iter(film.saves), None), **details))


class _NoFilm:
    """The sink of a script that is only imported: its files are written as usual."""

    draws_here = True

    def frame(self, moment: Moment) -> None:
        """See `FrameSink`."""
        if moment.path is not None:
            moment.figure.savefig(moment.path, **moment.savefig)

    def maybe(self, moment: Moment) -> Decision:
        """See `FrameSink`."""
        self.frame(moment)
        return self

    def on_save(self, animation: Any, save: Any) -> None:
        """See `FrameSink`."""

    def on_show(self, animations: Sequence[Any]) -> None:
        """See `FrameSink`."""

    def is_frame(self) -> None:
        """See `Decision`."""

    is_no_frame = is_frame


def importing() -> contextlib.AbstractContextManager[Any]:
    """Import in this block without saving animations or opening windows, in framepipe's own process."""
    return capturing(_NoFilm())


@dataclass
class _Undecided:
    """The first picture under a numbered name."""

    exploration: Exploration
    moment: Moment

    def is_frame(self) -> None:
        """See `Decision`."""

    def is_no_frame(self) -> None:
        """See `Decision`."""
        if self.moment.path is not None:
            self.exploration.write(self.moment)


def _silence_output() -> None:
    flush()
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    os.close(nothing)


def _write(descriptor: int, message: Any) -> None:
    data = pickle.dumps(message)
    view = memoryview(len(data).to_bytes(8, "big") + data)
    while view:
        view = view[os.write(descriptor, view) :]


def _read(descriptor: int) -> Any:
    """Read one message.

    Raises
    ------
    EOFError
        All writers have closed the pipe.
    """
    length = int.from_bytes(_exactly(descriptor, 8), "big")
    return pickle.loads(_exactly(descriptor, length))  # from our own parent or child process


def _exactly(descriptor: int, count: int) -> bytes:
    data = b""
    while len(data) < count:
        if not (block := os.read(descriptor, count - len(data))):
            raise EOFError
        data += block
    return data
