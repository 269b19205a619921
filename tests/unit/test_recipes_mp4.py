"""How an MP4 is built: commands and lists, without an encoder; and what no command may hold."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from framepipe.core.shape import Shape
from framepipe.errors import UsageError
from framepipe.formats import FORMATS
from framepipe.formats.frame_input import LIST
from framepipe.formats.recipe import WHITE, MovieSpec
from framepipe.options import PRESETS, EncodeOptions
from framepipe.timeline import Timeline

RGB, RGBA = Shape(100, 76, "RGB"), Shape(100, 76, "RGBA")


def after(args, option):
    """The one argument after an option."""
    assert args.count(option) == 1, (option, args)
    return args[args.index(option) + 1]


def numbers_in(text):
    return [int(number) for number in re.findall(r"file frames/frame_(-?\d+)\.png", text)]


def ticks_in(text, rate):
    return [round(float(seconds) * rate) for seconds in re.findall(r"duration (\S+)", text)]


def mp4(count=5, shape=RGB, background=None, timing=None, **options):
    timeline = Timeline.of(range(count), **timing or {})
    return FORMATS["mp4"].recipe(MovieSpec(timeline, shape, EncodeOptions(**options), background or WHITE))


def graph(made):
    return after(made.steps[-1].args, "-filter_complex")


def test_an_mp4_is_h264_with_all_four_colour_facts_and_its_index_in_front():
    made = mp4(crf=23, preset="slow")
    (step,) = made.steps
    assert after(step.args, "-vcodec") == "libx264"
    assert (after(step.args, "-crf"), after(step.args, "-preset")) == ("23", "slow")
    assert after(step.args, "-movflags") == "+faststart"
    for fact in ("colorspace=bt709", "color_primaries=bt709", "color_trc=bt709", "range=tv", "yuv420p"):
        assert fact in graph(made)
    assert "out_color_matrix=bt709" in graph(made)
    assert (made.output, made.frames, step.frames, step.reports_progress) == ("movie.mp4", 5, 5, True)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_passed_on(preset):
    assert after(mp4(preset=preset).steps[0].args, "-preset") == preset


@pytest.mark.parametrize(
    ("width", "height", "padded"), [(100, 76, False), (101, 76, True), (100, 75, True), (1, 1, True)]
)
def test_odd_sides_are_padded_with_the_ground_of_the_figure(width, height, padded):
    text = graph(mp4(shape=Shape(width, height, "RGB"), background=(18, 52, 255)))
    assert ("pad=" in text) is padded
    assert ("0x1234ff" in text) is padded


def test_the_ground_is_white_where_none_is_known():
    assert "color=0xffffff" in graph(mp4(shape=Shape(5, 5, "RGB")))


def test_see_through_frames_are_flattened_over_the_ground_before_their_colours_are_converted():
    text = graph(mp4(shape=RGBA, background=(1, 2, 3)))
    assert "0x010203" in text or re.search(r"(?=.*\br=1\b)(?=.*\bg=2\b)(?=.*\bb=3\b)", text)
    assert "replace=1" not in text, "ffmpeg 5.1 crashes in drawbox that replaces alpha"
    assert text.index("overlay") < text.index("scale")
    assert "overlay" not in graph(mp4(shape=RGB, background=(1, 2, 3)))


def test_held_frames_are_repeated_at_one_rate():
    made = mp4(3, timing={"fps": "30000/1001", "hold_last_s": 0.1})
    assert numbers_in(made.lists[LIST]) == [0, 1, 2, 2, 2]
    assert set(re.findall("framerate (.*)", made.lists[LIST])) == {"30000/1001"}
    seconds = [float(text) for text in re.findall("duration (.*)", made.lists[LIST])]
    assert seconds == pytest.approx([1001 / 30000] * 5, abs=1e-9)
    assert made.frames == made.steps[0].frames == 5


def test_more_than_fifty_frames_a_second_are_no_trouble_for_video():
    assert mp4(timing={"fps": 120}).frames == 5


def test_imagemagick_builds_no_mp4():
    with pytest.raises(UsageError, match="ImageMagick builds no mp4: use --encoder ffmpeg, or gif"):
        mp4(encoder="imagemagick")


EVERY = [
    FORMATS[format_].recipe(
        MovieSpec(
            Timeline.of(numbers, fps=fps, loop=3), Shape(*size, mode), EncodeOptions(**options), (9, 8, 7)
        )
    )
    for format_ in ("gif", "mp4")
    for numbers in (range(3), [-5, 100000, 1234567])
    for fps in (25, Fraction(30000, 1001))
    for size in ((4, 4), (5, 3))
    for mode in ("RGB", "RGBA")
    for options in ({}, {"palette": "per-frame"}, {"dither": "bayer", "colors": 16})
]


def test_every_output_lets_frames_out_as_they_came_in():
    for made in EVERY:
        for step in made.steps:
            assert after(step.args, "-fps_mode") == "passthrough"
            assert "-r" not in step.args
            assert "-vsync" not in step.args


def test_every_command_is_silent_reports_progress_and_fails_on_errors():
    for made in EVERY:
        for step in made.steps:
            for option in ("-nostdin", "-y", "-xerror", "-hide_banner"):
                assert option in step.args
            assert after(step.args, "-v") == "error"
            assert after(step.args, "-progress") == "pipe:1"
            assert "explode" in step.args
            assert step.args[-1] in (made.output, "palette.png"), "nothing trails the output"


def test_commands_and_lists_name_nothing_but_files_of_the_work_folder():
    for made in EVERY:
        for text in [*(arg for step in made.steps for arg in step.args), *made.lists.values()]:
            assert not re.search(r"(^|[\s=])/|\.\./|\\|file:|%", text), text
            assert text.isascii()
        for line in "".join(made.lists.values()).splitlines():
            assert re.fullmatch(
                r"ffconcat version 1\.0|file frames/frame_-?\d+\.png"
                r"|option (framerate \d+/\d+|pixel_format rgba?(24)?|video_size \d+x\d+)|duration \d+\.\d{9}",
                line,
            )


@pytest.mark.parametrize("name", ["tune", "preset", "crf", "movflags", "vcodec"])
def test_an_option_that_framepipe_sets_too_can_be_given(name):
    made = FORMATS["mp4"].recipe(
        MovieSpec(Timeline.of([0, 1]), RGB, EncodeOptions(codec_options={name: "mine"}))
    )
    args = made.steps[-1].args
    assert args[args.index(f"-{name}") + 1] == "mine"
    assert args.count(f"-{name}") == 1
