"""What the Tab key offers, in real shells that read what `completion --install` has written; and the manual."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from tests.support.command_line import run_here
from tests.support.waiting import PATIENCE_S

BIN = Path(sys.executable).parent
BREW = ("/opt/homebrew", "/usr/local")  # where macOS has them
PATH = os.pathsep.join([str(BIN), *(f"{place}/bin" for place in BREW), "/usr/bin", "/bin"])


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
        env={"PATH": PATH},
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


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with a store and a script in it."""
    (tmp_path / "frames" / "run1").mkdir(parents=True)
    (tmp_path / "scene.py").touch()
    return tmp_path


def installed(shell: str, home: Path) -> tuple[dict[str, str], str]:
    """The environment of a shell for which completion is installed, and what the installing said."""
    env = {"HOME": str(home), "XDG_DATA_HOME": f"{home}/data", "XDG_CONFIG_HOME": f"{home}/config"}
    done = run_here(["completion", shell, "--install"], home, env)
    assert done.returncode == 0, done.stderr
    return {**env, "PATH": PATH, "TERM": "dumb", "LANG": "C.UTF-8"}, done.stdout


def the_tab_key_completes(argv: list[str], home: Path, env: dict[str, str]) -> None:
    """Type into an interactive shell whose prompt is `> `, as a person does."""
    shell = pexpect.spawn(
        argv[0], argv[1:], env=env, cwd=str(home), timeout=PATIENCE_S, encoding="utf-8", dimensions=(50, 150)
    )
    try:
        shell.expect_exact("> ")
        for typed, expected in (
            ("framepipe ass", "framepipe assemble "),
            ("framepipe make --quality be", "--quality best "),
            ("framepipe status fr", "status frames/"),
            ("framepipe make sc", "make scene.py "),
            ("framepipe make --hold-", "--hold-last"),
        ):
            shell.send(f"{typed}\t")
            shell.expect_exact(expected)
            shell.send("\x15")  # Ctrl-U: an empty line
    finally:
        shell.close(force=True)


def test_bash_reads_what_was_installed(home: Path) -> None:
    places = [Path(place, "share/bash-completion/bash_completion") for place in ("/usr", *BREW)]
    loader = next(filter(Path.is_file, places), None)
    assert loader, "no bash-completion: run scripts/test, which installs it"
    env, _ = installed("bash", home)
    (home / "bashrc").write_text(f"PS1='> '\nbind 'set show-all-if-ambiguous on'\n. {loader}\n")
    the_tab_key_completes(["bash", "--rcfile", f"{home}/bashrc", "-i"], home, env)


def test_zsh_reads_what_was_installed_after_the_line_that_it_asks_for(home: Path) -> None:
    env, said = installed("zsh", home)
    line = said.partition("before compinit is called: ")[2]
    (home / ".zshrc").write_text(f"PS1='> '\n{line}\nautoload -U compinit\ncompinit -u\n")
    the_tab_key_completes(["zsh", "-o", "no_global_rcs", "-i"], home, {**env, "ZDOTDIR": str(home)})


def test_fish_reads_what_was_installed(home: Path) -> None:
    env, _ = installed("fish", home)
    lines = ["framepipe ass", "framepipe make --quality be", "framepipe make --hold-", "framepipe status fr"]
    done = subprocess.run(
        ["fish", "--command", "; ".join(f"complete -C '{line}'" for line in lines)],
        cwd=home,
        env=env,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    offered = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert offered == ["assemble", "best", "--hold-first", "--hold-last", "frames/"]


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
        [groff, "-wbreak", "-man", "-Kutf8", "-Tutf8", page], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    for words in ("--hold-last", "75", "FRAMEPIPE_FFMPEG", "completion"):
        assert words in re.sub(".\b", "", done.stdout)  # bold is a letter twice
