"""Replaces matplotlib's screen and files while a user's script runs, and reports what the script does.

There is no screen, and framepipe builds the movie: windows, event loops and backends do nothing, and what
would be shown or saved goes to the `Capture` that runs. Animations and movie writers: `movie_stand_ins`.

For framepipe's own processes only: matplotlib stays patched for good, only the recording ends.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakSet

from framepipe.scenes import matplotlib_private
from framepipe.scenes.scripts import movie_stand_ins
from framepipe.scenes.scripts.capture import Capture, listening, running, set_running
from framepipe.scenes.scripts.instead import instead, nothing
from framepipe.scenes.scripts.moments import FrameSink, Moments, is_picture
from framepipe.scenes.scripts.user_lines import is_users


@contextlib.contextmanager
def capturing(sink: FrameSink) -> Iterator[Capture]:
    """Capture what happens in this process during the block; frames go to ``sink``.

    The process must be framepipe's own, see above.
    """
    install()
    previous, capture = running(), Capture(Moments(sink))
    set_running(capture)
    try:
        yield capture
    finally:
        set_running(previous)


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
    movie_stand_ins.install(matplotlib.animation)
    sys.addaudithook(_audit)
    os.register_at_fork(after_in_child=_stop_in_child)


def _stop_in_child() -> None:
    """End the capture in a forked process, which draws and writes as matplotlib does."""
    set_running(None)


def _no_backends(matplotlib: Any, pyplot: Any) -> None:
    """Keep Agg whatever backend the script selects: a toolkit may be missing, and there is no screen.

    Agg is listed as interactive because of a widely copied ``pause`` function, which does nothing if
    ``rcParams["backend"]`` is not in that list. matplotlib 3.11 has no such list any more.
    """
    matplotlib.rcsetup.interactive_bk = ["agg"]
    for owner, name in ((matplotlib, "use"), (pyplot, "switch_backend")):
        instead(owner, name)(nothing)


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
    manager.show = nothing
    canvas.set_window_title = canvas.update = nothing  # removed from matplotlib; only in Qt's canvas
    instead(figure_class, "ginput")(lambda *_, **__: [])

    def count(original: Any, *arguments: Any, **keywords: Any) -> None:
        if (capture := running()) is not None:
            capture.draws[f"plt.{original.__name__}()"] += 1
        original(*arguments, **keywords)

    instead(pyplot, "draw")(count)

    @instead(pyplot, "show")
    def show(original: Any, *arguments: Any, **keywords: Any) -> None:
        count(original, *arguments, **keywords)
        if (capture := listening()) is not None:
            capture.on_show()

    @instead(pyplot, "pause")
    def pause(_: Any, interval: float) -> None:
        if pyplot.get_fignums():
            figure = pyplot.gcf()
            _show(figure, "plt.pause", interval)
            _update_layout(figure)

    @instead(figure_class, "waitforbuttonpress")
    def waitforbuttonpress(_: Any, figure: Any, timeout: float = -1) -> bool | None:
        _show(figure, "plt.waitforbuttonpress", timeout if timeout > 0 else None)
        return None if timeout > 0 else True  # None: no key in time; True: a key was pressed


def _show(figure: Any, by: str, interval_s: float | None = None) -> None:
    if (capture := running()) is not None:
        capture.on_display(figure, by, interval_s)


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

    @instead(canvas_class, "draw_idle")
    def draw_idle(original: Any, canvas: Any, *arguments: Any, **keywords: Any) -> None:
        if _is_watched(canvas.figure):
            original(canvas, *arguments, **keywords)
        elif not getattr(canvas, matplotlib_private.IS_IDLE_DRAWING):
            _update_layout(canvas.figure)
            due.add(canvas)

    @instead(backend_agg.FigureCanvasAgg, "draw")
    def draw(original: Any, canvas: Any) -> None:
        due.discard(canvas)
        drawing.append(canvas)
        try:
            original(canvas)
        finally:
            drawing.pop()
        if (capture := listening()) is not None and not canvas.is_saving():
            capture.mark_redrawn(canvas.figure)
            if is_users(sys._getframe(2)):
                capture.draws["canvas.draw()"] += 1

    def read(original: Any, canvas: Any, *arguments: Any, **keywords: Any) -> Any:
        is_internal = canvas.is_saving() or canvas in drawing
        if canvas in due and not is_internal:
            canvas.draw()
        pixels = original(canvas, *arguments, **keywords)
        if (capture := running()) is not None and not is_internal:
            capture.to_memory(canvas.figure, original.__name__, {"dpi": "figure"})
        return pixels

    for name in ("buffer_rgba", "tostring_argb", "tostring_rgb", "print_to_buffer"):
        if hasattr(backend_agg.FigureCanvasAgg, name):
            instead(backend_agg.FigureCanvasAgg, name)(read)


def _canvas_events(canvas_class: Any) -> None:
    @instead(canvas_class, "blit")
    def blit(original: Any, canvas: Any, *arguments: Any, **keywords: Any) -> None:
        original(canvas, *arguments, **keywords)
        if (capture := running()) is not None:
            capture.mark_redrawn(canvas.figure)

    @instead(canvas_class, "flush_events")
    def flush_events(_: Any, canvas: Any) -> None:
        _show(canvas.figure, "canvas.flush_events")

    @instead(canvas_class, "start_event_loop")
    def start_event_loop(_: Any, canvas: Any, timeout: float = 0) -> None:
        _show(canvas.figure, "canvas.start_event_loop", timeout if timeout > 0 else None)


def _figures(figure_class: Any) -> None:
    @instead(figure_class, "__init__")
    def init(original: Any, figure: Any, *arguments: Any, **keywords: Any) -> None:
        original(figure, *arguments, **keywords)
        if (capture := listening()) is not None:
            capture.figures += 1

    @instead(figure_class, "savefig")
    def savefig(original: Any, figure: Any, fname: Any, **keywords: Any) -> Any:
        capture = listening()
        if capture is None:
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


def _audit(event: str, arguments: Sequence[Any]) -> None:
    """Handle Python's audit events: a program is started, a file is opened."""
    if (capture := listening()) is None:
        return
    if event == "os.system":
        capture.on_program(os.fsdecode(arguments[0]))
    elif event == "subprocess.Popen":
        capture.on_program(arguments[1])
    elif event == "open":
        _write_before_reading(capture, arguments[0], arguments[1])


def _write_before_reading(capture: Capture, path: Any, mode: Any) -> None:
    """Write a pending picture, which might have been a frame, before the script reads its file."""
    if isinstance(path, (str, os.PathLike)) and (mode is None or not set(str(mode)) & set("wax")):
        path = os.path.abspath(os.fsdecode(path))
        if capture.moments.is_pending(path):
            capture.moments.write_now(path)
            capture.not_written.discard(path)
