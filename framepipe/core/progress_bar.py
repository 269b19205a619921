"""Show progress: a bar on a terminal or in a notebook, a plain line now and then in a log file."""

from __future__ import annotations

import socket
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from framepipe.core.allocation import array_task
from framepipe.core.control import Control, Progress, ProgressCallback, Stop
from framepipe.errors import UsageError

_WORDS = {"read": "reading", "draw": "drawing", "encode": "encoding", "verify": "verifying"}
_UNITS = {"read": "MB", "draw": "frames", "encode": "frames", "verify": "movies"}
_LINE_EVERY_S = 30.0


@contextmanager
def controlled(
    progress: bool | ProgressCallback | None = None, stop: Stop | None = None
) -> Iterator[Control]:
    """Make the `Control` of a long-running call, and close its progress bar when the call ends.

    Parameters
    ----------
    progress : bool or callable, optional
        A callable is called with each `Progress`. True shows it as the command line does: a bar on a
        terminal or in a notebook, else plain lines. False shows nothing. None, the default of all
        functions, is True where a person is at the keyboard (a notebook, a Python or IPython prompt)
        and False in a script.
    stop : Stop, optional
        Through which its caller asks for a stop.

    Yields
    ------
    Control
        Its progress bar, if it has one, is closed with the context, whatever happens in it.

    Raises
    ------
    UsageError
        ``progress`` is something else.
    """
    if callable(progress):
        yield Control(progress, stop or Stop())
        return
    if progress is not None and not isinstance(progress, bool):
        raise UsageError(f"progress is {progress!r}; give True, False or a function of one Progress")
    if not (is_interactive() if progress is None else progress):
        yield Control(stop=stop or Stop())
        return
    bar = ProgressBar()
    try:
        yield Control(bar, stop or Stop())
    finally:
        bar.close()


def is_interactive() -> bool:
    """True at a prompt of Python or IPython, and in a notebook."""
    return hasattr(sys, "ps1") or bool(sys.flags.interactive) or _ipython() is not None


def is_notebook() -> bool:
    """True where a Jupyter kernel runs this process: what it shows goes to a page, not to a terminal."""
    return "IPKernelApp" in getattr(_ipython(), "config", {})


def _ipython() -> Any:
    """Return the running IPython, if there is one, without importing it."""
    module = sys.modules.get("IPython")
    return module.get_ipython() if module is not None and hasattr(module, "get_ipython") else None


class ProgressBar:
    """A progress callback: pass it as ``progress=``.

    Parameters
    ----------
    file : text stream, optional
        On a terminal it is a bar (frames, rate, time left, failures); otherwise a plain line at most
        every 30 s and at the end, fit for a scheduler's log. Default: a bar in the page in a notebook,
        else standard error.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._in_page = file is None and is_notebook()
        self._file = file or sys.stderr
        self._stage = ("", "")
        self._bar: Any = None
        self._start = self._last_line = 0.0
        self._first = 0
        self._is_over = False  # the bar of this stage has come to its end

    def __call__(self, progress: Progress) -> None:
        """Show one step."""
        if (progress.stage, progress.label) != self._stage:
            self.close()
            self._stage = (progress.stage, progress.label)
            self._start = self._last_line = time.monotonic()
            self._first = progress.done
            self._is_over = False
        if progress.news:
            self._show_news(progress.news)
        if self._in_page or self._file.isatty():
            self._show_bar(progress)
        else:
            self._show_line(progress)

    def _show_bar(self, progress: Progress) -> None:
        is_complete = progress.total is not None and progress.done >= progress.total
        if is_complete and self._is_over:
            return
        self._is_over = is_complete
        if self._bar is None:
            self._bar = (_page_bar() if self._in_page else _text_bar())(
                desc=f"{_WORDS[progress.stage]} {progress.label}",
                total=progress.total,
                initial=progress.done,
                file=self._file,
                unit=_UNITS[progress.stage].removesuffix("s"),
                dynamic_ncols=True,
            )
        failed = f"{progress.failed} failed" if progress.failed else ""
        if postfix := ", ".join(filter(None, [failed, progress.part])):
            self._bar.set_postfix_str(postfix, refresh=False)
        self._bar.update(progress.done - self._bar.n)
        if is_complete:
            self.close()

    def _show_news(self, text: str) -> None:
        """Print above the bar, or as lines that say when and where."""
        if self._in_page or self._file.isatty():
            _text_bar().write(text, file=self._file)
        else:
            print(f"{_stamp()} {text}", file=self._file, flush=True)

    def _show_line(self, progress: Progress) -> None:
        now, total = time.monotonic(), progress.total
        is_complete = total is not None and progress.done >= total
        if progress.stage == "verify" or (not is_complete and now - self._last_line < _LINE_EVERY_S):
            return
        if is_complete and self._last_line == float("inf"):
            return
        self._last_line = float("inf") if is_complete else now
        steps, elapsed_s = progress.done - self._first, max(now - self._start, 1e-6)
        of = "" if total is None else f"/{total}"
        unit = _UNITS[progress.stage]
        text = f"{_stamp()} {_WORDS[progress.stage]} {progress.label}: {progress.done}{of} {unit}"
        if steps:
            text += f", {steps / elapsed_s:.3g} {unit}/s"
            if total is not None and not is_complete:
                remaining_s = (total - progress.done) * elapsed_s / steps
                text += f", {_text_bar().format_interval(remaining_s)} left"
        if progress.failed:
            text += f", {progress.failed} failed"
        if progress.part:
            text += f"; {progress.part}"
        print(text, file=self._file, flush=True)

    def close(self) -> None:
        """Close the bar, leave it as it is, and end its line."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _stamp() -> str:
    """Say when and where a line of a log was written: time, host, and the task of a job array."""
    task = array_task()
    where = f"{socket.gethostname()} task {task.task}" if task else socket.gethostname()
    return f"[{time.strftime('%m-%d %H:%M:%S')} {where}]"


def _page_bar() -> Any:
    """Return the notebook bar; the text bar where ipywidgets is missing, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm as bar
    return bar


def _text_bar() -> Any:
    """The bar for terminals, loaded when there is something to show."""
    from tqdm import tqdm

    return tqdm
