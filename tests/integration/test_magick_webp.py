"""The child process that builds a WebP: parts, seams, times, memory, and what it says of damage."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from framepipe.containers import inspect
from tests.integration.test_magick_child import ROOT, few_colours, many_colours, run, save, spec_file

W, H = 60, 40


NOT_OF_GIF = dict.fromkeys(("delays_cs", "colors", "dither", "palette"))


def fields_of(folder, frames, **fields):
    told = {"format": "webp", "output": str(folder / "out.webp"), "durations_ms": [40] * len(frames)}
    return NOT_OF_GIF | told | fields


def build(folder, frames, **fields):
    done, output = run(folder, frames, **fields_of(folder, frames, **fields))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"frame={len(frames)}"
    return output


def refused(folder, frames, **fields):
    done, output = run(folder, frames, **fields_of(folder, frames, **fields))
    assert done.returncode == 1
    assert not output.exists()
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def with_alpha(pictures):
    """All levels of alpha, in a block that moves in a frame without any."""
    shown = []
    for step, pixels in enumerate(pictures):
        alpha = np.zeros((H, W, 1), np.uint8)
        left = 5 + step % 30
        alpha[8:30, left : left + 20, 0] = np.arange(20) * 13 + step % 9
        shown.append(np.concatenate([pixels, alpha], axis=2))
    return shown


def on_screen(output, count, ms=40):
    """What is shown in the middle of each frame's time."""
    film = inspect(output, "webp")
    ends = np.cumsum([int(each * 1000) for each in film.durations_s])
    assert ends[-1] == count * ms
    places = np.searchsorted(ends, np.arange(count) * ms + ms / 2)
    decoded = []
    with Image.open(output) as image:
        for position in range(len(ends)):
            image.seek(position)
            decoded.append(np.array(image.convert("RGBA")))
    return [decoded[place] for place in places]


def assert_same(seen, expected):
    assert len(seen) == len(expected)
    for position, (one, two) in enumerate(zip(seen, expected)):
        if two.shape[2] == 3:
            two = np.dstack([two, np.full(two.shape[:2], 255, np.uint8)])
        assert np.array_equal(one[..., 3], two[..., 3]), f"alpha of frame {position}"
        seen_by_eye = two[..., 3:] > 0
        assert np.array_equal(one * seen_by_eye, two * seen_by_eye), f"frame {position}"


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("chunk_frames", [1, 2, 7, 60])
def test_sixty_frames_in_parts_are_what_was_drawn(tmp_path, chunk_frames, transparent):
    pictures = with_alpha(many_colours(60)) if transparent else many_colours(60)
    output = build(
        tmp_path, save(tmp_path, pictures), transparent=transparent, chunk_frames=chunk_frames, plays=3
    )
    assert_same(on_screen(output, 60), pictures)
    assert inspect(output, "webp").plays == 3


@pytest.mark.parametrize("transparent", [False, True])
def test_equal_frames_within_parts_and_over_seams_keep_their_time(tmp_path, transparent):
    one, two = with_alpha(few_colours(2)) if transparent else few_colours(2)
    order = [0, 0, 0, 0, 0, 1, 1, 0, 1, 1, 1, 1]
    frames = save(tmp_path, [one, two])
    output = build(tmp_path, [frames[which] for which in order], transparent=transparent, chunk_frames=3)
    assert_same(on_screen(output, 12), [(one, two)[which] for which in order])
    assert len(inspect(output, "webp").durations_s) < 12


def test_each_frame_has_its_own_time(tmp_path):
    times = [11, 1000, 16_777_000, 33, 34, 33, 5000]
    output = build(tmp_path, save(tmp_path, few_colours(7)), durations_ms=times, chunk_frames=3)
    assert inspect(output, "webp").durations_s == tuple(Fraction(each, 1000) for each in times)


def test_a_frame_without_anything_after_a_full_one_is_empty(tmp_path):
    full = np.full((H, W, 4), (200, 10, 10, 255), np.uint8)
    dot = np.zeros((H, W, 4), np.uint8)
    dot[20:22, 30:33] = (1, 2, 3, 128)
    pictures = [full, np.zeros_like(full), full, dot, np.zeros_like(full), dot]
    for chunk_frames in (1, 2, 3, 6):
        frames = save(tmp_path, pictures)
        output = build(tmp_path, frames, transparent=True, chunk_frames=chunk_frames)
        assert_same(on_screen(output, 6), pictures)


def test_parts_bound_the_memory(tmp_path):
    """96 frames at once are 96 x 0.3 Mpx x 24 bytes: 690 MB above what a few take."""
    few, many = tmp_path / "few", tmp_path / "many"
    peaks = []
    pixels = np.zeros((500, 600, 3), np.uint8)
    for folder, count in ((few, 4), (many, 96)):
        folder.mkdir()
        pictures = []
        for step in range(4):
            pixels[step * 100 : step * 100 + 50] = 40 * step
            pictures.append(pixels.copy())
        frames = [*save(folder, pictures)] * (count // 4)
        peaks.append(peak_mb(folder, frames))
    assert peaks[1] - peaks[0] < 250


def peak_mb(folder, frames):
    """Greatest resident memory of the child; measured by a lean parent, whose own it would inherit."""
    code = (
        "import resource, subprocess, sys; "
        "done = subprocess.run([sys.executable, '-m', 'framepipe.encoders.magick_child', sys.argv[1]]); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, done.returncode)"
    )
    spec = spec_file(folder, frames, **fields_of(folder, frames, width=600, height=500))
    done = subprocess.run(
        [sys.executable, "-c", code, str(spec)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
    )
    peak, returncode = done.stdout.splitlines()[-1].split()
    assert returncode == "0", done.stderr
    return int(peak) / (1e3 if sys.platform == "linux" else 1e6)


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [0, 100, -1])
def test_truncated_png_is_named_and_leaves_no_webp(tmp_path, keep):
    frames = save(tmp_path, many_colours(5))
    frames[3].write_bytes(frames[3].read_bytes()[:keep])
    message = refused(tmp_path, frames, chunk_frames=2)
    assert "frame 3 of 5" in message
    assert "f0003.png" in message


def test_limit_of_imagemagick_is_an_error(tmp_path):
    limits = {f"MAGICK_{kind}_LIMIT": "60KiB" for kind in ("MEMORY", "MAP", "DISK")}
    message = refused(tmp_path, save(tmp_path, few_colours(12)), environment=limits)
    assert "frames 0 to 11: " in message


@pytest.mark.parametrize(
    "fields",
    [
        {"durations_ms": [40]},
        {"durations_ms": [40, 0]},
        {"durations_ms": [40, 2**24]},
        {"plays": 65536},
        {"quality": 100},
        {"method": 7},
        {"colors": 3},
        {"format": "apng"},
    ],
)
def test_wrong_spec_is_one_line(tmp_path, fields):
    refused(tmp_path, save(tmp_path, few_colours(2)), **fields)


def test_quality_of_a_lossy_one_is_as_asked(tmp_path):
    sizes = []
    for quality in (10, 50, 90):
        output = build(tmp_path, save(tmp_path, many_colours(3)), lossless=False, quality=quality)
        sizes.append(output.stat().st_size)
    assert sizes == sorted(set(sizes))
