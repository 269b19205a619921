"""When a process must not be forked, and what a forked one shares with its parent; each in a process of its own."""

from __future__ import annotations

import textwrap

import pytest

from tests.support.forked import run_python

HEAD = """
import os, random, sys
from framepipe.scenes.forking import fork, why_unsafe

def in_child(look):
    read, write = os.pipe()
    if not (pid := fork()):
        os.write(write, repr(look()).encode())
        os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    with open(read) as pipe:
        return eval(pipe.read())

"""


def run(code, folder):
    (folder / "code.py").write_text(HEAD + textwrap.dedent(code))
    done = run_python(["-W", "ignore", "code.py"], folder, {}, 120, has_forks=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "quiet",
    [
        "",
        "import numpy, matplotlib.pyplot",
        "import threading; t = threading.Thread(target=int); t.start(); t.join()",
        "file = open('data.txt'); other = open('new.txt', 'w+'); pipe = os.pipe()",
        "import sqlite3; sqlite3.connect('a.db').close()",
        "import socket; socket.socketpair()[0].close()",
        "sys.modules['mpi4py.MPI'] = type('MPI', (), {'Is_initialized': lambda: False})",
    ],
)
def test_a_process_with_nothing_of_that_kind_may_be_forked(tmp_path, quiet):
    (tmp_path / "data.txt").write_text("a\n")
    assert run(f"{quiet}\nprint(why_unsafe())", tmp_path) == "None"


@pytest.mark.parametrize(
    ("obstacle", "why"),
    [
        (
            "import threading; threading.Thread(target=threading.Event().wait, daemon=True, name='t1').start()",
            "a thread beside the main one (t1)",
        ),
        (
            "import threading\nfor n in 'ab': "
            "threading.Thread(target=threading.Event().wait, daemon=True, name=n).start()",
            "2 threads beside the main one (a, b)",
        ),
        ("import socket; kept = socket.socketpair()", "an open network or database connection (descriptor "),
        ("import socket; kept = socket.socket()", "an open network or database connection (descriptor "),
        (
            "import sqlite3; kept = sqlite3.connect('a.db'); kept.execute('create table t (x)'); kept.commit()",
            "an open SQLite database (",
        ),
        (
            "sys.modules['mpi4py.MPI'] = type('MPI', (), "
            "{'Is_initialized': lambda: True, 'Is_finalized': lambda: False})",
            "MPI is initialised",
        ),
    ],
    ids=["thread", "threads", "pair", "socket", "sqlite", "mpi"],
)
def test_what_a_fork_would_break_is_named(tmp_path, obstacle, why):
    assert run(f"{obstacle}\nprint(why_unsafe())\nsys.stdout.flush()\nos._exit(0)", tmp_path).startswith(why)


def test_framepipes_own_connections_are_no_obstacle(tmp_path):
    code = "import socket; a, b = socket.socketpair(); print(why_unsafe([a.fileno(), b.fileno()]))"
    assert run(code, tmp_path) == "None"


def test_other_systems_than_linux_start_processes_anew(tmp_path):
    assert run("sys.platform = 'darwin'; print(why_unsafe())", tmp_path) == (
        "forked processes are not safe on darwin"
    )


def test_the_monitor_of_a_progress_bar_is_ended_and_not_in_the_way(tmp_path):
    code = """
        from tqdm import tqdm
        bar = tqdm(range(3), file=open(os.devnull, "w"))
        assert tqdm.monitor is not None and tqdm.monitor.is_alive()
        print(why_unsafe())
        list(bar)
    """
    assert run(code, tmp_path) == "None"


def test_a_forked_process_draws_the_same_random_numbers(tmp_path):
    code = """
        import numpy as np
        look = lambda: (random.random(), np.random.rand())
        random.seed(4); np.random.seed(4)
        theirs = in_child(look)
        print(theirs == look(), theirs == in_child(look))
    """
    assert run(code, tmp_path) == "True False"


def test_without_our_fork_it_would_not(tmp_path):
    """The reason for it: CPython seeds `random` anew in a child."""
    code = """
        fork = os.fork
        random.seed(4)
        theirs = in_child(random.random)
        print(theirs == random.random())
    """
    assert run(code, tmp_path) == "False"


@pytest.mark.parametrize("how", ["open(name)", "open(name, 'rb')", "open(name, 'rb', buffering=0)"])
def test_parent_and_child_each_read_on_in_an_open_file(tmp_path, how):
    (tmp_path / "data.txt").write_text("".join(f"line {k:06}\n" for k in range(5000)))
    code = f"""
        name = "data.txt"
        file = {how}
        read = lambda count: [int(file.readline()[5:11]) for _ in range(count)]
        assert read(2) == [0, 1]
        theirs = in_child(lambda: read(4000))
        again = in_child(lambda: read(4000))
        print(theirs == again == read(4000) == list(range(2, 4002)), os.get_inheritable(file.fileno()))
    """
    assert run(code, tmp_path) == "True False"


def test_a_file_that_has_no_name_any_more_is_read_on_too(tmp_path):
    code = """
        open("a.txt", "w").write("0123456789")
        file = open("a.txt", "rb", buffering=0)
        os.unlink("a.txt")
        file.read(3)
        print(in_child(lambda: file.read(2)), file.read(2))
    """
    assert run(code, tmp_path) == "b'34' b'34'"


def test_a_file_that_is_written_goes_on_being_one(tmp_path):
    """As a log to which all processes append: each at its end, nothing over anything."""
    code = """
        log = open("log.txt", "a")
        log.write("one\\n"); log.flush()
        in_child(lambda: (log.write("two\\n"), log.flush()))
        log.write("three\\n"); log.close()
        print(open("log.txt").read().split())
    """
    assert run(code, tmp_path) == "['one', 'two', 'three']"


def test_what_was_printed_is_printed_once(tmp_path):
    code = """
        print("before", end=" ")
        in_child(lambda: sys.stdout.flush())
        print("after")
    """
    assert run(code, tmp_path) == "before after"


def test_streams_that_the_script_has_closed_or_replaced_are_no_failure(tmp_path):
    code = """
        out, sys.stdout, sys.stderr = sys.stdout, None, open(os.devnull, "w")
        sys.stderr.close()
        theirs = in_child(lambda: 7)
        print(theirs, file=out)
    """
    assert run(code, tmp_path) == "7"
