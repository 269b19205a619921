"""Warnings of a scene are counted in its frames and told once."""

from __future__ import annotations

import os
import pickle
import re
import warnings
from collections import Counter

import numpy as np
import pytest

from framepipe.scenes.warned import SceneWarning, collecting_warnings, merged, warning_lines

HERE = os.path.abspath(__file__)


@pytest.fixture(autouse=True)
def usual_filters():
    """As in a worker: each place is shown once."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        yield


def draw(k):
    warnings.warn("of all frames", stacklevel=1)
    if k % 2:
        np.log(np.zeros(1))
        warnings.warn("of odd frames", FutureWarning, stacklevel=1)


def counted(draw, frames):
    for k in range(frames):
        with collecting_warnings() as counts:
            draw(k)
        yield counts


def test_each_warning_is_counted_in_every_frame_and_printed_in_none(capsys):
    total = merged(counted(draw, 7))
    texts = {(each.category, each.text): count for each, count in total.items()}
    assert texts == {
        ("UserWarning", "of all frames"): 7,
        ("RuntimeWarning", "divide by zero encountered in log"): 3,
        ("FutureWarning", "of odd frames"): 3,
    }
    assert capsys.readouterr() == ("", "")


def test_a_report_has_a_line_for_each_with_its_place_from_here(monkeypatch, tmp_path):
    monkeypatch.chdir(os.path.dirname(HERE))
    first, *others = warning_lines(merged(counted(draw, 3)))
    assert re.fullmatch(r"in 3 frames: UserWarning: of all frames \(test_warned.py:\d+\)", first)
    assert len(others) == 2 and all(line.startswith("in 1 frame: ") for line in others)
    monkeypatch.chdir(tmp_path)
    assert HERE in warning_lines(merged(counted(draw, 1)))[0]
    library = SceneWarning("UserWarning", "x", f"{os.sep}v{os.sep}site-packages{os.sep}numpy{os.sep}a.py:3")
    assert warning_lines({library: 1}) == [f"in 1 frame: UserWarning: x (numpy{os.sep}a.py:3)"]


def test_counts_pickle_and_a_frame_counts_once_however_often_it_warns():
    def loop(_):
        for _ in range(5):
            warnings.warn("again", stacklevel=1)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        frames = pickle.loads(pickle.dumps(list(counted(loop, 2))))
    assert [list(counts.values()) for counts in frames] == [[5], [5]]
    assert list(merged(frames).values()) == [2]


def test_filters_hold_what_is_ignored_and_what_is_an_error():
    warnings.filterwarnings("ignore", "of all frames")
    assert {each.text for each in merged(counted(draw, 1))} == set()
    warnings.filterwarnings("error", "of odd frames")
    with pytest.raises(FutureWarning, match="of odd frames"):
        list(counted(draw, 2))


def test_a_filter_that_a_frame_sets_stays():
    def draw(k):
        if k == 0:
            warnings.filterwarnings("ignore", "silenced")
        warnings.warn("silenced by the first frame", stacklevel=1)

    assert merged(counted(draw, 3)) == Counter()


def test_after_it_warnings_are_shown_as_before(capsys):
    before = warnings.showwarning
    with pytest.raises(ZeroDivisionError), collecting_warnings():
        raise ZeroDivisionError
    assert warnings.showwarning is before


def test_warnings_that_are_never_the_same_do_not_fill_the_memory_nor_the_report():
    def draw(k):
        for j in range(50):
            warnings.warn(f"{k} {j} " + "x" * 1000 + "\nsecond line", stacklevel=1)

    total = merged(counted(draw, 20))
    assert len(total) == 201 and sum(total.values()) == 200 + 16
    assert warning_lines(total)[0] == "in 16 frames: Warning: others, too many to list"
    assert max(len(each.text) for each in total) == 300
