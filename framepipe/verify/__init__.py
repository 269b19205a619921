"""Measure a movie against its timeline and its frames, from the file alone.

What an encoder says of its work is not asked here: blocks and times are read from the bytes,
every frame is decoded by another reader (Pillow for GIF, a fresh ffmpeg with ``-xerror`` for MP4),
and sampled frames are compared with their PNGs, each also with its neighbours, so that a shifted,
swapped or stale frame does not pass for a badly encoded one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from framepipe.control import Stop
from framepipe.encoders.tools import Tool
from framepipe.recipes import PICTURES, profiles
from framepipe.verify import animated, gifs, player, videos
from framepipe.verify.expected import Expected
from framepipe.verify.report import Check, VerifyReport

__all__ = ["Check", "Expected", "VerifyReport", "measure"]


def measure(
    movie: Path,
    expected: Expected,
    tool: Tool | None = None,
    stop: Stop | None = None,
    work: Path | None = None,
) -> VerifyReport:
    """Measure ``movie``.

    Parameters
    ----------
    movie : Path
    expected : Expected
    tool : Tool, optional
        The ffmpeg that decodes; needed for MP4.
    stop : Stop, optional
    work : Path, optional
        Folder for what is decoded. Default: the system's for temporary files.

    Returns
    -------
    VerifyReport
        With a failed check where the file cannot be read at all; damage is never an exception.
    """
    if expected.format == "gif":
        checks = gifs.checks(movie, expected, stop)
    elif expected.format == "html":
        checks = player.checks(movie, expected, stop)
    elif expected.format in PICTURES:
        checks = animated.checks(movie, expected, stop)
    else:
        assert tool is not None
        checks = videos.checks(movie, expected, tool, stop, work)
    return VerifyReport(movie, (*checks, *_file_size(movie, expected)))


def _file_size(movie: Path, expected: Expected) -> Iterator[Check]:
    """Whether the file is small enough for what it is for, if that has a limit."""
    most = profiles.most_bytes(expected.options, expected.format)
    if most is not None:
        size_bytes = movie.stat().st_size if movie.exists() else 0
        due = f"at most {most:,} bytes for {expected.options.target}"
        yield Check("file size", size_bytes <= most, due, f"{size_bytes:,} bytes")
