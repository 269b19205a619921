"""PNG frames: bytes that Pillow reads, verdicts about damaged files."""

from __future__ import annotations

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from framepipe.core import png
from framepipe.core.png import PngInfo, encode, inspect

END = b"\x00\x00\x00\x00IEND\xae\x42\x60\x82"


def picture(height=5, width=7, channels=3):
    return np.random.default_rng(1).integers(0, 256, (height, width, channels), np.uint8)


def chunk(kind, data=b""):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width=3, height=2, depth=8, colour=2, method=0, filters=0, interlace=0):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, method, filters, interlace))


def looked_at(tmp_path, data, **keywords):
    path = tmp_path / "frame.png"
    path.write_bytes(data)
    return inspect(path, **keywords)


@pytest.mark.parametrize(("channels", "mode"), [(3, "RGB"), (4, "RGBA")])
def test_pillow_reads_the_pixels_that_were_written(channels, mode):
    pixels = picture(channels=channels)
    with Image.open(io.BytesIO(encode(pixels))) as image:
        image.load()
        assert image.mode == mode
        assert np.array_equal(np.asarray(image), pixels)


def test_pixels_of_any_memory_layout_are_written_as_they_look():
    pixels = picture(8, 9, 4)
    for view in (pixels[..., :3], pixels[::-1], pixels[:, ::2], np.asfortranarray(pixels)):
        with Image.open(io.BytesIO(encode(view))) as image:
            assert np.array_equal(np.asarray(image), view)


def test_the_pixels_given_are_not_changed():
    pixels = picture()
    before = pixels.copy()
    encode(pixels)
    assert np.array_equal(pixels, before)


def test_text_resolution_and_background_stand_where_pillow_finds_them():
    data = encode(picture(), "the stamp", dpi=137, background=(1, 2, 255))
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert image.text["framepipe"] == "the stamp"
        assert image.info["dpi"] == pytest.approx((137, 137), abs=0.02)
    assert data.index(b"tEXt") < data.index(b"bKGD") < data.index(b"IDAT")
    assert data.index(b"pHYs") < data.index(b"IDAT")


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((2, 2), np.uint8),
        np.zeros((2, 2, 2), np.uint8),
        np.zeros((2, 2, 3), np.float32),
        np.zeros((1, 2, 2, 3), np.uint8),
        np.zeros((2, 2, 3), np.int8),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_what_is_no_picture_of_bytes_is_refused(pixels):
    with pytest.raises(ValueError, match=r"not uint8 \(height, width, 3\|4\)"):
        encode(pixels)


def test_a_passport_is_ascii():
    with pytest.raises(UnicodeEncodeError):
        encode(picture(), "é")


@pytest.mark.parametrize("deep", [False, True])
def test_a_whole_frame_tells_what_it_is(tmp_path, deep):
    data = encode(picture(5, 7, 4), "who I am", dpi=100, background=(9, 8, 7))
    assert looked_at(tmp_path, data, deep=deep) == PngInfo(
        "", 7, 5, "RGBA", "who I am", (9, 8, 7), size_bytes=len(data)
    )


def test_a_frame_bigger_than_the_head_that_is_read_is_judged_by_head_and_tail(tmp_path):
    data = encode(picture(100, 100), "who I am")
    assert len(data) > 20_000
    assert looked_at(tmp_path, data) == PngInfo("", 100, 100, "RGB", "who I am", None, len(data))
    assert "cut short" in looked_at(tmp_path, data[:-1]).damage


@pytest.mark.parametrize("mode", ["L", "P", "LA", "1", "RGB", "RGBA", "I;16"])
def test_pngs_of_other_programs_are_whole_too(tmp_path, mode):
    buffer = io.BytesIO()
    base = Image.new("L", (6, 4), 7)
    (Image.new("I;16", (6, 4), 7) if mode == "I;16" else base.convert(mode)).save(buffer, "PNG")
    for deep in (False, True):
        info = looked_at(tmp_path, buffer.getvalue(), deep=deep)
        assert (info.damage, info.width, info.height, info.stamp) == ("", 6, 4, "")
        assert info.mode == {"1": "L;1", "I;16": "L;16"}.get(mode, mode)


@pytest.mark.parametrize("mode", ["L", "P", "LA", "1", "RGB", "RGBA"])
def test_pngs_of_other_programs_are_left_to_pillow_or_decoded_alike(mode):
    buffer = io.BytesIO()
    picture = Image.effect_noise((61, 47), 80).convert(mode)
    picture.save(buffer, "PNG")
    decoded = png.decode(buffer.getvalue())
    assert decoded is None or np.array_equal(decoded, np.asarray(picture))


def test_an_interlaced_picture_is_left_to_pillow():
    data = bytearray(png.encode(np.zeros((8, 8, 3), np.uint8)))
    data[28] = 1
    assert png.decode(bytes(data)) is None


def test_no_file_is_no_damage_but_none(tmp_path):
    assert inspect(tmp_path / "frame.png") is None


def test_what_is_no_file_is_named(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "real.png").write_bytes(encode(picture()))
    (tmp_path / "link").symlink_to("real.png")
    os.mkfifo(tmp_path / "pipe")
    seen = {name: inspect(tmp_path / name).damage for name in ("folder", "link", "pipe")}
    assert seen == {
        "folder": "is a folder, not a file",
        "link": "is a symbolic link, not a file",
        "pipe": "is a special file, not a file",
    }


WHOLE = encode(picture(), "me")
BODY = chunk(b"IDAT", zlib.compress(bytes(2 * 10)))
DAMAGED = {
    "is empty (0 bytes)": b"",
    "does not start like a PNG file": b"\xff\xd8\xff\xe0 a JPEG file",
    f"is cut short or has bytes after its end ({len(WHOLE) - 3} bytes)": WHOLE[:-3],
    f"is cut short or has bytes after its end ({len(WHOLE) + 1} bytes)": WHOLE + b"\n",
    "has bytes after its end": WHOLE + WHOLE[8:],
    "has no pixels (IDAT)": png.SIGNATURE + header() + END,
    "does not begin with IHDR": png.SIGNATURE + BODY + END,
    "its header (IHDR) makes no sense": png.SIGNATURE + header(width=0) + BODY + END,
    "its chunks do not end where the file ends": png.SIGNATURE + header() + BODY + b"\0\0\0\0ABCD" + END[4:],
}


@pytest.mark.parametrize(("damage", "data"), DAMAGED.items(), ids=DAMAGED.keys())
def test_each_damage_has_its_words(tmp_path, damage, data):
    seen = {looked_at(tmp_path, data, deep=deep).damage for deep in (False, True)}
    if damage.startswith("its chunks"):
        assert len(seen) == 1
        assert "" not in seen
    else:
        assert seen == {damage}


@pytest.mark.parametrize(
    "wrong",
    [
        {"height": 0},
        {"width": 1 << 31},
        {"depth": 3},
        {"colour": 5},
        {"method": 1},
        {"filters": 1},
        {"interlace": 2},
    ],
    ids=str,
)
def test_a_header_that_makes_no_sense_is_damage(tmp_path, wrong):
    info = looked_at(tmp_path, png.SIGNATURE + header(**wrong) + BODY + END)
    assert info.damage == "its header (IHDR) makes no sense"


def test_a_flipped_bit_in_the_pixels_is_found_by_a_deep_look_only(tmp_path):
    data = bytearray(WHOLE)
    data[WHOLE.index(b"IDAT") + 8] ^= 1
    assert looked_at(tmp_path, bytes(data)).damage == ""
    assert looked_at(tmp_path, bytes(data), deep=True).damage.startswith("checksum of chunk b'IDAT'")


def test_a_flipped_bit_in_the_passport_is_found_by_any_look(tmp_path):
    data = bytearray(WHOLE)
    data[WHOLE.index(b"framepipe")] ^= 1
    assert looked_at(tmp_path, bytes(data)).damage.startswith("checksum of chunk b'tEXt'")


def test_a_passport_after_the_pixels_does_not_count(tmp_path):
    late = WHOLE[:-12] + chunk(b"tEXt", b"framepipe\0forged") + END
    assert looked_at(tmp_path, late, deep=True).stamp == "me"
    data = encode(picture())[:-12] + chunk(b"tEXt", b"framepipe\0forged") + END
    assert looked_at(tmp_path, data, deep=True).stamp == ""


def test_the_text_of_another_keyword_is_no_passport(tmp_path):
    data = png.SIGNATURE + header() + chunk(b"tEXt", b"Software\0framepipe") + BODY + END
    assert looked_at(tmp_path, data) == PngInfo("", 3, 2, "RGB", "", None, len(data))


def test_a_passport_is_put_behind_the_header_and_every_other_byte_stays():
    about = chunk(b"tEXt", b"Software\0somebody's")
    data = png.SIGNATURE + header() + about + BODY + about + END
    assert png.with_stamp(data, "me") == (
        png.SIGNATURE + header() + chunk(b"tEXt", b"framepipe\0me") + about + BODY + about + END
    )


def test_a_passport_replaces_the_one_that_is_there_wherever_it_stands():
    late = WHOLE[:-12] + chunk(b"tEXt", b"framepipe\0forged") + END
    assert png.with_stamp(late, "you") == encode(picture(), "you")


def test_a_passport_lies_in_the_head_of_a_file_with_a_long_profile(tmp_path):
    data = png.SIGNATURE + header() + chunk(b"iCCP", bytes(20_000)) + BODY + END
    assert looked_at(tmp_path, png.with_stamp(data, "me")).stamp == "me"


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
def test_only_a_whole_png_gets_a_passport(data):
    with pytest.raises(ValueError, match="no whole PNG file: "):
        png.with_stamp(data, "me")


def test_a_flipped_bit_keeps_a_png_from_getting_a_passport():
    data = bytearray(WHOLE)
    data[WHOLE.index(b"IDAT") + 8] ^= 1
    with pytest.raises(ValueError, match="checksum of chunk b'IDAT'"):
        png.with_stamp(bytes(data), "me")
