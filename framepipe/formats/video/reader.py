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
from framepipe.formats.video.film import read_hashes
from framepipe.formats.video.streams import MOVIE, Streams
from framepipe.verification.expected import Expected

_PACKETS = "packets.sha256"


@dataclass(frozen=True)
class Packets:
    """What a container holds, as it is read without decoding.

    Attributes
    ----------
    times_s : list of Fraction
        Of presentation, ascending.
    size : tuple of int, or None
        Width and height in pixels.
    rows : list of (str, int)
        SHA-256 and position in the presentation of each packet, in the order of decoding.
    head : str
        A hash of what the decoder is given before the first packet.
    """

    times_s: list[Fraction]
    size: tuple[int, int] | None
    rows: list[tuple[str, int]]
    head: str


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

    def packets(self) -> Packets:
        """Read the container, without decoding."""
        packets = ffmpeg.input(MOVIE, err_detect="explode").video
        self.run(packets.output(_PACKETS, format="framehash", hash="sha256", vcodec="copy"))
        return _packets_in((self.folder / _PACKETS).read_text())

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


def _packets_in(framehash: str) -> Packets:
    """Read what ffmpeg's muxer ``framehash`` wrote."""
    tick_s, size, head = Fraction(1), None, ""
    times, hashes = [], []
    for line in framehash.splitlines():
        name, _, value = line.partition(":")
        if name == "#tb 0":
            tick_s = Fraction(value.strip())
        elif name == "#dimensions 0":
            width, height = value.split("x")
            size = (int(width), int(height))
        elif name == "#extradata 0":
            head = value.strip()
        elif not line.startswith("#"):
            fields = line.split(",")
            times.append(int(fields[2]))
            hashes.append(fields[-1].strip())
    positions = [0] * len(times)
    for position, at in enumerate(sorted(range(len(times)), key=times.__getitem__)):
        positions[at] = position
    return Packets([tick_s * time for time in sorted(times)], size, [*zip(hashes, positions)], head)
