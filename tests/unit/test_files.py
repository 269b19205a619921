"""Files that are whole or absent, and temporaries whose writer is gone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from framepipe.core import files

HOUR_S = 3600


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_whole_and_nothing_else_is_left(tmp_path):
    files.write_atomic(tmp_path / "a.bin", b"abc")
    assert (tmp_path / "a.bin").read_bytes() == b"abc"
    assert names(tmp_path) == ["a.bin"]


def test_a_file_that_stands_there_is_replaced(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"old and longer")
    files.write_atomic(tmp_path / "a.bin", b"")
    assert (tmp_path / "a.bin").read_bytes() == b""


def test_a_link_is_replaced_and_its_target_left_alone(tmp_path):
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / "a.bin").symlink_to("target")
    files.write_atomic(tmp_path / "a.bin", b"new")
    assert (tmp_path / "target").read_bytes() == b"precious"
    assert not (tmp_path / "a.bin").is_symlink()


def test_the_usual_permissions_are_given(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    files.write_atomic(tmp_path / "a.bin", b"")
    assert (tmp_path / "a.bin").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_folder_in_the_way_is_an_error_and_no_temporary_is_left(tmp_path):
    (tmp_path / "a.bin").mkdir()
    with pytest.raises(OSError):
        files.write_atomic(tmp_path / "a.bin", b"abc")
    assert names(tmp_path) == ["a.bin"]


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        files.write_atomic(tmp_path / "no" / "a.bin", b"abc")


@pytest.mark.parametrize(
    "name", ["x" * 255, "ä" * 127, "a b'c\".png", "new\nline", "-rf", "%d.gif", "bad\udc80byte"]
)
def test_any_name_that_the_file_system_takes_can_be_written(tmp_path, name):
    files.write_atomic(tmp_path / name, b"abc")
    assert (tmp_path / name).read_bytes() == b"abc"
    assert names(tmp_path) == [name]


def test_two_temporaries_never_have_one_name(tmp_path):
    made = {files.temporary_beside(tmp_path / "a.bin") for _ in range(100)}
    assert len(made) == 100
    assert {path.parent for path in made} == {tmp_path}


def test_publishing_gives_a_complete_file_its_name(tmp_path):
    (tmp_path / "part").write_bytes(b"movie")
    (tmp_path / "m.gif").write_bytes(b"old")
    files.publish(tmp_path / "part", tmp_path / "m.gif")
    assert (tmp_path / "m.gif").read_bytes() == b"movie"
    assert names(tmp_path) == ["m.gif"]


def temporary_of(pid, folder, name="a.bin", host=None):
    ours = files.temporary_beside(folder / name).name
    mine = f".{os.getpid()}."
    host_now = ours.split(mine)[0].rpartition(".")[2]
    path = folder / ours.replace(f".{host_now}{mine}", f".{host or host_now}.{pid}.")
    path.write_bytes(b"half")
    return path


@pytest.fixture(scope="module")
def dead_pid():
    done = subprocess.Popen([sys.executable, "-S", "-c", ""])
    done.wait()
    return done.pid


def test_a_temporary_of_a_dead_process_is_left_over(tmp_path, dead_pid):
    path = temporary_of(dead_pid, tmp_path)
    assert list(files.leftover_temporaries(tmp_path)) == [path]


@pytest.mark.parametrize("name", ["a b.gif", "new\nline.gif", "x" * 255, "a.host.77.tmp.gif", ".hidden"])
def test_a_temporary_of_a_dead_process_is_found_whatever_it_was_for(tmp_path, dead_pid, name):
    path = temporary_of(dead_pid, tmp_path, name)
    assert list(files.leftover_temporaries(tmp_path)) == [path]


def test_temporaries_of_living_processes_are_not_left_over(tmp_path):
    temporary_of(os.getpid(), tmp_path)
    temporary_of(os.getppid(), tmp_path)
    temporary_of(1, tmp_path)
    assert list(files.leftover_temporaries(tmp_path)) == []


def test_a_temporary_of_another_host_is_left_over_after_an_hour(tmp_path, dead_pid):
    young = temporary_of(dead_pid, tmp_path, "young", host="elsewhere")
    old = temporary_of(os.getpid(), tmp_path, "old", host="elsewhere")
    os.utime(old, (time.time() - HOUR_S - 60,) * 2)
    os.utime(young, (time.time() - HOUR_S + 600,) * 2)
    assert list(files.leftover_temporaries(tmp_path)) == [old]
    assert len(names(tmp_path)) == 2, "the clock's probe is gone"


def test_other_files_are_never_taken_for_temporaries(tmp_path):
    host = socket.gethostname()
    for name in (
        "frame_000001.png",
        ".bashrc",
        "a.tmp",
        ".a.tmp",
        f"a.{host}.1.0.tmp",
        f".a.{host}.x.0.tmp",
        ".a.1.0.tmp~",
    ):
        (tmp_path / name).write_bytes(b"")
    assert list(files.leftover_temporaries(tmp_path)) == []


def test_a_folder_that_is_not_there_has_no_temporaries(tmp_path):
    assert list(files.leftover_temporaries(tmp_path / "no")) == []


def test_containers_that_share_a_folder_and_the_hosts_name_leave_each_others_temporaries(tmp_path):
    """Each has its own process ids (``docker run --network host``): the other's seemed to be dead."""
    ours = tmp_path / files.temporary_beside(tmp_path / "a").name
    ours.touch()
    text = (
        "import sys; from pathlib import Path; from framepipe.core import files; folder = Path(sys.argv[1])\n"
        "print(*[path.name for path in files.leftover_temporaries(folder)])\n"
        "print(files.temporary_beside(folder / 'b').name)"
    )
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", text, tmp_path]
    command[1:1] = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    swept, theirs = done.stdout.splitlines()
    assert swept == ""
    (tmp_path / theirs).touch()
    assert list(files.leftover_temporaries(tmp_path)) == []


@pytest.mark.parametrize("kind", ["folder", "fifo", "socket", "device", "large", "nothing"])
def test_only_files_of_the_size_that_is_allowed_are_read(tmp_path, kind, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("it")
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("it")
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "large":
        path.write_bytes(bytes(11))
    with pytest.raises(OSError, match=r"No such file|it is a|it has more than"):
        files.read_file(path, 10)


def test_a_link_is_followed_only_where_that_is_meant(tmp_path):
    (tmp_path / "file").write_bytes(b"0123456789")
    (tmp_path / "link").symlink_to("file")
    assert files.read_file(tmp_path / "link", 10) == b"0123456789"
    with pytest.raises(OSError, match="a symbolic link"):
        files.open_file(tmp_path / "link", follow=False)


def test_files_of_proc_which_have_no_size_are_read(tmp_path):
    assert files.read_file(Path("/proc/self/status"), 10_000).startswith(b"Name:")
