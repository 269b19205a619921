"""Seals: whether this account wrote a job.json."""

from __future__ import annotations

import stat

import pytest

from framepipe import trust


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


DATA = {"b": [1, 2], "a": "é", "seal": "ignored"}


def test_data_with_its_seal_is_ours(state):
    assert trust.is_ours(DATA, trust.seal(DATA))


def test_order_and_the_seal_itself_do_not_count(state):
    assert trust.seal(DATA) == trust.seal({"a": "é", "b": [1, 2]})


@pytest.mark.parametrize(
    "other", [{"b": [2, 1], "a": "é"}, {"b": [1, 2]}, {"b": [1, 2], "a": "é", "c": 1}, {}]
)
def test_other_data_is_not_ours(state, other):
    assert not trust.is_ours(other, trust.seal(DATA))


@pytest.mark.parametrize("given", ["", None, 5, [], "0" * 64])
def test_what_is_no_seal_is_not_ours(state, given):
    trust.seal(DATA)
    assert trust.is_ours(DATA, given) is False


def test_another_account_has_another_seal(state, tmp_path, monkeypatch):
    ours = trust.seal(DATA)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    assert not trust.is_ours(DATA, ours)
    assert trust.seal(DATA) != ours


def test_only_this_account_can_read_the_key(state):
    trust.seal(DATA)
    (key,) = state.rglob("seal.key")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert [path.name for path in key.parent.iterdir()] == ["seal.key"]
    assert key.stat().st_size == 32


def test_the_key_stays_the_same(state):
    assert trust.seal(DATA) == trust.seal(DATA)


def test_looking_makes_no_key(state):
    assert not trust.is_ours(DATA, "0" * 64)
    assert not state.exists()


def test_without_a_place_for_a_key_there_is_no_seal_and_nothing_is_ours(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert trust.seal(DATA) == ""
    assert not trust.is_ours(DATA, "")


def test_a_damaged_key_is_made_anew_and_old_seals_count_no_more(state):
    old = trust.seal(DATA)
    (key,) = state.rglob("seal.key")
    key.write_bytes(b"")
    new = trust.seal(DATA)
    assert len(key.read_bytes()) == 32
    assert trust.is_ours(DATA, new)
    assert not trust.is_ours(DATA, old)
    assert not trust.is_ours(DATA, "")
