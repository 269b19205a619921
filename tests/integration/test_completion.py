"""What the Tab key offers, in real shells; and the manual."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import run_here

BIN = Path(sys.executable).parent


def offered(line: str, folder: Path) -> list[str]:
    """What bash offers at the end of a line, by the script that framepipe prints."""
    words = line.split(" ")
    program = f"""
        eval "$(framepipe completion bash)"
        COMP_WORDS=({" ".join(repr(word) for word in words)}) COMP_CWORD={len(words) - 1}
        compopt() {{ echo "compopt $*"; }}
        _framepipe_completion framepipe
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", program],
        cwd=folder,
        env={"PATH": f"{BIN}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("framepipe ass", ["assemble"]),
        ("framepipe make --quality be", ["best"]),
        ("framepipe make --hold-", ["--hold-first", "--hold-last"]),
        ("framepipe status fr", ["compopt", "-o", "dirnames"]),
        ("framepipe make sc", ["compopt", "-o", "default"]),
    ],
)
def test_bash_offers_verbs_options_values_and_files(line: str, expected: list[str], tmp_path: Path) -> None:
    assert offered(line, tmp_path) == expected


@pytest.mark.parametrize(
    ("shell", "place"),
    [
        ("bash", "data/bash-completion/completions/framepipe"),
        ("zsh", "data/zsh/site-functions/_framepipe"),
        ("fish", "config/fish/completions/framepipe.fish"),
    ],
)
def test_it_is_installed_where_the_shell_looks(shell: str, place: str, tmp_path: Path) -> None:
    env = {"XDG_DATA_HOME": str(tmp_path / "data"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    done = run_here(["completion", shell, "--install"], tmp_path, env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{tmp_path / place}: written")
    assert (tmp_path / place).read_text() == run_here(["completion", shell], tmp_path, env).stdout
    if (program := shutil.which(shell)) is not None:
        subprocess.run([program, "-n", tmp_path / place], check=True)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    done = run_here(["completion", "zsh", "--install"], tmp_path, {"XDG_DATA_HOME": str(tmp_path / "data")})
    assert done.returncode == 3
    assert "_framepipe cannot be written: " in done.stderr


def test_the_manual_is_one_that_man_reads_without_a_warning() -> None:
    page = Path(__file__).parents[2] / "docs" / "man" / "framepipe.1"
    if (groff := shutil.which("groff")) is None:
        text = page.read_text(encoding="utf-8")
        assert all(line.strip() for line in text.splitlines())
        return
    done = subprocess.run(
        [groff, "-Wbreak", "-man", "-Kutf8", "-Tutf8", page], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    for words in ("--hold-last", "75", "FRAMEPIPE_FFMPEG", "completion"):
        assert words in re.sub(".\b", "", done.stdout)  # bold is a letter twice
