"""What is checked before anything is drawn, since it would otherwise fail after hours."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from framepipe.errors import UsageError
from framepipe.formats import format_of, targets
from framepipe.formats.base import Format
from framepipe.job.job import Job
from framepipe.movie.plan import format_of_output
from framepipe.movie.probe import check_tools
from framepipe.options import EncodeOptions
from framepipe.pipeline.goal import MakeGoal
from framepipe.timeline import Timing


def check_before_drawing(
    outputs: Sequence[Path],
    job: Job,
    options: EncodeOptions,
    timing: Timing,
    *,
    with_tools: bool = True,
) -> None:
    """Check now what would otherwise fail after hours of drawing.

    Parameters
    ----------
    outputs : sequence of Path
    job : Job
    options : EncodeOptions
    timing : Timing
    with_tools : bool
        Also try the encoders; another machine may have others.

    Raises
    ------
    UsageError, ToolMissing
    """
    formats = _formats_of(outputs)
    for format_ in formats:
        format_.check(options)
        if job.frames.extent == "fixed":
            timeline, numbers = timing.timeline(job.frames.numbers, job.fps), job.frames.numbers
            format_.check_times(timeline)
            format_.resolve_labels(options, numbers, (), "", values_are_numbers=True)
            targets.check(options, format_, timeline)
    if with_tools:
        check_tools(formats, options)


def check_outputs(outputs: Sequence[Path]) -> None:
    """Refuse outputs that cannot be written, before anything is loaded."""
    if not outputs:
        raise UsageError("no output: name a movie, as in -o movie.mp4")
    if len(set(outputs)) < len(outputs):
        raise UsageError("the same output is named twice")
    for path in outputs:
        format_of_output(path)
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise UsageError(f"output {path}: its folder cannot be written")


@contextlib.contextmanager
def tools_being_checked(goal: MakeGoal) -> Iterator[Future[None]]:
    """Try the encoders while the scene is loaded in its own process; the result says which are missing."""
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(check_tools, _formats_of(goal.outputs), goal.encode)


def _formats_of(outputs: Sequence[Path]) -> list[Format]:
    return list(dict.fromkeys(format_of(path) for path in outputs))
