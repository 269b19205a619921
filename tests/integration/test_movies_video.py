"""Every codec in every container, by both ffmpegs: right frames, times, colours, transparency."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from matplotlib import pyplot as plt

import framepipe as fp
from framepipe.errors import UsageError
from framepipe.movie.probe import decoder
from tests.conftest import bundled_ffmpeg
from tests.integration.movies import built_by_hand, failed_checks, moving, see_through, sized, stored
from tests.support.sizes import all_if_long

WAYS = {
    "mp4 h264": ("mp4", {}),
    "mp4 h265": ("mp4", {"codec": "h265"}),
    "mp4 av1": ("mp4", {"codec": "av1"}),
    "mp4 h264 444": ("mp4", {"chroma": "444"}),
    "mp4 h265 444 10": ("mp4", {"codec": "h265", "chroma": "444", "depth": 10}),
    "mp4 lossless": ("mp4", {"quality": "lossless"}),
    "webm vp9": ("webm", {}),
    "webm av1 10": ("webm", {"codec": "av1", "depth": 10}),
    "webm lossless": ("webm", {"quality": "lossless"}),
    "mkv ffv1": ("mkv", {}),
    "mov prores": ("mov", {}),
}
KEEP_ALPHA = {"webm vp9", "mkv ffv1", "mov prores"}


def seen(movie: fp.Movie, name: str) -> str:
    return next(check.seen for check in movie.report.checks if check.name == name)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("scene", [moving, see_through], ids=["opaque", "transparent"])
def test_a_movie_of_every_codec_is_right(stores, tmp_path, way, scene, each_ffmpeg):
    format_, options = WAYS[way]
    movie = fp.assemble(stores(scene, 6), tmp_path / f"m.{format_}", fps=10, **options)
    assert movie.report.passed
    assert (movie.frames, movie.duration_s) == (6, pytest.approx(0.6))
    if "lossless" in way or way == "mkv ffv1":
        exact = scene is moving or way in KEEP_ALPHA
        assert not exact or seen(movie, "lossless") == "equal to the sources"
    else:
        assert seen(movie, "colours") == "BT.709, limited range"


#: It neither writes AV1 nor reads the movie.
OLD = """#!/bin/sh
for each; do
    case "$before $each" in *av1*|"-i movie") echo "no AV1 here" >&2; exit 1;; esac
    before=$each
done
exec {real} "$@"
"""


def test_a_movie_is_verified_by_an_ffmpeg_that_knows_its_codec(stores, tmp_path, monkeypatch):
    movie = fp.assemble(stores(moving, 6), tmp_path / "m.mp4", fps=10, codec="av1")
    old = tmp_path / "old-ffmpeg"
    old.write_text(OLD.format(real=bundled_ffmpeg()))
    old.chmod(0o755)
    monkeypatch.setenv("FRAMEPIPE_FFMPEG", str(old))
    assert decoder("mp4").path == str(old)
    assert fp.verify(movie.path, stores(moving)).passed


@pytest.mark.parametrize("way", ["mp4 h265", "webm vp9", "mkv ffv1", "mov prores", "webm lossless"])
@pytest.mark.parametrize(("width", "height", "count"), all_if_long([(51, 33, 1), (34, 21, 2)], (51, 33, 1)))
def test_odd_sizes_and_one_or_two_frames_are_no_trouble(stores, tmp_path, way, width, height, count):
    format_, options = WAYS[way]
    store = stored(tmp_path / "s", sized, count, params={"width": width, "height": height})
    movie = fp.assemble(store, tmp_path / f"m.{format_}", fps=10, **options)
    assert movie.frames == count
    even = (width + width % 2, height + height % 2)
    assert (movie.width, movie.height) == (even if "colours" in str(movie.report.checks) else (width, height))


@pytest.mark.parametrize("way", ["webm vp9", "mkv ffv1", "mov prores"])
def test_transparency_is_in_the_file(stores, tmp_path, way, each_ffmpeg):
    store = stores(see_through, 3)
    movie = fp.assemble(store, tmp_path / f"m.{WAYS[way][0]}", fps=10)
    reader = ["-c:v", "libvpx-vp9"] if way == "webm vp9" else []
    command = [
        each_ffmpeg,
        "-v",
        "error",
        *reader,
        "-i",
        str(movie.path),
        "-frames:v",
        "1",
        "-pix_fmt",
        "rgba",
    ]
    raw = subprocess.run([*command, "-f", "rawvideo", "-"], check=True, capture_output=True).stdout
    alpha = np.frombuffer(raw, np.uint8).reshape(-1, 4)[:, 3]
    assert alpha.min() <= 2 and alpha.max() >= 253


def tab10(k):
    """Ten flat colours."""
    fig = plt.figure(figsize=(3.2, 0.64), dpi=50)
    colours = (np.array(plt.get_cmap("tab10").colors) * 255).round().astype(np.uint8)
    fig.figimage(np.repeat(np.repeat(colours[None], 32, 0), 16, 1))
    return fig


@pytest.mark.parametrize("way", ["mp4 h264 444", "mp4 h265 444 10", "mov prores"])
def test_matplotlibs_colours_are_right_to_two_steps_in_444(stores, tmp_path, way, each_ffmpeg):
    format_, options = WAYS[way]
    movie = fp.assemble(stores(tab10, 2), tmp_path / f"m.{format_}", fps=10, quality="best", **options)
    command = [each_ffmpeg, "-v", "error", "-i", str(movie.path), "-frames:v", "1"]
    command += [
        "-vf",
        "scale=in_color_matrix=bt709:in_range=tv:out_range=pc:flags=accurate_rnd+full_chroma_int",
    ]
    raw = subprocess.run(
        [*command, "-pix_fmt", "gbrp", "-f", "rawvideo", "-"], check=True, capture_output=True
    ).stdout
    green, blue, red = np.frombuffer(raw, np.uint8).reshape(3, 32, 160).astype(int)
    colours = (np.array(plt.get_cmap("tab10").colors) * 255).round().astype(int)
    for k, colour in enumerate(colours):
        middle = (slice(8, 24), slice(16 * k + 4, 16 * k + 12))
        shown = [plane[middle].mean() for plane in (red, green, blue)]
        assert np.abs(np.array(shown) - colour).max() <= 2, (k, shown, colour)


ORDERS = {
    "dropped": [0, 1, 2, 4, 5, 6, 7],
    "duplicated": [0, 1, 2, 3, 3, 4, 5, 6, 7],
    "swapped": [0, 1, 2, 4, 3, 5, 6, 7],
    "stale": [0, 1, 2, 2, 4, 5, 6, 7],
}


WITH_ORDERS = ["webm vp9", "mkv ffv1", "mov prores", "mp4 h265", "mp4 av1", "mp4 lossless"]


@pytest.mark.parametrize("way", WITH_ORDERS)
@pytest.mark.parametrize(
    "order",
    [
        pytest.param(order, marks=() if name == "swapped" else pytest.mark.long)
        for name, order in ORDERS.items()
    ],
    ids=ORDERS.keys(),
)
def test_a_wrong_film_is_found_in_every_codec(stores, tmp_path, way, order):
    format_, options = WAYS[way]
    store = stores(moving, 8)
    movie = built_by_hand(tmp_path / f"m.{format_}", store, order, **options)
    wrong = failed_checks(fp.verify(movie, store, fps=25, **options))
    assert wrong & ({"frames"} if len(order) != 8 else {"order", "patches", "pictures", "lossless"})


@pytest.mark.long
@pytest.mark.parametrize("way", ["webm vp9", "mkv ffv1", "mov prores"])
def test_a_film_that_is_cut_short_is_found(stores, tmp_path, way):
    format_, options = WAYS[way]
    store = stores(moving, 8)
    movie = fp.assemble(store, tmp_path / f"m.{format_}", fps=25, **options).path
    data = movie.read_bytes()
    for share in (0.5, 0.9, 0.99):
        movie.write_bytes(data[: int(len(data) * share)])
        assert not fp.verify(movie, store, fps=25, **options).passed, share


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("a.webm", {"codec": "h264"}, "webm holds vp9, av1, not h264"),
        ("a.mp4", {"codec": "av1", "chroma": "444"}, "av1 has no 8 bits in 4:4:4"),
        ("a.mp4", {"codec": "h265", "quality": "lossless"}, "h265 is not made lossless"),
        ("a.mp4", {"crf": 60}, "crf 60 requested; h264 supports 0 to 51"),
        ("a.mp4", {"quality": "superb"}, "quality is 'superb'; give one of"),
        ("a.webm", {"encoder": "imagemagick"}, "ImageMagick builds no webm"),
        ("a.mp4", {"codec_options": {"a b": "1"}}, "codec_options 'a b'"),
    ],
    ids=str,
)
def test_what_a_codec_cannot_do_is_told(stores, tmp_path, name, options, words):
    with pytest.raises(UsageError, match=words):
        fp.assemble(stores(moving, 2), tmp_path / name, **options)


def test_a_picture_too_small_for_av1_is_told(tmp_path):
    store = stored(tmp_path / "s", sized, 1, params={"width": 70, "height": 40})
    with pytest.raises(UsageError, match="av1 has no pictures of 70x40 px; 64 at least"):
        fp.assemble(store, tmp_path / "a.mp4", codec="av1")


def test_an_option_of_the_codec_reaches_it(stores, tmp_path):
    store = stores(moving, 6)
    plain = fp.assemble(store, tmp_path / "a.mp4", fps=10)
    tuned = fp.assemble(store, tmp_path / "b.mp4", fps=10, codec_options={"x264-params": "keyint=1"})
    assert tuned.size_bytes > 1.2 * plain.size_bytes
    with pytest.raises(fp.EncoderFailed):
        fp.assemble(store, tmp_path / "c.mp4", fps=10, codec_options={"no_such_option": "1"})


def test_an_encoder_that_is_not_there_is_a_clear_error(stores, tmp_path, monkeypatch):
    script = tmp_path / "ffmpeg"
    script.write_text(
        '#!/bin/sh\ncase "$*" in *libsvtav1*) echo "Unknown encoder libsvtav1" >&2; exit 1;; esac\nexec /usr/bin/ffmpeg "$@"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("FRAMEPIPE_FFMPEG", str(script))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("framepipe.encoders.ffmpeg._shipped", lambda: None)
    with pytest.raises(fp.ToolMissing, match="libsvtav1"):
        fp.assemble(stores(moving, 2), tmp_path / "a.mp4", codec="av1")
