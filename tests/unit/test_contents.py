"""Digests of files by their content, and what is remembered of them."""

from __future__ import annotations

import functools
import json
import os
import socket
import time

import pytest

from framepipe.job.contents import FileDigests, digest_env, source_text

LONG_AGO_NS = time.time_ns() - 3600 * 10**9


def old(path, data):
    """A file that was last changed an hour ago."""
    path.write_bytes(data)
    os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))
    return path


def test_a_file_counts_by_its_bytes_wherever_it_is(tmp_path):
    one, two, three = (
        old(tmp_path / f"{n}.csv", data)
        for n, data in enumerate((b"x" * 3_000_000, b"x" * 3_000_000, b"x" * 2_999_999 + b"y"))
    )
    digests = FileDigests()
    assert digests.of(one) == digests.of(two) != digests.of(three)
    assert digests.of_all([str(one)]) == {str(one): digests.of(one)}


def test_touching_a_file_changes_nothing(tmp_path):
    path = old(tmp_path / "d.csv", b"1,2")
    digests = FileDigests()
    before = digests.of(path)
    os.utime(path, ns=(LONG_AGO_NS + 10**9, LONG_AGO_NS + 10**9))
    assert digests.of(path) == before


def test_what_is_remembered_is_not_read_again(tmp_path):
    path = old(tmp_path / "d.csv", b"1,2")
    first = FileDigests()
    digest = first.of(path)
    kept = json.loads(json.dumps(first.remembered()))
    with open(path, "r+b") as file:  # other content that nothing but reading could tell
        file.write(b"9")
    os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))
    assert FileDigests(kept).of(path) == digest
    assert FileDigests().of(path) != digest


@pytest.mark.parametrize("change", ["size", "time", "inode", "kind"])
def test_what_is_remembered_of_another_state_is_read_again(tmp_path, change):
    path = old(tmp_path / "d.csv", b"1,2")
    first = FileDigests()
    first.of(path, source=change == "kind")
    data = b"1,2,3" if change == "size" else b"1,3"
    if change == "inode":
        path.rename(tmp_path / "kept.csv")
    path.write_bytes(data)
    age_ns = 10**9 if change == "time" else 0
    os.utime(path, ns=(LONG_AGO_NS + age_ns, LONG_AGO_NS + age_ns))
    assert FileDigests(first.remembered()).of(path) == FileDigests().of(path)


def test_a_file_that_was_changed_just_now_is_not_remembered(tmp_path):
    path = tmp_path / "d.csv"
    path.write_bytes(b"1")
    digests = FileDigests()
    before = digests.of(path)
    state = path.stat()
    path.write_bytes(b"2")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))  # within the clock's resolution
    assert digests.of(path) != before
    assert digests.remembered() == {}
    ahead = time.time_ns() + 3600 * 10**9
    os.utime(path, ns=(ahead, ahead))
    digests.of(path)
    assert digests.remembered() == {}


def test_only_files_that_were_asked_for_are_remembered_on(tmp_path):
    one, two = old(tmp_path / "one", b"1"), old(tmp_path / "two", b"2")
    first = FileDigests()
    first.of(one), first.of(two)
    second = FileDigests(first.remembered())
    second.of(two)
    assert list(second.remembered()) == [str(two)]


@pytest.mark.parametrize(
    "nonsense",
    [None, [], "x", {"/a": None}, {"/a": [1, 2]}, {"/a": [1, 2, 3, 4, 5]}, {"/a": ["1", 2, 3, "bytes", "d"]}],
)
def test_a_memory_that_is_damaged_is_no_memory(tmp_path, nonsense):
    path = old(tmp_path / "a", b"1")
    entries = {str(path): nonsense["/a"]} if isinstance(nonsense, dict) else nonsense
    assert FileDigests(entries).of(path) == FileDigests().of(path)


def test_source_counts_by_its_syntax_tree_in_the_encoding_that_it_declares(tmp_path):
    digests = FileDigests()
    one = old(tmp_path / "one.py", b"x = 1\n")
    two = old(tmp_path / "two.py", b"# a comment\nx  =  1\n")
    assert digests.of(one) == digests.of(two) != digests.of(one, source=False)
    script = old(tmp_path / "script", b"x=1\n")
    assert digests.of(script, source=True) == digests.of(one)
    latin = b"# coding: latin-1\nx = '%c'\n"
    assert digests.of(old(tmp_path / "a.py", latin % 0xE4)) != digests.of(
        old(tmp_path / "b.py", latin % 0xF6)
    )
    assert source_text(b"\xff = 1") != source_text(b"\xfe = 1")


def test_what_is_not_there_or_no_regular_file_is_never_opened(tmp_path):
    digests = FileDigests()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        kinds = {name: digests.of(tmp_path / name) for name in ("pipe", "socket", "absent", "dangling")}
    assert kinds == {
        "pipe": "no regular file",
        "socket": "no regular file",
        "absent": "absent",
        "dangling": "absent",
    }
    assert digests.of("/dev/zero") == "no regular file"
    assert (
        digests.of(tmp_path / "absent" / "below")
        == digests.of(old(tmp_path / "f", b"") / "below")
        == "absent"
    )
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert digests.of(tmp_path / "loop") == "unreadable"
    assert digests.remembered() == {}


def test_a_file_that_may_not_be_read_is_unreadable(tmp_path, monkeypatch):
    path = old(tmp_path / "secret", b"1")
    path.chmod(0)
    if os.geteuid() == 0:  # whom nothing keeps from reading
        monkeypatch.setattr(os, "open", functools.partial(_refuse, os.open, path))
    assert FileDigests().of(path) == "unreadable"
    assert FileDigests().of(tmp_path / "absent") == "absent"


def _refuse(really, path, name, *args, **kwargs):
    if str(name) == str(path):
        raise PermissionError(13, "Permission denied", str(name))
    return really(name, *args, **kwargs)


def test_a_folder_counts_by_names_and_contents(tmp_path):
    folder = tmp_path / "d.zarr"
    (folder / "c").mkdir(parents=True)
    digests, states = FileDigests(), set()
    os.mkfifo(folder / "pipe")
    (folder / "c" / "circle").symlink_to(folder)
    for name, data in (("c/0", b"1"), ("c/1", b"1"), ("c/1", b"22")):
        old(folder / name, data)
        states.add(digests.of(folder))
    (folder / "c/1").rename(folder / "c/2")
    states.add(digests.of(folder))
    assert len(states) == 4
    assert FileDigests(digests.remembered()).of(folder) in states


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path, monkeypatch):
    path = old(tmp_path / "d.csv", b"0")
    left = [2]
    real = os.open

    def write_first(name, *args, **kwargs):
        if left[0] and str(name) == str(path):
            left[0] -= 1
            with open(path, "ab") as file:
                file.write(b"1")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(os, "open", write_first)
    digest = FileDigests().of(path)
    assert path.read_bytes() == b"011"
    assert digest == FileDigests().of(path)
    left[0] = 10**6
    unstable = FileDigests().of(path)
    assert unstable.startswith("changing at ")
    assert FileDigests().of(path) != unstable


def test_environment_variables_count_by_their_values(monkeypatch):
    monkeypatch.setenv("SPEED", "1")
    monkeypatch.delenv("ABSENT", raising=False)
    before = digest_env(["SPEED", "ABSENT"])
    assert before == digest_env(["SPEED", "ABSENT"]) and before["ABSENT"] == "absent"
    monkeypatch.setenv("SPEED", "2")
    assert digest_env(["SPEED"])["SPEED"] != before["SPEED"]
    monkeypatch.setenv("ABSENT", "")
    assert digest_env(["ABSENT"])["ABSENT"] != "absent"
