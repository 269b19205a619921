"""Which ffmpeg is taken, and what is said of those that are not: small real programs on PATH."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from framepipe.core.process import Tool
from framepipe.encoders.ffmpeg import candidates, find_ffmpeg, run_ffmpeg, version_of
from framepipe.errors import EncoderFailed, ToolMissing
from tests.conftest import bundled_ffmpeg

VERSION = 'if [ "$1" = -version ]; then echo "ffmpeg version {version} Copyright"; exit 0; fi\n'
NOT_FFMPEG = "echo 'usage: something else'; exit 0\n"
CRASHES = "exit 3\n"
CANNOT = VERSION.format(version="2.8-broken") + 'echo "Unknown encoder libx264" >&2; exit 1\n'
SILENT = VERSION.format(version="3.3-silent") + "exit 0\n"
GOOD = (
    VERSION.format(version="9.9-good") + "printf 'frame=2\\ndup_frames=0\\ndrop_frames=0\\nprogress=end\\n'\n"
)


def program(folder, script, name="ffmpeg"):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Puts scripts on PATH, in the order given, with nothing else there."""
    monkeypatch.delenv("FRAMEPIPE_FFMPEG", raising=False)

    def put(*scripts):
        found = [program(tmp_path / f"bin{k}", script) for k, script in enumerate(scripts)]
        monkeypatch.setenv("PATH", os.pathsep.join([os.path.dirname(each) for each in found] or ["/nowhere"]))
        return found

    return put


def attempt(tool):
    """As `assemble` tries an encoder: run it, believe it on evidence only."""
    run_ffmpeg(tool, ["-i", "x"], cwd=Path("/"), frames=2)


def test_candidates_come_in_order_variable_path_wheel(path, tmp_path, monkeypatch):
    on_path = path(GOOD, CANNOT)
    named = program(tmp_path / "named", GOOD, "my-ffmpeg")
    monkeypatch.setenv("FRAMEPIPE_FFMPEG", named)
    assert list(candidates()) == [
        (named, "FRAMEPIPE_FFMPEG"),
        (on_path[0], "PATH"),
        (on_path[1], "PATH"),
        (bundled_ffmpeg(), "imageio-ffmpeg"),
    ]


def test_the_variable_may_hold_a_name_that_is_on_path(path, tmp_path, monkeypatch):
    path(GOOD)
    own = program(tmp_path / "bin0", GOOD, "ffmpeg-next")
    monkeypatch.setenv("FRAMEPIPE_FFMPEG", "ffmpeg-next")
    assert next(candidates()) == (own, "FRAMEPIPE_FFMPEG")


def test_the_first_that_really_works_is_taken_and_says_why_the_others_were_not(path):
    other, cannot, silent, good = path(NOT_FFMPEG, CANNOT, SILENT, GOOD)
    tool = find_ffmpeg("mp4", attempt)
    assert (tool.path, tool.version) == (good, "9.9-good")
    assert len(tool.notes) == 3
    assert tool.notes[0] == f"{other} (PATH) is no working ffmpeg; used {tool.path}"
    assert tool.notes[1].startswith(f"{cannot} (PATH, 2.8-broken) cannot build mp4: ffmpeg exit code 1")
    assert "wrote 0 of 2 frames although it exited with status 0" in tool.notes[2]
    assert silent in tool.notes[2]


def test_the_variable_wins_over_path(path, tmp_path, monkeypatch):
    path(GOOD)
    named = program(tmp_path / "named", GOOD.replace("9.9-good", "1.0-mine"))
    monkeypatch.setenv("FRAMEPIPE_FFMPEG", named)
    assert find_ffmpeg("mp4", attempt).version == "1.0-mine"


@pytest.mark.parametrize("named", ["/no/such/ffmpeg", "no-such-ffmpeg", "/etc", "/etc/passwd"])
def test_a_variable_that_names_no_ffmpeg_is_passed_over_with_a_note(path, monkeypatch, named):
    (good,) = path(GOOD)
    monkeypatch.setenv("FRAMEPIPE_FFMPEG", named)
    tool = find_ffmpeg("mp4", attempt)
    assert tool.path == good
    assert tool.notes == (f"{named} (FRAMEPIPE_FFMPEG) is no working ffmpeg; used {tool.path}",)


def test_with_nothing_on_path_the_one_of_the_wheel_is_taken(path):
    path()

    def nothing(_):
        return None

    assert find_ffmpeg("gif", nothing).path == bundled_ffmpeg()


def test_when_none_works_all_reasons_and_the_way_to_get_one_are_told(path):
    other, cannot = path(NOT_FFMPEG, CANNOT)

    def never(tool):
        raise EncoderFailed("no such codec\nsecond line")

    with pytest.raises(ToolMissing) as caught:
        find_ffmpeg("mp4", never)
    text = str(caught.value)
    assert text.startswith("no ffmpeg that can build mp4:\n")
    assert f"{other} (PATH) is no working ffmpeg" in text
    assert f"{cannot} (PATH, 2.8-broken) cannot build mp4: no such codec\n" in text
    assert "second line" not in text
    assert "pip install imageio-ffmpeg" in text


def test_the_same_program_twice_on_path_is_tried_once(path, monkeypatch):
    (only,) = path(CANNOT)
    folder = os.path.dirname(only)
    monkeypatch.setenv("PATH", os.pathsep.join([folder, folder]))
    assert (
        find_ffmpeg("mp4", lambda tool: attempt(tool) if tool.path == only else None)
        .notes[0]
        .startswith(only)
    )
    assert len(find_ffmpeg("mp4", attempt_or_wheel(only)).notes) == 1


def attempt_or_wheel(only):
    def trial(tool):
        if tool.path == only:
            raise EncoderFailed("cannot")

    return trial


@pytest.mark.parametrize("script", [NOT_FFMPEG, CRASHES, "echo 'ffmpeg version 1'; exit 1\n"])
def test_what_does_not_say_that_it_is_ffmpeg_has_no_version(tmp_path, script):
    assert version_of(program(tmp_path / "bin", script)) is None


def test_the_real_ones_have_a_version(both_ffmpegs):
    said = subprocess.run([both_ffmpegs, "-version"], capture_output=True, text=True, check=True).stdout
    assert said.split()[2] == version_of(both_ffmpegs)


RUNS = {
    "exit code 3": "exit 3",
    "was killed by signal 9": "kill -9 $$",
    "exit code 0, but it printed errors": "echo 'torn frame' >&2",
    "wrote 1 of 2 frames": "printf 'frame=1\\nprogress=end\\n'",
    "wrote 3 of 2 frames": "printf 'frame=3\\nprogress=end\\n'",
    "wrote 2 of 2 frames although": "printf 'frame=2\\nprogress=continue\\n'",
    "wrote 0 of 2 frames": "true",
    "duplicated 1 and dropped 0": "printf 'frame=2\\ndup_frames=1\\ndrop_frames=0\\nprogress=end\\n'",
    "duplicated 0 and dropped 4": "printf 'frame=2\\ndup_frames=0\\ndrop_frames=4\\nprogress=end\\n'",
}


@pytest.mark.parametrize(("problem", "script"), RUNS.items(), ids=RUNS.keys())
def test_success_is_believed_only_on_evidence(tmp_path, problem, script):
    tool = Tool("ffmpeg", program(tmp_path / "bin", script + "\n"), "0")
    with pytest.raises(EncoderFailed, match=problem):
        run_ffmpeg(tool, [], cwd=tmp_path, frames=2)


def test_arguments_are_data_and_frames_are_told(tmp_path):
    script = 'printf "%s\\n" "$@" > args\nprintf "frame=1\\nframe=2\\nprogress=end\\n"\n'
    hostile = ["a b", "'q'", '"', "$(touch x)", "`touch x`", ";", "*", "é\n", "-", "%d"]
    told = []
    run_ffmpeg(
        Tool("ffmpeg", program(tmp_path / "bin", script), "0"),
        hostile,
        cwd=tmp_path,
        frames=2,
        on_frame=told.append,
    )
    assert (tmp_path / "args").read_text() == "".join(f"{arg}\n" for arg in hostile)
    assert not (tmp_path / "x").exists()
    assert told[-1] == 2
