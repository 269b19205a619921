"""One frame's commit, with a kill or an error at every system call: whole or absent, never torn.

A small server forks a child for each trial; strace takes hold of the child (never with
``--seccomp-bpf``, whose injections do not fire), and only then the child goes to work. So calls
are counted from the first one of the commit, not from the start of Python.
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import framepipe
from framepipe.core import png
from tests.faults.conftest import Bench, names_in
from tests.support.sizes import all_if_long
from tests.support.waiting import PATIENCE_S, wait_for

OLD = png.encode(np.zeros((40, 50, 3), np.uint8), "old")
NEW = png.encode(np.random.default_rng(1).integers(0, 255, (120, 160, 3), np.uint8), "new")
SAFE = """
    store = framepipe.Store(folder)
    store.create()
    store.commit(7, new)
"""
COMMIT = """
    framepipe.Store(folder).commit(7, new)
"""
TORN = """
    with open(os.path.join(folder, "frame_000007.png"), "wb", buffering=0) as file:
        for at in range(0, len(new), 9000):
            file.write(new[at:at + 9000])
        os.fsync(file.fileno())
"""
SERVER = """
import os, sys
import framepipe
new = open(sys.argv[1], "rb").read()

def work(folder):
{work}

work(sys.argv[2])  # once, so that nothing is imported later
for line in sys.stdin:
    start, go = os.pipe()
    message = os.open(sys.argv[2] + "/message", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)  # before it is traced
    if (pid := os.fork()) == 0:
        os.read(start, 1)
        try:
            work(line.rstrip("\\n"))
        except framepipe.StoreError as error:
            os.pwrite(message, str(error).encode(), 0)  # not by the call that fails
            os._exit(3)
        except BaseException as error:
            os.pwrite(message, repr(error).encode(), 0)
            os._exit(1)
        os._exit(0)
    print(pid, flush=True)
    sys.stdin.readline()
    os.write(go, b"x")
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    os.close(start), os.close(go), os.close(message)
"""


class Victims:
    """The server; `trial` runs its work once under strace."""

    def __init__(self, folder: Path, work: str, **env: str) -> None:
        self.folder = folder
        (folder / "warm").mkdir()
        (folder / "new.png").write_bytes(NEW)
        script = folder / "server.py"
        script.write_text(SERVER.format(work=textwrap.indent(textwrap.dedent(work), "    ")))
        self._server = subprocess.Popen(
            [sys.executable, script, folder / "new.png", folder / "warm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**os.environ, **env},
        )

    def trial(self, store: Path, inject: str = "") -> int:
        """Its exit code, -9 if it was killed."""
        return self._run(
            store, ["-e", f"trace={inject.partition(':')[0]}", "-e", f"inject={inject}"] if inject else []
        )

    def closes_before_rename(self, store: Path) -> int:
        """Which ``close`` of a commit into ``store`` is that of the file just written."""
        assert self._run(store, ["-e", "trace=close,rename"]) == 0
        before, rename, _ = self._log().rpartition("rename(")
        assert rename, self._log()
        return before.count("close(")

    def message(self) -> str:
        return (self.folder / "warm" / "message").read_text()

    def _run(self, store: Path, options: list[str]) -> int:
        pid = self._ask(str(store))
        tracer = self._trace(pid, options) if options else None
        code = self._ask("go")
        if tracer:
            tracer.wait(PATIENCE_S)
        return code

    def _trace(self, pid: int, options: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / "strace.log").open("wb") as log:
            tracer = subprocess.Popen(["strace", "-f", "-p", str(pid), *options], stderr=log)

        def attached() -> bool:
            assert tracer.poll() is None, self._log()
            holds = f"\nTracerPid:\t{tracer.pid}\n" in Path(f"/proc/{pid}/status").read_text()
            return holds and "attached" in self._log()

        wait_for(attached)
        return tracer

    def _log(self) -> str:
        return (self.folder / "strace.log").read_text(errors="replace")

    def _ask(self, line: str) -> int:
        assert self._server.stdin and self._server.stdout
        self._server.stdin.write(f"{line}\n")
        return int(self._server.stdout.readline())

    def close(self) -> None:
        try:
            self._server.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.communicate()


@pytest.fixture
def victims(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Victims]:
    found = Victims(tmp_path, getattr(request, "param", COMMIT))
    yield found
    found.close()


def new_store(folder: Path, name: str, before: bytes | None) -> Path:
    store = folder / name
    store.mkdir()
    if before is not None:
        (store / "frame_000007.png").write_bytes(before)
    return store


def content(store: Path) -> bytes | None:
    frame = store / "frame_000007.png"
    return frame.read_bytes() if frame.exists() else None


def sweep(victims: Victims, call: str, before: bytes | None) -> Iterator[tuple[int, Path]]:
    """Kill at the first ``call``, the second … until the work gets through; each time the exit code."""
    for k in range(1, 200):
        store = new_store(victims.folder, f"{call}-{k}-{before is None}", before)
        code = victims.trial(store, f"{call}:signal=SIGKILL:when={k}")
        assert code in (0, -9), victims.message()
        yield code, store
        if code == 0:
            return
    raise AssertionError("never got through")


CALLS = ("openat", "write", "fsync", "close", "rename", "unlink", "mkdir")


@pytest.mark.parametrize("victims", [SAFE], indirect=True, ids=["create-and-commit"])
@pytest.mark.parametrize("before", [None, OLD], ids=["new-frame", "frame-drawn-again"])
def test_killed_at_any_call_of_a_commit_leaves_no_torn_frame(victims: Victims, before: bytes | None) -> None:
    kills = dict.fromkeys(CALLS, 0)
    for call in CALLS:
        for code, store in sweep(victims, call, before):
            kills[call] += code == -9
            assert content(store) in ((NEW,) if code == 0 else (before, NEW))
            framepipe.Store(store).commit(7, NEW)
            framepipe.Store(store).sweep()
            assert names_in(store) == ["frame_000007.png"]
            assert content(store) == NEW
    assert all(kills[call] for call in CALLS), f"injected nothing: {kills}"


def test_negative_control_a_writer_in_place_is_caught_torn(tmp_path: Path) -> None:
    victims = Victims(tmp_path, TORN)
    torn = [content(store) for code, store in sweep(victims, "write", OLD) if code == -9]
    victims.close()
    assert sum(data not in (OLD, NEW) for data in torn) >= 3


@pytest.mark.parametrize("error", all_if_long(["EIO", "ENOSPC", "ESTALE"], "ENOSPC", "ESTALE"))
@pytest.mark.parametrize("call", ["write", "fsync", "close", "rename"])
@pytest.mark.parametrize("often", ["once", "always"])
def test_failing_call_is_tried_again_or_told_and_never_leaves_a_wrong_frame(
    victims: Victims, call: str, error: str, often: str
) -> None:
    for before in (None, OLD):
        store = new_store(victims.folder, f"store-{before is None}", before)
        at = 1
        if call == "close" and often == "once":
            at = victims.closes_before_rename(new_store(victims.folder, f"count-{before is None}", before))
        code = victims.trial(store, f"{call}:error={error}:when={at}{'' if often == 'once' else '+'}")
        if often == "once" and error != "ENOSPC":
            assert code == 0, victims.message()
            assert content(store) == NEW
        else:
            assert code == 3, victims.message() if code else f"{call} {error} was not noticed"
            assert content(store) == before
            expected = "no space left" if error == "ENOSPC" else os.strerror(getattr(errno, error))
            assert expected in victims.message()
            assert str(store) in victims.message()
        assert [name for name in names_in(store) if name.endswith(".tmp")] == []


LIAR = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int lie(int done, const char *new) {
    const char *log = getenv("FB_LIES"), *only = getenv("FB_LIE_ABOUT");
    if (done == 0 && log && only && strstr(new, only)) {
        int file = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (file >= 0) { if (write(file, "x", 1)) {} close(file); }
        errno = EIO;
        return -1;
    }
    return done;
}
int rename(const char *old, const char *new) {
    int (*real)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");
    return lie(real(old, new), new);
}
int renameat(int a, const char *old, int b, const char *new) {
    int (*real)(int, const char *, int, const char *) = dlsym(RTLD_NEXT, "renameat");
    return lie(real(a, old, b, new), new);
}
"""


@pytest.fixture(scope="session")
def liar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that renames and says that it failed, as a retransmitted call of NFS does."""
    folder = tmp_path_factory.mktemp("liar")
    (folder / "liar.c").write_text(LIAR)
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-o", folder / "liar.so", folder / "liar.c", "-ldl"], check=True
    )
    return folder / "liar.so"


def test_rename_that_was_done_but_reported_as_failed_is_a_success(liar: Path, tmp_path: Path) -> None:
    lies = tmp_path / "lies"
    victims = Victims(tmp_path, SAFE, LD_PRELOAD=str(liar), FB_LIES=str(lies), FB_LIE_ABOUT="store/frame_")
    store = new_store(tmp_path, "store", OLD)
    code = victims.trial(store)
    message = victims.message() if code else ""
    victims.close()
    assert code == 0, message
    assert lies.read_text() == "x", "the frame was written more than once, or the library lied not at all"
    assert names_in(store) == ["frame_000007.png"]
    assert content(store) == NEW


@pytest.mark.parametrize("movie", all_if_long(["movie.gif", "movie.mp4"], "movie.mp4"))
def test_movie_whose_rename_was_reported_as_failed_is_a_success(liar: Path, bench: Bench, movie: str) -> None:
    bench.render("--engine", "serial", "-q", ok=True)
    lies = bench.folder / "lies"
    env = {"LD_PRELOAD": str(liar), "FB_LIES": str(lies), "FB_LIE_ABOUT": f"bench/{movie}"}
    done = bench.run("assemble", "store", "-o", movie, "-q", **env)
    assert lies.exists(), "the library lied not at all"
    assert done.returncode == 0, done.stderr
    assert names_in(bench.folder) == sorted(["lies", movie, "store", "tiny.py"])


def test_fifo_in_a_frames_place_does_not_hang_a_commit_that_fails(victims: Victims) -> None:
    store = new_store(victims.folder, "store", None)
    os.mkfifo(store / "frame_000007.png")
    work = "import framepipe, sys; framepipe.Store(sys.argv[1]).commit(7, b'data')"
    fail = [
        "strace",
        "-f",
        "-o",
        victims.folder / "log",
        "-e",
        "trace=rename",
        "-e",
        "inject=rename:error=EACCES",
    ]
    try:
        done = subprocess.run(
            [*fail, sys.executable, "-c", work, store], capture_output=True, text=True, timeout=PATIENCE_S
        )
    except subprocess.TimeoutExpired:
        pytest.fail("commit reads the fifo and hangs")
    assert "StoreError" in done.stderr and "frame 7" in done.stderr


def test_temporary_of_a_dead_process_that_nobody_has_reaped_is_removed(victims: Victims) -> None:
    store = new_store(victims.folder, "store", None)
    assert victims.trial(store, "rename:signal=SIGKILL:when=1") == -9
    (left,) = (name for name in names_in(store) if name.endswith(".tmp"))
    dead = subprocess.Popen(["true"])  # not waited for: a zombie, as in a container without an init
    wait_for(lambda: re.search(r"\) Z ", Path(f"/proc/{dead.pid}/stat").read_text()))
    (store / left).rename(store / re.sub(r"\.\d+\.(\d+)\.tmp$", rf".{dead.pid}.\1.tmp", left))
    framepipe.Store(store).sweep()
    zombie_left = names_in(store)
    dead.wait()
    assert zombie_left == []


def test_temporary_of_a_living_process_stays(victims: Victims) -> None:
    store = new_store(victims.folder, "store", None)
    assert victims.trial(store, "rename:signal=SIGKILL:when=1") == -9
    (left,) = (name for name in names_in(store) if name.endswith(".tmp"))
    mine = re.sub(r"\.\d+\.(\d+)\.tmp$", rf".{os.getpid()}.\1.tmp", left)
    (store / left).rename(store / mine)
    framepipe.Store(store).sweep()
    assert names_in(store) == [mine]
