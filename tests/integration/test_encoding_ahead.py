"""Segments of a long movie are encoded while its later frames are drawn, and nothing depends on it."""

from __future__ import annotations

import hashlib

import pytest

import framepipe as fp
from tests.integration.movies import fake_ffmpeg
from tests.support.sizes import all_if_long

SCENE = """
import time
from pathlib import Path

import numpy as np

STORE = Path({store!r})


def draw(i):
    pixels = np.full((48, 64, 3), i % 200, np.uint8)
    pixels[:, i % 64] = 255  # within a block of 8 px nobody sees it move who only looks at means
    if {waits} and i == 300:  # until a segment of earlier frames is there
        until = time.monotonic() + 120
        while not [*STORE.glob("segments/*.{suffix}")]:
            assert time.monotonic() < until, "no segment was encoded while frames were drawn"
            time.sleep(0.05)
    return pixels
"""


def made(tmp_path, name, waits, suffix, **options):
    folder = tmp_path / name
    folder.mkdir()
    script = folder / "scene.py"
    script.write_text(SCENE.format(store=str(folder / "frames"), waits=waits, suffix=suffix))
    movie = folder / f"film.{suffix}"
    report = fp.make(f"{script}:draw", 320, movie, store=folder / "frames", fps=25, workers=2, **options)
    return movie, report


@pytest.mark.parametrize(
    ("suffix", "options"),
    all_if_long(
        [
            ("mp4", {"quality": "good"}),
            ("mp4", {"quality": "lossless"}),
            ("gif", {"palette": "per-frame"}),
            ("gif", {"palette": "viridis"}),
        ],
        ("mp4", {"quality": "good"}),
        ("gif", {"palette": "per-frame"}),
    ),
)
def test_a_movie_whose_segments_were_encoded_ahead_has_the_bytes_of_one_that_was_not(
    tmp_path, suffix, options
):
    movie, report = made(tmp_path, "ahead", True, suffix, keep_frames=True, **options)
    assert report.movies[0].report.passed
    later = tmp_path / f"later.{suffix}"
    for segment in (tmp_path / "ahead" / "frames" / "segments").iterdir():
        segment.unlink()
    fp.assemble(tmp_path / "ahead" / "frames", later, fps=25, workers=2, **options)
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (movie, later)}
    assert len(digests) == 1


def test_segments_of_frames_that_were_drawn_again_are_not_used(tmp_path):
    folder = tmp_path / "turning"
    folder.mkdir()
    script = folder / "scene.py"
    # the first 300 frames differ the second time, which the change of a file that they read brings about
    (folder / "level.txt").write_text("1")
    script.write_text(
        "from pathlib import Path\nimport time\nimport numpy as np\n"
        f"FOLDER = Path({str(folder)!r})\n"
        "def draw(i):\n"
        "    level = int((FOLDER / 'level.txt').read_text())\n"
        "    if i == 300 and level == 1:\n"
        "        until = time.monotonic() + 120\n"
        "        while not [*FOLDER.glob('frames/segments/*.mp4')] and time.monotonic() < until:\n"
        "            time.sleep(0.05)\n"
        "        (FOLDER / 'level.txt').write_text('9')\n"
        "    pixels = np.full((48, 64, 3), 20 * level, np.uint8)\n"
        "    pixels[:, i % 8 * 8 :][:, :8] = 255\n"
        "    return pixels\n"
    )
    report = fp.make(f"{script}:draw", 320, folder / "film.mp4", store=folder / "frames", fps=25, workers=2)
    assert report.movies[0].report.passed
    assert any("changed while frames were drawn" in note for note in report.render.notes)


def test_a_segment_that_is_being_encoded_when_the_last_frame_is_drawn_is_waited_for(tmp_path, monkeypatch):
    log = tmp_path / "encoded"
    body = f"if [[ $last == segment-*.mp4 ]]; then echo $last >> {log}; sleep 2; fi"
    fake_ffmpeg(tmp_path, monkeypatch, body)
    script = tmp_path / "scene.py"
    script.write_text(
        "from pathlib import Path\nimport time\nimport numpy as np\n"
        "def draw(i):\n"
        "    if i == 319:\n"
        "        until = time.monotonic() + 120\n"
        f"        while not Path({str(log)!r}).exists() and time.monotonic() < until:\n"
        "            time.sleep(0.05)\n"
        "    return np.full((48, 64, 3), i % 200, np.uint8)\n"
    )
    report = fp.make(f"{script}:draw", 320, tmp_path / "film.mp4", store=tmp_path / "s", fps=25, workers=2)
    assert report.movies[0].report.passed
    assert sorted(log.read_text().split()) == ["segment-000000.mp4", "segment-000001.mp4"]
    assert report.movies[0].notes == (), "whether there was time for it is nobody's concern"
