"""GIF files as bytes: parse their blocks strictly, and join parts without re-encoding.

Programs forgive damaged GIFs: ffmpeg decodes a truncated one with exit code 0, and files glued
together by its concat demuxer play to the first trailer only. So every block is walked here
(GIF89a specification, W3C, sections 17-27). The pixels (LZW codes) are not decoded; only Pillow's
decoder complains about damage in there.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple, overload

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_GRAPHIC_CONTROL, _PLAIN_TEXT, _APPLICATION = 0xF9, 0x01, 0xFF
_LOOPERS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_HAS_TABLE = 0x80
_DISPOSE = 0x1C
_BACKGROUND, _PREVIOUS = 2, 3
_MAX_U16 = 0xFFFF
_WINDOW = 1 << 20


class InvalidGif(ValueError):
    """A file is not a whole GIF. The message says what is wrong and at which byte."""


@dataclass(frozen=True)
class GifInfo:
    """The facts in the blocks of a whole GIF.

    Attributes
    ----------
    width, height : int
        The logical screen, in pixels.
    frames : int
    delays_cs : tuple of int
        The delay of each frame, in centiseconds.
    plays : int
        The number of plays; 0 is for ever. A stored loop count of n is n + 1 plays, no
        NETSCAPE block is one play.
    local_palettes : int
        Frames with a colour table of their own.
    transparent : bool
        Any frame has the transparency flag.
    size_bytes : int
    """

    width: int
    height: int
    frames: int
    delays_cs: tuple[int, ...]
    plays: int
    local_palettes: int
    transparent: bool
    size_bytes: int


def inspect(path: Path) -> GifInfo:
    """Parse all blocks of a GIF without decoding pixels (100 frames in a few milliseconds).

    Parameters
    ----------
    path : Path

    Raises
    ------
    InvalidGif
        Cut short, bytes after the trailer, a second file appended, an unknown block, no frame, a
        frame outside the screen or without colours. No other error is raised, for any bytes.
    OSError
        The file cannot be read.
    """
    with path.open("rb") as file:
        data = _Windowed(file)
        gif = _walk(data)
    return GifInfo(
        gif.width,
        gif.height,
        len(gif.frames),
        tuple(frame.control[1] for frame in gif.frames),
        gif.plays,
        sum(1 for frame in gif.frames if frame.local),
        any(frame.clear is not None for frame in gif.frames),
        len(data),
    )


class _Windowed:
    """A file as bytes, of which one piece is in memory at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._size = file, os.fstat(file.fileno()).st_size
        self._start, self._piece = 0, b""

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, key: int) -> int: ...
    @overload
    def __getitem__(self, key: slice) -> bytes: ...
    def __getitem__(self, key: int | slice) -> int | bytes:
        if isinstance(key, int):
            at = key - self._start
            if not 0 <= at < len(self._piece):
                self._read(key)
                at = 0
            return self._piece[at]
        start, stop, _ = key.indices(self._size)
        if start < self._start or stop > self._start + len(self._piece):
            self._read(start, max(_WINDOW, stop - start))
        return self._piece[start - self._start : max(start, stop) - self._start]

    def _read(self, start: int, length: int = _WINDOW) -> None:
        self._file.seek(start)
        self._start, self._piece = start, self._file.read(length)


_Data = bytes | _Windowed


_Box = tuple[int, int, int, int]  # left, top, right, bottom; right and bottom exclusive
_Control = tuple[int, int, int]  # a Graphic Control Extension: flags, delay in cs, clear index


class _Frame(NamedTuple):
    at: int  # of the image descriptor
    body: int  # of the LZW minimum code size
    end: int
    box: _Box
    local: bool
    control: _Control

    @property
    def disposal(self) -> int:
        return (self.control[0] & _DISPOSE) >> 2

    @property
    def clear(self) -> int | None:
        return self.control[2] if self.control[0] & 1 else None


@dataclass
class _Gif:
    width: int
    height: int
    screen: bytes  # the logical screen descriptor
    table: bytes
    frames: list[_Frame] = field(default_factory=list)
    plays: int = 1


def _walk(data: _Data) -> _Gif:
    try:
        gif, at = _screen(data)
        control: _Control | None = None
        while (kind := data[at]) != _TRAILER:
            if kind == _IMAGE:
                frame = _frame(data, at, gif, control)
                gif.frames.append(frame)
                control, at = None, frame.end
            elif kind == _EXTENSION:
                control, at = _extension(data, at, gif, control)
            else:
                raise InvalidGif(_unknown(data, at))
    except (IndexError, struct.error):
        raise InvalidGif(f"cut short: no trailer where it ends, at byte {len(data)}") from None
    if at + 1 != len(data):
        what = "a second GIF" if data[at + 1 : at + 4] == b"GIF" else "foreign data"
        raise InvalidGif(f"{what} after the trailer, at byte {at + 1} of {len(data)}")
    if control is not None or not gif.frames:
        what = "a graphic control without a frame" if control else "no frames"
        raise InvalidGif(f"{what} before the trailer, at byte {at}")
    return gif


def _unknown(data: _Data, at: int) -> str:
    if data[at : at + 3] == b"GIF":
        return f"a second GIF is glued on without a trailer before it, at byte {at}"
    return f"unknown block 0x{data[at]:02x} at byte {at}"


def _screen(data: _Data) -> tuple[_Gif, int]:
    """Parse Header, Logical Screen Descriptor and Global Color Table (sections 17-19)."""
    if data[:6] not in (b"GIF89a", b"GIF87a"):
        raise InvalidGif("does not start like a GIF, at byte 0" if data else "empty, at byte 0")
    width, height, flags = struct.unpack("<HHB", data[6:11])
    end = 13 + _table_size(flags)
    if end > len(data):
        raise IndexError
    return _Gif(width, height, data[6:13], data[13:end]), end


def _table_size(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & _HAS_TABLE else 0


def _frame(data: _Data, at: int, gif: _Gif, control: _Control | None) -> _Frame:
    """Parse Image Descriptor, Local Color Table, Table Based Image Data (sections 20-22)."""
    left, top, width, height, packed = struct.unpack("<HHHHB", data[at + 1 : at + 10])
    right, bottom = left + width, top + height
    if not width or not height or right > gif.width or bottom > gif.height:
        raise InvalidGif(
            f"frame {len(gif.frames)} ({width}x{height} at {left},{top}) does not lie in the "
            f"{gif.width}x{gif.height} screen, at byte {at}"
        )
    if not packed & _HAS_TABLE and not gif.table:
        raise InvalidGif(f"frame {len(gif.frames)} has no colour table, at byte {at}")
    body = at + 10 + _table_size(packed)
    if not 2 <= data[body] <= 8:
        raise InvalidGif(f"LZW code size {data[body]} is not 2 to 8, at byte {body}")
    end = _after_sub_blocks(data, body + 1)
    if end == body + 2:
        raise InvalidGif(f"frame {len(gif.frames)} has no pixels, at byte {body}")
    box = (left, top, right, bottom)
    return _Frame(at, body, end, box, bool(packed & _HAS_TABLE), control or (0, 0, 0))


def _after_sub_blocks(data: _Data, at: int) -> int:
    while size := data[at]:
        at += size + 1
    return at + 1


def _extension(data: _Data, at: int, gif: _Gif, control: _Control | None) -> tuple[_Control | None, int]:
    """Parse an extension block: the control of the next frame, and the end of the block."""
    label, size = data[at + 1], data[at + 2]
    end = _after_sub_blocks(data, at + 2)
    if label == _GRAPHIC_CONTROL:
        if size != 4 or end != at + 8:
            raise InvalidGif(f"graphic control of a wrong size, at byte {at}")
        if control is not None:
            raise InvalidGif(f"a second graphic control for one frame, at byte {at}")
        return struct.unpack("<BHB", data[at + 3 : at + 7]), end
    if label == _PLAIN_TEXT:  # takes the graphic control, like a frame (section 25)
        return None, end
    looper = label == _APPLICATION and size == 11 and data[at + 3 : at + 14] in _LOOPERS
    if looper and data[at + 14] == 3 and data[at + 15] & 7 == 1:
        loop_count = struct.unpack("<H", data[at + 16 : at + 18])[0]
        gif.plays = loop_count + 1 if loop_count else 0
    return control, end


def splice(
    parts: Sequence[Path], output: Path, *, delays_cs: Sequence[int], plays: int, overlap: bool = False
) -> None:
    """Join GIFs into one without touching their pixels; one part is in memory at a time.

    Each part plays as it would alone: the canvas is cleared before the first frame of a part if that
    frame has transparent pixels. Comments and other extensions of the parts are dropped.

    Parameters
    ----------
    parts : sequence of Path
        In order; of one screen size. The first frame of each later part covers the screen.
    output : Path
        Written directly; removed again when joining fails.
    delays_cs : sequence of int
        One delay for each frame of all parts, in centiseconds, 0-65535.
    plays : int
        0 is for ever, at most 65536.
    overlap : bool
        Each later part begins with the last frame of the part before it, to which its next frame is
        cropped: that first frame is dropped, and the canvas stays unchanged.

    Raises
    ------
    InvalidGif
        A part is damaged.
    ValueError
        The parts do not fit together or do not have as many frames as there are delays.
    OSError
    """
    if not parts:
        raise ValueError("there are no parts to join")
    if not 0 <= plays <= _MAX_U16 + 1:
        raise ValueError(f"{plays} plays is not 0 (for ever) to {_MAX_U16 + 1}")
    if wrong := [delay for delay in delays_cs if not 0 <= delay <= _MAX_U16]:
        raise ValueError(f"a delay of {wrong[0]} cs is not 0 to {_MAX_U16}")
    with output.open("wb") as file:
        try:
            _Joiner(file, iter(delays_cs), len(delays_cs), plays, overlap).join(parts)
        except BaseException:
            with contextlib.suppress(OSError):
                output.unlink()
            raise


@dataclass
class _Joiner:
    file: BinaryIO
    delays: Iterator[int]
    frames_wanted: int
    plays: int
    overlap: bool = False
    frames: int = 0
    first: _Gif | None = None
    #: The drawn area of the canvas before the last written frame, and after its disposal.
    before: _Box | None = None
    after: _Box | None = None
    last: tuple[int, _Frame] | None = None  # the last written frame, and the offset of its control

    def join(self, parts: Sequence[Path]) -> None:
        for path in parts:
            data = path.read_bytes()
            try:
                gif = _walk(data)
            except InvalidGif as damage:
                raise InvalidGif(f"part {path.name!r}: {damage}") from None
            if self.first is None:
                self._begin(gif)
                self._frames(data, gif, gif)
            else:
                self._check_size(gif, self.first, path)
                if not self.overlap:
                    self._seam(data, gif, path)
                self._frames(data, gif, self.first, skip=int(self.overlap))
            self.first = self.first or gif
        if self.frames != self.frames_wanted:
            raise ValueError(self._count_message(f"{self.frames}"))
        self.file.write(bytes([_TRAILER]))

    def _count_message(self, actual: str) -> str:
        return f"the parts have {actual} frames but {self.frames_wanted} delays are given"

    def _begin(self, gif: _Gif) -> None:
        self.file.write(b"GIF89a" + gif.screen + gif.table)
        if self.plays != 1:
            loop_count = self.plays - 1 if self.plays else 0
            self.file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", loop_count, 0))

    @staticmethod
    def _check_size(gif: _Gif, first: _Gif, path: Path) -> None:
        if (gif.width, gif.height) != (first.width, first.height):
            raise ValueError(
                f"part {path.name!r} is {gif.width}x{gif.height}, "
                f"the first part is {first.width}x{first.height}"
            )

    def _seam(self, data: bytes, gif: _Gif, path: Path) -> None:
        """Clear the canvas, if needed, before the first frame of ``gif``, as if it played alone."""
        frame = gif.frames[0]
        if frame.box != (0, 0, gif.width, gif.height):
            raise ValueError(f"the first frame of part {path.name!r} does not cover the screen")
        if frame.clear is not None and _may_emit(data, frame, frame.clear):
            self._empty_canvas(path)
        self.after = None  # cleared, or covered by the frame

    def _empty_canvas(self, path: Path) -> None:
        assert self.last is not None
        at, frame = self.last
        if not _inside(self.before, frame.box):
            raise ValueError(
                f"part {path.name!r} begins with transparent pixels, and the frame before it "
                "does not cover the area to clear"
            )
        self.file.seek(at + 3)
        self.file.write(bytes([frame.control[0] & ~_DISPOSE | _BACKGROUND << 2]))
        self.file.seek(0, 2)

    def _frames(self, data: bytes, gif: _Gif, first: _Gif, skip: int = 0) -> None:
        # If the first table begins with this one, its colours are the same.
        table = b"" if first.table.startswith(gif.table) else gif.table
        for position, frame in enumerate(gif.frames):
            if position < skip:
                continue
            delay_cs = next(self.delays, None)
            if delay_cs is None:
                raise ValueError(self._count_message(f"more than {self.frames}"))
            if position == 0 and frame.disposal == _PREVIOUS:
                # The canvas before the first frame is empty when the part plays alone.
                flags = frame.control[0] & ~_DISPOSE | _BACKGROUND << 2
                frame = frame._replace(control=(flags, *frame.control[1:]))
            self._note(self.file.tell(), frame)
            flags, _, clear = frame.control
            self.file.write(struct.pack("<3sBHBB", b"\x21\xf9\x04", flags, delay_cs, clear, 0))
            self._image(data, frame, table)

    def _note(self, at: int, frame: _Frame) -> None:
        self.last = (at, frame)
        self.frames += 1
        self.before = self.after
        if frame.disposal == _BACKGROUND:
            self.after = None if _inside(self.before, frame.box) else self.before
        elif frame.disposal != _PREVIOUS:
            self.after = _around(self.before or frame.box, frame.box)

    def _image(self, data: bytes, frame: _Frame, table: bytes) -> None:
        if frame.local or not table:
            self.file.write(memoryview(data)[frame.at : frame.end])
            return
        interlaced = data[frame.at + 9] & 0x40
        exponent = (len(table) // 3).bit_length() - 2  # the table has 2 ** (exponent + 1) colours
        self.file.write(data[frame.at : frame.at + 9])
        self.file.write(bytes([_HAS_TABLE | interlaced | exponent]) + table)
        self.file.write(memoryview(data)[frame.body : frame.end])


def _inside(box: _Box | None, other: _Box) -> bool:
    return box is None or _around(box, other) == other


def _around(one: _Box, two: _Box) -> _Box:
    return (min(one[0], two[0]), min(one[1], two[1]), max(one[2], two[2]), max(one[3], two[3]))


def _may_emit(data: bytes, frame: _Frame, index: int) -> bool:
    """True if colour ``index`` occurs in the pixels of ``frame``.

    Encoders set the transparency flag even if no pixel uses it. In LZW (appendix F) a colour enters
    the pixels only by its own code, since all longer strings consist of earlier pixels: so only codes
    are read, and no string is built.
    """
    root = data[frame.body]
    clear = 1 << root
    bits, count, width, highest = 0, 0, root + 1, clear
    for byte in _pixel_bytes(data, frame):
        bits |= byte << count
        count += 8
        while count >= width:
            code = bits & (1 << width) - 1
            bits >>= width
            count -= width
            if code == index or code == clear + 1:  # the latter is the end of the pixels
                return code == index
            if code == clear:
                width, highest = root + 1, clear
            else:
                highest += 1
                width += highest == (1 << width) - 1 and width < 12
    return False


def _pixel_bytes(data: bytes, frame: _Frame) -> Iterator[int]:
    at = frame.body + 1
    while size := data[at]:
        yield from memoryview(data)[at + 1 : at + 1 + size]
        at += size + 1
