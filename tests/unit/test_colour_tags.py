"""The tags of a video's colours are found wherever its container has them."""

from __future__ import annotations

import struct

import pytest

from framepipe.formats.video.colours import DUE_COLOURS, tags

COLR = b"colrnclx\0\1\0\1\0\1\0"
PICTURES = bytes(3 << 20)


def box(kind, content, is_long=False):
    if is_long:
        return struct.pack(">I4sQ", 1, kind, 16 + len(content)) + content
    return struct.pack(">I4s", 8 + len(content), kind) + content


HEAD = box(b"ftyp", b"isom")
MOOV = box(b"moov", bytes(500) + COLR + bytes(2 << 20))


@pytest.mark.parametrize(
    "content",
    [
        HEAD + MOOV + box(b"mdat", PICTURES),
        HEAD + box(b"mdat", PICTURES) + MOOV,
        HEAD + box(b"free", b"") + box(b"mdat", PICTURES, is_long=True) + MOOV,
    ],
    ids=["first", "last", "after a large box"],
)
def test_the_index_may_be_anywhere(tmp_path, content):
    (tmp_path / "m.mp4").write_bytes(content)
    assert tags(tmp_path / "m.mp4") == DUE_COLOURS


@pytest.mark.parametrize(
    "content",
    [
        b"",
        HEAD,
        HEAD[:5],
        HEAD + box(b"mdat", PICTURES + COLR),
        HEAD + struct.pack(">I4s", 0, b"mdat") + PICTURES + MOOV,
        HEAD + struct.pack(">I4sQ", 1, b"mdat", 3) + MOOV[8:400],
        HEAD + struct.pack(">I4sQ", 1, b"mdat", 2**63) + MOOV[8:400],
        box(b"free", bytes(1000)) * 2000 + MOOV,
    ],
    ids=["empty", "only a head", "torn", "in pictures", "to the end", "too small", "too large", "many boxes"],
)
def test_what_has_none_is_not_tagged(tmp_path, content):
    (tmp_path / "m.mp4").write_bytes(content)
    assert tags(tmp_path / "m.mp4") == "not tagged so"
