"""What a movie is for, and what is refused for it: before anything runs."""

from __future__ import annotations

import pytest

from framepipe.core.shape import Shape
from framepipe.errors import UsageError
from framepipe.formats import FORMATS, targets
from framepipe.formats.targets import PROFILES, apply_target, check, max_bytes
from framepipe.movie.probe import check_tools
from framepipe.options import TARGETS, EncodeOptions
from framepipe.timeline import Timeline

TAKES = {
    "web": {"mp4", "webm", "gif", "webp"},
    "slides": {"mp4"},
    "archive": {"mkv", "webm", "mp4", "mov", "webp", "apng", "avif"},
    "mastodon": {"mp4", "webm", "mov", "gif"},
}


def at(fps, count=10):
    return Timeline.of(range(count), fps=fps)


def test_the_profiles_are_those_that_can_be_asked_for():
    assert tuple(PROFILES) == TARGETS == tuple(TAKES)
    with pytest.raises(UsageError, match=r"target \(--for\) is 'tv'; give one of web, slides"):
        EncodeOptions(target="tv")


@pytest.mark.parametrize("format_", FORMATS)
def test_without_a_target_nothing_changes_and_nothing_is_refused(format_):
    for options in (
        EncodeOptions(),
        EncodeOptions(codec="h265", chroma="444", depth=10),
        EncodeOptions(quality="draft"),
    ):
        assert apply_target(options, FORMATS[format_]) is options
    check(EncodeOptions(), FORMATS[format_], at(1000), Shape(100_000, 100_000, "RGB"))
    assert max_bytes(EncodeOptions(), format_) is None


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("target", TARGETS)
def test_formats_that_a_place_does_not_take_are_refused(target, format_):
    options = EncodeOptions(target=target, quality="lossless" if target == "archive" else "good")
    if format_ in TAKES[target]:
        if (target, format_) != ("archive", "mov"):  # ProRes is not lossless; see below
            apply_target(options, FORMATS[format_])
    else:
        with pytest.raises(UsageError, match=rf"for {target}: it takes .*, not \.{format_}"):
            apply_target(options, FORMATS[format_])


@pytest.mark.parametrize(
    ("target", "format_", "codec"),
    [("web", "mp4", "h264"), ("web", "webm", "vp9"), ("slides", "mp4", "h264"), ("mastodon", "mp4", "h264")],
)
def test_the_codec_that_is_demanded_is_chosen_also_if_hardware_makes_it(target, format_, codec):
    assert apply_target(EncodeOptions(target=target), FORMATS[format_]).codec == codec
    if codec == "h264":
        assert (
            apply_target(EncodeOptions(target=target, codec="h264_nvenc"), FORMATS[format_]).codec
            == "h264_nvenc"
        )


@pytest.mark.parametrize("target", ["web", "slides", "mastodon"])
@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"codec": "h265"}, "mp4 is h264, not h265: leave --codec out"),
        ({"codec": "hevc_nvenc"}, "mp4 is h264, not hevc_nvenc: leave --codec out"),
        ({"codec": "av1"}, "mp4 is h264, not av1"),
        ({"chroma": "444"}, "4:2:0 in 8 bits, not 4:4:4 in 8: leave --chroma and --depth out"),
        ({"depth": 10}, "4:2:0 in 8 bits, not 4:2:0 in 10"),
        ({"quality": "lossless"}, "not to be lossless, players could not show it: --quality best"),
        ({"codec_options": {"pix_fmt": "yuv444p"}}, "leave --codec-option pix_fmt out"),
        ({"codec_options": {"profile": "high10"}}, "leave --codec-option profile out"),
    ],
)
def test_what_players_do_not_show_is_refused(target, asked, words):
    with pytest.raises(UsageError, match=f"for {target}: .*{words}"):
        apply_target(EncodeOptions(target=target, **asked), FORMATS["mp4"])


def test_what_does_no_harm_is_left_to_the_user():
    options = EncodeOptions(target="slides", quality="best", crf=20, codec_options={"tune": "animation"})
    assert apply_target(options, FORMATS["mp4"]).crf == 20
    assert (
        apply_target(EncodeOptions(target="mastodon", codec="h265"), FORMATS["mov"]).codec == "h265"
    )  # it is converted there


@pytest.mark.parametrize(
    ("format_", "options", "lossless"),
    [
        ("mkv", {}, True),
        ("mkv", {"codec": "h264"}, False),
        ("mkv", {"codec": "h264", "quality": "lossless"}, True),
        ("mp4", {}, False),
        ("mp4", {"quality": "lossless"}, True),
        ("webm", {}, False),
        ("webm", {"quality": "lossless"}, True),
        ("mov", {}, False),
        ("mov", {"codec": "h264", "quality": "lossless"}, True),
        ("webp", {}, True),
        ("webp", {"quality": "draft"}, False),
        ("apng", {"quality": "draft"}, True),
        ("avif", {}, False),
        ("avif", {"quality": "lossless"}, True),
    ],
)
def test_an_archive_takes_only_what_is_lossless(format_, options, lossless):
    if lossless:
        apply_target(EncodeOptions(target="archive", **options), FORMATS[format_])
    else:
        with pytest.raises(UsageError, match=f"for archive: {format_} as requested is not lossless"):
            apply_target(EncodeOptions(target="archive", **options), FORMATS[format_])


@pytest.mark.parametrize(
    ("target", "format_", "fps", "fits"),
    [
        ("slides", "mp4", 60, True),
        ("slides", "mp4", 61, False),
        ("slides", "mp4", 2, True),  # frames are repeated
        ("mastodon", "mp4", 120, True),
        ("mastodon", "webm", 121, False),
        ("web", "mp4", 240, True),
        ("mastodon", "gif", 50, True),
    ],
)
def test_rates_that_are_too_high_are_refused_before_the_size_is_known(target, format_, fps, fits):
    options = EncodeOptions(target=target)
    if fits:
        check(options, FORMATS[format_], at(fps))
    else:
        with pytest.raises(UsageError, match=f"for {target}: {fps} fps is more than {fps - 1}"):
            check(options, FORMATS[format_], at(fps))


@pytest.mark.parametrize(
    ("target", "format_", "size", "fps", "words"),
    [
        ("slides", "mp4", (4096, 2160), 25, ""),
        ("slides", "mp4", (4098, 100), 25, "have a side of more than 4096"),
        ("slides", "mp4", (100, 4098), 25, "have a side of more than 4096"),
        ("slides", "mp4", (4096, 2306), 10, "have more than 9,437,184 in all"),
        ("slides", "mp4", (3840, 2160), 30, ""),
        ("slides", "mp4", (3840, 2160), 60, "at 60 fps are more than H.264's level 5.1 has"),
        ("slides", "mp4", (1920, 1080), 60, ""),
        ("mastodon", "mp4", (3840, 2160), 120, ""),
        ("mastodon", "mp4", (3840, 2162), 25, "have more than 8,294,400 in all"),
        ("mastodon", "gif", (1280, 720), 25, ""),
        ("mastodon", "gif", (1280, 721), 25, "have more than 921,600 in all"),
        ("web", "mp4", (8000, 8000), 25, ""),
    ],
)
def test_sizes_that_are_too_large_are_refused(target, format_, size, fps, words):
    options = EncodeOptions(target=target)
    if words:
        with pytest.raises(UsageError, match=f"for {target}: frames of {size[0]}x{size[1]} px.* {words}"):
            check(options, FORMATS[format_], at(fps), Shape(*size, "RGB"))
    else:
        check(options, FORMATS[format_], at(fps), Shape(*size, "RGB"))


def test_file_sizes_are_mastodons():
    sizes = {format_: max_bytes(EncodeOptions(target="mastodon"), format_) for format_ in TAKES["mastodon"]}
    video = 99 * 1024 * 1024 - 1
    assert sizes == {"gif": 16 * 1024 * 1024 - 1, "mp4": video, "webm": video, "mov": video}
    assert max_bytes(EncodeOptions(target="mastodon"), "mkv") is None
    assert max_bytes(EncodeOptions(target="slides"), "mp4") is None


def test_every_format_is_looked_at_before_frames_are_drawn():
    with pytest.raises(UsageError, match=r"for slides: it takes \.mp4, not \.gif"):
        check_tools([FORMATS["mp4"], FORMATS["gif"]], EncodeOptions(target="slides"))


def test_each_profile_tells_its_source():
    for target in TARGETS:
        assert f"``{target}``" in targets.__doc__
