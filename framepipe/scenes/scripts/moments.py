"""The moments at which a running script shows or saves a figure, and which of them are frames of one film.

A script that makes no animation draws its film by itself: a loop with ``plt.pause``, ``writer.grab_frame``,
``savefig`` under numbered names or into memory. `Moments` takes each of these calls while the script runs,
and hands it to a `FrameSink`, which draws the figure at once or forks a process that does. This module does
not depend on matplotlib.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

#: How a script makes its frames, the most explicit first: of several ways, the first one is the film.
Kind = Literal["writer", "files", "memory", "screen"]
KINDS: tuple[Kind, ...] = ("writer", "files", "memory", "screen")

#: A number in a file's name, as Python prints it: a decimal point belongs to it, the dot before ".png" not.
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
#: Pictures; a page of vectors (PDF, SVG) is never a frame.
_PICTURES = {"png", "jpg", "jpeg", "tif", "tiff", "webp", "gif", "raw", "rgba"}


class EnoughFrames(BaseException):
    """Raised by a `FrameSink` to end a script that may run for ever; not a failure."""


@dataclass(frozen=True)
class Moment:
    """A figure at the moment when a script shows or saves it.

    Attributes
    ----------
    figure : Figure
        The live figure: the script may change it as soon as the sink returns.
    savefig : dict
        Keywords of ``savefig``, as the script gave them.
    series : str
        Name of the series of frames that it belongs to.
    kind : {"writer", "files", "memory", "screen"}
    index : int
        Its index in the series, from 0.
    origin : str
        The script's call, for messages: ``"plt.pause(0.1)"``, ``"savefig('frame003.png')"``.
    path : str or None
        The file that the script asked for, if framepipe did not write it.
    """

    figure: Any
    savefig: Mapping[str, Any]
    series: str
    kind: Kind
    index: int
    origin: str
    path: str | None = None


class Decision(Protocol):
    """A moment that a sink holds until it is known whether it is a frame."""

    def is_frame(self) -> None:
        """Accept the moment as a frame; its position in the series is the moment's ``index``."""

    def is_no_frame(self) -> None:
        """Reject the moment. If it has a ``path``, the picture must exist there when this returns."""


class FrameSink(Protocol):
    """Receives a script's frames while it runs, in its process and thread.

    Each method is called with the figure in the state to draw, and returns when the script can no longer
    change the result: the sink has drawn the figure, or forked a process that will. Calls of matplotlib
    inside a method are not moments. `EnoughFrames` from any of them ends the script.

    Attributes
    ----------
    draws_here : bool
        True if the sink calls ``savefig`` in the script's own process. Otherwise the side effects of
        ``savefig`` on the figure (layout, limits) are applied separately.
    """

    draws_here: bool

    def frame(self, moment: Moment) -> None:
        """Take a frame; frames come in the order of their series."""

    def maybe(self, moment: Moment) -> Decision:
        """Take the first moment of a series, which is a frame only if a second one follows."""

    def on_save(self, animation: Any, save: Any) -> None:
        """Handle a call of ``animation.save(…)``, which did nothing: a `SaveCall`.

        The script's state is now the one that ``save`` would have drawn from.
        """

    def on_show(self, animations: Sequence[Any]) -> None:
        """Handle ``plt.show()`` while these animations exist: on a screen they would play now."""


@dataclass(eq=False)
class Series:
    """The frames that a script made in one way.

    Attributes
    ----------
    name : str
        ``"frame#.png"``, ``"movie.mp4"``, ``"plt.pause"``, ``"memory, line 12"``.
    kind : {"writer", "files", "memory", "screen"}
    frames : int
        Number of frames so far.
    filename : str
        The movie that the script would have written; empty if it named none.
    fps, dpi : float or None
        The script's values.
    metadata : dict
    savefig : dict
        Keywords of ``savefig`` of the first frame.
    intervals_s : Counter
        The pauses between frames in seconds, and how often each occurred.
    names : list of str
        The names of the files that were not written.
    """

    name: str
    kind: Kind
    frames: int = 0
    filename: str = ""
    fps: float | None = None
    dpi: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    savefig: Mapping[str, Any] = field(default_factory=dict)
    intervals_s: Counter[float] = field(default_factory=Counter)
    names: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.name}, {self.frames} frames"

    @property
    def interval_s(self) -> float | None:
        """The most common pause between two frames; None if there was none."""
        return self.intervals_s.most_common(1)[0][0] if self.intervals_s else None

    def out_of_order(self) -> str:
        """Return where the numbers in the names do not rise, as "frame9.png, then frame10.png", or ""."""
        numbers = [[float(number) for number in _NUMBER.findall(name)] for name in self.names]
        sizes = [[abs(number) for number in each] for each in numbers]  # in "a-1.png" it is a hyphen
        pairs = zip(numbers, numbers[1:], sizes, sizes[1:], self.names, self.names[1:])
        for first, second, small, large, first_name, second_name in pairs:
            if second <= first and large <= small:
                return f"{first_name}, then {second_name}"
        return ""


@dataclass
class _Pending:
    """The first moment of a series, which is a frame only if a second one follows."""

    moment: Moment
    decision: Decision
    file: str = field(init=False)

    def __post_init__(self) -> None:
        self.file = os.path.abspath(self.moment.path) if self.moment.path is not None else ""


class Moments:
    """Sorts what a running script shows and saves into series of frames, and hands them to a sink.

    Parameters
    ----------
    sink : FrameSink
    """

    def __init__(self, sink: FrameSink) -> None:
        self.sink = sink
        self.series: dict[str, Series] = {}
        self.busy = False
        self._pending: dict[str, _Pending] = {}

    @contextlib.contextmanager
    def nothing_counts(self) -> Iterator[None]:
        """Ignore drawing in this block: it is the sink's own, or matplotlib's."""
        previous, self.busy = self.busy, True
        try:
            yield
        finally:
            self.busy = previous

    def frame(
        self,
        series: Series,
        figure: Any,
        savefig: Mapping[str, Any],
        origin: str,
        path: str | None = None,
    ) -> None:
        """Handle a moment that is certainly a frame."""
        moment = Moment(figure, dict(savefig), series.name, series.kind, series.frames, origin, path)
        with self.nothing_counts():
            self.sink.frame(moment)
        self._count(series, moment)

    def numbered(
        self, figure: Any, path: str | os.PathLike[str], savefig: Mapping[str, Any], origin: str
    ) -> None:
        """Handle a picture for a numbered file, which is not written yet.

        It is a frame if a second one follows whose name differs in numbers only. Both names may be equal: a
        script may number by the count of files in a folder, in which none appears.
        """
        path = os.fspath(path)
        series = self.get_series(skeleton(path), "files")
        self.repeated(series, figure, savefig, origin, path)

    def repeated(
        self,
        series: Series,
        figure: Any,
        savefig: Mapping[str, Any],
        origin: str,
        path: str | None = None,
    ) -> None:
        """Handle a picture that is a frame if its series has at least two."""
        name = series.name
        if name not in self._pending and not series.frames:
            self._wait(name, Moment(figure, dict(savefig), name, series.kind, 0, origin, path))
            return
        if name in self._pending:
            self._decide(name, frame=True)
        self.frame(series, figure, savefig, origin, path)

    def get_series(self, name: str, kind: Kind, **keywords: Any) -> Series:
        """Return the series of this name; create it if there is none."""
        if name not in self.series:
            self.series[name] = Series(name, kind, **keywords)
        return self.series[name]

    def is_pending(self, path: str) -> bool:
        """True for a file that is not written because it may be a frame."""
        return any(pending.file == path for pending in self._pending.values())

    def write_now(self, path: str) -> None:
        """Write a pending picture that is about to be read: it is not a frame."""
        for name, pending in list(self._pending.items()):
            if pending.file == path:
                self._decide(name, frame=False)

    def end(self) -> None:
        """End the script: pending pictures are not frames."""
        for name in list(self._pending):
            self._decide(name, frame=False)

    def films(self) -> list[Series]:
        """Return the series that have frames, by kind as in `KINDS`, then in order of appearance."""
        return sorted(
            (series for series in self.series.values() if series.frames),
            key=lambda series: KINDS.index(series.kind),
        )

    def _wait(self, name: str, moment: Moment) -> None:
        with self.nothing_counts():
            self._pending[name] = _Pending(moment, self.sink.maybe(moment))

    def _decide(self, name: str, *, frame: bool) -> None:
        pending = self._pending.pop(name)
        with self.nothing_counts():
            if not frame:
                pending.decision.is_no_frame()
                return
            pending.decision.is_frame()
        self._count(self.series[name], pending.moment)

    @staticmethod
    def _count(series: Series, moment: Moment) -> None:
        if not series.frames:
            series.savefig = moment.savefig
        if moment.path is not None:
            series.names.append(moment.path)
        series.frames += 1


def skeleton(path: str) -> str:
    """Replace each number in a path by ``#``: the name of its series."""
    return _NUMBER.sub("#", path)


def is_numbered(path: str, picture_format: str) -> bool:
    """True for the name of a picture that may belong to a series: with a number before its suffix."""
    return is_picture(picture_format) and _NUMBER.search(Path(path).stem) is not None


def is_picture(picture_format: str) -> bool:
    """True for a format of pixels."""
    return picture_format.lower() in _PICTURES


class DrawAtOnce:
    """A `FrameSink` that draws each frame in this process before the script goes on.

    Parameters
    ----------
    draw : callable
        Draws a `Moment` and returns the result to store.
    limit : int, optional
        The script is ended after this number of frames of one series.

    Attributes
    ----------
    frames : dict
        The results of ``draw``, in lists by the name of the series.
    saves : list of (Animation, SaveCall)
    """

    draws_here = True

    def __init__(self, draw: Callable[[Moment], Any], limit: int | None = None) -> None:
        self.draw, self.limit = draw, limit
        self.frames: dict[str, list[Any]] = {}
        self.saves: list[tuple[Any, Any]] = []

    def frame(self, moment: Moment) -> None:
        """See `FrameSink`."""
        self.keep(moment.series, self.draw(moment))

    def keep(self, series: str, drawing: Any) -> None:
        """Store one more frame of a series."""
        frames = self.frames.setdefault(series, [])
        if self.limit is not None and len(frames) >= self.limit:
            raise EnoughFrames
        frames.append(drawing)

    def maybe(self, moment: Moment) -> Decision:
        """See `FrameSink`."""
        return _DrawnMoment(self, moment)

    def on_save(self, animation: Any, save: Any) -> None:
        """See `FrameSink`."""
        self.saves.append((animation, save))

    def on_show(self, animations: Sequence[Any]) -> None:
        """See `FrameSink`."""


class _DrawnMoment:
    """A decision for a moment that is drawn already, with the bytes of its file if it may be needed."""

    def __init__(self, sink: DrawAtOnce, moment: Moment) -> None:
        self._sink, self._series = sink, moment.series
        self._path = None if moment.path is None else os.path.abspath(moment.path)
        self._drawing = sink.draw(moment)
        self._file = b"" if moment.path is None else _file_of(moment)

    def is_frame(self) -> None:
        """See `Decision`."""
        self._sink.keep(self._series, self._drawing)

    def is_no_frame(self) -> None:
        """See `Decision`."""
        if self._path is not None:
            with open(self._path, "wb") as file:
                file.write(self._file)


def _file_of(moment: Moment) -> bytes:
    import io

    assert moment.path is not None
    buffer = io.BytesIO()
    moment.figure.savefig(buffer, **{"format": Path(moment.path).suffix[1:] or None, **moment.savefig})
    return buffer.getvalue()
