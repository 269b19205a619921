from __future__ import annotations

import io
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from framepipe.formats.gif import container
from tests.support.sizes import LONG

FFMPEG = "ffmpeg"
W, H = 24, 16


def pictures(count, *, colours=6, seed=0):
    """RGB frames of moving blocks."""
    random = np.random.default_rng(seed)
    palette = random.integers(0, 256, (colours, 3), np.uint8)
    frames = []
    for step in range(count):
        frame = np.tile(palette[0], (H, W, 1))
        frame[step % 8 : step % 8 + 5, step % 16 : step % 16 + 7] = palette[1 + step % (colours - 1)]
        frame[0, step % W] = palette[-1]
        frames.append(frame)
    return frames


def save(path, frames, **options):
    first, *rest = [Image.fromarray(frame) for frame in frames]
    options = {"duration": 50, "loop": 0} | options
    first.save(path, format="GIF", save_all=True, append_images=rest, **options)
    return path


def decoded(path):
    """Every frame as shown, RGBA; colours under alpha 0 are blacked."""
    shown = []
    with Image.open(path) as image:
        for position in range(image.n_frames):
            image.seek(position)
            pixels = np.array(image.convert("RGBA"))
            pixels[pixels[:, :, 3] == 0] = 0
            shown.append(pixels)
    return shown


def assert_same(seen, expected):
    assert len(seen) == len(expected)
    for position, (one, two) in enumerate(zip(seen, expected)):
        assert np.array_equal(one, two), f"frame {position}"


def with_alpha(frames):
    shown = []
    for step, frame in enumerate(frames):
        alpha = np.zeros((H, W, 1), np.uint8)
        alpha[step % 6 : step % 6 + 6, 2 : 5 + step % 12] = 255
        shown.append(np.concatenate([frame * (alpha > 0), alpha], axis=2))
    return shown


# --- looking ------------------------------------------------------------------------------------


def test_pillow_gif_is_read_back(tmp_path):
    path = save(tmp_path / "a.gif", pictures(5), duration=[20, 30, 40, 50, 1000], loop=2)
    info = container.inspect(path)
    assert (info.width, info.height, info.frames) == (W, H, 5)
    assert info.delays_cs == (2, 3, 4, 5, 100)
    assert info.plays == 3
    assert info.size_bytes == path.stat().st_size


@pytest.mark.parametrize(("loop", "plays"), [(None, 1), (0, 0), (1, 2), (65535, 65536)])
def test_plays_are_read_from_the_loop_block(tmp_path, loop, plays):
    assert container.inspect(save(tmp_path / "a.gif", pictures(2), loop=loop)).plays == plays


def test_ffmpeg_gif_is_read_back(tmp_path):
    path = ffmpeg_gif(tmp_path / "a.gif", pictures(7))
    info = container.inspect(path)
    assert (info.width, info.height, info.frames, info.delays_cs) == (W, H, 7, (10,) * 7)


def ffmpeg_gif(path, frames):
    command = [FFMPEG, "-nostdin", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    command += ["-s", f"{W}x{H}", "-r", "10", "-i", "-", "-lavfi"]
    command += ["split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=none", str(path)]
    raw = b"".join(frame.tobytes() for frame in frames)
    subprocess.run(command, input=raw, check=True, capture_output=True)
    return path


def test_transparency_and_local_palettes_are_counted(tmp_path):
    plain = save(tmp_path / "plain.gif", pictures(1))
    assert not container.inspect(plain).transparent
    clear = save(tmp_path / "clear.gif", with_alpha(pictures(3)), disposal=2)
    assert container.inspect(clear).transparent
    parts = [save(tmp_path / f"{n}.gif", pictures(1, seed=n)) for n in range(3)]
    container.splice(parts, tmp_path / "out.gif", delays_cs=[1] * 3, plays=1)
    assert container.inspect(tmp_path / "out.gif").local_palettes == 2


def test_missing_file_is_an_oserror(tmp_path):
    with pytest.raises(FileNotFoundError):
        container.inspect(tmp_path / "none.gif")


# --- damage -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole():
    buffer = io.BytesIO()
    save(buffer, pictures(3), comment=b"hello")
    return buffer.getvalue()


def damage_of(path, data):
    path.write_bytes(data)
    with pytest.raises(container.InvalidGif) as caught:
        container.inspect(path)
    assert "at byte" in str(caught.value)
    return str(caught.value)


def test_every_truncation_is_damage(tmp_path, whole):
    for size in range(len(whole)):
        damage_of(tmp_path / "cut.gif", whole[:size])


def test_damage_says_what_and_where(tmp_path, whole):
    path = tmp_path / "bad.gif"
    size = len(whole)
    assert damage_of(path, whole + whole) == (f"a second GIF after the trailer, at byte {size} of {2 * size}")
    assert "glued on without a trailer" in damage_of(path, whole[:-1] + whole)
    assert "foreign data after the trailer" in damage_of(path, whole + b"\0")
    assert "unknown block 0x00" in damage_of(path, whole[:-1] + b"\0\x3b")
    assert "no trailer" in damage_of(path, whole[:-1])
    assert "empty" in damage_of(path, b"")
    assert "does not start" in damage_of(path, b"\x89PNG" + whole[4:])


def test_gif_without_frames_is_damage(tmp_path):
    head = b"GIF89a" + struct.pack("<HHBBB", 3, 3, 0, 0, 0)
    assert "no frames" in damage_of(tmp_path / "a.gif", head + b"\x3b")


def test_frame_outside_the_screen_is_damage(tmp_path, whole):
    smaller = whole[:6] + struct.pack("<HH", W - 1, H) + whole[10:]
    assert f"frame 0 ({W}x{H} at 0,0) does not lie in" in damage_of(tmp_path / "a.gif", smaller)


def test_chain_that_runs_past_the_end_is_damage(tmp_path):
    data = bytearray(build([Frame(np.zeros((H, W), np.uint8))]))
    body = container._walk(bytes(data)).frames[0].body
    data[body + 1] = 255
    damage_of(tmp_path / "a.gif", bytes(data))


def looks_harmless(data):
    with tempfile.NamedTemporaryFile(suffix=".gif") as file:
        file.write(data)
        file.flush()
        try:
            info = container.inspect(Path(file.name))
        except container.InvalidGif as damage:
            assert "at byte" in str(damage)
        else:
            assert info.frames == len(info.delays_cs) > 0


@given(st.binary(max_size=300))
def test_random_bytes_raise_only_damage(data):
    looks_harmless(data)
    looks_harmless(b"GIF89a" + data)
    looks_harmless(b"GIF89a\x05\0\x05\0\0\0\0" + data)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_mutated_gifs_raise_only_damage(whole, changes):
    data = bytearray(whole)
    for where, value in changes:
        data[int(where * (len(data) - 1))] = value
    looks_harmless(bytes(data))


# --- joining ------------------------------------------------------------------------------------


def join(folder, parts, *, plays=0, delays_cs=None):
    count = sum(container.inspect(part).frames for part in parts)
    output = folder / "joined.gif"
    delays = delays_cs or [2 + n % 7 for n in range(count)]
    container.splice(parts, output, delays_cs=delays, plays=plays)
    assert container.inspect(output).delays_cs == tuple(delays)
    return output


def test_parts_joined_play_like_the_whole(tmp_path):
    frames = pictures(10)
    parts = [save(tmp_path / f"{n}.gif", frames[n : n + 4]) for n in (0, 4, 8)]
    joined = join(tmp_path, parts)
    assert_same(decoded(joined), decoded(save(tmp_path / "whole.gif", frames)))


def test_transparent_parts_joined_play_like_the_whole(tmp_path):
    frames = with_alpha(pictures(9))
    parts = [save(tmp_path / f"{n}.gif", frames[n : n + 3], disposal=2) for n in (0, 3, 6)]
    assert_same(decoded(join(tmp_path, parts)), frames)


def test_parts_of_ffmpeg_join(tmp_path):
    # Their first frames have the transparency flag without a transparent pixel, and their last
    # frames are cropped: only the LZW codes show that nothing shines through.
    frames = pictures(9)
    parts = [ffmpeg_gif(tmp_path / f"{n}.gif", frames[n : n + 3]) for n in (0, 3, 6)]
    assert container.inspect(parts[1]).transparent
    assert_same(decoded(join(tmp_path, parts)), [frame for part in parts for frame in decoded(part)])


def test_other_global_palette_becomes_a_local_one(tmp_path):
    parts = [save(tmp_path / f"{n}.gif", pictures(3, seed=n)) for n in range(3)]
    joined = join(tmp_path, parts)
    assert_same(decoded(joined), [frame for part in parts for frame in decoded(part)])
    assert container.inspect(joined).local_palettes >= 6


@pytest.mark.parametrize("plays", [0, 1, 2, 3, 65536])
def test_plays_are_stored_as_asked(tmp_path, plays):
    parts = [save(tmp_path / f"{n}.gif", pictures(2), loop=7) for n in range(2)]
    joined = join(tmp_path, parts, plays=plays)
    assert container.inspect(joined).plays == plays
    with Image.open(joined) as image:
        assert image.info.get("loop") == {0: 0, 1: None}.get(plays, plays - 1)


def test_delays_are_read_by_pillow_as_asked(tmp_path):
    parts = [save(tmp_path / f"{n}.gif", pictures(2)) for n in range(2)]
    joined = join(tmp_path, parts, delays_cs=[2, 3, 65535, 4])
    with Image.open(joined) as image:
        seen = []
        for position in range(4):
            image.seek(position)
            seen.append(image.info["duration"])
    assert seen == [20, 30, 655350, 40]


def test_frame_without_graphic_control_gets_one(tmp_path):
    part = tmp_path / "a.gif"
    Image.fromarray(pictures(1)[0]).save(part, format="GIF")
    assert b"\x21\xf9" not in part.read_bytes()
    assert part.read_bytes().startswith(b"GIF87a")
    joined = join(tmp_path, [part, part], delays_cs=[7, 9])
    assert joined.read_bytes().startswith(b"GIF89a")
    assert_same(decoded(joined), decoded(part) * 2)


def test_comments_of_parts_are_dropped(tmp_path):
    part = save(tmp_path / "a.gif", pictures(2), comment=b"secret words")
    assert b"secret" in part.read_bytes()
    assert b"secret" not in join(tmp_path, [part, part]).read_bytes()


@pytest.mark.parametrize("delays_cs", [[1] * 3, [1] * 5, []])
def test_wrong_number_of_delays_is_refused_and_leaves_no_file(tmp_path, delays_cs):
    part = save(tmp_path / "a.gif", pictures(2))
    with pytest.raises(ValueError, match="delays are given"):
        container.splice([part, part], tmp_path / "out.gif", delays_cs=delays_cs, plays=0)
    assert not (tmp_path / "out.gif").exists()


@pytest.mark.parametrize(
    ("delays_cs", "plays"), [([1, 65536], 0), ([1, -1], 0), ([1, 1], -1), ([1, 1], 65537)]
)
def test_numbers_that_gif_cannot_store_are_refused(tmp_path, delays_cs, plays):
    part = save(tmp_path / "a.gif", pictures(2))
    with pytest.raises(ValueError, match="is not 0"):
        container.splice([part], tmp_path / "out.gif", delays_cs=delays_cs, plays=plays)
    assert not (tmp_path / "out.gif").exists()


def test_nothing_to_join_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no parts"):
        container.splice([], tmp_path / "out.gif", delays_cs=[], plays=0)


def test_other_screen_size_is_refused(tmp_path):
    one = save(tmp_path / "1.gif", pictures(1))
    two = save(tmp_path / "2.gif", [frame[:-1] for frame in pictures(1)])
    with pytest.raises(ValueError, match=f"'2.gif' is {W}x{H - 1}, the first part is {W}x{H}"):
        container.splice([one, two], tmp_path / "out.gif", delays_cs=[1, 1], plays=0)


def test_damaged_part_is_named(tmp_path):
    one = save(tmp_path / "1.gif", pictures(1))
    (tmp_path / "2.gif").write_bytes(one.read_bytes()[:-20])
    with pytest.raises(container.InvalidGif, match=r"part '2\.gif': cut short"):
        container.splice([one, tmp_path / "2.gif"], tmp_path / "out.gif", delays_cs=[1, 1], plays=0)
    assert not (tmp_path / "out.gif").exists()


# --- seams: GIFs built block by block -------------------------------------------------------------


@dataclass
class Frame:
    pixels: np.ndarray  # colour indices 0-3
    left: int = 0
    top: int = 0
    disposal: int = 1
    clear: int | None = None


PALETTE = bytes([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])


def build(frames):
    out = b"GIF89a" + struct.pack("<HHBBB", W, H, 0x81, 0, 0) + PALETTE
    for frame in frames:
        flags = frame.disposal << 2 | (frame.clear is not None)
        out += struct.pack("<3sBHBB", b"\x21\xf9\x04", flags, 5, frame.clear or 0, 0)
        height, width = frame.pixels.shape
        out += struct.pack("<BHHHHB", 0x2C, frame.left, frame.top, width, height, 0)
        out += lzw(frame.pixels)
    return out + b"\x3b"


def lzw(pixels):
    image = Image.fromarray(pixels).convert("P")
    image.putpalette(PALETTE)
    image.putdata(pixels.ravel().tolist())
    buffer = io.BytesIO()
    image.save(buffer, format="GIF", interlace=0, optimize=False)
    data = buffer.getvalue()
    frame = container._walk(data).frames[0]
    return data[frame.body : frame.end]


def shown(data, frames):
    """What a browser shows: indices, -1 where nothing is drawn; controls are read from ``data``."""
    canvas = np.full((H, W), -1)
    seen = []
    for found, frame in zip(container._walk(data).frames, frames, strict=True):
        left, top, right, bottom = found.box
        before = canvas.copy()
        area = canvas[top:bottom, left:right]
        drawn = (
            frame.pixels if found.clear is None else np.where(frame.pixels == found.clear, area, frame.pixels)
        )
        canvas[top:bottom, left:right] = drawn
        seen.append(canvas.copy())
        if found.disposal == 2:
            canvas[top:bottom, left:right] = -1
        elif found.disposal == 3:
            canvas = before
    return seen


def joined_as_alone(folder, parts):
    paths = []
    for number, frames in enumerate(parts):
        paths.append(folder / f"{number}.gif")
        paths[-1].write_bytes(build(frames))
    output = join(folder, paths)
    expected = [canvas for frames in parts for canvas in shown(build(frames), frames)]
    everything = [frame for frames in parts for frame in frames]
    assert_same(shown(output.read_bytes(), everything), expected)


def full(value, **options):
    return Frame(np.full((H, W), value, np.uint8), **options)


def holed(value, **options):
    frame = full(value, clear=0, **options)
    frame.pixels[3:9, 4:20] = 0
    return frame


@pytest.mark.parametrize("last", [0, 1, 2, 3])
@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_transparent_part_finds_an_empty_canvas_after_any_disposal(tmp_path, last, first):
    small = Frame(np.full((3, 3), 2, np.uint8), 5, 5)
    joined_as_alone(
        tmp_path,
        [[full(1, disposal=2), full(1, disposal=last)], [holed(3, disposal=first), small]],
    )


def test_opaque_part_hides_whatever_was_there(tmp_path):
    small = Frame(np.full((3, 3), 2, np.uint8), 5, 5, disposal=3)
    joined_as_alone(tmp_path, [[full(1), small], [full(3, disposal=3), small], [full(2)]])


def test_small_last_frame_is_enough_when_the_rest_is_empty_already(tmp_path):
    small = Frame(np.full((3, 3), 2, np.uint8), 5, 5)
    joined_as_alone(tmp_path, [[full(1, disposal=2), small], [holed(3), small]])


def test_canvas_that_cannot_be_emptied_is_refused(tmp_path):
    small = Frame(np.full((3, 3), 2, np.uint8), 5, 5, disposal=2)
    with pytest.raises(ValueError, match="begins with transparent pixels"):
        joined_as_alone(tmp_path, [[full(1), small], [holed(3)]])


def test_later_part_that_does_not_cover_the_screen_is_refused(tmp_path):
    with pytest.raises(ValueError, match="does not cover the screen"):
        joined_as_alone(tmp_path, [[full(1)], [Frame(np.zeros((3, 3), np.uint8))]])


@st.composite
def frames_(draw, first):
    width = W if first else draw(st.integers(1, W))
    height = H if first else draw(st.integers(1, H))
    seed = draw(st.integers(0, 1000))
    return Frame(
        np.random.default_rng(seed).integers(0, draw(st.integers(1, 4)), (height, width), np.uint8),
        draw(st.integers(0, W - width)),
        draw(st.integers(0, H - height)),
        draw(st.sampled_from([0, 1, 2, 3])),
        draw(st.sampled_from([None, 0, 3])),
    )


@st.composite
def parts_(draw):
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        rest = draw(st.lists(frames_(first=False), max_size=2))
        parts.append([draw(frames_(first=True)), *rest])
    return parts


@settings(max_examples=60, deadline=None)
@given(parts_())
def test_parts_play_joined_as_they_do_alone(parts):
    with tempfile.TemporaryDirectory() as folder:
        try:
            joined_as_alone(Path(folder), parts)
        except ValueError as error:
            assert "begins with transparent pixels" in str(error)


@pytest.mark.no_cover  # to trace how pixels are unpacked one by one takes four times as long
@settings(max_examples=60 if LONG else 20, deadline=None)  # each of 256 indices
@given(st.integers(0, 2**32), st.integers(2, 256), st.integers(1, 120), st.integers(1, 120))
def test_colours_are_found_in_the_codes_as_in_the_pixels(seed, colours, width, height):
    random = np.random.default_rng(seed)
    pixels = random.integers(0, colours, (height, width), np.uint8)
    pixels[:: random.integers(1, 9)] = random.integers(0, colours)
    image = Image.fromarray(pixels).convert("P")
    image.putpalette(bytes(range(256)) * 3)
    image.putdata(pixels.ravel().tolist())
    buffer = io.BytesIO()
    image.save(buffer, format="GIF", optimize=False)
    data = buffer.getvalue()
    frame = container._walk(data).frames[0]
    with Image.open(buffer) as back:
        present = set(np.unique(np.asarray(back)).tolist())
    assert {index for index in range(256) if container._may_emit(data, frame, index)} == present
