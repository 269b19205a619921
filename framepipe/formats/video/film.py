"""The film of an encoder's sources: what it has read, small and without loss, to compare the movie with.

An encoder decodes each PNG anyway. It also writes them at half their sides, as verification compares them,
and the SHA-256 of the bytes that it read. The film counts only where these bytes are those of the right PNGs
in the right order: otherwise verification decodes the sources itself.

Only with libx264: its films of plots have 3 to 23 % of the bytes of their PNGs and cost less than half of
decoding these again, and other codecs take so long that verification is a small part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from framepipe.formats.frame_input import SAME
from framepipe.formats.video.encoding import Encoding
from framepipe.formats.video.tap import Planes, small

_FILM, _READ = ".film.mkv", ".read"
_LOSSLESS = {"vcodec": "libx264", "qp": 0, "preset": "ultrafast", "threads": 1}


def can_film(video: Encoding) -> bool:
    """True if encoding a film besides is worth while."""
    return video.codec == "h264" and not video.lossless


def film_of(source: Any, pictures: Any, video: Encoding, size: tuple[int, int], stem: str) -> list[Any]:
    """Return the outputs of an encoder besides its movie.

    Parameters
    ----------
    source : ffmpeg input
        The PNGs.
    pictures : ffmpeg stream
        What is encoded, of ``size``.
    video : Encoding
    size : tuple of int
    stem : str
        The movie's name without a suffix.
    """
    planes = Planes.of(video.pixels_8, *size)
    pictures = small(pictures.filter("format", video.pixels_8), planes)
    film = pictures.output(f"{stem}{_FILM}", format="matroska", pix_fmt=video.pixels_8, **_LOSSLESS, **SAME)
    read = source.video.output(f"{stem}{_READ}", format="framehash", hash="sha256", vcodec="copy", **SAME)
    return [film, read]


def film_in(folder: Path, shown: Sequence[Path], digests: Mapping[Path, bytes]) -> Path | None:
    """Return the film in a folder, if it shows these PNGs.

    Parameters
    ----------
    folder : Path
        Where an encoder wrote.
    shown : sequence of Path
        The PNG of each tick.
    digests : dict of Path to bytes
        See `Expected`; the others are read now.
    """
    film = next(folder.glob(f"*{_FILM}"), None)
    if film is None:
        return None
    hashes = read_hashes(film.with_name(film.name.replace(_FILM, _READ)))
    if len(hashes) != len(shown):
        return None
    expected = {
        path: (digests.get(path) or hashlib.sha256(path.read_bytes()).digest()).hex()
        for path in dict.fromkeys(shown)
    }
    return film if hashes == [expected[path] for path in shown] else None


def move_film(folder: Path, movie: str, to: Path) -> None:
    """Move the film of one movie, if there is one, to a folder of its own, where `film_in` looks for it."""
    for suffix in (_FILM, _READ):
        path = folder / f"{movie.partition('.')[0]}{suffix}"
        if path.exists():
            path.rename(to / path.name)


def read_hashes(path: Path) -> list[str]:
    """Read the hash of each frame from the output of ffmpeg's muxers ``framehash`` and ``framemd5``."""
    lines = path.read_text().splitlines()
    return [line.rpartition(",")[2].strip() for line in lines if not line.startswith("#")]
