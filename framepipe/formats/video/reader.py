"""Read a video with a new ffmpeg, strictly, in a folder without any name of the user's in it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from framepipe.core.control import Control
from framepipe.core.process import Tool
from framepipe.encoders.ffmpeg import GLOBAL_ARGS, PROGRESS_ARGS, run_ffmpeg
from framepipe.formats.frame_input import SAME
from framepipe.formats.video.film import read_hashes
from framepipe.formats.video.streams import HASHES, MOVIE, Streams
from framepipe.verification.expected import Expected

_TIMES = "times.txt"


@dataclass(frozen=True)
class VideoReader:
    """Reads one movie; its methods raise `EncoderFailed` where ffmpeg reports an error.

    Attributes
    ----------
    expected : Expected
    streams : Streams
    tool : Tool
        An ffmpeg.
    folder : Path
        Where it runs.
    control : Control
    """

    expected: Expected
    streams: Streams
    tool: Tool
    folder: Path
    control: Control

    def run(self, outputs: Any) -> None:
        """Run ffmpeg until it has written these outputs."""
        args = [*GLOBAL_ARGS, *PROGRESS_ARGS, *outputs.get_args()]
        run_ffmpeg(self.tool, args, cwd=self.folder, control=self.control)

    def times_and_size(self) -> tuple[list[Fraction], tuple[int, int] | None]:
        """Read presentation times in seconds, and width and height, from the container, without decoding."""
        packets = ffmpeg.input(MOVIE, err_detect="explode").video
        self.run(packets.output(_TIMES, format="framecrc", vcodec="copy"))
        return _times_and_size((self.folder / _TIMES).read_text())

    def picture_hashes(self) -> list[str]:
        """Decode the movie, and return the MD5 of each picture."""
        self.run(self.streams.movie().output(HASHES, format="framemd5", **SAME))
        return self.hashes(HASHES)

    def hashes(self, name: str) -> list[str]:
        """Return the hashes of an output."""
        return read_hashes(self.folder / name)


@contextlib.contextmanager
def opened(
    movie: Path, expected: Expected, tool: Tool, control: Control, work: Path | None
) -> Iterator[VideoReader]:
    """Open a movie for reading; ffmpeg gets a folder of its own in ``work``, or among temporary files."""
    with tempfile.TemporaryDirectory(prefix="framepipe-", dir=work) as name:
        folder = Path(name)
        (folder / MOVIE).symlink_to(movie.absolute())
        yield VideoReader(expected, Streams(expected), tool, folder, control)


def _times_and_size(framecrc: str) -> tuple[list[Fraction], tuple[int, int] | None]:
    tick_s, size, times = Fraction(1), None, []
    for line in framecrc.splitlines():
        if line.startswith("#tb 0:"):
            tick_s = Fraction(line.split(":")[1].strip())
        elif line.startswith("#dimensions 0:"):
            width, height = line.split(":")[1].split("x")
            size = (int(width), int(height))
        elif not line.startswith("#"):
            times.append(int(line.split(",")[2]) * tick_s)
    return sorted(times), size
