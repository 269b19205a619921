"""Frames that something happened to: each is named with its reason, none gets into a movie."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import framepipe
from framepipe.core import png
from tests.faults.conftest import FRAMES, SEED, Bench, frames_in, pixels_of

VICTIM = 4


def passport_of(path: Path) -> str:
    info = png.inspect(path)
    assert info is not None and info.stamp
    return info.stamp


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def rewrite(change: Callable[[bytearray], object]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        data = bytearray(path.read_bytes())
        change(data)
        path.write_bytes(data)

    return damage


def flip_a_bit_in_idat(data: bytearray) -> None:
    data[data.index(b"IDAT") + 40] ^= 4


def flip_a_bit_in_ihdr(data: bytearray) -> None:
    data[data.index(b"IHDR") + 7] ^= 1


def flip_a_bit_in_passport(data: bytearray) -> None:
    data[data.index(b'"fingerprint"') + 20] ^= 1


def other_size(path: Path) -> None:
    path.write_bytes(png.encode(np.ascontiguousarray(pixels(path)[:-2]), passport_of(path), dpi=50))


def with_alpha(path: Path) -> None:
    opaque = pixels(path)
    alpha = np.full((*opaque.shape[:2], 1), 255, np.uint8)
    path.write_bytes(png.encode(np.concatenate([opaque, alpha], axis=2), passport_of(path), dpi=50))


def as_jpeg(path: Path) -> None:
    Image.open(path).save(buffer := io.BytesIO(), "JPEG")
    path.write_bytes(buffer.getvalue())


def drawn_by_others(path: Path) -> None:
    path.write_bytes(png.encode(pixels(path)))


def unreadable_passport(path: Path) -> None:
    path.write_bytes(png.encode(pixels(path), "{not json", dpi=50))


def passport_of_other_parts(path: Path) -> None:
    data = json.loads(passport_of(path))
    data["parts"]["params"] = "0" * 64
    path.write_bytes(png.encode(pixels(path), json.dumps(data), dpi=50))


def become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "precious.txt").write_text("keep me")


def become_link(path: Path) -> None:
    shutil.move(path, path.parent.parent / "elsewhere.png")
    path.symlink_to(path.parent.parent / "elsewhere.png")


def become_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "zero-bytes": (lambda path: path.write_bytes(b"") and None, "empty"),
    "cut in half": (rewrite(lambda data: data.__delitem__(slice(len(data) // 2, None))), "cut short"),
    "last byte gone": (rewrite(lambda data: data.pop()), "cut short"),
    "bit in IDAT": (rewrite(flip_a_bit_in_idat), "checksum"),
    "bit in IHDR": (rewrite(flip_a_bit_in_ihdr), "checksum"),
    "bit in stamp": (rewrite(flip_a_bit_in_passport), "checksum"),
    "hole of zeros": (rewrite(lambda data: data.__setitem__(slice(1500, 1600), bytes(100))), "checksum"),
    "missing": (lambda path: path.unlink(), "missing"),
    "other size": (other_size, "100x73"),
    "RGBA among RGB": (with_alpha, "RGBA"),
    "JPEG": (as_jpeg, "does not start like a PNG"),
    "bytes after the end": (rewrite(lambda data: data.extend(b"trailing")), "after its end"),
    "two files in one": (rewrite(lambda data: data.extend(bytes(data))), "after its end"),
    "no stamp": (drawn_by_others, "not drawn by framepipe"),
    "unreadable stamp": (unreadable_passport, "stamp"),
    "stamp that does not fit itself": (passport_of_other_parts, "stamp"),
    "folder": (become_folder, "folder"),
    "link": (become_link, "link"),
    "fifo": (become_fifo, "special file"),
}


@pytest.fixture
def drawn(bench: Bench, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A finished store."""
    framepipe.render("tiny.py:draw", FRAMES, store=bench.store, engine="serial", order="free", seed=SEED)
    assert bench.frames() == undisturbed
    return bench


@pytest.fixture
def trap(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An encoder that leaves a trace when it is started; the path of the trace."""
    trace = bench.folder / "encoder-was-started"
    fake = bench.folder / "trap"
    fake.write_text(f"#!/bin/sh\necho started >> '{trace}'\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("FRAMEPIPE_FFMPEG", str(fake))
    return trace


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_frame_is_named_kept_out_of_the_movie_and_drawn_again(
    drawn: Bench,
    undisturbed: dict[str, bytes],
    undisturbed_movies: dict[str, str],
    trap: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    damage, reason = DAMAGES[name]
    damage(drawn.store / f"frame_{VICTIM:06d}.png")

    found = framepipe.status(drawn.store, deep=True)
    assert len(found.done) == FRAMES - 1
    said = dict.fromkeys(found.missing, "missing") | dict(found.broken)
    assert list(said) == [VICTIM]
    assert reason in said[VICTIM]

    for movie in ("movie.gif", "movie.mp4"):
        with pytest.raises(framepipe.IncompleteStore, match=f"(?s){VICTIM}.*{reason}|missing: {VICTIM}"):
            framepipe.assemble(drawn.store, movie)
        assert not os.path.lexists(movie)
    assert not trap.exists(), "the encoder was started although a frame is damaged"

    monkeypatch.delenv("FRAMEPIPE_FFMPEG")
    monkeypatch.setenv("FB_LOG", str(drawn.log))
    again = framepipe.resume(drawn.store, engine="serial", order="free")
    assert isinstance(again, framepipe.RenderReport)
    assert again.drawn == (VICTIM,)
    assert drawn.draws() == [VICTIM]
    assert drawn.frames() == undisturbed
    movie = framepipe.assemble(drawn.store, "movie.gif").path
    assert pixels_of(movie) == undisturbed_movies["gif"]


def test_what_stood_in_a_frames_place_is_not_lost(drawn: Bench) -> None:
    become_folder(drawn.store / "frame_000002.png")
    become_link(drawn.store / "frame_000003.png")
    target = (drawn.folder / "elsewhere.png").read_bytes()
    drawn.run("resume", "store", "--engine", "serial", "-q", ok=True)
    assert (drawn.folder / "elsewhere.png").read_bytes() == target
    assert len(list(drawn.store.rglob("precious.txt"))) == 1


def test_swapped_frames_are_both_named_and_drawn_again(drawn: Bench, undisturbed: dict[str, bytes]) -> None:
    first, second = drawn.store / "frame_000002.png", drawn.store / "frame_000007.png"
    first.rename(drawn.store / "third")
    second.rename(first)
    (drawn.store / "third").rename(second)
    done = drawn.run("status", "store", "--deep")
    assert done.returncode == 3
    assert "2: is frame 7 under another name" in done.stdout
    assert "7: is frame 2 under another name" in done.stdout
    assert "2: is frame 7" in drawn.run("assemble", "store", "-o", "movie.gif", "-q").stderr
    drawn.run("resume", "store", "--engine", "serial", "-q", ok=True)
    assert drawn.frames() == undisturbed


def test_many_damaged_frames_are_told_at_once_with_exit_code_3_and_no_traceback(
    drawn: Bench, trap: Path
) -> None:
    names = [
        "zero-bytes",
        "bit in IDAT",
        "missing",
        "JPEG",
        "folder",
        "fifo",
        "unreadable stamp",
        "other size",
    ]
    for number, name in enumerate(names):
        DAMAGES[name][0](drawn.store / f"frame_{number:06d}.png")
    env = {"FRAMEPIPE_FFMPEG": os.environ["FRAMEPIPE_FFMPEG"]}
    for verb in (("status", "store", "--deep"), ("assemble", "store", "-o", "a.gif", "-o", "a.mp4", "-q")):
        done = drawn.run(*verb, **env)
        assert done.returncode == 3
        text = done.stdout + done.stderr
        assert "Traceback" not in text
        for number, name in enumerate(names):
            kind = "missing" if name == "missing" else "broken"
            lines = [line for line in text.splitlines() if line.strip().startswith(f"{kind}: {number}")]
            assert lines and DAMAGES[name][1] in lines[0], f"{name}: {text}"
    assert not trap.exists()


def test_leftovers_of_a_longer_run_are_never_in_a_movie(
    bench: Bench, undisturbed_movies: dict[str, str]
) -> None:
    bench.run(
        "make",  # which deletes frames only of a store that it has begun
        "tiny.py:draw",
        "--frames",
        FRAMES + 5,
        "-o",
        "long.gif",
        "--keep-frames",
        "--store",
        "store",
        "--engine",
        "serial",
        "-q",
        ok=True,
    )
    done = bench.run(
        "make",
        "tiny.py:draw",
        "--frames",
        FRAMES,
        "--store",
        "store",
        "-o",
        "movie.gif",
        "--engine",
        "serial",
        "-q",
        ok=True,
    )
    assert f"{FRAMES} frames" in done.stdout
    assert pixels_of(bench.folder / "movie.gif") == undisturbed_movies["gif"]
    left = [f"frame_{number:06d}.png" for number in range(FRAMES, FRAMES + 5)]
    assert list(frames_in(bench.store)) == left, "frames of no verified movie were deleted"
    assert len(bench.draws()) == FRAMES + 5


def test_unreadable_frame_is_named(bench: Bench) -> None:
    """As root every file can be read: the frame is made unreadable by a link loop in the folder above."""
    bench.render("--engine", "serial", "-q", ok=True)
    (bench.store / "frame_000001.png").unlink()
    (bench.store / "frame_000001.png").symlink_to("frame_000001.png")
    done = bench.run("status", "store")
    assert done.returncode == 3
    assert "1: is a symbolic link" in done.stdout
