"""What a scene refers to, in another process: arrays that share memory share it there too."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from framepipe.errors import EngineError
from framepipe.rendering.engines.payload import Payload, read_payload


def sent(thing):
    """The thing as another process would have it."""
    payload = Payload(thing)
    try:
        return read_payload(os.dup(payload.descriptor))
    finally:
        payload.close()


def size_of(thing):
    payload = Payload(thing)
    try:
        return os.fstat(payload.descriptor).st_size
    finally:
        payload.close()


BASE = np.arange(60.0).reshape(6, 10)
STRUCTURED = np.zeros(5, dtype=[("x", "f8"), ("n", "i4"), ("s", "S3")])
VIEWS = {
    "a row": lambda a: a[3],
    "the inner part": lambda a: a[1:-1, 1:-1],
    "every other, backwards": lambda a: a[::-2, ::-1],
    "transposed": lambda a: a.T,
    "flat": lambda a: a.ravel("K"),
    "of other bytes": lambda a: a.view("u1"),
    "a view of a view": lambda a: a[1:][:, 2:][2],
    "with a new axis": lambda a: a[:, None],
}


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("owner_first", [True, False])
def test_a_view_stays_a_view(view, order, owner_first):
    owner = np.array(BASE, order=order)
    part = VIEWS[view](np.array(owner, order="C") if view == "of other bytes" else owner)
    if not np.shares_memory(part, owner):
        owner = part.base
    pair = sent([owner, part] if owner_first else [part, owner])
    there, part_there = pair if owner_first else reversed(pair)
    assert (there == owner).all() and (part_there == part).all()
    assert part_there.dtype == part.dtype and part_there.shape == part.shape
    assert np.shares_memory(part_there, there)
    part_there[...] = 7
    part[...] = 7
    assert (there == owner).all(), "what is written into the one is seen in the other, at the same places"


def test_two_views_share_memory_though_the_owner_is_not_sent_itself():
    owner = BASE.copy()
    one, other = sent((owner[1:4], owner[2:6]))
    assert np.shares_memory(one, other)
    one[1, 0] = -1
    assert other[0, 0] == -1


def test_fields_of_records_are_views_of_them():
    records = STRUCTURED.copy()
    table, x = sent((records, records["x"]))
    x[:] = 3
    assert (table["x"] == 3).all()
    as_attributes = records.view(np.recarray)
    table, x = sent((as_attributes, as_attributes.x))
    assert type(table) is np.recarray
    x[2] = 5
    assert table.x[2] == 5


def test_an_array_that_many_look_into_is_sent_once():
    large = np.random.default_rng(0).random(200_000)
    parts = [large[k : k + 100_000] for k in range(0, 100_000, 10_000)]
    assert size_of((large, parts)) < 1.2 * large.nbytes


def test_the_same_array_stays_the_same():
    array = BASE.copy()
    one, other = sent((array, array))
    assert one is other


def test_arrays_can_be_written_and_readers_leave_each_other_alone():
    payload = Payload(BASE.copy())
    one, other = (read_payload(os.dup(payload.descriptor)) for _ in range(2))
    payload.close()
    one[0, 0] = 99
    assert other[0, 0] == 0
    assert (read := one[0, 0]) == 99, read


def test_what_cannot_be_written_stays_so():
    locked = BASE.copy()
    view = locked[2:]
    view.flags.writeable = False
    owner, part = sent((locked, view))
    assert owner.flags.writeable and not part.flags.writeable
    locked.flags.writeable = False
    assert not any(each.flags.writeable for each in sent((locked, locked[2:])))


@pytest.mark.parametrize(
    "odd",
    [
        np.array([{"a": 1}, None], dtype=object),
        np.zeros((0, 3)),
        np.array(5.0),
        np.ma.masked_array([1, 2, 3], [0, 1, 0]),
        np.asfortranarray(BASE)[:, 2:5],
        np.broadcast_to(np.arange(3), (4, 3)),
        np.frombuffer(b"abcdefgh", "u2"),
        np.array(["2020-01-01", "NaT"], "M8[D]"),
        np.array([0.0, -0.0, np.nan, np.inf]),
    ],
    ids=["objects", "empty", "scalar", "masked", "fortran", "broadcast", "bytes", "dates", "special"],
)
def test_arrays_of_every_kind_come_out_as_they_were(odd):
    for thing in (odd, (odd, odd[:1] if odd.ndim else odd)):
        there = sent(thing)
        there = there[0] if isinstance(thing, tuple) else there
        assert type(there) is type(odd)
        assert there.dtype == odd.dtype and there.shape == odd.shape
        assert there.tolist() == odd.tolist() or np.array_equal(there, odd, equal_nan=True)


def test_functions_that_hold_views_have_them_in_another_process():
    owner = BASE.copy()
    row = owner[3]

    def step():
        row[:] = 1
        return owner.sum()

    payload = Payload(step)
    code = (
        "import sys; from framepipe.rendering.engines.payload import read_payload;"
        "print(read_payload(int(sys.argv[1]))())"
    )
    command = [sys.executable, "-c", code, str(payload.descriptor)]
    done = subprocess.run(command, pass_fds=[payload.descriptor], capture_output=True, text=True, check=True)
    payload.close()
    assert float(done.stdout) == BASE.sum() - BASE[3].sum() + 10


def test_what_cannot_be_pickled_is_an_engine_error():
    class Stubborn:
        def __reduce__(self):
            raise ValueError("no")

    with pytest.raises(EngineError, match="ValueError: no"):
        Payload([Stubborn()])


def test_the_state_of_numpys_generator_is_sent_while_another_thread_is_importing_it():
    program = """
import importlib.abc, sys, threading, time
import numpy

class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "numpy.random.mtrand":
            time.sleep(0.5)

sys.meta_path.insert(0, Slow())
assert "numpy.random" not in sys.modules
from framepipe.rendering.engines.payload import SceneByValue
importing = threading.Thread(target=lambda: numpy.random.default_rng(1))
importing.start()
while "numpy.random" not in sys.modules:
    time.sleep(0.001)
assert not hasattr(sys.modules["numpy.random"], "get_state")
assert SceneByValue.of(None).numpy_state[0] == "MT19937"
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
