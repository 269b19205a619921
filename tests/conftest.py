"""What all floors of the tests share."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from framepipe.scenes.open_figures import closing_figures
from tests.support.command_line import run_here
from tests.support.forked import run_python, stages_are_forked
from tests.support.processes import start_with_default_signals
from tests.support.sizes import LONG

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


def pytest_configure() -> None:
    """Before anything is started."""
    start_with_default_signals()
    gc.disable()


@pytest.hookimpl(hookwrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is loaded for the tests stays: to look through it for garbage took a tenth of the time of all tests."""
    yield
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked `long`, unless it is asked for."""
    if LONG or "long" in config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("long")]


@pytest.fixture(scope="session", autouse=True)
def quick_ffmpeg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The bundled ffmpeg comes first on PATH: it starts in a sixth of the time that the system's takes.

    With `LONG` the system's does it all, as for most users.
    """
    with pytest.MonkeyPatch.context() as patch:
        if not LONG:
            folder = tmp_path_factory.mktemp("bin")
            (folder / "ffmpeg").symlink_to(bundled_ffmpeg())
            patch.setenv("PATH", str(folder), prepend=os.pathsep)
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_wand() -> Iterator[None]:
    """Wand tries the names that MagickWand has in most distributions first.

    It asks `ldconfig`, `gcc` and `ld` for each name that it tries, which takes five times as long as all else
    that it loads. With `LONG` it looks for the library as it does for most users.
    """
    with pytest.MonkeyPatch.context() as patch:
        if not LONG:
            patch.setenv("WAND_MAGICK_LIBRARY_SUFFIX", "-6.Q16;-7.Q16HDRI;-7.Q16")
        yield


@pytest.fixture(scope="session", autouse=True)
def own_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A key to seal job.json with, and a cache, that are not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_python(own_account: None) -> Iterator[None]:
    """Framepipe's stages, and what tests start as `Python`, are forked from a process that has loaded matplotlib.

    With `LONG` all are started, as for users; here those are that the tests of their beginning start themselves.
    """
    with contextlib.nullcontext() if LONG else stages_are_forked():
        yield


@pytest.fixture(autouse=True)
def no_figures_stay() -> Iterator[None]:
    """What a test leaves open in pyplot is closed: the next test of the process counts its own."""
    with closing_figures():
        yield


@pytest.fixture(scope="module", autouse=True)
def no_variables_stay(quick_python: None) -> Iterator[None]:
    """What tests leave in the environment is taken away, as of dask: with it, no further program would be forked."""
    before = dict(os.environ)
    yield
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh working folder with ``scene.py`` in it."""
    (tmp_path / "scene.py").write_text(textwrap.dedent(SCENE))
    monkeypatch.chdir(tmp_path)
    return tmp_path


Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cli(folder: Path) -> Cli:
    """The command line in this process, in ``folder``, for verbs that load no user code; much the faster.

    Says what it printed if it must succeed.
    """

    def run(
        *args: object, ok: bool = False, cwd: Path = folder, **env: str
    ) -> subprocess.CompletedProcess[str]:
        done = run_here(args, cwd, env)
        assert not ok or done.returncode == 0, done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def cli_process(folder: Path) -> Cli:
    """The same in a process of its own, for all that loads user code, and where the process is a subject."""

    def run(
        *args: object, ok: bool = False, cwd: Path = folder, **env: str
    ) -> subprocess.CompletedProcess[str]:
        done = run_python(["-m", "framepipe", *args], cwd, env)
        assert not ok or done.returncode == 0, done.stdout + done.stderr
        return done

    return run


_ON_PATH = shutil.which("ffmpeg")


def debian_ffmpeg() -> str:
    """The system's ffmpeg, which the tests require (`scripts/test` installs it)."""
    assert _ON_PATH, "no ffmpeg on PATH: run scripts/test, which installs it"
    return _ON_PATH


def bundled_ffmpeg() -> str:
    """The one that imageio-ffmpeg ships."""
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


FFMPEGS = {"system-ffmpeg": debian_ffmpeg, "bundled-ffmpeg": bundled_ffmpeg}


@pytest.fixture(params=FFMPEGS.values(), ids=FFMPEGS.keys())
def both_ffmpegs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test with the system's ffmpeg and with the bundled one."""
    return _only(request.param(), monkeypatch)


@pytest.fixture(
    params=[pytest.param(debian_ffmpeg, marks=pytest.mark.long), bundled_ffmpeg], ids=FFMPEGS.keys()
)
def each_ffmpeg(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test with the bundled ffmpeg, and with the system's where there is time for it.

    `test_format_matrix` uses both in turn, and `test_segments` always.
    """
    return _only(request.param(), monkeypatch)


@pytest.fixture
def systems_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> str:
    """The system's, on which what is expected of the test was found out; others choose other colours."""
    return _only(debian_ffmpeg(), monkeypatch)


def _only(path: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FRAMEPIPE_FFMPEG", path)
    return path
