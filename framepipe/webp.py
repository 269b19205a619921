"""Animated WebP: its pictures as bytes, and joining parts of a movie without re-encoding.

Source: WebP Container Specification (RFC 9649, 2.7). ffmpeg's concat demuxer cannot join them.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from framepipe import containers
from framepipe.containers import WEBP_IMAGE, WEBP_NO_BLEND, Damage, u24

LONGEST_MS = 0xFFFFFF
_MOST_PLAYS = 0xFFFF
_MOST_BYTES = 0xFFFFFFFF - 9  # RFC 9649, 2.4: with the bytes before it, it stays below 4 GiB


@dataclass(frozen=True)
class Picture:
    """One frame of an animation.

    Attributes
    ----------
    box : tuple of int
        Left, top, width and height in pixels, of what it changes.
    duration_ms : int
    flags : int
        `framepipe.containers.WEBP_NO_BLEND`: it replaces what is below, also where it is transparent.
        `WEBP_CLEARS`: its box is emptied after it was shown.
    image : bytes
        Chunks of the compressed picture.
    """

    box: tuple[int, int, int, int]
    duration_ms: int
    flags: int
    image: bytes


def pictures(data: bytes) -> list[Picture]:
    """The frames of a WebP; of a still one, its picture with a time of 0.

    Raises
    ------
    Damage
        It is no whole WebP. Nothing else, for any bytes.
    """
    try:
        chunks = list(containers.webp_chunks(data))
        moving = [_moving(data, at, end) for kind, at, end in chunks if kind == b"ANMF"]
        return moving or [_still(data, chunks)]
    except Damage:
        raise
    except (struct.error, IndexError) as error:
        raise Damage(f"a part lacks or is cut short: {error}") from None


def _moving(data: bytes, at: int, end: int) -> Picture:
    left, top, width, height, duration_ms = (u24(data, at + 3 * place) for place in range(5))
    return Picture(
        (2 * left, 2 * top, width + 1, height + 1), duration_ms, data[at + 15], data[at + 16 : end]
    )


def _still(data: bytes, chunks: Sequence[tuple[bytes, int, int]]) -> Picture:
    images = [each for each in chunks if each[0] in WEBP_IMAGE]
    if not images or images[-1][0] == b"ALPH":
        raise Damage("no picture")
    kind, start, _ = images[-1]
    if kind == b"VP8L":  # WebP Lossless Bitstream, 3: 14 bits a side, after the signature
        bits = struct.unpack_from("<I", data, start + 1)[0]
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:  # RFC 6386, 9.1: after the frame tag and the start code
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, start + 6))
    image = b"".join(containers.chunk(name, data[at:end]) for name, at, end in images)
    return Picture((0, 0, width, height), 0, WEBP_NO_BLEND, image)


def join(
    parts: Iterable[Sequence[Picture]], output: Path, *, width: int, height: int, plays: int, alpha: bool
) -> None:
    """Write one animation of the pictures of all parts; one part is in memory at a time.

    Each part plays as it would alone, for its first picture hides all that is below.

    Parameters
    ----------
    parts : iterable of sequence of Picture
        In order.
    output : Path
        Written directly; removed again when joining fails.
    width, height : int
        Of the movie, in pixels.
    plays : int
        0 is for ever, at most 65535.
    alpha : bool
        Whether any pixel may be transparent: a hint for players.

    Raises
    ------
    ValueError
        A part does not fit, or the file would be too long.
    OSError
    """
    if not 0 <= plays <= _MOST_PLAYS:
        raise ValueError(f"{plays} plays is not 0 (for ever) to {_MOST_PLAYS}")
    with output.open("wb") as file:
        try:
            file.write(containers.webp_head(width, height, plays, alpha=alpha))
            for position, part in enumerate(parts):
                _append(file, part, position, (width, height))
            if not file.tell() - 8 <= _MOST_BYTES:
                raise ValueError(f"{file.tell():,} bytes: a WebP holds 4 GiB")
            size = struct.pack("<I", file.tell() - 8)
            file.seek(4)
            file.write(size)
        except BaseException:
            with contextlib.suppress(OSError):
                output.unlink()
            raise


def _append(file: BinaryIO, part: Sequence[Picture], position: int, size: tuple[int, int]) -> None:
    if not part or part[0].box != (0, 0, *size) or not part[0].flags & WEBP_NO_BLEND:
        raise ValueError(f"the first picture of part {position} does not cover what is below")
    for picture in part:
        left, top, width, height = picture.box
        if left + width > size[0] or top + height > size[1]:
            raise ValueError(f"a picture of part {position} lies outside of {size[0]}x{size[1]} px")
        if not 0 < picture.duration_ms <= LONGEST_MS:
            raise ValueError(f"a picture is shown for {picture.duration_ms} ms, not 1 to {LONGEST_MS}")
        file.write(containers.webp_frame(picture.box, picture.duration_ms, picture.flags, picture.image))
