"""Encoders in hardware: their commands, as there is none here to run them on."""

from __future__ import annotations

import pytest

from framepipe.core.shape import Shape
from framepipe.errors import UsageError
from framepipe.formats import FORMATS
from framepipe.formats.recipe import MovieSpec
from framepipe.formats.video import codecs as table
from framepipe.formats.video.encoding import encoding
from framepipe.options import CODECS, EncodeOptions
from framepipe.timeline import Timeline
from tests.unit.test_recipes_mp4 import after

SHAPE = Shape(101, 75, "RGB")
HARDWARE = [name for name in CODECS if table.CODECS[name].hardware]
#: ffmpeg's option for quality by its manual and ``-h encoder=``, and its range.
QUALITY = {"nvenc": "-cq", "qsv": "-global_quality", "vaapi": "-qp", "amf": "-qp_i", "videotoolbox": "-q:v"}


def args_of(codec, format_="mp4", **options):
    made = FORMATS[format_].recipe(
        MovieSpec(Timeline.of(range(3)), SHAPE, EncodeOptions(codec=codec, **options))
    )
    return made.steps[0].args


def test_the_table_has_the_codecs_that_can_be_asked_for():
    assert list(table.CODECS) == list(CODECS)
    assert len(HARDWARE) == 12


@pytest.mark.parametrize("codec", HARDWARE)
def test_each_is_ffmpegs_encoder_of_that_name_and_told_a_quality(codec):
    kind, _, maker = codec.partition("_")
    numbers = []
    for quality in ("draft", "good", "best"):
        args = args_of(codec, quality=quality)
        assert after(args, "-vcodec") == codec
        numbers.append(int(after(args, QUALITY[maker])))
        assert "-crf" not in args
        assert "-preset" not in args
    best_first = sorted(numbers, reverse=maker == "videotoolbox")
    assert numbers[::-1] == best_first
    assert len(set(numbers)) == 3
    assert table.codec_family(codec) == {"h264": "h264", "hevc": "h265", "av1": "av1"}[kind]


@pytest.mark.parametrize("codec", HARDWARE)
def test_each_gets_surfaces_that_it_takes_and_vaapi_gets_them_uploaded(codec):
    args = args_of(codec)
    graph = after(args, "-filter_complex")
    assert "format=nv12" in graph
    assert ("hwupload" in graph) == ("-vaapi_device" in args) == codec.endswith("vaapi")
    if "hwupload" in graph:
        assert graph.index("format=nv12") < graph.index("hwupload")
        assert args.index("-vaapi_device") < args.index("-i")
        assert after(args, "-vaapi_device") == "/dev/dri/renderD128"
    for fact in ("colorspace=bt709", "color_primaries=bt709", "color_trc=bt709", "range=tv", "pad="):
        assert fact in graph


@pytest.mark.parametrize("codec", [name for name in HARDWARE if "420/10" in table.CODECS[name].samples])
def test_ten_bits_are_handed_over_as_p010(codec):
    assert "format=p010le" in after(args_of(codec, depth=10), "-filter_complex")
    assert encoding("mp4", SHAPE, EncodeOptions(codec=codec, depth=10)).pixels == "yuv420p10le"


@pytest.mark.parametrize(
    ("codec", "given"),
    [
        ("h264_nvenc", {"-rc": "vbr", "-b:v": "0"}),
        ("hevc_vaapi", {"-rc_mode": "CQP", "-vtag": "hvc1"}),
        ("h264_amf", {"-rc": "cqp", "-qp_p": "20", "-qp_b": "20"}),
        ("hevc_amf", {"-rc": "cqp", "-qp_p": "20", "-vtag": "hvc1"}),
        ("hevc_videotoolbox", {"-vtag": "hvc1"}),
    ],
)
def test_the_way_of_constant_quality_is_chosen(codec, given):
    args = args_of(codec)
    assert {name: after(args, name) for name in given} == given


def test_crf_is_a_number_on_the_encoders_own_scale():
    assert after(args_of("h264_nvenc", crf=23), "-cq") == "23"
    assert after(args_of("av1_nvenc", crf=60), "-cq") == "60"
    assert after(args_of("h264_vaapi", crf=0), "-qp") == "0"


@pytest.mark.parametrize(
    ("codec", "options", "words"),
    [
        ("h264_nvenc", {"crf": 0}, "crf 0 requested; h264_nvenc supports 1 to 51"),
        ("h264_qsv", {"crf": 52}, "crf 52 requested; h264_qsv supports 1 to 51"),
        ("h264_videotoolbox", {"crf": 20}, "h264_videotoolbox has no crf"),
        ("hevc_nvenc", {"quality": "lossless"}, "hevc_nvenc is not made lossless here"),
        ("h264_vaapi", {"chroma": "444"}, "h264_vaapi has no 8 bits in 4:4:4 here"),
        ("h264_qsv", {"depth": 10}, "h264_qsv has no 10 bits"),
    ],
)
def test_what_hardware_cannot_do_is_told(codec, options, words):
    with pytest.raises(UsageError, match=words):
        args_of(codec, **options)


def test_a_container_holds_what_the_encoder_makes():
    assert after(args_of("av1_nvenc", "webm"), "-vcodec") == "av1_nvenc"
    assert after(args_of("h264_qsv", "mkv"), "-vcodec") == "h264_qsv"
    with pytest.raises(UsageError, match="webm holds vp9, av1, not h264"):
        args_of("h264_nvenc", "webm")


@pytest.mark.parametrize("codec", HARDWARE)
def test_harm_is_told_on_the_scale_of_x264_lower_for_better(codec):
    harms = [
        encoding("mp4", SHAPE, EncodeOptions(codec=codec, quality=each)).x264_crf
        for each in ("draft", "good", "best")
    ]
    assert sorted(harms, reverse=True) == harms
    assert 8 <= harms[2] < harms[1] <= 20 < harms[0] <= 32
