"""Replaces matplotlib's screen and files while a user's script runs, and records what the script does.

There is no screen, and framepipe builds the movie: windows, event loops and backends do nothing,
``Animation.save`` and the movie writers write nothing. These calls are recorded in a `Capture`; the
figures that the script shows or saves go to a `FrameSink` (`moments`).

For framepipe's own processes only: matplotlib stays patched for good, only the recording ends.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from framepipe.job.places import AS_IMPORTED
from framepipe.scenes import matplotlib_private
from framepipe.scenes.scripts.moments import FrameSink, Moments, Series, is_numbered, is_picture, skeleton

#: Programs that make a movie of pictures: one that a script starts after its loop finds no pictures.
_MOVIE_PROGRAMS = {"convert", "magick", "mogrify", "montage", "ffmpeg", "avconv", "mencoder", "gifsicle"}
#: framepipe's own folder: its frames are skipped in search of the user's line.
_FRAMEPIPE_FOLDERS = (AS_IMPORTED + os.sep,)
_NOT_RENDERED = "<!-- not rendered: framepipe builds the movie -->"


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
class Place:
    """A line of the user's code: the file, the function's first line, and the line."""

    file: str
    function: str
    first_line: int
    line: int


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

    # Events, reported by the replacements below.

    def on_animation(self, animation: Any) -> None:
        """Record an animation that was made."""
        chain = _chain()
        main = getattr(sys.modules["__main__"], "__file__", None)
        in_script = [place for place in chain if place.file == main]
        self.animations.append(CapturedAnimation(animation, next(reversed(in_script or chain), None)))

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
        chain = _chain()
        if not chain:
            return
        name = f"{Path(chain[-1].file).name}, line {chain[-1].line}"
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
        self.suppressed_calls[_chain()] = suppressed_call
        if filename:
            self.not_written.add(os.path.abspath(filename))


#: The capture of the script that runs now, if any.
_running: Capture | None = None


def _stop_in_child() -> None:
    """End the capture in a forked process, which draws and writes as matplotlib does."""
    global _running
    _running = None


def running() -> Capture | None:
    """Return the capture of the script that runs now."""
    return _running


def set_running(capture: Capture | None) -> None:
    """Continue a capture, in a process that was forked to continue the script."""
    global _running
    _running = capture


@contextlib.contextmanager
def capturing(sink: FrameSink) -> Iterator[Capture]:
    """Capture what happens in this process during the block; frames go to ``sink``.

    The process must be framepipe's own, see above.
    """
    global _running
    install()
    previous, _running = _running, Capture(Moments(sink))
    try:
        yield _running
    finally:
        _running = previous


def _joined(words: Sequence[Any]) -> str:
    """Join a command's words as one would type them, without ``sh -c``."""
    words = [os.fsdecode(word) if isinstance(word, (bytes, os.PathLike)) else str(word) for word in words]
    return words[2] if len(words) > 2 and words[1] == "-c" else shlex.join(words)


def chain_of(traceback: TracebackType | None) -> tuple[Place, ...]:
    """Return the lines of the user's code in a traceback, the outermost first."""
    places = []
    while traceback is not None:
        if _is_users(traceback.tb_frame):
            places.append(_place(traceback.tb_frame, traceback.tb_lineno))
        traceback = traceback.tb_next
    return tuple(places)


def _chain() -> tuple[Place, ...]:
    """Return the lines of the user's code that led here, the outermost first."""
    places = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if _is_users(frame):
            places.append(_place(frame, frame.f_lineno))
        frame = frame.f_back
    return tuple(reversed(places))


def _place(frame: FrameType, line: int) -> Place:
    return Place(frame.f_code.co_filename, frame.f_code.co_name, frame.f_code.co_firstlineno, line)


@functools.cache
def _library_folders() -> tuple[str, ...]:
    import sysconfig

    paths = sysconfig.get_paths()
    return (
        tuple(paths[name] + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib"))
        + _FRAMEPIPE_FOLDERS
    )


_PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def is_library(file: str) -> bool:
    """True for a file of Python, of an installed package or of framepipe, and for code without a file."""
    return file.startswith(("<", *_library_folders())) or any(folder in file for folder in _PACKAGES)


def _is_users(frame: FrameType) -> bool:
    """True for a frame of the script or of a local module, not of a library or of code without a file."""
    if is_library(frame.f_code.co_filename):
        return False
    # a program that runs scripts was itself __main__, until the script became that
    return frame.f_globals.get("__name__") != "__main__" or frame.f_globals is vars(sys.modules["__main__"])


# The replacements, in the order in which a script calls them.


@functools.cache
def install() -> None:
    """Load matplotlib and patch it, once and for good."""
    os.environ["MPLBACKEND"] = "agg"
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.animation
    import matplotlib.figure
    import matplotlib.pyplot
    import matplotlib.rcsetup
    from matplotlib import backend_bases
    from matplotlib.backends import backend_agg

    matplotlib.pyplot.switch_backend("agg")  # pyplot would load one at the first figure, by this function
    _no_backends(matplotlib, matplotlib.pyplot)
    _no_windows(backend_bases, matplotlib.pyplot, matplotlib.figure.Figure)
    _canvas_events(backend_bases.FigureCanvasBase)
    _canvases(backend_bases.FigureCanvasBase, backend_agg)
    _figures(matplotlib.figure.Figure)
    _animations(matplotlib.animation.Animation)
    _writers(matplotlib.animation)
    sys.addaudithook(_audit)
    os.register_at_fork(after_in_child=_stop_in_child)


def _instead(owner: Any, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a replacement for a function; it is called with the original as its first argument."""

    def decorate(stand_in: Callable[..., Any]) -> Callable[..., Any]:
        original = getattr(owner, name, _nothing)

        @functools.wraps(original)
        def wrapper(*arguments: Any, **keywords: Any) -> Any:
            return stand_in(original, *arguments, **keywords)

        setattr(owner, name, wrapper)
        return stand_in

    return decorate


def _nothing(*_: Any, **__: Any) -> None:
    """Do nothing."""


def _no_backends(matplotlib: Any, pyplot: Any) -> None:
    """Keep Agg whatever backend the script selects: a toolkit may be missing, and there is no screen.

    Agg is listed as interactive because of a widely copied ``pause`` function, which does nothing if
    ``rcParams["backend"]`` is not in that list. matplotlib 3.11 has no such list any more.
    """
    matplotlib.rcsetup.interactive_bk = ["agg"]
    for owner, name in ((matplotlib, "use"), (pyplot, "switch_backend")):
        _instead(owner, name)(_nothing)


class _NoWindow:
    """Replaces a toolkit's window and all its attributes."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_: Any, **__: Any) -> Any:
        return self

    def __iter__(self) -> Iterator[int]:
        return iter((1920, 1080))  # window.maxsize() and the like

    def __int__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return False


def _no_windows(backend_bases: Any, pyplot: Any, figure_class: Any) -> None:
    manager, canvas = backend_bases.FigureManagerBase, backend_bases.FigureCanvasBase
    manager.window = manager.frame = _NoWindow()
    manager.show = _nothing
    canvas.set_window_title = canvas.update = _nothing  # removed from matplotlib; only in Qt's canvas
    _instead(figure_class, "ginput")(lambda *_, **__: [])

    def count(original: Any, *arguments: Any, **keywords: Any) -> None:
        if _running is not None:
            _running.draws[f"plt.{original.__name__}()"] += 1
        original(*arguments, **keywords)

    _instead(pyplot, "draw")(count)

    @_instead(pyplot, "show")
    def show(original: Any, *arguments: Any, **keywords: Any) -> None:
        count(original, *arguments, **keywords)
        if _running is not None and not _running.moments.busy:
            _running.on_show()

    @_instead(pyplot, "pause")
    def pause(_: Any, interval: float) -> None:
        if pyplot.get_fignums():
            figure = pyplot.gcf()
            _show(figure, "plt.pause", interval)
            _update_layout(figure)

    @_instead(figure_class, "waitforbuttonpress")
    def waitforbuttonpress(_: Any, figure: Any, timeout: float = -1) -> bool | None:
        _show(figure, "plt.waitforbuttonpress", timeout if timeout > 0 else None)
        return None if timeout > 0 else True  # None: no key in time; True: a key was pressed


def _show(figure: Any, by: str, interval_s: float | None = None) -> None:
    if _running is not None:
        _running.on_display(figure, by, interval_s)


def _update_layout(figure: Any, dpi: float | None = None) -> None:
    """Apply the side effects of drawing to a figure without painting it.

    Automatic limits are computed when they are read; a layout engine moves axes, starting from their last
    positions and by whole pixels; and observers of drawing (an animation, a widget) must be called.
    """
    if dpi is None and _is_watched(figure):
        figure.canvas.draw()
    elif figure.get_layout_engine() is not None:
        previous = figure.dpi
        figure.dpi = previous if dpi is None else dpi
        try:
            figure.draw_without_rendering()
        finally:
            figure.dpi = previous
    else:
        for axes in figure.axes:
            axes.viewLim  # noqa: B018 (reading it computes it)


def _is_watched(figure: Any) -> bool:
    return bool(figure.canvas.callbacks.callbacks.get("draw_event"))


def _canvases(canvas_class: Any, backend_agg: Any) -> None:
    due: WeakSet[Any] = WeakSet()  # canvases with a pending draw_idle, which no event loop will run
    drawing: list[Any] = []

    @_instead(canvas_class, "draw_idle")
    def draw_idle(original: Any, canvas: Any, *arguments: Any, **keywords: Any) -> None:
        if _is_watched(canvas.figure):
            original(canvas, *arguments, **keywords)
        elif not getattr(canvas, matplotlib_private.IS_IDLE_DRAWING):
            _update_layout(canvas.figure)
            due.add(canvas)

    @_instead(backend_agg.FigureCanvasAgg, "draw")
    def draw(original: Any, canvas: Any) -> None:
        due.discard(canvas)
        drawing.append(canvas)
        try:
            original(canvas)
        finally:
            drawing.pop()
        if _running is not None and not canvas.is_saving() and not _running.moments.busy:
            _running.mark_redrawn(canvas.figure)
            if _is_users(sys._getframe(2)):
                _running.draws["canvas.draw()"] += 1

    def read(original: Any, canvas: Any, *arguments: Any, **keywords: Any) -> Any:
        is_internal = canvas.is_saving() or canvas in drawing
        if canvas in due and not is_internal:
            canvas.draw()
        pixels = original(canvas, *arguments, **keywords)
        if _running is not None and not is_internal:
            _running.to_memory(canvas.figure, original.__name__, {"dpi": "figure"})
        return pixels

    for name in ("buffer_rgba", "tostring_argb", "tostring_rgb", "print_to_buffer"):
        if hasattr(backend_agg.FigureCanvasAgg, name):
            _instead(backend_agg.FigureCanvasAgg, name)(read)


def _canvas_events(canvas_class: Any) -> None:
    @_instead(canvas_class, "blit")
    def blit(original: Any, canvas: Any, *arguments: Any, **keywords: Any) -> None:
        original(canvas, *arguments, **keywords)
        if _running is not None:
            _running.mark_redrawn(canvas.figure)

    @_instead(canvas_class, "flush_events")
    def flush_events(_: Any, canvas: Any) -> None:
        _show(canvas.figure, "canvas.flush_events")

    @_instead(canvas_class, "start_event_loop")
    def start_event_loop(_: Any, canvas: Any, timeout: float = 0) -> None:
        _show(canvas.figure, "canvas.start_event_loop", timeout if timeout > 0 else None)


def _figures(figure_class: Any) -> None:
    @_instead(figure_class, "__init__")
    def init(original: Any, figure: Any, *arguments: Any, **keywords: Any) -> None:
        original(figure, *arguments, **keywords)
        if _running is not None and not _running.moments.busy:
            _running.figures += 1

    @_instead(figure_class, "savefig")
    def savefig(original: Any, figure: Any, fname: Any, **keywords: Any) -> Any:
        capture = _running
        if capture is None or capture.moments.busy:
            return original(figure, fname, **keywords)
        options = {name: value for name, value in keywords.items() if value is not None}
        if isinstance(fname, (str, os.PathLike)):
            if capture.to_file(figure, _with_suffix(os.fspath(fname), options), options):
                if not capture.moments.sink.draws_here:
                    _update_layout(figure, _dpi_of(figure, options))
                return None
        elif hasattr(fname, "write") and is_picture(options.pop("format", "png")):
            capture.to_memory(figure, "savefig", options)
        stale = figure.stale
        with capture.moments.nothing_counts():
            result = original(figure, fname, **keywords)
        if stale:
            capture.mark_redrawn(figure)
        return result


def _dpi_of(figure: Any, savefig: Mapping[str, Any]) -> float:
    """Return the dpi that ``savefig`` would use."""
    import matplotlib

    dpi = savefig.get("dpi", matplotlib.rcParams["savefig.dpi"])
    return float(getattr(figure, matplotlib_private.ORIGINAL_DPI, figure.dpi) if dpi == "figure" else dpi)


def _with_suffix(path: str, savefig: Mapping[str, Any]) -> str:
    """Return the path that ``savefig`` would write to: it adds a suffix to a name without one."""
    import matplotlib

    if Path(path).suffix[1:] or savefig.get("format"):
        return path
    return f"{path.rstrip('.')}.{matplotlib.rcParams['savefig.format']}"


def _animations(animation_class: Any) -> None:
    @_instead(animation_class, "__init__")
    def init(original: Any, animation: Any, *arguments: Any, **keywords: Any) -> None:
        original(animation, *arguments, **keywords)
        matplotlib_private.mark_as_drawn(animation)
        if _running is not None:
            _running.on_animation(animation)

    for name in ("save", "to_jshtml", "to_html5_video"):
        _instead(animation_class, name)(_suppress_save)


def _suppress_save(original: Any, animation: Any, *arguments: Any, **keywords: Any) -> Any:
    if _running is None:
        return original(animation, *arguments, **keywords)
    bound = inspect.signature(original).bind(animation, *arguments, **keywords)
    _running.on_save(animation, _save_call(original.__name__, bound.arguments, animation))
    return None if original.__name__ == "save" else _NOT_RENDERED


def _save_call(method: str, arguments: Mapping[str, Any], animation: Any) -> SaveCall:
    import matplotlib

    writer = arguments.get("writer")
    writer_object = None if writer is None or isinstance(writer, (str, type)) else writer

    def argument_of(name: str) -> Any:
        value = arguments.get(name)
        return getattr(writer_object, name, None) if value is None else value

    codec, bitrate = argument_of("codec"), argument_of("bitrate")
    if writer_object is not None:  # a writer's defaults are not the script's choice
        codec = None if codec == matplotlib.rcParams["animation.codec"] else codec
        bitrate = None if bitrate == matplotlib.rcParams["animation.bitrate"] else bitrate
    dpi = matplotlib.rcParams["savefig.dpi"] if arguments.get("dpi") is None else arguments["dpi"]
    figure = matplotlib_private.figure_of(animation)
    return SaveCall(
        method=method,
        filename=os.fspath(arguments.get("filename", "")),
        writer=_name_of_writer(writer),
        fps=argument_of("fps"),
        dpi=None if dpi == "figure" else dpi,
        codec=codec,
        bitrate=bitrate,
        extra_args=tuple(map(str, argument_of("extra_args") or ())),
        metadata=dict(argument_of("metadata") or {}),
        savefig_kwargs=dict(arguments.get("savefig_kwargs") or {}),
        extra_anim=tuple(
            each for each in arguments.get("extra_anim") or () if matplotlib_private.figure_of(each) is figure
        ),
    )


def _name_of_writer(writer: Any) -> str:
    from matplotlib.animation import writers

    if writer is None or isinstance(writer, str):
        return writer or ""
    kind = writer if isinstance(writer, type) else type(writer)
    registered = matplotlib_private.registered_writers(writers)
    return next((name for name, each in registered.items() if each is kind), kind.__name__)


def _writers(animation: Any) -> None:
    """Make all registered movie writers available and write nothing, whatever is installed."""
    registered = matplotlib_private.registered_writers(animation.writers)

    @_instead(animation.MovieWriterRegistry, "is_available")
    def is_available(_: Any, registry: Any, name: str) -> bool:
        return name in matplotlib_private.registered_writers(registry)

    bases = {base for kind in registered.values() for base in kind.__mro__}
    for kind in bases:
        if "isAvailable" in vars(kind):
            kind.isAvailable = classmethod(lambda _: True)
        if "setup" in vars(kind):
            _instead(kind, "setup")(_set_up)


def _set_up(
    original: Any, writer: Any, fig: Any, outfile: Any, dpi: Any = None, *arguments: Any, **keywords: Any
) -> None:
    """Start no program; frames that the writer would grab go to the capture."""
    capture = _running
    if capture is None or capture.moments.busy:
        original(writer, fig, outfile, dpi, *arguments, **keywords)
        return
    writer.fig, writer.outfile = fig, outfile
    writer.dpi = fig.dpi if dpi is None else dpi
    filename = os.fspath(outfile)
    series = capture.moments.get_series(
        filename,
        "writer",
        filename=filename,
        fps=writer.fps,
        dpi=float(writer.dpi),
        metadata=dict(writer.metadata or {}),
    )

    def grab_frame(**savefig_kwargs: Any) -> None:
        capture.on_grab_frame(series, fig, {**savefig_kwargs, "dpi": writer.dpi})

    writer.grab_frame = grab_frame  # on the object, since a user's class may define its own
    writer.finish = _nothing


def _audit(event: str, arguments: Sequence[Any]) -> None:
    """Handle Python's audit events: a program is started, a file is opened."""
    if _running is None or _running.moments.busy:
        return
    if event == "os.system":
        _running.on_program(os.fsdecode(arguments[0]))
    elif event == "subprocess.Popen":
        _running.on_program(arguments[1])
    elif event == "open":
        _write_before_reading(_running, arguments[0], arguments[1])


def _write_before_reading(capture: Capture, path: Any, mode: Any) -> None:
    """Write a pending picture, which might have been a frame, before the script reads its file."""
    if isinstance(path, (str, os.PathLike)) and (mode is None or not set(str(mode)) & set("wax")):
        path = os.path.abspath(os.fsdecode(path))
        if capture.moments.is_pending(path):
            capture.moments.write_now(path)
            capture.not_written.discard(path)
