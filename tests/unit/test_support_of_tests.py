"""What the tests themselves stand on: no process of a test stays, signals reach it, and it is one of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.forked import run_python
from tests.support.processes import living, none_left, start_with_default_signals
from tests.support.waiting import wait_for

HOW_SIGHUP_IS_TAKEN = "import signal; print(signal.getsignal(signal.SIGHUP).name)"


def test_what_was_started_is_ended_though_it_left_its_parent_and_its_session():
    with none_left():
        mark = f"FRAMEPIPE_TEST_MARK={os.environ['FRAMEPIPE_TEST_MARK']}"
        subprocess.run(["sh", "-c", "setsid sleep 600 > /dev/null 2>&1 &"], check=True)
        wait_for(lambda: living(mark))  # it becomes what it is to be
    assert living(mark) == {}


def test_what_others_started_is_left_alone():
    with subprocess.Popen(["sleep", "600"]) as other:
        with none_left():
            pass
        assert other.poll() is None
        other.kill()


@pytest.mark.parametrize(("mended", "taken"), [(False, "SIG_IGN"), (True, "SIG_DFL")])
def test_programs_know_signals_that_the_tests_were_told_to_ignore(mended, taken):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        if mended:
            start_with_default_signals()
        said = subprocess.run([sys.executable, "-c", HOW_SIGHUP_IS_TAKEN], capture_output=True, text=True)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert said.stdout.strip() == taken


SUITE = """
    import pytest
    @pytest.mark.long
    def test_long(): pass
    def test_short(): pass
"""


@pytest.mark.parametrize(
    ("env", "arguments", "run"),
    [
        ({}, [], "1 passed, 1 deselected"),
        ({"FRAMEPIPE_LONG": "1"}, [], "2 passed"),
    ],
    ids=str,
)
def test_what_is_long_runs_when_it_is_asked_for(tmp_path: Path, env, arguments, run):
    (tmp_path / "test_it.py").write_text("\n".join(line[4:] for line in SUITE.splitlines()))
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_collection_modifyitems\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = long\n")
    root = Path(__file__).parents[2]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEPIPE_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, tmp_path],
        cwd=tmp_path,
        env={**clean, "PYTHONPATH": str(root), **env},
        capture_output=True,
        text=True,
    )
    assert run in done.stdout, done.stdout + done.stderr


TELL = """
import __main__, json, os, random, sys
import numpy as np
kept = list(range(3))
print(json.dumps({
    "main": (__name__, __main__.kept is kept, __file__, sys.argv, sys.path[0]),
    "around": (os.getcwd(), os.environ.get("TOLD"), sys.stdin.read(), os.getpid() == os.getsid(0)),
    "chance": (random.random(), np.random.rand()),
    "parent": os.getppid(),
}))
print("wrong", file=sys.stderr)
"""


def told(folder: Path, **env: str):
    done = run_python(["tell.py", "a", 3], folder, env)
    assert (done.returncode, done.stderr) == (0, "wrong\n")
    return json.loads(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere none is forked")
def test_a_forked_program_is_one_of_its_own(tmp_path: Path):
    (tmp_path / "tell.py").write_text(TELL)
    one, other = told(tmp_path, TOLD="yes"), told(tmp_path)
    assert one["main"] == ["__main__", True, "tell.py", ["tell.py", "a", "3"], str(tmp_path)]
    assert (one["around"], other["around"]) == (
        [str(tmp_path), "yes", "", True],
        [str(tmp_path), None, "", True],
    )
    assert not set(one["chance"]) & set(other["chance"])
    assert one["parent"] == other["parent"] != os.getpid()


def test_what_is_read_while_python_is_loaded_is_read_anew(tmp_path: Path):
    (tmp_path / "tell.py").write_text(TELL.replace("os.getpid() == os.getsid(0)", "True"))
    assert told(tmp_path, PYTHONHASHSEED="3")["parent"] == os.getpid()


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        ("sys.exit(7)", 7, ""),
        ("sys.exit('no data')", 1, "no data\n"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
        ("os.kill(os.getpid(), 9)", -9, ""),
        ("import warnings; warnings.warn('late')", 1, "UserWarning: late\n"),
        ("import atexit; atexit.register(print, 'at exit', file=sys.stderr)", 0, "at exit\n"),
    ],
)
def test_how_a_forked_program_ended_is_told(tmp_path: Path, end: str, code: int, said: str):
    (tmp_path / "ends.py").write_text(f"import os, sys\n{end}\n")
    done = run_python(["-W", "error", "ends.py"], tmp_path, {})
    assert done.returncode == code
    assert done.stderr.endswith(said)


def test_a_forked_program_that_hangs_is_ended_with_what_it_started(tmp_path: Path):
    (tmp_path / "hangs.py").write_text("import subprocess; subprocess.run(['sleep', '600'])")
    with none_left():
        mark = f"FRAMEPIPE_TEST_MARK={os.environ['FRAMEPIPE_TEST_MARK']}"
        with pytest.raises(subprocess.TimeoutExpired):
            run_python(["hangs.py"], tmp_path, {}, timeout_s=1)
        wait_for(lambda: not living(mark))
