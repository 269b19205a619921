"""What belongs to the caller is as it was after a render."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt

import framepipe as fp
from tests.integration.pictures_of_figures import plain, returns_nothing_of_plt_plot
from tests.support.sizes import all_if_long

ENGINES = ["serial", "local"]


def pixels(fig):
    fig.canvas.draw()
    return np.asarray(fig.canvas.buffer_rgba()).copy()


def handlers():
    return {each: signal.getsignal(each) for each in signal.valid_signals()}


def draw(folder, engine, scene=plain, **keywords):
    return fp.render(
        scene, 3, store=folder / "s", engine=engine, workers=2 if engine == "local" else None, **keywords
    )


def test_figures_that_a_script_opens_are_closed(tmp_path):
    """With engine serial the script is loaded here, and afresh each time."""
    mine = plt.figure()
    script = tmp_path / "film.py"
    script.write_text(
        "from matplotlib import pyplot as plt\nfig = plt.figure()\ndef draw(k):\n    return plt.figure()\n"
    )
    draw(tmp_path, "serial", f"{script}:draw")
    assert plt.get_fignums() == [mine.number]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("scene", [plain, returns_nothing_of_plt_plot], ids=lambda scene: scene.__name__)
def test_open_figures_of_the_caller_stay_open_current_and_unchanged(tmp_path, engine, scene):
    mine, ax = plt.subplots(figsize=(2, 2), dpi=60)
    other, other_axes = plt.subplots(1, 2, figsize=(1, 1))
    ax.plot([1, 2, 3])
    plt.figure(mine.number)
    plt.sca(ax)
    before = pixels(mine)
    draw(tmp_path, engine, scene)
    assert plt.get_fignums() == [mine.number, other.number]
    assert (plt.gcf(), plt.gca()) == (mine, ax)
    assert (mine.dpi, other.dpi) == (60, matplotlib.rcParams["figure.dpi"])
    assert np.array_equal(pixels(mine), before)
    assert len(other_axes) == len(other.axes) == 2


@pytest.mark.timeout(20)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("tight", all_if_long([False, True], True))
def test_a_figure_that_the_scene_hands_out_keeps_its_dpi_and_its_canvas(tmp_path, engine, tight):
    mine, ax = plt.subplots(figsize=(2, 2), dpi=60)
    ax.plot([1, 2, 3])
    before, canvas = pixels(mine), mine.canvas
    draw(tmp_path, engine, lambda k: mine, dpi=100, tight=tight, transparent=True)
    assert (mine.dpi, mine.canvas) == (60, canvas)
    assert np.array_equal(pixels(mine), before)
    assert plt.fignum_exists(mine.number)


@pytest.mark.parametrize("engine", ENGINES)
def test_settings_folders_handlers_and_variables_are_as_they_were(tmp_path, engine, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def state():
        return {
            "rcParams": dict(matplotlib.rcParams),
            "backend": matplotlib.get_backend(),
            "cwd": os.getcwd(),
            "handlers": handlers(),
            "environ": dict(os.environ),
            "path": list(sys.path),
            "hooks": (sys.excepthook, threading.excepthook, sys.stdout, sys.stderr),
            "umask": os.umask(os.umask(0o22)),
            "random": np.random.get_state()[1].tolist(),
            "filters": list(warnings.filters),
            "threads": {each.name for each in threading.enumerate() if not each.daemon},
            "bytecode": sys.dont_write_bytecode,
            "interactive": plt.isinteractive(),
        }

    plt.figure()
    with matplotlib.rc_context({"lines.linewidth": 3}):
        before = state()
        draw(tmp_path, engine)
        after = state()
    assert {name for name in before if before[name] != after[name]} == set()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_library_prints_nothing(tmp_path, engine, capfd):
    draw(tmp_path, engine)
    fp.assemble(tmp_path / "s", tmp_path / "m.gif")
    fp.verify(tmp_path / "m.gif", tmp_path / "s")
    fp.clean(tmp_path / "s")
    assert capfd.readouterr() == ("", "")


def children():
    found = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    if int(file.read().rpartition(")")[2].split()[1]) == os.getpid():
                        found.add(int(name))
            except OSError:
                continue
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_no_process_and_no_open_file_is_left(tmp_path, engine):
    def drawn(name):
        fp.render(plain, 3, store=tmp_path / name, engine=engine, workers=2 if engine == "local" else None)
        fp.assemble(tmp_path / name, tmp_path / "m.mp4")
        return children(), len(os.listdir("/proc/self/fd"))

    drawn("warm")
    before = children(), len(os.listdir("/proc/self/fd"))
    assert drawn("s") == before


def test_a_scene_that_changes_its_folder_in_a_worker_does_not_move_the_caller(tmp_path):
    def rude(k):
        os.chdir("/")
        return plain(k)

    before = os.getcwd()
    fp.render(rude, 2, store=tmp_path / "s", engine="local", workers=1)
    assert os.getcwd() == before
