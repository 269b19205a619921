"""Encoders in hardware, on a machine that has none: what is said, and that their movies are verified.

For the latter a script stands in front of ffmpeg that gives the work of the hardware's encoder to one in
software that makes the same codec.
"""

from __future__ import annotations

import os
import sys

import pytest

import framepipe as fp
from framepipe.formats import FORMATS
from framepipe.formats.video.codecs import CODECS as TABLE
from framepipe.formats.video.codecs import codec_family
from framepipe.movie.probe import check_tools
from framepipe.options import CODECS, EncodeOptions
from tests.conftest import debian_ffmpeg
from tests.integration.movies import moving
from tests.support.sizes import all_if_long
from tests.unit.test_find_ffmpeg import program

HARDWARE = [name for name in CODECS if TABLE[name].hardware]

STAND_IN = """
import os, sys
software = {
    "h264": ["libx264"],
    "hevc": ["libx265", "-x265-params", "log-level=error"],
    "av1": ["libsvtav1", "-preset", "10"],
}
args, given = [], iter(sys.argv[1:])
for arg in given:
    if arg in ("-rc", "-rc_mode", "-b:v", "-vaapi_device"):
        next(given)
    elif arg in ("-cq", "-qp", "-global_quality"):
        args += ["-crf", next(given)]
    elif arg == "-vcodec":
        encoder = next(given)
        args += ["-vcodec", *(software[encoder.partition("_")[0]] if "_" in encoder else [encoder])]
    else:
        args.append(arg.replace("hwupload", "null"))
os.execv(REAL, [REAL, *args])
"""


@pytest.mark.parametrize("codec", HARDWARE)
def test_hardware_that_is_not_here_is_a_clear_error_before_anything_is_drawn(codec, each_ffmpeg):
    with pytest.raises(fp.ToolMissing) as caught:
        check_tools([FORMATS["mp4"]], EncodeOptions(codec=codec))
    first, *tried, hint = str(caught.value).splitlines()
    assert first == f"no ffmpeg that can build mp4 (codec {codec}):"
    assert any(each_ffmpeg in line for line in tried)
    for line in tried:
        reason = line.partition("ffmpeg exit code ")[2].partition(": ")[2]
        assert len(reason) > 20, line
        assert "0x" not in reason
    assert hint.startswith(f"{codec} needs ")
    assert hint.endswith(f"Without: --codec {codec_family(codec)}")


@pytest.mark.parametrize(
    ("codec", "cause"),
    [
        ("h264_nvenc", "Cannot load libcuda.so.1"),
        ("h264_vaapi", "No VA display found for device /dev/dri/renderD128"),
        ("h264_videotoolbox", "Unknown encoder 'h264_videotoolbox'"),
        ("h264_qsv", "MFX session"),
    ],
)
def test_the_cause_is_told_in_ffmpegs_own_words(codec, cause, each_ffmpeg):
    with pytest.raises(fp.ToolMissing) as caught:
        check_tools([FORMATS["mp4"]], EncodeOptions(codec=codec))
    (line,) = [each for each in str(caught.value).splitlines() if each_ffmpeg in each][:1]
    assert cause in line


def test_on_the_command_line_no_frame_is_drawn(folder, cli_process):
    done = cli_process("make", "scene.py:draw", "--frames", 3, "-o", "a.mp4", "--codec", "hevc_nvenc")
    assert done.returncode == 4
    assert "Without: --codec h265" in done.stderr
    assert not (folder / "frames").exists()


@pytest.mark.parametrize(
    ("name", "options"),
    all_if_long(
        [
            ("a.mp4", {"codec": "h264_nvenc"}),
            ("a.mkv", {"codec": "h264_vaapi", "quality": "best"}),
            ("a.mov", {"codec": "hevc_qsv"}),
            ("a.mp4", {"codec": "hevc_nvenc", "depth": 10}),
            ("a.webm", {"codec": "av1_nvenc"}),
        ],
        ("a.mkv", {"codec": "h264_vaapi", "quality": "best"}),
        ("a.mp4", {"codec": "hevc_nvenc", "depth": 10}),
    ),
)
def test_a_movie_of_hardware_is_verified_like_any(stores, tmp_path, monkeypatch, name, options):
    (tmp_path / "stand_in.py").write_text(f"REAL = {debian_ffmpeg()!r}\n{STAND_IN}")
    fake = program(tmp_path / "bin", f'exec {sys.executable} {tmp_path}/stand_in.py "$@"\n')
    monkeypatch.setenv("FRAMEPIPE_FFMPEG", fake)
    movie = fp.assemble(stores(moving), tmp_path / name, **options)
    assert movie.encoder.path == fake
    assert movie.report.passed
    assert {"decodes", "colours", "pictures", "order"} <= {check.name for check in movie.report.checks}
    assert fp.verify(movie.path, stores(moving)).passed
    assert sorted(os.listdir(tmp_path)) == sorted([name, "bin", "stand_in.py"])
