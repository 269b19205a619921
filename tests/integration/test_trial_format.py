"""A new format is one class: all verbs know it by then."""

from __future__ import annotations

import json

import pytest

import framepipe as fp
from framepipe.cli import run
from framepipe.formats import FORMATS, Format
from framepipe.formats.recipe import Recipe
from framepipe.job.frames import file_name
from framepipe.verification import Check, Grain, Tolerance


class TextList(Format):
    """The names of the frames and their seconds, a line each."""

    suffix = "txt"

    def check_times(self, timeline):
        if len(timeline.numbers) > 9:
            raise fp.UsageError("txt holds 9 frames at most")

    def recipe(self, spec):
        text, count = self._text(spec.timeline), len(spec.timeline.numbers)
        return Recipe("txt", "ffmpeg", {"movie.txt": text}, (), {}, "movie.txt", count)

    def lossless(self, encode, shape):
        return True

    def tolerance(self, encode, shape):
        return Tolerance(floor_db=60.0, patch_limit=0.5, closer_off=0.1, grain=Grain(1.0))

    def checks(self, movie, expected, tool, stop, work):
        yield Check("list", movie.read_text() == self._text(expected.timeline), "each frame", "lines")

    def _text(self, timeline):
        pairs = zip(timeline.numbers, timeline.durations_s)
        return "".join(f"{file_name(number)} {float(seconds):g}\n" for number, seconds in pairs)


@pytest.fixture(autouse=True)
def known(monkeypatch):
    monkeypatch.setitem(FORMATS, "txt", TextList())


def draw(k):
    """A small figure."""
    from matplotlib.figure import Figure

    return Figure(figsize=(0.4, 0.3), dpi=100, facecolor=(k / 10, 0, 0))


def test_make_assemble_and_verify_know_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = fp.make(draw, 3, output="a.txt", store="s", engine="serial", fps=20, keep_frames=True)
    lines = ["frame_000000.png 0.05", "frame_000001.png 0.05", "frame_000002.png 0.05"]
    assert (tmp_path / "a.txt").read_text().splitlines() == lines
    assert made.movies[0].format == "txt"
    assert fp.assemble("s", "b.txt", reverse=True).report.passed
    assert fp.verify("b.txt", "s").passed
    assert not fp.verify("b.txt", "s", reverse=False).passed
    assert "text/html" in made._repr_mimebundle_()


def test_what_it_refuses_is_refused_before_drawing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(fp.UsageError, match="9 frames at most"):
        fp.make(draw, 10, output="a.txt", store="s", engine="serial")
    assert not list(tmp_path.glob("s/frame_*.png"))


def test_the_command_line_knows_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fp.render(draw, 2, store="s", engine="serial")
    assert run(["assemble", "s", "-o", "a.txt", "-q"]) == 0
    assert run(["verify", "a.txt", "--store", "s", "-q"]) == 0
    assert run(["assemble", "s", "-o", "a.mpeg", "-q"]) == 2
    assert ".txt" in capsys.readouterr().err
    run(["doctor", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert "builds txt" in json.dumps(told)
