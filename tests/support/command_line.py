"""The command line in the process of the tests: a second less for each call."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from framepipe.cli import run


def run_here(
    arguments: Sequence[object], cwd: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a verb that loads no user code, in ``cwd``, with ``env`` added to the environment."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(cwd)
        patch.setattr(sys, "path", list(sys.path))
        for name, value in env.items():
            patch.setenv(name, value)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(
                [os.fspath(each) if isinstance(each, os.PathLike) else str(each) for each in arguments]
            )
    return subprocess.CompletedProcess(list(arguments), code, out.getvalue(), err.getvalue())
