"""Animated WebP, APNG and AVIF by real encoders; what is in the file is read by others than framepipe."""

from __future__ import annotations

import re
import struct

import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

import framepipe as fp
from framepipe.errors import UsageError
from framepipe.formats.animated.container import inspect
from framepipe.job.frames import file_name
from tests.integration.movies import gradient, half_see_through, moving, noise, see_through, sized
from tests.support.sizes import all_if_long

each_format = pytest.mark.parametrize("format_", ("webp", "apng", "avif"))


def read(path):
    """Pictures as RGBA, and milliseconds of each, by Pillow."""
    with Image.open(path) as image:
        pictures, times = [], []
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            image.load()
            pictures.append(np.asarray(image.convert("RGBA")))
            times.append(image.info.get("duration", 0))
    return pictures, times


def source(store, number):
    with Image.open(store / file_name(number)) as image:
        return np.asarray(image.convert("RGBA"))


def equal(seen, drawn):
    """Not counting colours under alpha 0."""
    return np.array_equal(np.where(seen[..., 3:], seen, 0), np.where(drawn[..., 3:], drawn, 0))


def plays_of(path):
    """How often a WebP or APNG plays, by its bytes."""
    data = path.read_bytes()
    if path.suffix == ".webp":
        return struct.unpack("<H", re.search(rb"ANIM\x06\0\0\0....(..)", data, re.DOTALL)[1])[0]
    return struct.unpack(">I", re.search(rb"acTL....(....)", data, re.DOTALL)[1])[0]


@each_format
@pytest.mark.parametrize("fps", all_if_long([24, "30000/1001", 12.345], "30000/1001"))
def test_each_frame_has_its_time_at_any_rate(stores, tmp_path, each_ffmpeg, format_, fps):
    movie = fp.assemble(stores(moving), tmp_path / f"m.{format_}", fps=fps)
    assert movie.encoder.path == each_ffmpeg
    assert [path.name for path in tmp_path.iterdir()] == [f"m.{format_}"]
    pictures, times = read(movie.path)
    assert len(pictures) == 6
    starts = np.cumsum([0, *times])
    due = np.arange(7) * 1000 / (30000 / 1001 if isinstance(fps, str) else fps)
    assert np.abs(starts - due).max() <= 3  # Pillow rounds each time of APNG and AVIF by itself
    exact = np.cumsum([0, *(float(each) * 1000 for each in inspect(movie.path, format_).durations_s)])
    assert np.abs(exact - due).max() <= (0.5001 if format_ == "webp" else 1e-6)


@each_format
@pytest.mark.parametrize("loop", all_if_long([0, 1, 3], 0, 3))
def test_it_plays_as_often_as_asked(stores, tmp_path, each_ffmpeg, format_, loop):
    movie = fp.assemble(stores(moving), tmp_path / f"m.{format_}", loop=loop)
    assert inspect(movie.path, format_).plays == loop
    if format_ != "avif":
        assert plays_of(movie.path) == loop
        assert movie.encoder.path == each_ffmpeg
    elif loop:  # ffmpeg 5.1 cannot: another one did, and that is told
        assert movie.encoder.path == each_ffmpeg or "a number of plays" in " ".join(movie.notes)


@each_format
@pytest.mark.parametrize("scene", all_if_long([see_through, half_see_through], half_see_through))
def test_transparency_is_kept_in_all_its_levels(stores, tmp_path, each_ffmpeg, format_, scene):
    store = stores(scene, 4)
    fp.assemble(store, tmp_path / f"m.{format_}")
    pictures, _ = read(tmp_path / f"m.{format_}")
    assert len(pictures) == 4
    for number, seen in enumerate(pictures):
        drawn = source(store, number)
        assert len(np.unique(drawn[..., 3])) > 5
        if format_ == "avif":
            assert np.abs(seen[..., 3].astype(int) - drawn[..., 3]).mean() < 1
        else:
            assert equal(seen, drawn)


@each_format
@pytest.mark.parametrize("scene", all_if_long([moving, half_see_through, noise], half_see_through, noise))
def test_lossless_is_equal_in_every_pixel(stores, tmp_path, each_ffmpeg, format_, scene):
    store = stores(scene, 4)
    movie = fp.assemble(store, tmp_path / f"m.{format_}", quality="lossless")
    assert "lossless" in {check.name for check in movie.report.checks}
    pictures, _ = read(movie.path)
    assert [equal(seen, source(store, number)) for number, seen in enumerate(pictures)] == [True] * 4


@each_format
@pytest.mark.parametrize("quality", all_if_long(["draft", "best"], "draft"))
@pytest.mark.parametrize("scene", [gradient, noise])
def test_every_quality_passes_on_the_best_and_the_worst_of_pictures(
    stores, tmp_path, each_ffmpeg, format_, quality, scene
):
    assert fp.assemble(stores(scene, 4), tmp_path / f"m.{format_}", quality=quality).report.passed


@each_format
@pytest.mark.parametrize(("width", "height"), [(99, 75), (17, 16)])
def test_an_odd_size_is_kept(stores, tmp_path, each_ffmpeg, format_, width, height):
    store = stores(sized, 3, params=(("width", width), ("height", height)))
    movie = fp.assemble(store, tmp_path / f"m.{format_}")
    pictures, _ = read(movie.path)
    assert {picture.shape for picture in pictures} == {(height, width, 4)}
    assert (movie.width, movie.height) == (width, height)


@each_format
def test_one_frame_is_a_still_picture_or_a_film_of_one(stores, tmp_path, each_ffmpeg, format_):
    store = stores(moving, 1)
    movie = fp.assemble(store, tmp_path / f"m.{format_}", fps=10, hold_last_s=2, loop=0)
    pictures, times = read(movie.path)
    assert len(pictures) == 1
    assert np.abs(pictures[0].astype(int) - source(store, 0)).mean() < 2
    if format_ == "webp":
        assert times == [2000]
        assert plays_of(movie.path) == 0
    else:
        assert "still picture" in movie.notes[0]


@each_format
@pytest.mark.parametrize(
    ("count", "timing", "due"),
    [
        (2, {"fps": 10, "hold_first_s": 1.5, "hold_last_s": 2}, [1500, 2000]),
        (5, {"fps": 25, "hold_first_s": 0.5, "hold_last_s": 1.234}, [500, 40, 40, 40, 1234]),
        (5, {"durations_s": [0.1, 0.02, 0.333, 0.5, 0.011]}, [100, 20, 333, 500, 11]),
        (4, {"fps": 1}, [1000] * 4),
        (3, {"fps": 20, "pause_s": 70.001}, [50, 50, 70051]),
    ],
    ids=str,
)
def test_holds_and_durations_are_kept_exactly(stores, tmp_path, each_ffmpeg, format_, count, timing, due):
    movie = fp.assemble(stores(moving, count), tmp_path / f"m.{format_}", **timing)
    assert [round(float(each) * 1000) for each in inspect(movie.path, format_).durations_s] == due
    times = read(movie.path)[1]
    assert np.abs(np.array(times) - due).max() <= 1
    assert movie.duration_s == pytest.approx(sum(due) / 1000)


@each_format
def test_sixty_frames_are_all_there_in_order(stores, tmp_path, each_ffmpeg, format_):
    store = stores(moving, 60)
    pictures, times = read(fp.assemble(store, tmp_path / f"m.{format_}", fps=30).path)
    assert len(pictures) == 60
    assert sum(times) == pytest.approx(2000, abs=25)
    for number in (0, 1, 29, 30, 58, 59):
        assert np.abs(pictures[number].astype(int) - source(store, number)).mean() < 2


def standing(k):
    """Moves only now and then."""
    return moving((k >= 2) + (k >= 5))


@each_format
@pytest.mark.parametrize("quality", ["good", "draft"])
def test_a_plot_that_stands_still_keeps_its_time(stores, tmp_path, each_ffmpeg, format_, quality):
    movie = fp.assemble(stores(standing, 8), tmp_path / f"m.{format_}", fps=25, quality=quality)
    film = inspect(movie.path, format_)
    merged = format_ == "webp" and quality == "good"  # lossy pictures are written one by one
    assert [int(each * 1000) for each in film.durations_s] == ([80, 120, 120] if merged else [40] * 8)
    frames = next(check for check in movie.report.checks if check.name == "frames")
    assert frames.seen == ("8, 5 of them like the one before" if merged else "8")
    assert movie.frames == 8


def drifting(k):
    """A field that changes so little that libwebp's animation encoder, lossy, would leave it as it was."""
    fig, ax = plt.subplots(figsize=(2, 1.5), dpi=50)
    y, x = np.mgrid[0:30, 0:40] / 8
    ax.imshow(np.sin(x + k / 300) * np.cos(y - k / 400), vmin=-1, vmax=1)
    return fig


def test_a_lossy_webp_of_a_field_that_changes_slowly_does_not_drift(stores, tmp_path, each_ffmpeg):
    movie = fp.assemble(stores(drifting, 60), tmp_path / "m.webp", quality="draft")
    assert len(inspect(movie.path, "webp").durations_s) == 60


@each_format
def test_a_plot_that_never_moves_keeps_its_time(stores, tmp_path, each_ffmpeg, format_):
    movie = fp.assemble(stores(still, 5), tmp_path / f"m.{format_}")
    assert float(sum(inspect(movie.path, format_).durations_s)) == pytest.approx(0.2)


def still(k):
    return moving(0)


@each_format
def test_a_movie_too_fast_for_browsers_is_refused_before_drawing(folder, format_):
    with pytest.raises(UsageError, match="--fps 90"):
        fp.make("scene.py:draw", 4, output=f"m.{format_}", fps=120, engine="serial")
    assert not (folder / "frames").exists()


@each_format
def test_verifying_asks_no_ffmpeg(stores, tmp_path, monkeypatch, format_):
    store = stores(moving)
    movie = fp.assemble(store, tmp_path / f"m.{format_}").path
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("framepipe.encoders.ffmpeg._shipped", lambda: None)
    assert fp.verify(movie, store).passed
