"""PNG frames, for any size and content: Pillow and ffmpeg read what was written; damage is told."""

from __future__ import annotations

import io
import subprocess

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from framepipe.core.png import SIGNATURE, PngInfo, decode, encode, inspect
from tests.conftest import bundled_ffmpeg, debian_ffmpeg
from tests.support.sizes import examples

FIXED = [HealthCheck.function_scoped_fixture]
PASSPORTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300)


@st.composite
def pictures(draw, most=48):
    """Noise, flat colours and steps, of any small size."""
    height, width = draw(st.integers(1, most)), draw(st.integers(1, most))
    channels = draw(st.sampled_from([3, 4]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["noise", "flat", "steps"]))
    shape = (height, width, channels)
    if kind == "noise":
        return random.integers(0, 256, shape, np.uint8)
    if kind == "flat":
        return np.full(shape, draw(st.integers(0, 255)), np.uint8)
    return (
        np.arange(height)[:, None, None] * 3 + np.arange(width)[None, :, None] + np.zeros(channels)
    ).astype(np.uint8)


@given(
    pictures(), PASSPORTS, st.none() | st.floats(1, 10_000), st.none() | st.tuples(*[st.integers(0, 255)] * 3)
)
@settings(max_examples=examples(150), deadline=None)
def test_pillow_reads_any_picture_as_it_was(pixels, stamp, dpi, background):
    with Image.open(io.BytesIO(encode(pixels, stamp, dpi=dpi, background=background))) as image:
        image.load()
        assert np.array_equal(np.asarray(image), pixels)
        assert image.text.get("framepipe", "") == stamp


@given(pictures(), PASSPORTS)
@settings(max_examples=examples(150), deadline=None)
def test_our_decoder_reads_any_picture_as_it_was(pixels, stamp):
    assert np.array_equal(decode(encode(pixels, stamp)), pixels)


@given(pictures(), st.data())
@settings(max_examples=examples(150), deadline=None)
def test_our_decoder_reads_a_damaged_picture_as_it_was_or_not_at_all(pixels, data):
    whole = bytearray(encode(pixels))
    start = whole.index(b"IDAT") + 4
    whole[data.draw(st.integers(start, len(whole) - 17))] ^= 1 << data.draw(st.integers(0, 7))
    decoded = decode(bytes(whole[: data.draw(st.integers(start, len(whole)))]))
    assert decoded is None or np.array_equal(decoded, pixels)


@given(
    pictures(), PASSPORTS, st.none() | st.floats(1, 10_000), st.none() | st.tuples(*[st.integers(0, 255)] * 3)
)
@settings(max_examples=examples(150), deadline=None, suppress_health_check=FIXED)
def test_any_frame_tells_what_it_is(tmp_path, pixels, stamp, dpi, background):
    data = encode(pixels, stamp, dpi=dpi, background=background)
    (tmp_path / "f.png").write_bytes(data)
    height, width, channels = pixels.shape
    expected = PngInfo("", width, height, "RGBA" if channels == 4 else "RGB", stamp, background, len(data))
    assert inspect(tmp_path / "f.png") == inspect(tmp_path / "f.png", deep=True) == expected


@pytest.mark.parametrize("ffmpeg", [debian_ffmpeg, bundled_ffmpeg], ids=["system", "bundled"])
@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 5, 4), (75, 100, 3), (64, 33, 4)])
def test_ffmpeg_reads_a_picture_as_it_was(tmp_path, ffmpeg, shape):
    pixels = np.random.default_rng(5).integers(0, 256, shape, np.uint8)
    (tmp_path / "f.png").write_bytes(encode(pixels, "me", dpi=72, background=(1, 2, 3)))
    command = [ffmpeg(), "-v", "error", "-xerror", "-i", "f.png", "-f", "rawvideo"]
    command += ["-pix_fmt", "rgba" if shape[2] == 4 else "rgb24", "-"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, stdin=subprocess.DEVNULL, check=True)
    assert done.stderr == b""
    assert np.array_equal(np.frombuffer(done.stdout, np.uint8).reshape(shape), pixels)


def judged(path, data):
    path.write_bytes(data)
    return inspect(path), inspect(path, deep=True)


@given(st.binary(max_size=400), st.booleans())
@settings(max_examples=examples(300), deadline=None, suppress_health_check=FIXED)
def test_random_bytes_are_damaged_and_never_an_exception(tmp_path, data, signed):
    for info in judged(tmp_path / "f.png", SIGNATURE + data if signed else data):
        assert info.damage


FRAME = encode(
    np.random.default_rng(2).integers(0, 256, (6, 5, 4), np.uint8), "p" * 40, dpi=90, background=(1, 2, 3)
)
BIG = encode(np.random.default_rng(2).integers(0, 256, (60, 60, 3), np.uint8), "p" * 400)


@pytest.mark.parametrize("data", [FRAME, BIG[:200] + BIG[-800:]], ids=["whole", "spliced"])
def test_no_truncated_file_is_whole(tmp_path, data):
    for length in range(len(data)):
        for info in judged(tmp_path / "f.png", data[:length]):
            assert info.damage, length


@given(st.integers(0, len(BIG) - 1))
@settings(max_examples=examples(100), deadline=None, suppress_health_check=FIXED)
def test_no_truncated_big_file_is_whole(tmp_path, length):
    for info in judged(tmp_path / "f.png", BIG[:length]):
        assert info.damage


def test_a_deep_look_finds_every_changed_byte(tmp_path):
    for at in range(len(FRAME)):
        data = bytearray(FRAME)
        for flip in (1, 0x80, 0xFF):
            data[at] = FRAME[at] ^ flip
            (tmp_path / "f.png").write_bytes(data)
            assert inspect(tmp_path / "f.png", deep=True).damage, (at, flip)


@given(st.lists(st.tuples(st.integers(0, len(FRAME) - 1), st.integers(0, 255)), min_size=1, max_size=8))
@settings(max_examples=examples(300), deadline=None, suppress_health_check=FIXED)
def test_a_deep_look_finds_any_few_changed_bytes(tmp_path, changes):
    data = bytearray(FRAME)
    for at, value in changes:
        data[at] = value
    quick, deep = judged(tmp_path / "f.png", data)
    assert bool(deep.damage) == (bytes(data) != FRAME)
    assert not quick.damage or deep.damage, "what a quick look finds a deep one finds too"


@given(st.integers(0, len(FRAME)), st.integers(0, len(FRAME)), st.binary(max_size=20))
@settings(max_examples=examples(300), deadline=None, suppress_health_check=FIXED)
def test_cut_out_and_put_in_bytes_are_damage(tmp_path, one, other, put):
    start, stop = sorted((one, other))
    data = FRAME[:start] + put + FRAME[stop:]
    _, deep = judged(tmp_path / "f.png", data)
    assert bool(deep.damage) == (data != FRAME)
