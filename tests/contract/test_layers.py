"""A room imports only from below: the contracts of import-linter hold."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from pathlib import Path

import framepipe

PACKAGE = Path(framepipe.__file__).parent
ROOT = PACKAGE.parent


def test_the_contracts_of_import_linter_hold():
    code = "import sys; from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def called(tree, *names):
    """Lines on which one of these dotted names is used."""
    ends = {name.rpartition(".")[2] for name in names}
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ends and ast.unparse(node) in names
    ]


@functools.cache
def modules():
    paths = sorted(PACKAGE.rglob("*.py"))
    return [(path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text())) for path in paths]


def test_only_these_rooms_start_programs():
    starts = {
        name
        for name, tree in modules()
        if called(tree, "subprocess.Popen", "subprocess.run", "os.posix_spawnp", "os.system")
    }
    assert starts == {
        "core/process.py",  # ffmpeg, ImageMagick, gifsicle
        "core/watchdog.py",
        "rendering/stage_start.py",  # the stage
        "rendering/engines/process.py",  # what ends it
        "rendering/engines/mpi.py",  # what speaks MPI beside it
        "core/frame_program.py",  # external renderers
        "watching/beside.py",  # the page of a render, which ends with it
    }


def test_only_these_rooms_fork():
    forks = {name for name, tree in modules() if called(tree, "os.fork", "os.forkpty")}
    assert forks == {
        "rendering/engines/original.py",  # a copy of the user's program, which draws its first frames
        "scenes/forking.py",  # all processes of the stage
    }


def test_no_shell_is_ever_used():
    for name, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                assert not [word for word in node.keywords if word.arg == "shell"], name
        assert not called(tree, "os.system", "os.popen"), name


def test_the_library_prints_and_exits_nowhere():
    """The CLI does the talking; a child process of its own may too."""
    children = (
        "cli/",
        "formats/gif/magick_child.py",
        "core/watchdog.py",
        "core/progress_bar.py",
        "__main__.py",
    )
    for name, tree in modules():
        if name.startswith(children):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.exit", "exit", "quit"):
                raise AssertionError(f"{name}:{node.lineno}: {ast.unparse(node)}")


def test_only_the_command_line_touches_signal_handlers_and_the_working_folder():
    for name, tree in modules():
        if name.startswith(
            (
                "__main__.py",
                "cli/",
                "rendering/engines/stage.py",
                "rendering/engines/mpi_relay.py",
                "formats/gif/magick_child.py",
                "core/watchdog.py",
            )
        ):
            continue
        assert not called(tree, "signal.signal", "os.chdir", "os.umask"), name
