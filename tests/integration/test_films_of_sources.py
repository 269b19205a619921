"""What an H.264 encoder has read is not decoded again to verify its movie, unless it read something else."""

from __future__ import annotations

import shlex
import shutil

import numpy as np
import pytest

import framepipe as fp
from tests.conftest import debian_ffmpeg

LOGGED = """#!/bin/bash
if [[ " $* " != *" -version "* ]]; then echo "$*" >> {log}; fi
{more}
exec {real} "$@"
"""
#: An encoder that reads another list than it is given.
ELSEWHERE = """
if [[ "${@: -1}" == movie.mp4 ]] && [ $(grep -c ^file frames.ffconcat) -gt 2 ]; then
  sed -i 's/000003/XXX/; s/000004/000003/; s/XXX/000004/' frames.ffconcat
fi
"""


def draw(index):
    picture = np.full((70, 100, 3), 255, np.uint8)
    picture[20:50, 8 * index : 8 * index + 20] = (200, 30, 30)
    return picture


@pytest.fixture
def store(tmp_path):
    return fp.render(draw, 10, store=tmp_path / "store", engine="serial").store


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Put a script before ffmpeg; return a function that lists the commands that compared pictures."""
    log = tmp_path / "log"

    def use(more=""):
        script = tmp_path / "ffmpeg-logged"
        real = shlex.quote(shutil.which(debian_ffmpeg()))
        script.write_text(LOGGED.replace("{log}", str(log)).replace("{real}", real).replace("{more}", more))
        script.chmod(0o755)
        monkeypatch.setenv("FRAMEPIPE_FFMPEG", str(script))
        return lambda: [line for line in log.read_text().splitlines() if "pictures.raw" in line]

    return use


def test_verification_after_encoding_decodes_no_source_again(store, tmp_path, commands):
    compared = commands()
    assert fp.assemble(store, tmp_path / "movie.mp4", fps=5).report.passed
    assert [" -i film " in line and "frames.ffconcat" not in line for line in compared()] == [True]


def test_verify_decodes_the_sources(store, tmp_path, commands):
    fp.assemble(store, tmp_path / "movie.mp4", fps=5)
    compared = commands()
    assert fp.verify(tmp_path / "movie.mp4", store).passed
    assert ["frames.ffconcat" in line for line in compared()] == [True]


def test_an_encoder_that_reads_frames_in_another_order_is_found_out(store, tmp_path, commands):
    compared = commands(ELSEWHERE)
    with pytest.raises(fp.VerificationFailed, match="frame_000004"):
        fp.assemble(store, tmp_path / "movie.mp4", fps=5)
    assert not any(" -i film " in line for line in compared())
