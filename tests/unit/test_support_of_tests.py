"""What the tests themselves stand on: no process of a test stays, signals reach it, and it is one of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.forked import Python, run_python
from tests.support.processes import living, none_left, start_with_default_signals
from tests.support.sizes import LONG
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
        env={**clean, "PYTHONPATH": str(root), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **env},
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
    "is_forked": "pylab" in sys.modules,
    "in_proc": [open(f"/proc/self/{name}").read().strip(chr(0)).split(chr(0)) for name in ("cmdline", "environ")],
    "open": len(os.listdir("/proc/self/fd")),
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
    assert one["main"] == ["__main__", True, str(tmp_path / "tell.py"), ["tell.py", "a", "3"], str(tmp_path)]
    assert (one["around"], other["around"]) == (
        [str(tmp_path), "yes", "", True],
        [str(tmp_path), None, "", True],
    )
    assert not set(one["chance"]) & set(other["chance"])
    assert one["parent"] == other["parent"] == os.getpid()
    assert one["in_proc"][0] == [sys.executable, "tell.py", "a", "3"]
    assert "TOLD=yes" in one["in_proc"][1]
    assert "TOLD=yes" not in other["in_proc"][1]
    assert one["is_forked"] == other["is_forked"] == (not LONG)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere none is forked")
def test_what_is_read_while_python_is_loaded_is_read_anew(tmp_path: Path):
    (tmp_path / "tell.py").write_text(TELL.replace("os.getpid() == os.getsid(0)", "True"))
    assert not told(tmp_path, PYTHONHASHSEED="3")["is_forked"]


HOLDS = """
import os, signal, sys
print(os.read(int(sys.argv[1]), 9), os.getpgrp() == os.getpid(), os.umask(0), flush=True)
signal.pause()
"""


@pytest.mark.parametrize("leads", [False, True])
def test_a_forked_program_has_what_it_was_given_and_is_killed_as_a_child(tmp_path: Path, leads):
    (tmp_path / "holds.py").write_text(HOLDS)
    out, into = os.pipe()
    os.write(into, b"a message")
    before = os.umask(0o031)
    try:
        process = Python(
            [sys.executable, "holds.py", str(out)],
            cwd=tmp_path,
            pass_fds=[out],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=leads,
        )
    finally:
        os.umask(before)
        os.close(out)
        os.close(into)
    assert process.stdout is not None
    assert process.stdout.readline() == f"b'a message' {leads} {0o031}\n"
    process.terminate()
    assert (process.communicate()[0], process.returncode) == ("", -15)


def test_the_stage_of_a_forked_program_is_its_child_and_found_by_what_marks_it(tmp_path: Path):
    (tmp_path / "film.py").write_text(FILM)
    done = run_python(["film.py"], tmp_path, {"MARK": "here"})
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"True True {not LONG}\n"


FILM = """
import os, sys
from matplotlib.figure import Figure
import framepipe as fp

def draw(value):
    with open("stage.txt", "w") as file:
        parent = open(f"/proc/{os.getppid()}/stat").read().rpartition(")")[2].split()[1]
        marked = b"MARK=here" in open(f"/proc/{os.getppid()}/environ", "rb").read().split(b"\\0")
        print(parent, marked, "pylab" in sys.modules, file=file)
    return Figure(figsize=(1, 1), dpi=20)

if __name__ == "__main__":
    fp.render(draw, frames=2, store="s", workers=1, engine="local", order="free")
    parent, *rest = open("stage.txt").read().split()
    print(int(parent) == os.getpid(), *rest)
"""


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
