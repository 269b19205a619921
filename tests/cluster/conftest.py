"""A real Slurm for the tests of this folder that ask for it."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.slurm import missing_programs, running_slurm


def pytest_collection_modifyitems(config, items):
    """Leave out what needs Slurm where there is none: it is for Linux."""
    if sys.platform == "linux":
        return
    left_out = [item for item in items if "slurm" in getattr(item, "fixturenames", ())]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def slurm_environment():
    """The environment of a Slurm that runs for this session."""
    missing = missing_programs()
    assert not missing, f"{', '.join(missing)} not here: run scripts/test, or apt install slurm-wlm munge"
    run = Path(tempfile.mkdtemp(prefix="slurm-"))  # a socket's path must be short
    with running_slurm(run) as env:
        yield env
    shutil.rmtree(run)


@pytest.fixture
def slurm(slurm_environment, monkeypatch):
    """Slurm's programs find the one of this session."""
    for name, value in slurm_environment.items():
        monkeypatch.setenv(name, value)
