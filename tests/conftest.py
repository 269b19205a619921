"""What all floors of the tests share."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ["MPLBACKEND"] = "Agg"

SCENE = """
    import numpy as np
    from matplotlib import pyplot as plt

    X = np.linspace(0, 10, 200)
    history = [np.full((4, 4), k / 10) for k in range(8)]

    def draw(value, amp=1.0):
        fig, ax = plt.subplots(figsize=(3, 2), dpi=80)
        ax.plot(X, amp * np.sin(X + value / 3))
        ax.set(ylim=(-1.5, 1.5), title=f"frame {value}")
        return fig

    def weights(matrix):
        fig, ax = plt.subplots(figsize=(3, 2), dpi=80)
        ax.imshow(matrix, vmin=0, vmax=1)
        return fig
"""


@pytest.fixture(autouse=True)
def own_account(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key to seal job.json with that is not the user's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh working folder with ``scene.py`` in it."""
    (tmp_path / "scene.py").write_text(textwrap.dedent(SCENE))
    monkeypatch.chdir(tmp_path)
    return tmp_path


Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cli(folder: Path) -> Cli:
    """The command line in a process of its own, in ``folder``; says what it printed if it must succeed."""

    def run(
        *args: object, ok: bool = False, cwd: Path = folder, **env: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "framepipe", *map(str, args)],
            cwd=cwd,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=240,
        )
        assert not ok or done.returncode == 0, done.stdout + done.stderr
        return done

    return run


def debian_ffmpeg() -> str:
    """The system's ffmpeg, which the tests require (`scripts/test` installs it)."""
    found = shutil.which("ffmpeg")
    assert found, "no ffmpeg on PATH: run scripts/test, which installs it"
    return found


def bundled_ffmpeg() -> str:
    """The one that imageio-ffmpeg ships."""
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


@pytest.fixture(params=[debian_ffmpeg, bundled_ffmpeg], ids=["system-ffmpeg", "bundled-ffmpeg"])
def each_ffmpeg(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test with the system's ffmpeg and with the bundled one."""
    path: str = request.param()
    monkeypatch.setenv("FRAMEPIPE_FFMPEG", path)
    return path
