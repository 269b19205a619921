"""A store that an earlier framepipe has begun: its job.json lacks fields, its frames were drawn by its rules.

``tests/fixtures/begun_by_an_earlier_framepipe`` is what ``framepipe make scene.py:draw --frames 4 --param
colour=tab:red -o film.gif --fps 5 --keep-frames`` left behind, without frame 2 and the movie.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import framepipe as fp
from framepipe.core import signing

FIXTURE = Path(__file__).parents[1] / "fixtures" / "begun_by_an_earlier_framepipe"
THEN = "/home/ada/film"


@pytest.fixture
def film(tmp_path, monkeypatch):
    """The folder of the film, as if it had been begun here by this account."""
    folder = tmp_path / "film"
    shutil.copytree(FIXTURE, folder)
    job = folder / "store" / "job.json"
    data = json.loads(job.read_text().replace(THEN, str(folder)))
    job.write_text(json.dumps({**data, "seal": signing.sign(data)}))
    monkeypatch.chdir(folder)
    return folder


def test_the_fixture_is_of_before_fields_that_are_written_now():
    data = json.loads((FIXTURE / "store" / "job.json").read_text())
    assert not {"order_checked", "seed", "owner", "roots", "scheme"} & set(data)


def test_its_frames_are_done_by_the_rules_of_then(film):
    status = fp.status("store")
    assert (status.done, status.missing) == ((0, 1, 3), (2,))
    assert not status.stale
    assert not status.broken


def test_resume_draws_what_is_missing_and_builds_the_movie_that_was_wanted(film):
    others = [frame.read_bytes() for frame in sorted(Path("store").glob("*.png"))]
    report = fp.resume("store", workers=1)
    assert report.render.drawn == (2,)
    (movie,) = report.movies
    assert (movie.path, movie.frames) == (film / "film.gif", 4)
    assert movie.report.passed
    frames = [frame.read_bytes() for frame in sorted(Path("store").glob("*.png"))]
    assert [*frames[:2], frames[3]] == others


def test_without_its_seal_the_scene_must_be_named(film):
    job = Path("store/job.json")
    job.write_text(json.dumps({**json.loads(job.read_text()), "seal": ""}))
    with pytest.raises(fp.StoreError, match="not written by this account"):
        fp.resume("store", workers=1)
    report = fp.resume("store", scene="scene.py:draw", workers=1)
    assert report.drawn == (2,)


def test_it_is_assembled_as_it_is(film):
    movie = fp.assemble("store", "part.gif", missing="skip", fps=5)
    assert movie.frames == 3
    fp.resume("store", scene="scene.py:draw", workers=1)
    movie = fp.assemble("store", "whole.gif", fps=5)
    assert movie.frames == 4
    assert fp.verify("whole.gif", "store").passed
