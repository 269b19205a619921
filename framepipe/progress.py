"""Progress for people: a bar on a terminal, a plain line now and then in a log file."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from tqdm import tqdm

from framepipe.control import Progress

_WORDS = {"draw": "drawing", "encode": "encoding", "verify": "verifying"}
_LINE_EVERY_S = 30.0


class ProgressBar:
    """A progress callback: pass it as ``progress=``.

    Parameters
    ----------
    file : text stream, optional
        Default: standard error. On a terminal it is a bar (frames, rate, time left, failures);
        otherwise a plain line at most every 30 s and at the end, fit for a scheduler's log.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file or sys.stderr
        self._stage = ("", "")
        self._bar: tqdm | None = None
        self._began = self._told = 0.0
        self._first = 0

    def __call__(self, progress: Progress) -> None:
        """Show one step."""
        if (progress.stage, progress.label) != self._stage:
            self.close()
            self._stage = (progress.stage, progress.label)
            self._began = self._told = time.monotonic()
            self._first = progress.done
        if self._file.isatty():
            self._show_bar(progress)
        else:
            self._show_line(progress)

    def _show_bar(self, progress: Progress) -> None:
        if self._bar is None:
            self._bar = tqdm(
                desc=f"{_WORDS[progress.stage]} {progress.label}",
                total=progress.total,
                initial=progress.done,
                file=self._file,
                unit="frame" if progress.stage != "verify" else "movie",
                dynamic_ncols=True,
            )
        if progress.failed:
            self._bar.set_postfix_str(f"{progress.failed} failed", refresh=False)
        self._bar.update(progress.done - self._bar.n)
        if progress.total is not None and progress.done >= progress.total:
            self.close()

    def _show_line(self, progress: Progress) -> None:
        now, total = time.monotonic(), progress.total
        over = total is not None and progress.done >= total
        if progress.stage == "verify" or (not over and now - self._told < _LINE_EVERY_S):
            return
        if over and self._told == float("inf"):
            return
        self._told = float("inf") if over else now
        drawn, took_s = progress.done - self._first, max(now - self._began, 1e-6)
        of = "" if total is None else f"/{total}"
        text = f"{_WORDS[progress.stage]} {progress.label}: {progress.done}{of} frames"
        if drawn:
            text += f", {drawn / took_s:.3g} frames/s"
            if total is not None and not over:
                left_s = (total - progress.done) * took_s / drawn
                text += f", {tqdm.format_interval(left_s)} left"
        if progress.failed:
            text += f", {progress.failed} failed"
        print(text, file=self._file, flush=True)

    def close(self) -> None:
        """Leave the bar as it stands and end its line."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
