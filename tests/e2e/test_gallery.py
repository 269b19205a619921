"""The gallery pieces, at reduced size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Cli

GALLERY = Path(__file__).parents[2] / "scripts" / "gallery"
PIECES = {"weights_heatmap": ("history", 40), "gradient_descent": ("0-179x20", 9)}


def test_every_piece_of_the_gallery_is_tested() -> None:
    assert {path.stem for path in GALLERY.glob("*.py")} == set(PIECES)


@pytest.mark.parametrize("piece", PIECES)
def test_gallery_piece_becomes_a_verified_movie(piece: str, cli: Cli, folder: Path) -> None:
    frames, count = PIECES[piece]
    script = f"{GALLERY / piece}.py:draw"
    done = cli(
        "make", script, "--frames", frames, "-o", "a.gif", "-o", "a.mp4", "--dpi", 30, "--fps", 10,
        "--json", ok=True,
    )  # fmt: skip
    report = json.loads(done.stdout)
    assert report["render"]["drawn_count"] == count
    assert [movie["frames"] for movie in report["movies"]] == [count, count]
    assert all(movie["verified"]["passed"] for movie in report["movies"])


def test_frames_of_8_ms_are_refused_for_gif_with_the_remedy(cli: Cli) -> None:
    script = f"{GALLERY / 'weights_heatmap'}.py:draw"
    done = cli("make", script, "--frames", "history", "-o", "a.gif", "--fps", 125)
    assert done.returncode == 2
    assert "GIF plays at 50 at most" in done.stderr
    assert "use --fps 50 or mp4" in done.stderr
