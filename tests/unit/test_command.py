"""A scene that is another program: its arguments, its picture, its failures."""

from __future__ import annotations

import io
import os
import pickle
import signal
import struct
import time
import zlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from framepipe.core import files, image_files, png
from framepipe.core.frame_program import KEPT_BYTES
from framepipe.core.shape import Shape
from framepipe.errors import FrameSizeError, RenderError, UsageError
from framepipe.job.canvas import Canvas
from framepipe.movie.cleanup import delete_frames
from framepipe.scenes.command import CommandScene
from framepipe.scenes.picture import FrameGeometry
from framepipe.store.failures import FailureLog
from framepipe.store.store import Store

RGB, RGBA = FrameGeometry(Shape(7, 5, "RGB")), FrameGeometry(Shape(7, 5, "RGBA"))
PIXELS = np.random.default_rng(3).integers(0, 256, (5, 7, 4), np.uint8)


@dataclass(frozen=True)
class Task:
    number: int = 137
    index: int = 2
    value: Any = None
    replay: bool = False


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Puts a small shell script on PATH; ``folder`` is where it works and its temporaries lie."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "tmp").mkdir()
    monkeypatch.chdir(tmp_path)

    def write(body: str, name: str = "draw") -> str:
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return name

    return write


@pytest.fixture
def drawn(program):
    """The picture that a program leaves which writes these bytes."""

    def draw(data: bytes, geometry: FrameGeometry | None = None):
        Path("source").write_bytes(data)
        program('cp source "$1"')
        return picture("draw {output}", geometry=geometry)

    return draw


def picture(command: str, geometry: FrameGeometry | None = None, retries: int = 0, **task: Any):
    return CommandScene(command, retries=retries).player().picture(Task(**task), Canvas(), geometry)


def saved(pixels, format_="PNG", mode=None, **keywords) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(buffer, format_, **keywords)
    return buffer.getvalue()


PLAIN = saved(PIXELS[..., :3])


def failure(command: str, **keywords: Any) -> RenderError:
    with pytest.raises(RenderError) as caught:
        picture(command, **keywords)
    return caught.value


# The command


HOSTILE = [
    "a b",
    "it's",
    '"',
    "; touch hacked",
    "a\nb",
    "-rf",
    "$(touch hacked)",
    "`id`",
    "*",
    "{output}",
    "",
    "é\\n",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_arrives_as_one_argument_and_as_it_is(program, value):
    program('for word in "$@"; do printf "%s\\0" "$word" >> words; done; exit 1')
    failure("draw {value} --x={value} {output}", value=value)
    one, other, output, rest = Path("words").read_bytes().split(b"\0")
    assert (one.decode(), other.decode()) == (value, f"--x={value}")
    assert output.endswith(b"/frame_000137.png")
    assert rest == b""
    assert not Path("hacked").exists()


@pytest.mark.parametrize(
    ("word", "value", "seen"),
    [
        ("{number}", None, "137"),
        ("{number:06d}:{index}", None, "000137:2"),
        ("'{{a b}}'", None, "{a b}"),
        ("{value:.2f}", 1.5, "1.50"),
        ("{value}", np.float64(0.25), "0.25"),
        ("{value}", True, "True"),
        ("{value}", [1, {"a": None}], '[1, {"a": null}]'),
        ("{value:>5}", "x", "    x"),
        ("{value}", Path("a b"), "a b"),
    ],
)
def test_placeholders_are_filled(program, word, value, seen):
    program('printf %s "$1" > word; exit 1')
    failure(f"draw {word} {{output}}", value=value)
    assert Path("word").read_text() == seen


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("draw {number}", "has no {output}"),
        ("draw {output} {frame}", "not {frame}"),
        ("draw {output} {value.__class__}", "not {value.__class__}"),
        ("draw {output} {value[0]}", r"not {value\[0\]}"),
        ("draw {output} {value!r}", "not {value!r}"),
        ("draw {output} {}", "not {}"),
        ("draw {output} {number:{value}}", "not {number}"),
        ("draw {output} {", "Single '{'"),
        ("draw {output} {number:x-y}", "Invalid format specifier"),
        ("draw '{output}", "No closing quotation"),
        ("", "is empty"),
        ("{value} {output}", "the program itself"),
        ("no-such-program {output}", "is not a program on PATH"),
    ],
)
def test_a_command_that_cannot_work_is_refused_with_the_reason(program, command, says):
    program("exit 0")
    with pytest.raises(UsageError, match=says):
        CommandScene(command)


@pytest.mark.parametrize("value", [object(), None, [object()], [float("nan")], b"bytes", "a\0b"])
def test_a_value_that_is_no_argument_is_refused(program, value):
    program("touch ran")
    with pytest.raises(UsageError, match="frame 137: its value"):
        picture("draw {value} {output}", value=value)
    assert not Path("ran").exists()


def test_a_format_that_the_value_does_not_take_is_a_usage_error(program):
    program("exit 1")
    for value in ("text", Fraction(1, 3)):
        with pytest.raises(UsageError, match="frame 137"):
            picture("draw {value:d} {output}", value=value)


def test_a_value_that_no_placeholder_asks_for_may_be_anything(program):
    program("exit 7")
    assert "exited with code 7" in str(failure("draw {output}", value=object()))


def test_a_scene_says_what_decides_its_pixels(program):
    program("exit 0")
    Path("state.py").touch()
    scene = CommandScene("draw -s 'state.py' {output}")
    assert (scene.name, scene.stem, scene.ref, scene.sources) == ("draw", "state", None, ())
    assert (scene.params, scene.data(), scene.style(), scene.keeps_state) == ({}, {}, {}, False)
    assert scene.code_digest() == CommandScene("draw  -s state.py {output}").code_digest()
    assert scene.code_digest() != CommandScene("draw -s state.py  '{output} '").code_digest()
    assert pickle.loads(pickle.dumps(scene)).code_digest() == scene.code_digest()


# The program


def test_the_program_runs_here_in_our_process_group_with_nothing_to_read(program):
    program('pwd > where; ps -o pgid= -p $$ > group; cat > typed; cp source "$1"')
    Path("source").write_bytes(PLAIN)
    picture("draw {output}")
    assert Path("where").read_text().strip() == str(Path.cwd())
    assert int(Path("group").read_text()) == os.getpgrp()
    assert Path("typed").read_bytes() == b""


def test_no_temporary_is_left_and_those_of_killed_processes_are_swept(program, tmp_path):
    program("exit 1")
    failure("draw {output}")
    assert list((tmp_path / "tmp").iterdir()) == []
    ours = files.temporary_beside(tmp_path / "tmp" / "framepipe-command").name
    dead = tmp_path / "tmp" / ours.replace(f".{os.getpid()}.", ".999999999.")
    dead.mkdir()
    (dead / "frame_000001.png").touch()
    CommandScene("draw {output}").player()
    assert not dead.exists()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("exit 1", "draw exited with code 1"),
        ("kill -9 $$", "draw was killed by signal 9 (SIGKILL)"),
        ("exit 0", "draw exited with code 0 but wrote nothing to {output} (frame_000137.png)"),
        ('cp source "$1.0001"', "(frame_000137.png); it wrote frame_000137.png.0001 instead"),
        ('mkdir "$1"', "but wrote nothing to {output}"),
        (': > "$1"', "wrote an empty file (0 bytes)"),
        ('echo hello > "$1"', r"wrote something that is no picture (first bytes b'hello\n')"),
        ('head -c 90 source > "$1"', "wrote a damaged PNG (is cut short"),
        ('head -c -12 source > "$1"', "wrote a damaged PNG (is cut short"),
        ('head -c 2000 photo > "$1"', "wrote a damaged picture (image file is truncated"),
        ('cp source "$1"; exit 3', "draw exited with code 3"),
    ],
)
def test_each_failure_has_its_words(program, body, says):
    Path("source").write_bytes(PLAIN)
    Path("photo").write_bytes(saved(np.tile(PIXELS[..., :3], (20, 20, 1)), "JPEG"))
    program(body)
    assert says in str(failure("draw {output}")).splitlines()[0]


def test_a_picture_that_pillow_would_run_a_program_for_is_not_read(program):
    Path("source").write_bytes(saved(PIXELS[..., :3], "EPS"))
    program("touch hacked", name="gs")
    program('cp source "$1"')
    assert "wrote something that is no picture" in str(failure("draw {output}"))
    assert not Path("hacked").exists()


def test_a_failure_ends_with_what_the_program_printed_last_and_says_how_to_go_on(program):
    program('for i in 1 2 3 4 5 6 7 8 9 10 11; do echo "out $i"; done; printf "\\033[31merr\\n" >&2; exit 1')
    error = failure("draw {value} {output}", value="a b")
    first, worker, where, *last = str(error).splitlines()
    assert first == "draw exited with code 1"
    assert worker == "  run it by hand: draw 'a b' frame_000137.png"
    assert where == "  it printed last (all of it: logs/frame_000137.log in the store):"
    assert last == [f"    out {k}" for k in range(3, 12)] + ["    [31merr"]
    assert error.log.startswith(b"# draw exited with code 1\n# draw 'a b' frame_000137.png\nout 1\n")
    assert error.log.endswith(b"\x1b[31merr\n")
    assert pickle.loads(pickle.dumps(error)).log == error.log


def test_of_a_flood_the_first_and_the_last_is_kept(program):
    program("echo first; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last; exit 1")
    error = failure("draw {output}")
    assert b"\nfirst\nxxx" in error.log
    assert error.log.endswith(b"xxx\nlast\n")
    assert b"bytes left out" in error.log
    assert len(error.log) < 2 * KEPT_BYTES + 300
    assert str(error).endswith("    last")
    assert len(str(error)) < 1000


def test_a_process_that_the_program_leaves_behind_is_not_waited_for(program):
    program('sleep 20 & echo $! > pid; cp source "$1"')
    Path("source").write_bytes(PLAIN)
    try:
        began = time.monotonic()
        assert picture("draw {output}").png == PLAIN
        assert time.monotonic() - began < 10
        os.kill(int(Path("pid").read_text()), 0)  # it still runs
    finally:
        os.kill(int(Path("pid").read_text()), 9)


def test_an_interrupt_ends_the_program(program):
    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupt)
    program("echo $$ > pid; sleep 0.5; kill -USR1 $PPID; exec sleep 20")
    try:
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            picture("draw {output}")
        assert time.monotonic() - began < 10
    finally:
        signal.signal(signal.SIGUSR1, before)
    with pytest.raises(ProcessLookupError):
        os.kill(int(Path("pid").read_text()), 0)


def test_a_frame_is_tried_again_as_often_as_asked_and_no_more(program):
    program('echo x >> tries; [ $(wc -l < tries) -ge 3 ] && cp source "$1"; exit 0')
    Path("source").write_bytes(PLAIN)
    assert "wrote nothing to {output} (frame_000137.png) (tried 2 times)" in str(
        failure("draw {output}", retries=1)
    )
    assert len(Path("tries").read_text().split()) == 2
    assert picture("draw {output}", retries=5).png == PLAIN
    assert len(Path("tries").read_text().split()) == 3


def test_a_picture_of_another_size_is_a_size_error_and_not_tried_again(program):
    program('echo x >> tries; echo hint; cp source "$1"')
    Path("source").write_bytes(PLAIN)
    with pytest.raises(FrameSizeError, match="draw wrote 7x5 px; the first frame has 8x5") as caught:
        picture("draw {output}", geometry=FrameGeometry(Shape(8, 5, "RGB")), retries=3)
    assert str(caught.value).endswith("hint")
    assert caught.value.log.endswith(b"hint\n")
    assert Path("tries").read_text() == "x\n"


def test_a_program_that_is_gone_or_cannot_run_is_named(program, tmp_path):
    program("exit 0")
    scene = CommandScene("draw {output}")
    (tmp_path / "bin" / "draw").unlink()
    with pytest.raises(RenderError, match="draw cannot be started: No such file"):
        scene.player().picture(Task(), Canvas(), None)


# The picture


@pytest.mark.parametrize("channels", [3, 4])
def test_a_plain_png_keeps_its_bytes_apart_from_the_passport(drawn, channels):
    about = png._chunk(b"tEXt", b"Software\0somebody's")
    data = saved(PIXELS[..., :channels], dpi=(200, 200))
    data = data[:33] + about + data[33:-12] + about + data[-12:]
    found = drawn(data)
    assert found.png == data
    assert np.array_equal(found.pixels, PIXELS[..., :channels])
    assert str(found.geometry.shape) == f"7x5 {'RGBA' if channels == 4 else 'RGB'}"
    frame = found.encoded("who I am")
    chunk = png._chunk(b"tEXt", b"framepipe\0who I am")
    assert frame == data[:33] + chunk + data[33:]
    assert png.inspect_bytes(frame).stamp == "who I am"


def grey16(values) -> bytes:
    return saved(np.asarray(values, np.uint16))


def colour16(pixels) -> bytes:
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    head = png._chunk(b"IHDR", struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, 2, 0, 0, 0))
    return png.SIGNATURE + head + png._chunk(b"IDAT", zlib.compress(rows)) + png._END


def interlaced(pixels) -> bytes:
    """Adam7 by hand: W3C PNG, 8.2."""
    passes = [
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ]
    rows = b""
    for top, left, down, right in passes:
        part = pixels[top::down, left::right]
        rows += b"".join(b"\0" + row.tobytes() for row in part) if part.size else b""
    head = png._chunk(b"IHDR", struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 2, 0, 0, 1))
    return png.SIGNATURE + head + png._chunk(b"IDAT", zlib.compress(rows)) + png._END


COLOURS = PIXELS[..., :3]
GREY = np.repeat(PIXELS[..., :1], 3, 2)
WIDE = PIXELS[..., :3].astype(np.uint16) * 257
OTHERS = {
    "interlaced": (interlaced(COLOURS), COLOURS),
    "16 bits grey": (grey16(PIXELS[..., 0].astype(np.uint16) * 257), GREY),
    "16 bits colour": (colour16(WIDE), COLOURS),
    "grey": (saved(PIXELS[..., 0]), GREY),
    "palette": (saved(COLOURS & 192, mode="P"), None),
    "bmp": (saved(COLOURS, "BMP"), COLOURS),
    "tiff": (saved(COLOURS, "TIFF"), COLOURS),
    "lossless webp with alpha": (saved(PIXELS, "WEBP", lossless=True, exact=True), PIXELS),
    "png of two pictures": (
        saved(COLOURS, save_all=True, append_images=[Image.fromarray(255 - COLOURS)]),
        COLOURS,
    ),
    "jpeg": (saved(COLOURS, "JPEG", quality=95), None),
}


@pytest.mark.parametrize(("data", "pixels"), OTHERS.values(), ids=OTHERS.keys())
def test_any_other_picture_is_read_by_its_content_and_written_as_a_plain_png(drawn, data, pixels):
    found = drawn(data)
    if pixels is None:
        pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert found.png is None
    frame = found.encoded("me")
    assert image_files.plain_png(frame)
    with Image.open(io.BytesIO(frame)) as image:
        assert np.array_equal(np.asarray(image), pixels)


def test_a_transparent_colour_becomes_alpha(drawn):
    data = saved(COLOURS, transparency=tuple(map(int, COLOURS[0, 0])))
    found = drawn(data)
    assert (found.png, found.pixels.shape) == (None, (5, 7, 4))
    assert found.pixels[0, 0, 3] == 0
    assert found.pixels[1, 1, 3] == 255


def test_opaque_alpha_goes_only_where_the_first_frame_had_none(drawn):
    opaque = saved(np.dstack([COLOURS, np.full((5, 7), 255, np.uint8)]))
    assert drawn(opaque).png == opaque
    assert drawn(opaque, RGBA).png == opaque
    without = drawn(opaque, RGB)
    assert (without.png, without.geometry) == (None, RGB)
    assert np.array_equal(without.pixels, COLOURS)


def test_a_picture_without_alpha_gets_it_where_the_first_frame_had_it(drawn):
    found = drawn(PLAIN, RGBA)
    assert (found.png, found.geometry) == (None, RGBA)
    assert np.array_equal(found.pixels[..., :3], COLOURS)
    assert (found.pixels[..., 3] == 255).all()


def test_transparent_pixels_in_an_opaque_movie_are_an_error(drawn):
    with pytest.raises(FrameSizeError, match="transparent pixels; the first frame has none"):
        drawn(saved(PIXELS), RGB)


# Logs in the store


def test_a_log_is_kept_and_dropped_and_nothing_depends_on_it(tmp_path):
    store = Store(tmp_path / "s")
    FailureLog(store.path).keep_output(3, b"no folder yet")
    FailureLog(store.path).drop(3)
    store.path.mkdir()
    FailureLog(store.path).keep_output(137, b"one")
    FailureLog(store.path).keep_output(137, b"other")
    assert (store.path / "logs" / "frame_000137.log").read_bytes() == b"other"
    assert store.numbers() == []
    FailureLog(store.path).drop(137)
    FailureLog(store.path).drop(137)
    assert list((store.path / "logs").iterdir()) == []


def test_a_logs_folder_that_points_elsewhere_is_left_alone(tmp_path):
    elsewhere = tmp_path / "mine"
    elsewhere.mkdir()
    (elsewhere / "frame_000001.log").write_text("precious")
    store = Store(tmp_path / "s")
    store.path.mkdir()
    (store.path / "logs").symlink_to(elsewhere)
    FailureLog(store.path).keep_output(1, b"x")
    FailureLog(store.path).keep_output(2, b"x")
    FailureLog(store.path).drop(1)
    delete_frames(store, None)
    assert [path.read_text() for path in elsewhere.iterdir()] == ["precious"]


def test_cleaning_takes_the_logs_of_a_store_without_frames_but_nothing_else(tmp_path):
    for name, stays in (("empty", False), ("used", True)):
        store = Store(tmp_path / name)
        store.path.mkdir()
        FailureLog(store.path).keep_output(1, b"x")
        if stays:
            (store.path / "logs" / "my.log").touch()
        delete_frames(store, None)
        assert store.path.exists() == stays
        assert [path.name for path in (store.path / "logs").glob("*")] == (["my.log"] if stays else [])
