"""Records what a user's script does with matplotlib: its animations, and the figures that it shows or saves.

The replacements in `stand_ins` report each call. Figures go to a `FrameSink` (`moments`).
"""

from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from framepipe.scenes.scripts.moments import Moments, Series, is_numbered, skeleton
from framepipe.scenes.scripts.user_lines import Place, chain

#: Programs that make a movie of pictures: one that a script starts after its loop finds no pictures.
_MOVIE_PROGRAMS = {"convert", "magick", "mogrify", "montage", "ffmpeg", "avconv", "mencoder", "gifsicle"}


@dataclass(frozen=True)
class SaveCall:
    """A call of ``Animation.save``, ``to_jshtml`` or ``to_html5_video``, which did nothing.

    Attributes
    ----------
    method : str
    filename : str
        Empty for the two methods that return HTML.
    writer : str
        The writer's name, as in ``"pillow"``, or its class's; empty if the script gave none.
    fps, dpi : float or None
        None if the script gave none: then the animation's interval and the figure's own dpi hold.
    codec : str or None
    bitrate : int or None
    extra_args : tuple of str
    metadata : dict
    savefig_kwargs : dict
    extra_anim : tuple of Animation
        Animations that play in the same figure at the same time.
    """

    method: str
    filename: str = ""
    writer: str = ""
    fps: float | None = None
    dpi: float | None = None
    codec: str | None = None
    bitrate: int | None = None
    extra_args: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    savefig_kwargs: Mapping[str, Any] = field(default_factory=dict)
    extra_anim: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.method}({self.filename!r})" if self.filename else f"{self.method}()"


@dataclass(frozen=True)
class CapturedAnimation:
    """An animation that a script made, and the line that made it; keeps the animation alive."""

    animation: Any
    place: Place | None


@dataclass(frozen=True)
class SuppressedCall:
    """A call that did nothing, as ``"savefig('frame1.png')"``, and its series of frames, if any."""

    call: str
    series: Series | None = None


@dataclass(eq=False)
class Capture:
    """Records what a running script does with matplotlib.

    Attributes
    ----------
    moments : Moments
        The figures that it shows and saves.
    animations : list of CapturedAnimation
        In order of creation.
    saves : list of (Animation, SaveCall)
    suppressed_calls : dict
        Calls that did nothing, by the chain of the user's lines that led to them.
    not_written : set of str
        Absolute paths of files that were not written.
    commands : list of str
        Commands of the script that may make a movie.
    overwritten : Counter
        How often each unnumbered file was saved.
    draws : Counter
        How often ``plt.draw()``, ``plt.show()`` and ``canvas.draw()`` were called.
    figures : int
        Number of figures made.
    """

    moments: Moments
    animations: list[CapturedAnimation] = field(default_factory=list)
    saves: list[tuple[Any, SaveCall]] = field(default_factory=list)
    suppressed_calls: dict[tuple[Place, ...], SuppressedCall] = field(default_factory=dict)
    not_written: set[str] = field(default_factory=set)
    commands: list[str] = field(default_factory=list)
    overwritten: Counter[str] = field(default_factory=Counter)
    draws: Counter[str] = field(default_factory=Counter)
    figures: int = 0
    _last: WeakKeyDictionary[Any, str] = field(default_factory=WeakKeyDictionary)
    _redrawn: WeakSet[Any] = field(default_factory=WeakSet)

    # Events, reported by `stand_ins`.

    def on_animation(self, animation: Any) -> None:
        """Record an animation that was made."""
        lines = chain()
        main = getattr(sys.modules["__main__"], "__file__", None)
        in_script = [place for place in lines if place.file == main]
        self.animations.append(CapturedAnimation(animation, next(reversed(in_script or lines), None)))

    def on_save(self, animation: Any, save: SaveCall) -> None:
        """Record a save that was not run."""
        self.saves.append((animation, save))
        self._suppress(SuppressedCall(f"{save}"), save.filename)
        with self.moments.nothing_counts():
            self.moments.sink.on_save(animation, save)

    def on_show(self) -> None:
        """Tell the sink about ``plt.show()``: on a screen, the animations would play now."""
        if self.animations:
            with self.moments.nothing_counts():
                self.moments.sink.on_show([each.animation for each in self.animations])

    def on_display(self, figure: Any, by: str, interval_s: float | None = None) -> None:
        """Record a figure on the screen as a frame, unless it was just shown or saved in another way.

        ``canvas.flush_events()`` and then ``plt.pause()`` is one frame; two pauses are two.
        """
        if self._ignores_figures() or figure is None:
            return
        series = self.moments.get_series("plt.pause", "screen")
        if interval_s:
            series.intervals_s[interval_s] += 1
        is_changed = figure.stale or figure in self._redrawn
        if not is_changed and self._last.get(figure, by) != by:
            return
        self._suppress(SuppressedCall(f"{by}()", series))
        self.moments.frame(series, figure, {}, by if interval_s is None else f"{by}({interval_s:g})")
        self._record_frame(figure, by)

    def on_grab_frame(self, series: Series, figure: Any, savefig: Mapping[str, Any]) -> None:
        """Record a figure that a movie writer would grab."""
        if self.moments.busy:
            return
        self._suppress(SuppressedCall("grab_frame()", series), series.filename)
        if not self.animations:
            self.moments.frame(series, figure, savefig, "writer.grab_frame()")
            self._record_frame(figure, "grab_frame")

    def to_file(self, figure: Any, path: str, savefig: Mapping[str, Any]) -> bool:
        """Record a saved figure; True if it is, or may be, a frame; False if the file must be written."""
        if self._ignores_figures():
            return False
        if not is_numbered(path, str(savefig.get("format") or Path(path).suffix[1:])):
            self.overwritten[path] += 1
            return False
        call = f"savefig({path!r})"
        self._suppress(SuppressedCall(call, self.moments.get_series(skeleton(path), "files")), path)
        self.moments.numbered(figure, path, savefig, call)
        self._record_frame(figure, "savefig")
        return True

    def to_memory(self, figure: Any, by: str, savefig: Mapping[str, Any]) -> None:
        """Record pixels that went to the script itself, which may make a movie of them."""
        if self._ignores_figures() or (by != "savefig" and not self._is_changed_since(figure, by)):
            return
        lines = chain()
        if not lines:
            return
        name = f"{Path(lines[-1].file).name}, line {lines[-1].line}"
        series = self.moments.get_series(name, "memory")
        self.moments.repeated(series, figure, savefig, f"{by} in {name}")
        self._record_frame(figure, "memory")

    def mark_redrawn(self, figure: Any) -> None:
        """Mark a figure as drawn anew since its last frame, although it is not stale."""
        self._redrawn.add(figure)

    def on_program(self, command: Any) -> None:
        """Record a program that was started, if it may make a movie."""
        text = os.fsdecode(command) if isinstance(command, (str, bytes, os.PathLike)) else _joined(command)
        words = text.replace("|", " ").replace("&", " ").replace(";", " ").split()
        if any(Path(word).name in _MOVIE_PROGRAMS for word in words):
            self.commands.append(text)

    def _ignores_figures(self) -> bool:
        """True while the sink draws, and for a script with an animation, which is its film."""
        return self.moments.busy or bool(self.animations)

    def _is_changed_since(self, figure: Any, by: str) -> bool:
        return figure.stale or figure in self._redrawn or self._last.get(figure) is None

    def _record_frame(self, figure: Any, by: str) -> None:
        self._last[figure] = by
        self._redrawn.discard(figure)
        figure.stale = False

    def _suppress(self, suppressed_call: SuppressedCall, filename: str = "") -> None:
        self.suppressed_calls[chain()] = suppressed_call
        if filename:
            self.not_written.add(os.path.abspath(filename))


#: The capture of the script that runs now, if any.
_running: Capture | None = None


def running() -> Capture | None:
    """Return the capture of the script that runs now."""
    return _running


def listening() -> Capture | None:
    """Return the capture, unless its own sink draws at this moment."""
    return None if _running is None or _running.moments.busy else _running


def set_running(capture: Capture | None) -> None:
    """Report to this capture from now on; to none, and matplotlib draws and writes as ever."""
    global _running
    _running = capture


def _joined(words: Sequence[Any]) -> str:
    """Join a command's words as one would type them, without ``sh -c``."""
    words = [os.fsdecode(word) if isinstance(word, (bytes, os.PathLike)) else str(word) for word in words]
    return words[2] if len(words) > 2 and words[1] == "-c" else shlex.join(words)
