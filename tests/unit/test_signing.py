"""Seals: whether this account wrote a job.json."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from framepipe.core import signing


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


DATA = {"b": [1, 2], "a": "é", "seal": "ignored"}


def test_data_with_its_seal_is_ours(state):
    assert signing.is_valid(DATA, signing.sign(DATA))


def test_order_and_the_seal_itself_do_not_count(state):
    assert signing.sign(DATA) == signing.sign({"a": "é", "b": [1, 2]})


@pytest.mark.parametrize(
    "other", [{"b": [2, 1], "a": "é"}, {"b": [1, 2]}, {"b": [1, 2], "a": "é", "c": 1}, {}]
)
def test_other_data_is_not_ours(state, other):
    assert not signing.is_valid(other, signing.sign(DATA))


@pytest.mark.parametrize("given", ["", None, 5, [], "0" * 64])
def test_what_is_no_seal_is_not_ours(state, given):
    signing.sign(DATA)
    assert signing.is_valid(DATA, given) is False


def test_another_account_has_another_seal(state, tmp_path, monkeypatch):
    ours = signing.sign(DATA)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    assert not signing.is_valid(DATA, ours)
    assert signing.sign(DATA) != ours


def test_only_this_account_can_read_the_key(state):
    signing.sign(DATA)
    (key,) = state.rglob("seal.key")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert [path.name for path in key.parent.iterdir()] == ["seal.key"]
    assert key.stat().st_size == 32


def test_the_key_stays_the_same(state):
    assert signing.sign(DATA) == signing.sign(DATA)


def test_looking_makes_no_key(state):
    assert not signing.is_valid(DATA, "0" * 64)
    assert not state.exists()


def test_without_a_place_for_a_key_there_is_no_seal_and_nothing_is_ours(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert signing.sign(DATA) == ""
    assert not signing.is_valid(DATA, "")


def test_a_damaged_key_is_made_anew_and_old_seals_count_no_more(state):
    old = signing.sign(DATA)
    (key,) = state.rglob("seal.key")
    key.write_bytes(b"")
    new = signing.sign(DATA)
    assert (len(key.read_bytes()), len(key.with_name("seal-1.key").read_bytes())) == (0, 32)
    assert signing.is_valid(DATA, new)
    assert not signing.is_valid(DATA, old)
    assert not signing.is_valid(DATA, "")


@pytest.mark.parametrize("damage", ["empty", "long", "folder", "link to nothing", "named pipe"])
def test_whatever_stands_in_the_keys_place_stays_and_another_key_is_made(state, damage):
    key = state / "framepipe" / "seal.key"
    key.parent.mkdir(parents=True)
    if damage == "folder":
        key.mkdir()
    elif damage == "link to nothing":
        key.symlink_to("nothing")
    elif damage == "named pipe":
        os.mkfifo(key)
    else:
        key.write_bytes(bytes(33 if damage == "long" else 0))
    before = key.lstat()
    assert signing.is_valid(DATA, signing.sign(DATA))
    assert signing.sign(DATA) == signing.sign(DATA)
    assert (key.lstat().st_ino, key.lstat().st_size) == (before.st_ino, before.st_size)


def test_processes_that_all_find_the_key_damaged_agree_on_one(state):
    """Each used to delete the damaged key and to make one: so it deleted another one's new key."""
    key = state / "framepipe" / "seal.key"
    key.parent.mkdir(parents=True)
    text = (
        "import sys; from framepipe.core import signing; sys.stdin.readline(); print(signing.sign({'a': 1}))"
    )
    for _ in range(3):
        for path in key.parent.iterdir():
            path.unlink()
        key.write_bytes(b"damaged")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        processes = [subprocess.Popen([sys.executable, "-c", text], **pipes) for _ in range(4)]
        for process in processes:  # they wait for a line, so that all begin at once
            process.stdin.write("\n")
            process.stdin.flush()
        seals = {process.communicate()[0] for process in processes}
        assert len(seals) == 1
        assert signing.is_valid({"a": 1}, seals.pop().strip())
