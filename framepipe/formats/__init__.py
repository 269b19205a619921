"""The formats that framepipe builds, by suffix: the only place that knows what is special about each.

No other code compares the names of formats.
"""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from framepipe.core import files
from framepipe.core.control import NO_CONTROL, Control
from framepipe.core.process import Tool
from framepipe.errors import UsageError
from framepipe.formats import targets
from framepipe.formats.animated.format import Apng, Avif, Webp
from framepipe.formats.base import Format, Inline
from framepipe.formats.gif.format import Gif
from framepipe.formats.html.format import Page
from framepipe.formats.notebook import INLINE_LIMIT_BYTES, link
from framepipe.formats.recipe import WHITE
from framepipe.formats.video.format import Video
from framepipe.verification import Check, Expected, VerifyReport
from framepipe.verification.evidence import SegmentEvidence

__all__ = [
    "FORMATS",
    "WHITE",
    "Format",
    "format_of",
    "in_cell",
    "measure",
    "measure_joined",
    "measure_segment",
    "targets",
]

FORMATS: dict[str, Format] = {
    each.suffix: each
    for each in (
        Gif(),
        Video("mp4", mime="video/mp4", keeps_alpha=False),
        Video("webm", mime="video/webm"),
        Video("mkv"),
        Video("mov"),
        Page(),
        Webp(),
        Apng(),
        Avif(),
    )
}


def format_of(path: Path) -> Format:
    """Return the format of a file name.

    Raises
    ------
    UsageError
    """
    if "\0" in path.name or len(os.fsencode(path.name)) > files.MAX_NAME:
        raise UsageError(f"output {path.name[:60]!r} … cannot be the name of a file")
    suffix = path.suffix.lower().lstrip(".")
    if suffix not in FORMATS:
        builds = ", ".join(f".{each}" for each in FORMATS)
        raise UsageError(f"output {path.name!r}: framepipe builds {builds}")
    return FORMATS[suffix]


def measure(
    movie: Path,
    expected: Expected,
    tool: Tool | None = None,
    control: Control = NO_CONTROL,
    work: Path | None = None,
) -> VerifyReport:
    """Verify ``movie``; see `framepipe.verify`.

    Parameters
    ----------
    movie : Path
    expected : Expected
    tool : Tool, optional
        The ffmpeg that decodes; required for videos.
    control : Control, optional
    work : Path, optional
        Folder for decoded data. Default: the system's for temporary files.

    Returns
    -------
    VerifyReport
        With a failed check if the file cannot be read at all; damage is never an exception.
    """
    checks = FORMATS[expected.format].checks(movie, expected, tool, control, work)
    return VerifyReport(movie, (*checks, *_file_size(movie, expected)))


def measure_joined(
    movie: Path,
    expected: Expected,
    segments: Sequence[SegmentEvidence],
    tool: Tool,
    control: Control,
    work: Path,
) -> VerifyReport:
    """Verify a movie joined from segments that were verified; see `Format.joined_checks`."""
    checks = FORMATS[expected.format].joined_checks(movie, expected, segments, tool, control, work)
    return VerifyReport(movie, (*checks, *_file_size(movie, expected)))


def measure_segment(
    movie: Path, expected: Expected, tool: Tool, control: Control, work: Path
) -> tuple[VerifyReport, SegmentEvidence | None]:
    """Verify a segment; with what is to be known of it when it is joined, if it could be compared."""
    checks, evidence = FORMATS[expected.format].evidence(movie, expected, tool, control, work)
    return VerifyReport(movie, tuple(checks)), evidence


def _file_size(movie: Path, expected: Expected) -> Iterator[Check]:
    """Check the size of the file, if its target has a limit."""
    limit_bytes = targets.max_bytes(expected.options, expected.format)
    if limit_bytes is not None:
        size_bytes = movie.stat().st_size if movie.exists() else 0
        requirement = f"at most {limit_bytes:,} bytes for {expected.options.target}"
        yield Check("file size", size_bytes <= limit_bytes, requirement, f"{size_bytes:,} bytes")


def in_cell(path: Path, format_: str, width: int, height: int) -> str:
    """Return HTML for a notebook's cell that shows a movie, embedded if it is small.

    Parameters
    ----------
    path : Path
    format_ : str
    width, height : int
        In pixels.
    """
    try:
        size = path.stat().st_size
        if size > INLINE_LIMIT_BYTES:
            return link(path, f"{size / 1e6:.0f} MB, too large to be shown in the notebook")
        data = base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        return f"<p>{html.escape(path.name)} cannot be read: {html.escape(error.strerror or str(error))}</p>"
    return FORMATS[format_].in_cell(Inline(path, data, width, height))
