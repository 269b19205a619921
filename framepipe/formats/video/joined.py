"""Check a video that was joined from verified segments: its container, and that it shows their pictures.

The pictures of a segment are known by a hash of each as it is decoded. Joining copies packets, so that each
picture of the whole is decoded to the same samples; that is checked from the first to the last. The sources
are not read again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from framepipe.core.control import Control
from framepipe.core.process import Tool
from framepipe.encoders.ffmpeg import GLOBAL_ARGS, PROGRESS_ARGS, run_ffmpeg
from framepipe.errors import EncoderFailed
from framepipe.formats.frame_input import SAME
from framepipe.formats.video.checks import container_checks, decoding_failed, decoding_of, look
from framepipe.formats.video.film import read_hashes
from framepipe.verification.expected import Expected
from framepipe.verification.report import Check

_HASHES = "pictures.md5"


def picture_hashes(
    movie: Path, expected: Expected, tool: Tool, control: Control, work: Path | None
) -> list[str]:
    """Return the MD5 of each picture of a video, as it is decoded.

    Raises
    ------
    EncoderFailed
        Decoding reports an error.
    """
    with tempfile.TemporaryDirectory(prefix="framepipe-", dir=work) as name:
        folder = Path(name)
        (folder / "movie").symlink_to(movie.absolute())
        return _hashes(expected, tool, folder, control)


def checks(
    movie: Path,
    expected: Expected,
    hashes: Sequence[Sequence[str]],
    tool: Tool,
    control: Control,
    work: Path | None,
) -> Iterator[Check]:
    """Yield the checks of a joined video; ``hashes`` are those of each segment's pictures."""
    with tempfile.TemporaryDirectory(prefix="framepipe-", dir=work) as name:
        folder = Path(name)
        (folder / "movie").symlink_to(movie.absolute())
        try:
            times, size = look(tool, folder, control)
            shown = _hashes(expected, tool, folder, control)
        except EncoderFailed as error:
            yield decoding_failed(error)
            return
    yield from container_checks(movie, expected, times, size, min(len(times), len(shown)))
    due = [each for segment in hashes for each in segment]
    requirement = f"those of {len(hashes)} segments, each verified when it was encoded"
    if shown == due:
        yield Check("pictures", True, requirement, "the same")
        return
    differing = (at for at, (one, other) in enumerate(zip(shown, due)) if one != other)
    first = next(differing, min(len(shown), len(due)))
    yield Check("pictures", False, requirement, f"others from picture {first} on")


def _hashes(expected: Expected, tool: Tool, folder: Path, control: Control) -> list[str]:
    pictures = decoding_of(expected).output(_HASHES, format="framemd5", **SAME)
    run_ffmpeg(tool, [*GLOBAL_ARGS, *PROGRESS_ARGS, *pictures.get_args()], cwd=folder, control=control)
    return read_hashes(folder / _HASHES)
