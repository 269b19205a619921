"""The same timing in every format: order, holds, durations; through make and resume too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import framepipe as fp
from framepipe.cli import run
from framepipe.formats.gif import container
from tests.integration.movies import failed_checks
from tests.support.sizes import all_if_long


@pytest.fixture
def store(folder: Path) -> str:
    fp.render("scene.py:draw", 6, store="s", engine="serial")
    return "s"


@pytest.mark.parametrize(
    ("timing", "frames", "seconds"),
    all_if_long(
        [
            ({"bounce": True, "pause_s": 0.5}, 10, 1.5),
            ({"reverse": True, "hold_first_s": 1}, 6, 1.5),
            ({"every": 2, "speed": 0.5}, 3, 0.6),
            ({"part": "1-4"}, 4, 0.4),
            ({"durations_s": [0.1, 0.2, 0.3, 0.4, 0.1, 0.1]}, 6, 1.2),
        ],
        ({"bounce": True, "pause_s": 0.5}, 10, 1.5),
        ({"every": 2, "speed": 0.5}, 3, 0.6),
        ({"durations_s": [0.1, 0.2, 0.3, 0.4, 0.1, 0.1]}, 6, 1.2),
    ),
    ids=str,
)
def test_a_timing_is_kept_by_gif_and_mp4(store, timing, frames, seconds):
    movie = fp.assemble(store, "a.gif", fps=10, **timing)
    assert (movie.frames, movie.duration_s) == (frames, pytest.approx(seconds))
    assert sum(container.inspect(movie.path).delays_cs) == round(seconds * 100)
    assert fp.verify("a.gif", store).passed
    assert fp.verify("a.gif", store, fps=10, **timing).passed
    movie = fp.assemble(store, "a.mp4", fps=10, **timing)
    assert movie.duration_s == pytest.approx(seconds)
    assert fp.verify("a.mp4", store, fps=10, **timing).passed
    assert fp.verify("a.mp4", store, fps=10).passed
    assert not fp.verify("a.mp4", store, fps=11).passed
    fp.Store(store).movies_file.unlink()
    assert not fp.verify("a.mp4", store, fps=10).passed


def test_what_is_given_to_verify_replaces_that_alone(store, folder):
    (folder / "d.csv").write_text("2,1.5\n")
    timing = {"durations_s": "d.csv", "bounce": True, "palette": "viridis", "dither": "bayer"}
    fp.assemble(store, "a.gif", fps=10, loop=2, **timing)
    (folder / "d.csv").unlink()
    for given in ({"fps": 10}, {"loop": 2}, {"colors": 256}, {"fps": 10, "bounce": True}, {"part": "0-5"}):
        report = fp.verify("a.gif", store, **given)
        assert report.passed, (given, report.table())
    for given, wrong in (({"loop": 3}, {"plays"}), ({"fps": 20}, {"delays"}), ({"every": 2}, {"frames"})):
        report = fp.verify("a.gif", store, **given)
        assert wrong <= failed_checks(report), report.table()


def test_labels_are_remembered_of_the_frames_that_are_shown(store):
    fp.assemble(store, "a.html", fps=10, labels=list("abcdef"), part="1-4")
    assert fp.verify("a.html", store, fps=10).passed
    assert not fp.verify("a.html", store, part="0-5").passed


def test_durations_out_of_a_file_that_a_store_from_elsewhere_names_are_not_read(store, folder):
    fp.assemble(store, "a.gif", fps=10)
    path = fp.Store(store).movies_file
    movies = json.loads(path.read_bytes())
    (about,) = movies["framepipe_movies"].values()
    about["timing"]["durations_s"] = str(folder / "d.csv")
    (folder / "d.csv").write_text("2,1.5\n")
    path.write_text(json.dumps(movies))
    assert fp.verify("a.gif", store, fps=10).passed


@pytest.mark.parametrize("format_", ["mp4", "webm", "mkv", "mov"])
def test_a_frame_too_short_for_a_video_is_told_before_one_is_drawn(folder, format_):
    with pytest.raises(fp.UsageError, match="frame 1 is shown for less than a tick"):
        fp.make("scene.py:draw", 3, f"a.{format_}", store="s", engine="serial", durations_s=[1, 0.001, 1])
    assert fp.Store("s").numbers() == []


def test_a_slow_video_has_ten_pictures_a_second_and_is_verified(store):
    movie = fp.assemble(store, "a.mp4", fps=2)
    assert (movie.frames, movie.duration_s) == (30, 3.0)


def test_durations_come_from_a_file_on_the_command_line(cli, store, folder):
    (folder / "d.csv").write_text("frame,seconds\n2,1.5\n")
    cli("assemble", "s", "-o", "a.gif", "--fps", 10, "--durations", "d.csv", "-q", ok=True)
    assert container.inspect(folder / "a.gif").delays_cs == (10, 10, 150, 10, 10, 10)


def test_frames_that_no_movie_shows_are_not_deleted(folder):
    report = fp.make("scene.py:draw", 6, "a.gif", store="s", engine="serial", every=2)
    assert report.cleanup is not None and report.cleanup.left == (1, 3, 5)
    assert fp.Store("s").numbers() == [1, 3, 5]


def test_a_missing_frame_outside_of_the_part_is_no_matter(store):
    fp.Store(store).frame_path(5).unlink()
    assert fp.assemble(store, "a.gif", part="0-3", fps=10).frames == 4


def test_a_resumed_make_keeps_the_timing(folder):
    stop = fp.Stop()
    with pytest.raises(fp.Interrupted):
        fp.make(
            "scene.py:draw", 6, "a.gif", store="s", engine="serial", fps="25/2", bounce=True, durations_s={0: 1},
            progress=lambda p: stop.request() if p.done == 2 else None, stop=stop,
        )  # fmt: skip
    report = fp.resume("s", engine="serial")
    assert [movie.frames for movie in report.movies] == [10]
    assert container.inspect(folder / "a.gif").delays_cs == (100, 8, 8, 8, 8, 8, 8, 8, 8, 8)


def test_a_dry_run_of_several_movies_looks_at_the_frames_once(store, monkeypatch, capsys):
    digests, scan = [], fp.Store.scan
    monkeypatch.setattr(fp.Store, "scan", lambda *args, **how: digests.append(how) or scan(*args, **how))
    assert run(["assemble", store, "-o", "a.gif", "-o", "a.mp4", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "gif" in printed and "libx264" in printed
    assert len(digests) == 1
