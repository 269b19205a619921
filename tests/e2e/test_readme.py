"""What the README shows, runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import run_here

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
FILES = re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", README, re.S)
RUNS = re.findall(r"<!-- run -->\n```(python|sh)\n(.*?)```", README, re.S)


def _run(kind: str, text: str, folder: Path) -> str:
    for name, content in FILES:
        (folder / name).write_text(content)
    bin_ = Path(sys.executable).parent
    env = {**os.environ, "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}"}
    argv = [sys.executable, "-c", text] if kind == "python" else ["bash", "-euo", "pipefail", "-c", text]
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_readme_has_a_script_and_runnable_blocks() -> None:
    assert len(FILES) == 1
    assert [kind for kind, _ in RUNS] == ["sh", "python", "python", "python", "sh"]


@pytest.mark.parametrize("number", range(len(RUNS)))
def test_readme_block_runs_to_the_letter(number: int, tmp_path: Path) -> None:
    kind, text = RUNS[number]
    printed = _run(kind, text, tmp_path)
    assert "NO" not in printed.split()
    for name in re.findall(r"(?:-o |output=\")([\w.]+)", text):
        assert (tmp_path / name).stat().st_size > 1000


def test_every_verb_and_option_in_the_readme_exists(tmp_path: Path) -> None:
    blocks = "".join(re.findall(r"```sh\n(.*?)```", README, re.S))
    for line in re.findall(r"^(?:srun )?framepipe (\w+ .*?)(?: *#.*)?$", blocks, re.M):
        verb = line.split()[0]
        help_ = run_here([verb, "--help"], tmp_path, {"COLUMNS": "200"})
        assert help_.returncode == 0, verb
        for option in re.findall(r"--[a-z][a-z-]*", line.partition(" -- ")[0]):  # the script's own after
            assert option in help_.stdout, f"{verb} {option}"
