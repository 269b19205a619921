"""job.json, stamps and fingerprints, for anything that may stand there."""

from __future__ import annotations

import json
import pickle

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from framepipe.errors import StoreError
from framepipe.job.fingerprint import digest_value
from framepipe.job.record import JobRecord
from framepipe.job.stamp import read_stamp, stamp
from tests.support.sizes import examples
from tests.unit.test_job import FULL, record

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=8), inside, max_size=4),
    max_leaves=12,
)
TEXTS = st.text(max_size=12)


def taken(data: bytes):
    """The record, or None where the text was refused as it must be."""
    try:
        found, _ = JobRecord.from_json(data)
    except StoreError as error:
        assert "job.json" in str(error)
        return None
    return found


@given(JSON)
@settings(max_examples=examples(200), deadline=None)
def test_any_json_is_a_record_or_a_store_error(data):
    taken(json.dumps(data).encode())


@given(st.binary(max_size=200))
@settings(max_examples=examples(200), deadline=None)
def test_any_bytes_are_a_record_or_a_store_error(data):
    taken(data)


@given(st.data())
@settings(max_examples=examples(300), deadline=None)
def test_a_record_with_foreign_fields_can_be_used_or_is_a_store_error(data):
    fields = json.loads(record(**FULL).to_json())
    for name in data.draw(st.lists(st.sampled_from(sorted(fields)), min_size=1, max_size=3)):
        fields[name] = data.draw(JSON)
    found = taken(json.dumps(fields).encode())
    if found is not None:
        assert JobRecord.from_json(found.to_json())[0] == found
        found.frame_parts(0)
        found.refreshed()


WHOLE = record(**FULL).to_json()


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=5))
@settings(max_examples=examples(300), deadline=None)
def test_a_record_with_changed_bytes_is_refused_or_not_taken_for_ours(changes):
    text = bytearray(WHOLE)
    for at, value in changes:
        text[at] = value
    try:
        found, sealed = JobRecord.from_json(bytes(text))
    except StoreError:
        return
    assert not sealed or found == JobRecord.from_json(WHOLE)[0]


@given(st.integers(0, len(WHOLE) - 2))
@settings(max_examples=examples(100), deadline=None)
def test_a_truncated_record_is_a_store_error(length):
    assert taken(WHOLE[:length]) is None


@given(st.integers(-(10**8), 10**8), st.dictionaries(TEXTS, TEXTS, max_size=6))
def test_a_passport_comes_back(number, parts):
    text = stamp(number, parts)
    assert text.isascii()
    found = read_stamp(text)
    assert (found[0], found[2]) == (number, parts)


@given(st.text(max_size=200) | JSON.map(json.dumps))
@settings(max_examples=examples(300))
def test_rubbish_is_no_passport(text):
    assert read_stamp(text) is None


PASSPORT = stamp(7, record().frame_parts(7))


@given(st.integers(0, len(PASSPORT) - 1), st.characters(max_codepoint=255))
@settings(max_examples=examples(300))
def test_a_passport_with_a_changed_letter_is_none_or_says_the_same(at, letter):
    edited = PASSPORT[:at] + letter + PASSPORT[at + 1 :]
    found = read_stamp(edited)
    assert found is None or found[1:] == read_stamp(PASSPORT)[1:]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5)
    | st.integers(0, 20).map(np.arange)
    | st.floats(width=32).map(np.float32),
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.tuples(inside, inside)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inside, max_size=4)
        | st.frozensets(st.integers() | st.text(max_size=3), max_size=5)
    ),
    max_leaves=10,
)


@given(VALUES)
@settings(max_examples=examples(200), deadline=None)
def test_a_copy_of_any_value_has_the_same_digest(value):
    assert digest_value(pickle.loads(pickle.dumps(value))) == digest_value(value)


@given(
    st.lists(
        st.integers(0, 3) | st.text("ab", max_size=2) | st.lists(st.integers(0, 1), max_size=2), max_size=4
    ),
    st.data(),
)
@settings(max_examples=examples(300), deadline=None)
def test_lists_have_equal_digests_if_and_only_if_they_are_equal(one, data):
    other = data.draw(st.permutations(one) | st.just([*one, 0]) | st.just(one[:-1]))
    assert (digest_value(one) == digest_value(list(other))) == (one == list(other))


@given(st.integers(1, 2500), st.data())
@settings(max_examples=examples(60), deadline=None)
def test_one_changed_element_of_an_array_changes_its_digest(count, data):
    dtype = data.draw(st.sampled_from(["f8", "i2", "u1", ">f4", "c16", "?", "U3"]))
    array = np.zeros(count, dtype)
    other = array.copy()
    other[data.draw(st.integers(0, count - 1))] = 1
    assert digest_value(array) != digest_value(other)
