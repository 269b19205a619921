"""Animated WebP, APNG and AVIF as bytes: a strict walk through their parts, and what ffmpeg leaves undone.

Readers forgive much and tell little: Pillow knows neither how often an AVIF plays nor whether bytes lack
at its end. Sources: WebP Container Specification (RFC 9649, 2.7); PNG, third edition, 11.3.6 "Animation";
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


class Damage(ValueError):
    """A file is no whole picture or film of its format. The message says what is wrong."""


@dataclass(frozen=True)
class Film:
    """What the bytes say.

    Attributes
    ----------
    width, height : int
        In pixels.
    durations_s : tuple of Fraction
        Of each frame; empty for a still picture, which has no time.
    plays : int
        How often it is shown; 0 is for ever.
    """

    width: int
    height: int
    durations_s: tuple[Fraction, ...]
    plays: int


def inspect(path: Path, format_: str) -> Film:
    """Walk a whole ``webp``, ``apng`` or ``avif`` without decoding pixels.

    Raises
    ------
    Damage
        Bytes lack, or there are some after the end; parts contradict each other. Nothing else, for any
        bytes.
    OSError
        The file cannot be read.
    """
    walks: dict[str, Callable[[bytes], Film]] = {"webp": _webp, "apng": _apng, "avif": _avif}
    try:
        return walks[format_](path.read_bytes())
    except Damage:
        raise
    except (struct.error, IndexError, KeyError, ValueError, ZeroDivisionError) as error:
        raise Damage(f"a part lacks or is cut short: {type(error).__name__} {error}") from None


def _must(true: object, what: str) -> None:
    if not true:
        raise Damage(what)


def _webp(data: bytes) -> Film:
    chunks = list(webp_chunks(data))
    (kind, at, end), (second, loop_at, _) = chunks[:2]
    _must((kind, end - at, second) == (b"VP8X", 10, b"ANIM"), "no animation")
    _must(data[at] & ~_ALPHA == _ANIMATED and data[at + 1 : at + 4] == bytes(3), "unknown flags")
    width, height = u24(data, at + 4) + 1, u24(data, at + 7) + 1
    durations = []
    for kind, start, stop in chunks[2:]:
        _must(kind == b"ANMF", f"unknown chunk {kind!r}")
        left, top, wide, high, milliseconds = (u24(data, start + 3 * part) for part in range(5))
        _must(data[start + 15] < 4, "unknown flags of a frame")
        _must(2 * left + wide < width and 2 * top + high < height, "a frame outside the picture")
        parts = [part for part, _, _ in riff_chunks(data, start + 16, stop)]
        _must(parts[-1] in WEBP_IMAGE[1:] and parts[:-1] in ([], [b"ALPH"]), "a frame without a picture")
        durations.append(Fraction(milliseconds, 1000))
    _must(durations, "no frames")
    return Film(width, height, tuple(durations), struct.unpack_from("<H", data, loop_at + 4)[0])


def webp_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Chunks of a whole WebP, still or animated: name, start and end of the content."""
    _must(data[:4] == b"RIFF" and data[8:12] == b"WEBP", "no WebP")
    says = struct.unpack_from("<I", data, 4)[0] + 8
    _must(says == len(data), f"{len(data):,} bytes, not {says:,}")
    yield from riff_chunks(data, 12, len(data))


def riff_chunks(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Chunks between two offsets: name, start and end of the content."""
    while at < end:
        _must(at + 8 <= end, f"a chunk is cut short, at byte {at}")
        size = struct.unpack_from("<I", data, at + 4)[0]
        _must(at + 8 + size <= end, f"a chunk beyond its end, at byte {at}")
        _must(not size % 2 or data[at + 8 + size : at + 9 + size] == b"\0", f"no padding after byte {at}")
        yield data[at : at + 4], at + 8, at + 8 + size
        at += 8 + size + size % 2


def u24(data: bytes, at: int) -> int:
    """A number of three bytes, the least significant first."""
    _must(at + 3 <= len(data), "a chunk is cut short")
    return int.from_bytes(data[at : at + 3], "little")


def finish_webp(
    path: Path, *, duration_ms: int, plays: int, width: int, height: int, whole: bool = False
) -> None:
    """Give the last frame its time; and a movie that is one picture all the time the form of a movie.

    Where each picture is a whole frame, it hides the one before, also with its transparent pixels.

    libwebp's animation encoder, as ffmpeg 5.1 and 9 call it, shows the last picture for the mean of the
    others, and writes a still one, without time, where all frames are equal.

    Raises
    ------
    Damage
        It is no WebP, or its frames last longer than the movie.
    """
    data = path.read_bytes()
    chunks = list(webp_chunks(data))
    frames = [at for kind, at, _ in chunks if kind == b"ANMF"]
    if frames:
        left = duration_ms - sum(u24(data, at + 12) for at in frames[:-1])
        _must(left > 0, "its frames last longer than the movie")
        with path.open("r+b") as file:
            file.seek(frames[-1] + 12)
            file.write(left.to_bytes(3, "little"))
            for at in frames if whole else ():
                file.seek(at + 15)
                file.write(bytes([data[at + 15] | WEBP_NO_BLEND]))
        return
    images = b"".join(chunk(kind, data[at:end]) for kind, at, end in chunks if kind in WEBP_IMAGE)
    # ALPHA is a hint only, which costs no more than a look
    head = webp_head(width, height, plays, alpha=True)
    box = (0, 0, width, height)
    body = head + webp_frame(box, duration_ms, WEBP_NO_BLEND, images)
    path.write_bytes(body[:4] + struct.pack("<I", len(body) - 8) + body[8:])


def webp_head(width: int, height: int, plays: int, *, alpha: bool) -> bytes:
    """What stands before the frames of an animation; its own size (bytes 4 to 7) is left to the caller."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    head = chunk(b"VP8X", bytes([_ANIMATED | _ALPHA * alpha, 0, 0, 0]) + sides)
    return b"RIFF\0\0\0\0WEBP" + head + chunk(b"ANIM", b"\xff\xff\xff\xff" + struct.pack("<H", plays))


def webp_frame(box: tuple[int, int, int, int], duration_ms: int, flags: int, image: bytes) -> bytes:
    """One frame: left and top (even), width and height in pixels; ``image`` is whole chunks."""
    left, top, width, height = box
    numbers = (left // 2, top // 2, width - 1, height - 1, duration_ms)
    fields = b"".join(number.to_bytes(3, "little") for number in numbers)
    return chunk(b"ANMF", fields + bytes([flags]) + image)


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk with its size, padded to an even one."""
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def _apng(data: bytes) -> Film:
    _must(data.startswith(_PNG), "no PNG")
    chunks = list(_png_chunks(data))
    _must(chunks[0][0] == b"IHDR" and chunks[-1][0] == b"IEND", "no first or last chunk of a PNG")
    width, height = struct.unpack_from(">II", chunks[0][1])
    told = [content for kind, content in chunks if kind == b"acTL"]
    controls = [content for kind, content in chunks if kind == b"fcTL"]
    numbers = [struct.unpack_from(">I", each)[0] for kind, each in chunks if kind in (b"fcTL", b"fdAT")]
    _must(numbers == list(range(len(numbers))), "parts of frames lack or are out of order")
    if not told:
        _must(not controls, "frames without a word of how many")
        return Film(width, height, (), 1)
    count, plays = struct.unpack(">II", told[0])
    _must(len(told) == 1 and count == len(controls), f"says {count} frames, has {len(controls)}")
    delays = [struct.unpack_from(">HH", each, 20) for each in controls]
    return Film(width, height, tuple(Fraction(above, below or 100) for above, below in delays), plays)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_PNG)
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + size
        _must(end <= len(data), f"cut short in {kind!r}, at byte {at} of {len(data)}")
        sum_ = struct.unpack_from(">I", data, end - 4)[0]
        _must(zlib.crc32(data[at + 4 : end - 4]) == sum_, f"wrong checksum of {kind!r}, at byte {at}")
        yield kind, data[at + 8 : end - 4]
        at = end


Box = tuple[int, int]  # start and end of the content


def _avif(data: bytes) -> Film:
    top = _boxes(data, 0, len(data))
    _must(set(top) <= {b"ftyp", b"meta", b"moov", b"mdat", b"free"}, f"unknown boxes {sorted(top)}")
    meta, media = top[b"meta"][0], top[b"mdat"]
    _must(data[4:12] in (b"ftypavif", b"ftypavis") and len(media) == 1, "no AVIF")
    properties = _inside(data, (meta[0] + 4, meta[1]), b"iprp", b"ipco")
    width, height = struct.unpack_from(">II", data, _boxes(data, *properties)[b"ispe"][0][0] + 4)
    if b"moov" not in top:
        return Film(width, height, (), 1)
    tracks = _boxes(data, *top[b"moov"][0])[b"trak"]
    durations = [_track_durations(data, track) for track in tracks]
    _must(all(each == durations[0] for each in durations), "colours and alpha have other times")
    _must(sum(_track_bytes(data, each) for each in tracks) == media[0][1] - media[0][0], "samples lack")
    return Film(width, height, tuple(durations[0]), _avif_plays(data, tracks[0]))


def _boxes(data: bytes, at: int, end: int) -> dict[bytes, list[Box]]:
    found: dict[bytes, list[Box]] = {}
    while at < end:
        size, kind = struct.unpack_from(">I4s", data, at)
        _must(size >= 8 and at + size <= end, f"box {kind!r} beyond its end, at byte {at}")
        found.setdefault(kind, []).append((at + 8, at + size))
        at += size
    return found


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
        _must(len(durations) + count <= len(data), "more samples than bytes")
        durations += [Fraction(ticks, scale)] * count
    return durations


def _track_bytes(data: bytes, track: Box) -> int:
    """Bytes of all samples together: what the media box must hold, and no more."""
    table = _inside(data, track, b"mdia", b"minf", b"stbl", b"stsz")[0]
    size, count = struct.unpack_from(">II", data, table + 4)
    return size * count if size else sum(struct.unpack_from(f">{count}I", data, table + 12))


def _avif_plays(data: bytes, track: Box) -> int:
    """Plays by the track's edit list; without one (ffmpeg 5.1) nothing ends it, and browsers go on."""
    boxes = _boxes(data, *track)
    if b"edts" not in boxes:
        return 0
    edit, header = _inside(data, track, b"edts", b"elst")[0], boxes[b"tkhd"][0][0]
    if not data[edit + 3] & _REPEATS:
        return 1
    lasts, never = _wide(data, header, 28, 20)
    return 0 if lasts == never else max(1, round(lasts / _wide(data, edit, 8, 8)[0]))


def _wide(data: bytes, box: int, if_long: int, if_short: int) -> tuple[int, int]:
    """A duration of a box of either version, and what stands there for one that has no end."""
    if data[box]:
        lasts: int = struct.unpack_from(">Q", data, box + if_long)[0]
        return lasts, lasts if lasts >= 2**63 - 1 else -1
    lasts = struct.unpack_from(">I", data, box + if_short)[0]
    return lasts, 2**32 - 1
