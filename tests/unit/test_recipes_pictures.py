"""How animated WebP, APNG and AVIF are built: commands and lists, without an encoder."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from framepipe.core.shape import Shape
from framepipe.errors import UsageError
from framepipe.formats import FORMATS
from framepipe.formats.frame_input import LIST
from framepipe.formats.recipe import MovieSpec
from framepipe.options import EncodeOptions
from framepipe.timeline import Timeline
from tests.unit.test_recipes_mp4 import after, numbers_in, ticks_in

RGB, RGBA = Shape(101, 75, "RGB"), Shape(101, 75, "RGBA")


def built(format_, count=5, shape=RGB, timing=None, **options):
    timeline = Timeline.of(range(count), **timing or {})
    return FORMATS[format_].recipe(MovieSpec(timeline, shape, EncodeOptions(**options)))


def args(*what, **how):
    (step,) = built(*what, **how).steps
    return step.args


@pytest.mark.parametrize("format_", ("webp", "apng", "avif"))
def test_each_frame_stands_once_in_the_list_with_its_own_time(format_):
    made = built(format_, 6, timing={"fps": 25, "hold_first_s": 1, "hold_last_s": 2.5})
    assert numbers_in(made.lists[LIST]) == list(range(6))
    assert ticks_in(made.lists[LIST], 50) == [50, 2, 2, 2, 2, 125]
    assert (made.output, made.frames, made.encoder) == (f"movie.{format_}", 6, "ffmpeg")
    assert after(made.steps[0].args, "-fps_mode") == "passthrough"


@pytest.mark.parametrize("format_", ("webp", "apng", "avif"))
def test_times_of_a_long_movie_do_not_drift_although_ffmpeg_reads_whole_microseconds(format_):
    text = built(format_, 3000, timing={"fps": "30000/1001"}).lists[LIST]
    seconds = [Fraction(each) for each in re.findall(r"duration (\S+)", text)]
    assert all((each * 10**6).denominator == 1 for each in seconds)
    due = Fraction(3000 * 1001, 30000) if format_ != "webp" else round(Fraction(3000 * 1001, 30))  # ms
    assert abs(sum(seconds) - Fraction(due, 1 if format_ != "webp" else 1000)) < Fraction(1, 10**6)


@pytest.mark.parametrize("loop", [0, 1, 3])
def test_plays_become_what_each_muxer_counts(loop):
    timing = {"loop": loop}
    assert after(args("webp", timing=timing), "-loop") == str(loop)
    assert after(args("apng", timing=timing), "-plays") == str(loop)
    assert ("-loop" in args("avif", timing=timing)) == (loop > 0)


def test_webp_is_lossless_but_for_drafts():
    for quality, exact in (("draft", "0"), ("good", "1"), ("best", "1"), ("lossless", "1")):
        assert after(args("webp", quality=quality), "-lossless") == exact
        assert FORMATS["webp"].lossless(EncodeOptions(quality=quality), RGB) == (exact == "1")
    assert after(args("webp"), "-vcodec") == "libwebp_anim"


def test_apng_is_always_lossless_and_keeps_the_time_of_its_last_frame():
    assert all(
        FORMATS["apng"].lossless(EncodeOptions(quality=each), RGB) for each in ("draft", "good", "lossless")
    )
    assert after(args("apng", timing={"hold_last_s": 2.5}), "-final_delay") == "5/2"
    assert after(args("apng"), "-pix_fmt") == "rgb24"
    assert after(args("apng", shape=RGBA), "-pix_fmt") == "rgba"


def test_avif_has_full_colour_and_a_second_stream_for_alpha():
    opaque, clear = args("avif"), args("avif", shape=RGBA)
    assert "yuv444p" in after(opaque, "-filter_complex")
    assert opaque.count("-map") == 1
    assert clear.count("-map") == 2
    assert "-bsf:v" not in args("avif", 1)
    assert "alphaextract" in after(clear, "-filter_complex")
    assert after(args("avif", 3, timing={"fps": 25, "hold_last_s": 2}), "-bsf:v") == "setts=duration=PTS*50/2"


def test_avif_has_a_rate_factor_or_is_rgb_and_lossless():
    assert [after(args("avif", quality=each), "-crf") for each in ("draft", "good", "best")] == [
        "30",
        "18",
        "10",
    ]
    assert after(args("avif", crf=5), "-crf") == "5"
    exact = args("avif", quality="lossless")
    assert "-crf" not in exact
    assert after(exact, "-aom-params") == "lossless=1"
    assert "gbrp" in after(exact, "-filter_complex")


@pytest.mark.parametrize("format_", ("webp", "apng", "avif"))
def test_what_the_format_cannot_do_is_refused_before_anything_runs(format_):
    with pytest.raises(UsageError, match="--fps 90"):
        built(format_, timing={"fps": 120})
    with pytest.raises(UsageError, match="16777 s"):
        built(format_, timing={"hold_last_s": 20000})
    with pytest.raises(UsageError, match=f"ImageMagick builds no {format_}: use --encoder ffmpeg, or gif"):
        built(format_, encoder="imagemagick")


def test_more_than_a_webp_can_say_is_refused():
    with pytest.raises(UsageError, match="loop 65536"):
        built("webp", timing={"loop": 65536})
    with pytest.raises(UsageError, match="16383 px"):
        built("webp", shape=Shape(16384, 10, "RGB"))


def test_an_avif_too_coarse_to_be_verified_is_refused():
    with pytest.raises(UsageError, match="crf 51: avif has 0 to 50"):
        built("avif", crf=51)
    built("avif", crf=50)


def test_a_webp_wider_than_its_header_can_say_is_refused():
    with pytest.raises(UsageError, match="16383 px"):
        built("webp", shape=Shape(16384, 10, "RGB"))


def test_a_still_picture_is_called_one():
    def notes(suffix, timeline):
        return FORMATS[suffix].notes(timeline, Shape(8, 8, "RGB"), EncodeOptions())

    one = Timeline.of([0])
    assert "still picture" in notes("avif", one)[0]
    assert "still picture" in notes("apng", one)[0]
    assert notes("webp", one) == notes("avif", Timeline.of([0, 1])) == []


def test_times_are_exact_where_sixty_thousand_ticks_a_second_can_keep_them():
    assert Timeline.of(range(3), fps="30000/1001").picture_ticks() == (30000, (1001,) * 3)
    assert Timeline.of(range(3), fps=12.345).picture_ticks() == (2469, (200,) * 3)
    assert Timeline.of(range(3), durations_s=[0.0333333, 0.0333333, 0.1]).picture_ticks()[0] == 1000
    assert Timeline.of(range(4), fps=24).picture_ticks(1000) == (1000, (42, 41, 42, 42))


@pytest.mark.parametrize(("format_", "name"), [("webp", "quality"), ("apng", "pred"), ("avif", "cpu-used")])
def test_an_option_that_framepipe_sets_too_can_be_given(format_, name):
    options = EncodeOptions(quality="draft", codec_options={name: "5"})
    made = FORMATS[format_].recipe(MovieSpec(Timeline.of([0, 1]), RGB, options))
    args = made.steps[-1].args
    assert args[args.index(f"-{name}") + 1] == "5"
    assert args.count(f"-{name}") == 1
