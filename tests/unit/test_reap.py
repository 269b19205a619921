"""A process that was killed is waited for, whatever state an interrupt has left its object in."""

from __future__ import annotations

import os
import subprocess

import pytest

from framepipe.core.control import reap


def sleeping():
    return subprocess.Popen(["sleep", "60"])


@pytest.mark.parametrize("locked", [False, True], ids=["as usual", "a lock was left locked"])
def test_a_killed_process_is_reaped(locked):
    process = sleeping()
    process.kill()
    if locked:  # as an interrupt in Popen.wait may leave it
        process._waitpid_lock.acquire()
    assert reap(process) == -9
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
