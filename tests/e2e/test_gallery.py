"""The gallery pieces, at reduced size."""

from __future__ import annotations

import html
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import framepipe as fp
from tests.conftest import Cli
from tests.support.forked import run_python
from tests.support.sizes import all_if_long

GALLERY = Path(__file__).parents[2] / "scripts" / "gallery"
# what `framepipe make` draws: its options, frames
PIECES = {
    "weights_heatmap:draw": ("--frames few --fps 10 -o a.gif -o a.mp4 --engine serial", 4),
    "gradient_descent:draw": ("--frames 0-179x20 --fps 10 -o a.gif -o a.mp4 --engine serial", 9),
    "travelling_sine:by_data": ("--param frames=10 -o a.gif -o a.mp4 --encoder ffmpeg --engine serial", 10),
    "travelling_sine:by_replotting": (
        "--param frames=10 -o a.gif --encoder imagemagick --engine serial",
        10,
    ),
    "lorenz:animation": ("--param frames=8 --param seconds=6 -o a.gif -o a.mp4 -o a.webm", 8),
}
# what has a test of its own
OTHERS = {"linear_regression", "label_propagation", "coin_flips", "decision_boundary"}


def run(piece: str, folder: Path, then: str = "", **sizes: int) -> str:
    """Run a piece's ``main``, and some code after it, in a process of its own; gives what it printed."""
    given = ", ".join(f"{name}={size}" for name, size in sizes.items())
    program = folder / "run_piece.py"
    program.write_text(
        f"import sys\nsys.path.insert(0, {str(GALLERY)!r})\nimport {piece}\n{piece}.main({given})\n{then}\n"
    )
    done = run_python([program.name], folder, {})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pictures_in(gif: Path) -> int:
    with Image.open(gif) as movie:
        return int(movie.n_frames)  # type: ignore[attr-defined]


def test_every_piece_of_the_gallery_is_tested() -> None:
    tested = {piece.partition(":")[0] for piece in PIECES} | OTHERS
    assert {path.stem for path in GALLERY.glob("*.py")} == tested


@pytest.mark.parametrize(
    "piece", all_if_long(PIECES, "weights_heatmap:draw", "travelling_sine:by_data", "lorenz:animation")
)
def test_gallery_piece_becomes_a_verified_movie(piece: str, cli_process: Cli, folder: Path) -> None:
    script, _, name = piece.partition(":")
    options, count = PIECES[piece]
    text = (GALLERY / f"{script}.py").read_text()
    (folder / "piece.py").write_text(text + "\nfew = history[::10]\n" if "few" in options else text)
    done = cli_process("make", f"piece.py:{name}", *options.split(), "--dpi", 40, "--json", ok=True)
    report = json.loads(done.stdout)
    assert report["render"]["drawn_count"] == count
    assert [movie["frames"] for movie in report["movies"]] == [count] * options.count("-o")
    assert all(movie["verified"]["passed"] for movie in report["movies"])
    with Image.open(folder / "a.gif") as movie:
        assert movie.info["duration"] == {"travelling_sine": 20, "lorenz": 40}.get(script, 100)


def test_regression_drawn_in_parallel_shows_the_cost_axis_only_at_the_end(
    cli_process: Cli, folder: Path
) -> None:
    scene = (f"{GALLERY / 'linear_regression'}.py:animation", "--param", "epochs=10", "--dpi", 40)
    cli_process(
        "make", *scene, "--store", "two", "-j", 2, "-o", "a.gif", "--hold-last", 3, "--keep-frames", ok=True
    )
    cli_process("render", *scene, "--store", "one", "--engine", "serial", ok=True)
    pictures = {}
    for store in ("one", "two"):
        frames = sorted((folder / store).glob("*.png"))
        pictures[store] = np.stack([np.asarray(Image.open(path).convert("L")) for path in frames])
    assert np.array_equal(pictures["one"], pictures["two"])
    right_of_the_axes = pictures["two"][:, 20:-20, -25:].min(axis=(1, 2)) < 128
    assert right_of_the_axes.tolist() == [False] * 10 + [True]
    with Image.open(folder / "a.gif") as movie:
        movie.seek(10)
        assert movie.info["duration"] == 3000


def test_labels_spread_by_camera_into_movie_and_player(folder: Path) -> None:
    said = run("label_propagation", folder, points=2000, iterations=4, dpi=40)
    assert "label_propagation.mp4: 4 iterations in 2.1 s" in said
    page = html.unescape((folder / "label_propagation.html").read_text())
    assert '"numbers":[0,1,2,3]' in page  # of framepipe's player
    assert (folder / "label_propagation.mp4").exists()  # it has its name, so it passed


def test_coin_flips_by_camera_become_gif_and_mp4(folder: Path) -> None:
    run("coin_flips", folder, curves=4, most=16)
    assert pictures_in(folder / "coin_flips.gif") == 4
    assert (folder / "coin_flips.mp4").exists()


@pytest.mark.long
def test_keras_training_started_again_goes_on_with_its_frames(folder: Path) -> None:
    stores = [folder / "frames" / name for name in ("boundary", "curves")]
    between = "import shutil; shutil.copytree('frames', 'before')"  # one process: Keras takes 8 s to load
    said = run(
        "decision_boundary",
        folder,
        f"{between}\ndecision_boundary.main(epochs=4, points=200)",
        epochs=2,
        points=200,
    )
    assert "trained from epoch 3 to 4" in said
    before = sorted((folder / "before").glob("*/*.png"))
    assert len(before) == 4
    for path in before:
        now = folder / "frames" / path.relative_to(folder / "before")
        assert now.stat().st_mtime_ns == path.stat().st_mtime_ns
    for store in stores:
        assert fp.status(store).done == (0, 1, 2, 3)
        assert pictures_in(folder / f"decision_{store.name}.gif") == 4
        assert (folder / f"decision_{store.name}.mp4").exists()


def test_frames_of_8_ms_are_refused_for_gif_with_the_remedy(cli_process: Cli) -> None:
    script = f"{GALLERY / 'weights_heatmap'}.py:draw"
    done = cli_process("make", script, "--frames", "history", "-o", "a.gif", "--fps", 125)
    assert done.returncode == 2
    assert "GIF supports at most 50" in done.stderr
    assert "use --fps 50 or mp4" in done.stderr
