"""Frames from everywhere, by the command line, to verified movies."""

from __future__ import annotations

import importlib.metadata
import json
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import framepipe as fp
from framepipe.errors import StoreError
from tests.conftest import Cli

PROGRAM = """
import sys
from PIL import Image
number, out = int(sys.argv[1]), sys.argv[2]
if number == 3 and len(sys.argv) > 3:
    sys.exit("no ray hit anything")
Image.new("RGB", (40, 30), (number * 20, 100, 0)).save(out)
"""
SLICES = """
from matplotlib import pyplot as plt
def show(field):
    fig, ax = plt.subplots(figsize=(2, 2), dpi=50)
    ax.imshow(field, vmin=0, vmax=6)
    return fig
"""


@pytest.fixture
def command(folder: Path) -> str:
    (folder / "ray.py").write_text(PROGRAM)
    return f"{shlex.quote(sys.executable)} ray.py {{number}} {{output}}"


def level(store: str, number: int) -> tuple[int, ...]:
    with Image.open(fp.Store(store).frame_path(number)) as picture:
        pixel = picture.convert("RGB").getpixel((0, 0))
    assert isinstance(pixel, tuple)
    return pixel


def test_an_external_renderer_draws_a_verified_movie(cli: Cli, command: str) -> None:
    done = cli("make", "--command", command, "--frames", 5, "-o", "a.mp4", "--json", ok=True)
    report = json.loads(done.stdout)
    assert report["render"]["drawn_count"] == 5
    assert report["movies"][0]["verified"]["passed"]


def test_a_frame_that_its_program_refuses_is_told_with_its_words_and_log(cli: Cli, command: str) -> None:
    done = cli("render", "--command", command + " strict", "--frames", 5, "--store", "s", "-q")
    assert done.returncode == 3
    assert "frame 3:" in done.stderr and "exited with code 1" in done.stderr
    assert "no ray hit anything" in done.stderr
    assert "no ray hit anything" in Path("s/logs/frame_000003.log").read_text()
    assert level("s", 4) == (80, 100, 0)
    Path("ray.py").write_text(PROGRAM.replace("sys.exit", "print"))
    cli("resume", "s", "-q", ok=True)
    assert fp.status("s").complete
    assert not Path("s/logs/frame_000003.log").exists()


def test_a_program_that_changed_is_seen_if_it_is_an_input(cli: Cli, command: str) -> None:
    first = ("render", "--command", command, "--frames", 2, "--store", "s", "-q", "--input", "ray.py")
    cli(*first, ok=True)
    Path("ray.py").write_text(PROGRAM.replace("100", "200"))
    done = cli(*first, ok=True)
    assert "2 stale: ray.py changed" in done.stdout
    assert level("s", 1) == (20, 200, 0)


def test_a_command_of_somebody_elses_job_json_is_not_run(cli: Cli, command: str, tmp_path: Path) -> None:
    cli("render", "--command", command, "--frames", 2, "--store", "s", "-q", ok=True)
    path = Path("s/job.json")
    path.write_text(path.read_text().replace("ray.py", "evil.py"))
    with pytest.raises(StoreError, match="not written by this account"):
        fp.resume("s")
    assert fp.resume("s", command=command).kept == 2


def test_pictures_of_a_program_outlive_other_versions_of_matplotlib_and_numpy(
    cli: Cli, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("render", "--command", command, "--frames", 2, "--store", "s", "-q", ok=True)
    version = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: {"matplotlib": "9"}.get(name, version(name))
    )
    monkeypatch.setattr(np, "__version__", "9")
    assert fp.render(None, 2, command=command, store="s", engine="serial").kept == 2


def test_a_scene_and_a_command_exclude_each_other(cli: Cli, command: str) -> None:
    for arguments in (["scene.py:draw", "--command", command], []):
        done = cli("render", *arguments, "--frames", 2)
        assert done.returncode == 2
        assert "give either a scene or a command" in done.stderr


def test_pictures_that_exist_become_a_movie(cli: Cli, folder: Path) -> None:
    (folder / "old").mkdir()
    for k in range(12):
        Image.new("RGB", (40, 30), (k * 20, 0, 0)).save(folder / "old" / f"img_{k}.png")
    done = cli("adopt", "old/img_*.png", "--store", "s", ok=True)
    assert "12 frames, 0-11" in done.stdout and "12 linked" in done.stdout
    assert level("s", 10) == (200, 0, 0)
    cli("assemble", "s", "-o", "old.gif", "--fps", 10, "-q", ok=True)
    cli("clean", "s")
    assert len(list((folder / "old").iterdir())) == 12


@pytest.mark.parametrize("name", ["field.npy", "fields.npz:u", "sim.h5:/run/u"])
def test_each_frame_is_a_slice_of_a_file(cli_process: Cli, folder: Path, name: str) -> None:
    import h5py

    (folder / "slices.py").write_text(SLICES)
    field = np.arange(6)[:, None, None] * np.ones((6, 4, 4))
    np.save("field.npy", field)
    np.savez("fields.npz", u=field, v=field[:2])
    with h5py.File("sim.h5", "w") as file:
        file["run/u"] = field
    how = ("-j", 2) if "h5" in name else ("--engine", "serial")
    cli_process("render", "slices.py:show", "--frames", name, "--store", "s", *how, "-q", ok=True)
    assert fp.status("s").done == (0, 1, 2, 3, 4, 5)
    expected = fp.render("slices.py:show", list(field), store="t", engine="serial")
    for k in range(6):
        assert np.array_equal(
            *(np.asarray(Image.open(fp.Store(s).frame_path(k))) for s in ("s", expected.store))
        )


def test_only_the_frames_whose_slice_changed_are_drawn_again(cli_process: Cli, folder: Path) -> None:
    (folder / "slices.py").write_text(SLICES)
    field = np.zeros((4, 3, 3))
    np.save("field.npy", field)
    arguments = (
        "render",
        "slices.py:show",
        "--frames",
        "field.npy",
        "--store",
        "s",
        "--engine",
        "serial",
        "-q",
    )
    cli_process(*arguments, ok=True)
    field[2] = 5
    np.save("field.npy", field)
    assert "1 frames drawn, 3 were done" in cli_process(*arguments, ok=True).stdout


def test_a_named_dimension_of_a_labelled_array_gives_the_frames(folder: Path) -> None:
    import xarray

    field = xarray.DataArray(
        np.arange(24.0).reshape(4, 2, 3), dims=("y", "time", "x"), coords={"time": [10, 20]}
    )

    def show(piece):
        from matplotlib import pyplot as plt

        fig, ax = plt.subplots(figsize=(2, 2), dpi=50)
        ax.set_title(f"t={float(piece.time)}")
        ax.imshow(piece)
        return fig

    assert fp.render(show, field, store="s", dim="time", workers=1).total == 2


def test_a_pickle_is_read_only_when_that_is_allowed(cli_process: Cli, folder: Path) -> None:
    import pickle

    (folder / "slices.py").write_text(SLICES)
    (folder / "history.pkl").write_bytes(pickle.dumps([np.full((2, 2), k) for k in range(3)]))
    arguments = (
        "render",
        "slices.py:show",
        "--frames",
        "history.pkl",
        "--store",
        "s",
        "--engine",
        "serial",
        "-q",
    )
    done = cli_process(*arguments)
    assert done.returncode == 2 and "--allow-pickle" in done.stderr
    cli_process(*arguments, "--allow-pickle", ok=True)
    assert fp.status("s").done == (0, 1, 2)


def test_an_animation_is_drawn_at_its_own_rate_by_its_name_or_without(cli_process: Cli, folder: Path) -> None:
    (folder / "wave.py").write_text(
        "import numpy as np\n"
        "from matplotlib import pyplot as plt\n"
        "from matplotlib.animation import FuncAnimation\n"
        "fig, ax = plt.subplots(figsize=(2, 2), dpi=50)\n"
        "(line,) = ax.plot(np.sin(np.arange(9)))\n"
        "anim = FuncAnimation(fig, lambda i: line.set_ydata(np.sin(np.arange(9) + i)), frames=6, interval=50)\n"
        "plt.show()\n"
    )
    done = cli_process("make", "wave.py", "-o", "a.mp4", "--json", ok=True)
    assert done.stderr == "" or "Warning" not in done.stderr
    assert json.loads(done.stdout)["movies"][0]["duration_s"] == pytest.approx(0.3)
    done = cli_process(
        "make",
        "wave.py:anim",
        "-o",
        "b.gif",
        "--frames",
        "0-5x2",
        "--fps",
        10,
        "--engine",
        "serial",
        "--json",
        ok=True,
    )
    assert json.loads(done.stdout)["movies"][0]["frames"] == 3
