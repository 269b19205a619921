"""The blocks of a page of Markdown, and how they are run.

What stands before a block, as a comment of Markdown, says how it is tried:

- nothing: ``sh`` and ``python`` run;
- ``file: NAME``: it is this file in the page's folder;
- ``not run: WHY``: Python must be Python, and verbs and options of framepipe must exist.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.forked import run_python


class Block(NamedTuple):
    """A block of a page: what stands before it, its language, its text."""

    marker: str
    kind: str
    text: str


def blocks(page: str) -> list[Block]:
    """All blocks of Python and of the shell, in order."""
    found = re.findall(r"(?:^<!-- (.*?) -->\n)?^```(python|sh)\n(.*?)^```$", page, re.M | re.S)
    return [Block(*each) for each in found]


def commands(text: str) -> Iterator[list[str]]:
    """Each line's words; comments and line ends behind a backslash are taken off."""
    for line in text.replace("\\\n", " ").splitlines():
        if words := shlex.split(line, comments=True):
            yield words


def run_block(block: Block, folder: Path, number: int) -> str:
    """Run a block in ``folder``; gives what it printed. Most lines of the shell need none."""
    if block.kind == "python":
        script = folder / f"block{number}.py"
        script.write_text(block.text)
        return _printed(run_python([script.name], folder, {}))
    if not any(sign in block.text for sign in "|$&;<>"):
        return "".join(_printed(_run(words, folder)) for words in commands(block.text))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    argv = ["bash", "-euo", "pipefail", "-c", block.text]
    env = {**os.environ, "PATH": path}
    return _printed(subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=240))


def _run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    if words[0] == "framepipe":
        return run_python(["-m", *words], folder, {})
    if words[0] == "python":
        return run_python(words[1:], folder, {})
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=240)


def _printed(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, f"{done.args}\n{done.stdout}{done.stderr}"
    return done.stdout
