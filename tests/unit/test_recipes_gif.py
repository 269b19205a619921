"""How a GIF is built: commands and lists, without an encoder."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise

import pytest

from framepipe.core.shape import Shape
from framepipe.errors import UsageError
from framepipe.formats import FORMATS, format_of
from framepipe.formats.frame_input import LIST, ffconcat
from framepipe.formats.gif.recipe import note
from framepipe.formats.recipe import PALETTE_LIST, MovieSpec
from framepipe.options import DITHERS, LAYERS, EncodeOptions
from framepipe.timeline import Timeline
from tests.unit.test_recipes_mp4 import after, numbers_in, ticks_in

RGB, RGBA = Shape(100, 75, "RGB"), Shape(100, 75, "RGBA")


def gif(count=5, shape=RGB, timing=None, **options):
    timeline = Timeline.of(range(count), **timing or {})
    return FORMATS["gif"].recipe(MovieSpec(timeline, shape, EncodeOptions(**options)))


def test_one_palette_is_made_first_then_the_movie():
    made = gif()
    palette, movie = made.steps
    assert (palette.frames, palette.reports_progress, movie.frames, movie.reports_progress) == (
        1,
        False,
        5,
        True,
    )
    assert set(made.lists) == {LIST, PALETTE_LIST}
    assert "palettegen" in after(palette.args, "-filter_complex")
    assert "paletteuse=dither=none" in after(movie.args, "-filter_complex").replace("'", "")
    assert (made.format, made.encoder, made.output, made.frames) == ("gif", "ffmpeg", "movie.gif", 5)


def test_a_palette_for_each_frame_is_one_command():
    made = gif(palette="per-frame")
    (movie,) = made.steps
    graph = after(movie.args, "-filter_complex")
    assert "stats_mode=single" in graph
    assert "new=1" in graph
    assert set(made.lists) == {LIST}


@pytest.mark.parametrize("palette", ["global", "per-frame"])
@pytest.mark.parametrize(("shape", "reserved"), [(RGB, 0), (RGBA, 1)])
def test_a_colour_is_reserved_only_for_see_through_frames(palette, shape, reserved):
    graphs = " ".join(after(step.args, "-filter_complex") for step in gif(shape=shape, palette=palette).steps)
    assert f"reserve_transparent={reserved}" in graphs


@pytest.mark.parametrize(
    ("loop", "argument"), [("forever", "0"), (0, "0"), (1, "-1"), (2, "1"), (3, "2"), (65536, "65535")]
)
def test_plays_become_what_ffmpeg_counts(loop, argument):
    movie = gif(timing={"loop": loop}).steps[-1]
    assert after(movie.args, "-loop") == argument


@pytest.mark.parametrize("colors", [4, 16, 256])
def test_the_number_of_colours_is_asked_for(colors):
    assert f"max_colors={colors}" in after(gif(colors=colors).steps[0].args, "-filter_complex")


@pytest.mark.parametrize("dither", DITHERS["ffmpeg"])
def test_the_dither_is_asked_for(dither):
    asked = after(gif(dither=dither).steps[-1].args, "-filter_complex")
    name, _, scale = dither.partition(":")
    assert f"dither={name}" in asked
    assert ("bayer_scale" in asked) == bool(scale)
    assert not scale or f"bayer_scale={scale}" in asked


@pytest.mark.parametrize("colors", [2, 3])
def test_fewer_than_four_colours_are_left_to_imagemagick(colors):
    with pytest.raises(UsageError, match=r"4 to 256 colors.*use imagemagick"):
        gif(colors=colors)
    assert gif(colors=colors, encoder="imagemagick").spec["colors"] == colors


def test_the_list_has_each_frame_once_with_its_delay_in_centiseconds():
    made = gif(6, timing={"fps": 30, "hold_first_s": 1, "hold_last_s": 2.5})
    assert numbers_in(made.lists[LIST]) == list(range(6))
    assert ticks_in(made.lists[LIST], 100) == [100, 3, 4, 3, 3, 250]
    assert set(re.findall("framerate (.*)", made.lists[LIST])) == {"100/1"}
    assert after(made.steps[-1].args, "-final_delay") == "250"


def test_the_palette_of_a_long_movie_is_made_from_fifty_frames_with_both_ends():
    sample = numbers_in(gif(5000).lists[PALETTE_LIST])
    assert len(sample) == len(set(sample)) == 50
    assert (sample[0], sample[-1]) == (0, 4999)
    steps = {b - a for a, b in pairwise(sample)}
    assert steps <= {102, 103}
    assert numbers_in(gif(50).lists[PALETTE_LIST]) == list(range(50))


def test_the_palette_may_be_made_from_all_frames():
    assert numbers_in(gif(200, palette="all").lists[PALETTE_LIST]) == list(range(200))
    with pytest.raises(UsageError, match="palette all is ffmpeg's"):
        gif(palette="all", encoder="imagemagick")


def test_too_fast_a_gif_is_refused_before_anything_runs():
    with pytest.raises(UsageError, match="use --fps 50 or mp4"):
        gif(timing={"fps": 60})


def test_imagemagick_gets_the_same_delays_plays_and_frames():
    timing = {"fps": 24, "loop": 3, "hold_last_s": 1}
    spec = gif(7, RGBA, timing, encoder="imagemagick", dither="riemersma", palette="per-frame").spec
    assert spec["delays_cs"] == list(Timeline.of(range(7), **timing).gif_delays_cs())
    assert (spec["plays"], spec["transparent"], spec["width"], spec["height"]) == (3, True, 100, 75)
    assert (spec["dither"], spec["palette"], spec["colors"]) == ("riemersma", "per-frame", 256)
    assert spec["frames"] == [f"frames/frame_{number:06d}.png" for number in range(7)]


@pytest.mark.parametrize("layers", LAYERS)
def test_layers_are_told_to_imagemagick_and_a_word_is_said_where_they_cannot_be(layers):
    options = EncodeOptions(layers=layers, encoder="imagemagick")
    assert gif(layers=layers, encoder="imagemagick").spec["layers"] == layers
    assert note(RGB, options) == ""
    assert bool(note(RGBA, options)) == (layers not in ("auto", "none"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"encoder": "gifski"},
        {"palette": ""},
        {"dither": "riemersma"},
        {"dither": "bayer", "encoder": "imagemagick"},
        {"dither": "x", "encoder": "imagemagick"},
        {"dither": ""},
        {"layers": "optimize"},
        {"layers": "merge", "encoder": "imagemagick"},
        {"preset": "placebo"},
        {"colors": 1},
        {"colors": 257},
        {"crf": -1},
        {"crf": 64},
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused_by_name(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        EncodeOptions(**wrong)


@pytest.mark.parametrize(("name", "format_"), [("a.gif", "gif"), ("a.b.MP4", "mp4"), ("/x/é %d.Gif", "gif")])
def test_the_suffix_is_the_format(tmp_path, name, format_):
    assert format_of(tmp_path / name) is FORMATS[format_]


@pytest.mark.parametrize("name", ["a", "gif", ".gif", "a.gif.", "a.avi", "a.gif "])
def test_another_suffix_is_refused_with_what_can_be_built(tmp_path, name):
    with pytest.raises(UsageError, match=r"framepipe builds \.gif, \.mp4"):
        format_of(tmp_path / name)


def test_times_in_a_list_are_right_to_a_nanosecond():
    rate = Fraction(30000, 1001)
    text = ffconcat(["frame_000000.png"], [1 / rate], rate, Shape(640, 480, "RGBA"))
    assert text == (
        "ffconcat version 1.0\nfile frames/frame_000000.png\noption framerate 30000/1001\n"
        "option pixel_format rgba\noption video_size 640x480\nduration 0.033366667\n"
    )
