"""Movies for a place: built as it demands, refused before drawing, and measured for their size after."""

from __future__ import annotations

import re
import subprocess

import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

import framepipe as fp
from tests.integration.movies import failed_checks, moving, stored


def streams(path):
    return subprocess.run(["ffmpeg", "-hide_banner", "-i", path], capture_output=True, text=True).stderr


@pytest.mark.parametrize(
    ("target", "name", "options", "found"),
    [
        ("web", "a.mp4", {}, r"h264 \(High\).*yuv420p\("),
        ("web", "a.webm", {}, r"vp9.*yuv420p\("),
        ("slides", "a.mp4", {"quality": "best"}, r"h264 \(High\).*yuv420p\("),
        ("archive", "a.mkv", {}, r"Video: ffv1"),
        ("archive", "a.mp4", {"quality": "lossless"}, r"h264 \(High 4:4:4 Predictive\).*gbrp"),
        ("mastodon", "a.mp4", {}, r"h264 \(High\).*yuv420p\("),
        ("mastodon", "a.gif", {"fps": 20}, "gif"),
    ],
)
def test_a_movie_is_what_the_place_takes(stores, tmp_path, target, name, options, found):
    movie = fp.assemble(stores(moving), tmp_path / name, target=target, **options)
    assert movie.report.passed
    assert re.search(found, streams(movie.path))
    sizes = [check for check in movie.report.checks if check.name == "file size"]
    assert len(sizes) == (target == "mastodon")
    assert fp.verify(movie.path, stores(moving)).checks == movie.report.checks


def test_without_a_target_a_movie_is_byte_for_byte_as_for_the_web(stores, tmp_path):
    plain = fp.assemble(stores(moving), tmp_path / "plain.mp4")
    web = fp.assemble(stores(moving), tmp_path / "web.mp4", target="web")
    assert plain.path.read_bytes() == web.path.read_bytes()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["-o", "a.gif", "--for", "slides"], "for slides: it takes .mp4, not .gif"),
        (
            ["-o", "a.mp4", "-o", "a.mkv", "--for", "web"],
            "for web: it takes .mp4, .webm, .gif, .webp, not .mkv",
        ),
        (["-o", "a.mp4", "--for", "web", "--codec", "h265"], "for web: mp4 is h264, not h265"),
        (["-o", "a.mp4", "--for", "slides", "--fps", "90"], "for slides: 90 fps is more than 60"),
        (["-o", "a.mp4", "--for", "archive"], "for archive: mp4 as requested is not lossless"),
    ],
)
def test_a_conflict_is_told_before_a_frame_is_drawn(folder, cli, args, words):
    done = cli("make", "scene.py:draw", "--frames", 3, *args)
    assert done.returncode == 2
    assert words in done.stderr
    assert not (folder / "frames").exists()


def wide(k):
    """More than a GIF may have on Mastodon."""
    fig = plt.figure(figsize=(13, 7.2), dpi=100)
    fig.text(0.5, 0.5, str(k))
    return fig


def test_a_size_that_is_too_large_is_told_before_anything_is_built(tmp_path):
    store = stored(tmp_path / "s", wide, 2)
    with pytest.raises(fp.UsageError, match="for mastodon: frames of 1300x720 px have more than 921,600"):
        fp.assemble(store, tmp_path / "a.gif", target="mastodon")
    assert fp.assemble(store, tmp_path / "a.mp4", target="mastodon").report.passed


def test_a_file_that_is_too_large_fails_verification_and_is_not_published(tmp_path):
    for k in range(8):  # noise in 256 greys: a GIF of it is exact, and as large as can be
        noise = np.random.default_rng(k).integers(0, 256, (700, 1300), np.uint8)
        Image.fromarray(noise).convert("RGB").save(tmp_path / f"n{k}.png", compress_level=1)
    fp.adopt(str(tmp_path / "n*.png"), store=tmp_path / "s")
    with pytest.raises(fp.VerificationFailed) as caught:
        fp.assemble(tmp_path / "s", tmp_path / "a.gif", target="mastodon", bounce=True)
    report = caught.value.report
    assert failed_checks(report) == {"file size"}
    (size,) = [check for check in report.checks if check.name == "file size"]
    assert size.expected == "at most 16,777,215 bytes for mastodon"
    rejected = tmp_path / "a.rejected.gif"
    assert size.seen == f"{rejected.stat().st_size:,} bytes"
    assert rejected.stat().st_size > 16_777_215
    assert not (tmp_path / "a.gif").exists()
