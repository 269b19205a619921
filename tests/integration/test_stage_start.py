"""The process for a scene may be started before it is known which scene that is."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import pytest

import framepipe as fp
from framepipe.rendering import stage_start
from tests.support.waiting import wait_for


@pytest.fixture
def start_ahead():
    """Start the process ahead, in the environment of the test itself, and return it."""
    processes = []

    def start():
        stage_start.start_ahead()
        processes.append(stage_start._ahead[1].process)
        return processes[-1]

    yield start
    stage_start.end_ahead()
    assert all(each.returncode is not None for each in processes)


@pytest.fixture
def script(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "film.py"
    path.write_text(
        textwrap.dedent("""
            import os
            import numpy as np
            def draw(k):
                return np.full((8, 8, 3), 100, np.uint8)
            open("stage", "w").write(str(os.getpid()))
        """)
    )
    return path


def test_the_scene_is_loaded_there(start_ahead, script):
    ahead = start_ahead()
    assert fp.render(f"{script}:draw", 2, store="s").drawn == (0, 1)
    assert int((script.parent / "stage").read_text()) == ahead.pid


def test_another_environment_takes_another_process(start_ahead, script, monkeypatch):
    ahead = start_ahead()
    monkeypatch.setenv("SCALE", "2")
    assert fp.render(f"{script}:draw", 2, store="s").drawn == (0, 1)
    assert int((script.parent / "stage").read_text()) != ahead.pid
    assert ahead.poll() is not None, "nobody will take it"


def test_another_folder_takes_another_process(start_ahead, script, monkeypatch, tmp_path_factory):
    ahead = start_ahead()
    monkeypatch.chdir(elsewhere := tmp_path_factory.mktemp("elsewhere"))
    assert fp.render(f"{script}:draw", 2, store="s").drawn == (0, 1)
    assert int((elsewhere / "stage").read_text()) != ahead.pid


def test_one_that_has_died_is_replaced(start_ahead, script):
    ahead = start_ahead()
    ahead.kill()
    wait_for(lambda: ahead.poll() is not None)
    assert fp.render(f"{script}:draw", 2, store="s").drawn == (0, 1)


def test_it_ends_with_the_one_that_started_it(script):
    pid = os.fork()
    if pid == 0:
        stage_start.start_ahead()
        (script.parent / "pid").write_text(str(stage_start._ahead[1].process.pid))
        os._exit(0)
    os.waitpid(pid, 0)
    left = Path("/proc", (script.parent / "pid").read_text(), "cmdline")
    wait_for(lambda: not left.exists() or not left.read_bytes())
