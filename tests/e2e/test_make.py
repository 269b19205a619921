"""The whole way, by the command line, with real encoders."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import Cli


def test_one_command_draws_builds_verifies_and_cleans_up(cli_process: Cli, folder: Path) -> None:
    done = cli_process(
        "make", "scene.py:draw", "--frames", 6, "-o", "a.mp4", "-o", "a.gif", "--json", ok=True
    )
    report = json.loads(done.stdout)
    assert report["render"]["drawn_count"] == 6
    assert [movie["verified"]["passed"] for movie in report["movies"]] == [True, True]
    assert report["cleanup"]["deleted"] == 6
    assert (folder / "a.mp4").stat().st_size > 1000
    assert not (folder / "frames").exists(), "the default place of stores goes with its last one"
