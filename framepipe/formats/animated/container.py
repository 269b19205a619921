"""Parse animated WebP, APNG and AVIF strictly, and complete what ffmpeg leaves undone in them.

Other readers accept much and report little: Pillow tells neither how often an AVIF plays nor whether it is
truncated. Sources: WebP Container Specification (RFC 9649, 2.7); PNG, third edition, 11.3.6 "Animation";
ISO/IEC 14496-12 (boxes, edit lists, sample tables) and AV1 Image File Format 1.1.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

_PNG = b"\x89PNG\r\n\x1a\n"
WEBP_IMAGE = (b"ALPH", b"VP8 ", b"VP8L")
WEBP_CLEARS, WEBP_NO_BLEND = 0x01, 0x02  # flags of a frame
_ANIMATED, _ALPHA = 0x02, 0x10
_REPEATS = 1  # flag of an edit list


class InvalidFile(ValueError):
    """A file is not a whole picture or movie of its format. The message says what is wrong."""


@dataclass(frozen=True)
class AnimationInfo:
    """The facts in the bytes of an animation.

    Attributes
    ----------
    width, height : int
        In pixels.
    durations_s : tuple of Fraction
        Seconds of each frame; empty for a still picture, which has no time.
    plays : int
        The number of plays; 0 is for ever.
    """

    width: int
    height: int
    durations_s: tuple[Fraction, ...]
    plays: int


def inspect(path: Path, format_: str) -> AnimationInfo:
    """Parse a whole ``webp``, ``apng`` or ``avif`` without decoding pixels.

    Raises
    ------
    InvalidFile
        Bytes are missing, or there are some after the end; parts contradict each other. No other error is
        raised, for any bytes.
    OSError
        The file cannot be read.
    """
    walks: dict[str, Callable[[bytes], AnimationInfo]] = {"webp": _webp, "apng": _apng, "avif": _avif}
    try:
        return walks[format_](path.read_bytes())
    except InvalidFile:
        raise
    except (struct.error, IndexError, KeyError, ValueError, ZeroDivisionError) as error:
        raise InvalidFile(f"a part is missing or cut short: {type(error).__name__} {error}") from None


def _require(condition: object, what: str) -> None:
    if not condition:
        raise InvalidFile(what)


def _webp(data: bytes) -> AnimationInfo:
    chunks = list(webp_chunks(data))
    (kind, at, end), (second, loop_at, _) = chunks[:2]
    _require((kind, end - at, second) == (b"VP8X", 10, b"ANIM"), "no animation")
    _require(data[at] & ~_ALPHA == _ANIMATED and data[at + 1 : at + 4] == bytes(3), "unknown flags")
    width, height = u24(data, at + 4) + 1, u24(data, at + 7) + 1
    durations = []
    for kind, start, stop in chunks[2:]:
        _require(kind == b"ANMF", f"unknown chunk {kind!r}")
        left, top, wide, high, milliseconds = (u24(data, start + 3 * part) for part in range(5))
        _require(data[start + 15] < 4, "unknown flags of a frame")
        _require(2 * left + wide < width and 2 * top + high < height, "a frame outside the picture")
        parts = [part for part, _, _ in riff_chunks(data, start + 16, stop)]
        _require(parts[-1] in WEBP_IMAGE[1:] and parts[:-1] in ([], [b"ALPH"]), "a frame without a picture")
        durations.append(Fraction(milliseconds, 1000))
    _require(durations, "no frames")
    return AnimationInfo(width, height, tuple(durations), struct.unpack_from("<H", data, loop_at + 4)[0])


def webp_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the chunks of a whole WebP, still or animated: name, start and end of the content."""
    _require(data[:4] == b"RIFF" and data[8:12] == b"WEBP", "no WebP")
    size = struct.unpack_from("<I", data, 4)[0] + 8
    _require(size == len(data), f"{len(data):,} bytes, not {size:,}")
    yield from riff_chunks(data, 12, len(data))


def riff_chunks(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the chunks between two offsets: name, start and end of the content."""
    while at < end:
        _require(at + 8 <= end, f"a chunk is cut short, at byte {at}")
        size = struct.unpack_from("<I", data, at + 4)[0]
        _require(at + 8 + size <= end, f"a chunk beyond its end, at byte {at}")
        _require(not size % 2 or data[at + 8 + size : at + 9 + size] == b"\0", f"no padding after byte {at}")
        yield data[at : at + 4], at + 8, at + 8 + size
        at += 8 + size + size % 2


def u24(data: bytes, at: int) -> int:
    """Read a number of three bytes, the least significant first."""
    _require(at + 3 <= len(data), "a chunk is cut short")
    return int.from_bytes(data[at : at + 3], "little")


def finish_webp(
    path: Path, *, duration_ms: int, plays: int, width: int, height: int, whole: bool = False
) -> None:
    """Set the last frame's duration; wrap a still WebP (all frames equal) as a one-frame animation.

    With ``whole``, each picture is a whole frame and replaces the one before, transparent pixels included.

    libwebp's animation encoder, as ffmpeg 5.1 and 9 call it, shows the last picture for the mean of the
    others, and writes a still one, without time, if all frames are equal.

    Raises
    ------
    InvalidFile
        It is not a WebP, or its frames last longer than the movie.
    """
    data = path.read_bytes()
    chunks = list(webp_chunks(data))
    frames = [at for kind, at, _ in chunks if kind == b"ANMF"]
    if frames:
        remaining_ms = duration_ms - sum(u24(data, at + 12) for at in frames[:-1])
        _require(remaining_ms > 0, "its frames last longer than the movie")
        with path.open("r+b") as file:
            file.seek(frames[-1] + 12)
            file.write(remaining_ms.to_bytes(3, "little"))
            for at in frames if whole else ():
                file.seek(at + 15)
                file.write(bytes([data[at + 15] | WEBP_NO_BLEND]))
        return
    images = b"".join(chunk(kind, data[at:end]) for kind, at, end in chunks if kind in WEBP_IMAGE)
    head = webp_head(width, height, plays)
    box = (0, 0, width, height)
    body = head + webp_frame(box, duration_ms, WEBP_NO_BLEND, images)
    path.write_bytes(body[:4] + struct.pack("<I", len(body) - 8) + body[8:])


def webp_head(width: int, height: int, plays: int) -> bytes:
    """Return the bytes before the frames of an animation; the caller sets the file size (bytes 4 to 7)."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    flags = (
        _ANIMATED | _ALPHA
    )  # the flag for alpha is only a hint, and costs little if no pixel is transparent
    head = chunk(b"VP8X", bytes([flags, 0, 0, 0]) + sides)
    return b"RIFF\0\0\0\0WEBP" + head + chunk(b"ANIM", b"\xff\xff\xff\xff" + struct.pack("<H", plays))


def webp_frame(box: tuple[int, int, int, int], duration_ms: int, flags: int, image: bytes) -> bytes:
    """Return a frame: ``box`` is left and top (even), width and height in pixels; ``image`` whole chunks."""
    left, top, width, height = box
    numbers = (left // 2, top // 2, width - 1, height - 1, duration_ms)
    fields = b"".join(number.to_bytes(3, "little") for number in numbers)
    return chunk(b"ANMF", fields + bytes([flags]) + image)


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk with its size, padded to an even one."""
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def _apng(data: bytes) -> AnimationInfo:
    _require(data.startswith(_PNG), "no PNG")
    chunks = list(_png_chunks(data))
    _require(chunks[0][0] == b"IHDR" and chunks[-1][0] == b"IEND", "no first or last chunk of a PNG")
    width, height = struct.unpack_from(">II", chunks[0][1])
    headers = [content for kind, content in chunks if kind == b"acTL"]
    controls = [content for kind, content in chunks if kind == b"fcTL"]
    numbers = [struct.unpack_from(">I", each)[0] for kind, each in chunks if kind in (b"fcTL", b"fdAT")]
    _require(numbers == list(range(len(numbers))), "parts of frames are missing or out of order")
    if not headers:
        _require(not controls, "frames without their number")
        return AnimationInfo(width, height, (), 1)
    count, plays = struct.unpack(">II", headers[0])
    _require(len(headers) == 1 and count == len(controls), f"says {count} frames, has {len(controls)}")
    delays = [struct.unpack_from(">HH", each, 20) for each in controls]
    return AnimationInfo(
        width, height, tuple(Fraction(above, below or 100) for above, below in delays), plays
    )


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_PNG)
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + size
        _require(end <= len(data), f"cut short in {kind!r}, at byte {at} of {len(data)}")
        sum_ = struct.unpack_from(">I", data, end - 4)[0]
        _require(zlib.crc32(data[at + 4 : end - 4]) == sum_, f"wrong checksum of {kind!r}, at byte {at}")
        yield kind, data[at + 8 : end - 4]
        at = end


Box = tuple[int, int]  # start and end of the content


def _avif(data: bytes) -> AnimationInfo:
    top = _boxes(data, 0, len(data))
    _require(set(top) <= {b"ftyp", b"meta", b"moov", b"mdat", b"free"}, f"unknown boxes {sorted(top)}")
    meta, media = top[b"meta"][0], top[b"mdat"]
    _require(data[4:12] in (b"ftypavif", b"ftypavis") and len(media) == 1, "no AVIF")
    properties = _inside(data, (meta[0] + 4, meta[1]), b"iprp", b"ipco")
    width, height = struct.unpack_from(">II", data, _boxes(data, *properties)[b"ispe"][0][0] + 4)
    if b"moov" not in top:
        return AnimationInfo(width, height, (), 1)
    tracks = _boxes(data, *top[b"moov"][0])[b"trak"]
    durations = [_track_durations(data, track) for track in tracks]
    _require(all(each == durations[0] for each in durations), "colours and alpha have other times")
    _require(
        sum(_track_bytes(data, each) for each in tracks) == media[0][1] - media[0][0], "samples are missing"
    )
    return AnimationInfo(width, height, tuple(durations[0]), _avif_plays(data, tracks[0]))


def _boxes(data: bytes, at: int, end: int) -> dict[bytes, list[Box]]:
    boxes: dict[bytes, list[Box]] = {}
    while at < end:
        size, kind = struct.unpack_from(">I4s", data, at)
        _require(size >= 8 and at + size <= end, f"box {kind!r} beyond its end, at byte {at}")
        boxes.setdefault(kind, []).append((at + 8, at + size))
        at += size
    return boxes


def _inside(data: bytes, box: Box, *path: bytes) -> Box:
    for name in path:
        box = _boxes(data, *box)[name][0]
    return box


def _track_durations(data: bytes, track: Box) -> list[Fraction]:
    header = _inside(data, track, b"mdia", b"mdhd")[0]
    scale = struct.unpack_from(">I", data, header + (20 if data[header] else 12))[0]
    table = _inside(data, track, b"mdia", b"minf", b"stbl", b"stts")[0]
    durations: list[Fraction] = []
    for entry in range(struct.unpack_from(">I", data, table + 4)[0]):
        count, ticks = struct.unpack_from(">II", data, table + 8 + 8 * entry)
        _require(len(durations) + count <= len(data), "more samples than bytes")
        durations += [Fraction(ticks, scale)] * count
    return durations


def _track_bytes(data: bytes, track: Box) -> int:
    """Return the bytes of all samples together: exactly the size of the media box."""
    table = _inside(data, track, b"mdia", b"minf", b"stbl", b"stsz")[0]
    size, count = struct.unpack_from(">II", data, table + 4)
    return size * count if size else sum(struct.unpack_from(f">{count}I", data, table + 12))


def _avif_plays(data: bytes, track: Box) -> int:
    """Return the plays in the track's edit list; without one (ffmpeg 5.1) browsers play for ever."""
    boxes = _boxes(data, *track)
    if b"edts" not in boxes:
        return 0
    edit, header = _inside(data, track, b"edts", b"elst")[0], boxes[b"tkhd"][0][0]
    if not data[edit + 3] & _REPEATS:
        return 1
    total, indefinite = _duration_field(data, header, 28, 20)
    return 0 if total == indefinite else max(1, round(total / _duration_field(data, edit, 8, 8)[0]))


def _duration_field(data: bytes, box: int, if_long: int, if_short: int) -> tuple[int, int]:
    """Read the duration field of a version 0 or 1 box; also return its value for 'indefinite'."""
    if data[box]:
        duration: int = struct.unpack_from(">Q", data, box + if_long)[0]
        return duration, duration if duration >= 2**63 - 1 else -1
    duration = struct.unpack_from(">I", data, box + if_short)[0]
    return duration, 2**32 - 1
