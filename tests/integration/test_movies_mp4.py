"""MP4s by real encoders: times, sizes, colours and the facts of the stream."""

from __future__ import annotations

import re
import struct
import subprocess
from fractions import Fraction

import numpy as np
import pytest
from matplotlib import pyplot as plt

import framepipe as fp
from tests.integration.movies import (
    half_see_through,
    moving,
    mp4_planes,
    mp4_times,
    rgb_by_bt709,
    see_through,
    sized,
)

TAB10 = plt.get_cmap("tab10").colors


@pytest.mark.parametrize("fps", [24, 25, 30, "30000/1001", 12.345, 120])
def test_an_mp4_has_its_times_at_any_rate(stores, tmp_path, each_ffmpeg, fps):
    movie = fp.assemble(stores(moving), tmp_path / "m.mp4", fps=fps)
    rate = Fraction(str(fps))
    times = mp4_times(each_ffmpeg, movie.path)
    assert len(times) == 6
    assert max(abs(seen - k / rate) for k, seen in enumerate(times)) < Fraction(1, 2000)
    assert movie.encoder.path == each_ffmpeg
    assert movie.duration_s == pytest.approx(float(6 / rate))
    assert [path.name for path in tmp_path.iterdir()] == ["m.mp4"]


@pytest.mark.parametrize("count", [1, 2])
def test_an_mp4_of_one_or_two_frames_is_held(stores, tmp_path, each_ffmpeg, count):
    movie = fp.assemble(stores(moving, count), tmp_path / "m.mp4", fps=10, hold_first_s=0.5, hold_last_s=0.8)
    assert movie.frames == len(mp4_times(each_ffmpeg, movie.path)) == (8 if count == 1 else 13)


def test_held_frames_show_the_same_picture(stores, tmp_path, each_ffmpeg):
    movie = fp.assemble(stores(moving), tmp_path / "m.mp4", fps=10, hold_last_s=0.5)
    luma, *_ = mp4_planes(each_ffmpeg, movie.path, 100, 76)
    assert len(luma) == 10
    apart = np.abs(np.diff(luma.astype(int), axis=0)).mean((1, 2))
    assert apart[5:].max() < 0.3 < apart[:5].min()


def boxes(path):
    data, at = path.read_bytes(), 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind.decode()
        at += size


def test_the_stream_is_what_every_player_shows(stores, tmp_path, each_ffmpeg):
    movie = fp.assemble(stores(moving), tmp_path / "m.mp4")
    said = subprocess.run(
        [each_ffmpeg, "-hide_banner", "-i", movie.path], capture_output=True, text=True
    ).stderr
    stream = re.search(r"Stream #0:0.*Video: (.*)", said)[1]
    assert stream.startswith("h264")
    assert re.search(r"yuv420p\(tv, bt709[,)]", stream), stream
    assert "100x76" in stream
    assert "25 fps" in stream
    found = list(boxes(movie.path))
    assert found.index("moov") < found.index("mdat")
    assert "Audio" not in said


@pytest.mark.parametrize(("width", "height"), [(99, 76), (33, 21), (51, 2), (2, 2)])
def test_an_odd_size_is_padded_by_one_line_of_ground(stores, tmp_path, each_ffmpeg, width, height):
    store = stores(sized, 3, params=(("width", width), ("height", height)))
    movie = fp.assemble(store, tmp_path / "m.mp4", crf=0)
    assert (movie.width, movie.height) == (width + width % 2, height + height % 2)
    luma, blue, red = mp4_planes(each_ffmpeg, movie.path, movie.width, movie.height)
    assert len(luma) == 3
    rgb = rgb_by_bt709(luma[0], blue[0], red[0])
    if width % 2 and not height % 2:
        assert rgb[:, -1] == pytest.approx(204, abs=3), "the face colour of the figure"


def swatches(_):
    """The ten colours of tab10, each 20x20 px, flat."""
    fig = plt.figure(figsize=(4, 0.8), dpi=50)
    fig.figimage(np.array(TAB10).reshape(2, 5, 3).repeat(20, 0).repeat(40, 1))
    return fig


def test_the_colours_of_tab10_come_back_within_2_of_255(stores, tmp_path, each_ffmpeg):
    store = stores(swatches, 2)
    movie = fp.assemble(store, tmp_path / "m.mp4")
    luma, blue, red = mp4_planes(each_ffmpeg, movie.path, 200, 40)
    rgb = rgb_by_bt709(luma[0], blue[0], red[0])
    due = (np.array(TAB10) * 255).reshape(2, 5, 3)
    for row in range(2):
        for column in range(5):
            seen = rgb[row * 20 + 6 : row * 20 + 14, column * 40 + 10 : column * 40 + 30].mean((0, 1))
            assert seen == pytest.approx(due[row, column], abs=2), (row, column)


@pytest.mark.parametrize(
    ("scene", "ground"), [(half_see_through, (102, 0, 0)), (see_through, (255, 255, 255))]
)
def test_see_through_frames_are_flattened_over_the_facecolor_of_the_figure(
    stores, tmp_path, each_ffmpeg, scene, ground
):
    movie = fp.assemble(stores(scene, 3), tmp_path / "m.mp4")
    luma, blue, red = mp4_planes(each_ffmpeg, movie.path, movie.width, movie.height)
    for index in range(3):
        rgb = rgb_by_bt709(luma[index], blue[index], red[index])
        assert rgb[2:10, 2:10].mean((0, 1)) == pytest.approx(ground, abs=3)
        assert rgb[-3, 50] == pytest.approx(ground, abs=4), "the added line too"


@pytest.mark.parametrize("preset", ["ultrafast", "veryslow"])
def test_presets_build(stores, tmp_path, each_ffmpeg, preset):
    assert fp.assemble(stores(moving), tmp_path / "m.mp4", preset=preset).report.passed


def test_what_stood_there_is_replaced_only_by_a_movie_that_passed(stores, tmp_path):
    (tmp_path / "m.mp4").write_text("precious")
    with pytest.raises(fp.UsageError):
        fp.assemble(stores(moving), tmp_path / "m.mp4", fps=0)
    assert (tmp_path / "m.mp4").read_text() == "precious"
    fp.assemble(stores(moving), tmp_path / "m.mp4")
    assert (tmp_path / "m.mp4").read_bytes()[4:8] == b"ftyp"
