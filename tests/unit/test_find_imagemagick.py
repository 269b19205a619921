"""What there is of ImageMagick: a name on PATH proves nothing."""

from __future__ import annotations

import os

import pytest

from framepipe.encoders import imagemagick
from framepipe.encoders.imagemagick import find_imagemagick, programs
from tests.unit.test_find_ffmpeg import program

REAL = "echo 'Version: ImageMagick 7.1.1-29 Q16-HDRI x86_64'\n"
FILE_SYSTEMS = "echo 'Invalid drive specification.'; exit 4\n"


@pytest.fixture
def path(tmp_path, monkeypatch):
    def put(**scripts):
        found = {name: program(tmp_path / "bin", script, name) for name, script in scripts.items()}
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        return found

    return put


def test_a_convert_that_converts_file_systems_is_told_apart(path):
    found = path(convert=FILE_SYSTEMS)
    assert programs() == [(found["convert"], None)]


def test_imagemagick_itself_is_known_by_its_version(path):
    found = path(magick=REAL, convert=FILE_SYSTEMS)
    assert programs() == [(found["magick"], "7.1.1-29"), (found["convert"], None)]


def test_a_convert_of_imagemagick_6_counts(path):
    found = path(convert=REAL.replace("7.1.1-29", "6.9.11-60"))
    assert programs() == [(found["convert"], "6.9.11-60")]


@pytest.mark.parametrize(
    "script", ["exit 0\n", "echo ImageMagick\n", "kill -9 $$\n", "printf '\\377\\376'\n"]
)
def test_a_program_that_says_something_else_is_none(path, script):
    found = path(magick=script)
    assert programs() == [(found["magick"], None)]


def test_without_any_program_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert programs() == []


def test_one_program_found_twice_is_told_once(path, monkeypatch):
    found = path(magick=REAL)
    folder = os.path.dirname(found["magick"])
    monkeypatch.setenv("PATH", os.pathsep.join([folder, folder]))
    assert len(programs()) == 1


def test_the_library_here_is_found_with_its_version_and_path():
    tool = find_imagemagick()
    assert tool.name == "imagemagick"
    assert tool.version[0] in "67"
    assert "Magick" in tool.path


def test_the_command_reads_a_spec_in_this_python():
    import sys

    assert imagemagick.command("framepipe.formats.gif.magick_child", "spec.json") == [
        sys.executable,
        "-m",
        "framepipe.formats.gif.magick_child",
        "spec.json",
    ]
