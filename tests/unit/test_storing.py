"""Frames go to the store while the next ones are drawn, one after the other, and none is lost."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from framepipe.core import png
from framepipe.core.shape import Shape
from framepipe.job.canvas import Canvas
from framepipe.rendering.engines.base import Drawn, Failed, Work
from framepipe.rendering.engines.link import Link
from framepipe.rendering.engines.storing import Storing
from framepipe.scenes.picture import FrameGeometry
from framepipe.store.store import Store

DATA = png.encode(np.zeros((2, 2, 3), np.uint8), "", dpi=None, background=None)


@pytest.fixture
def ends() -> Iterator[tuple[Link, Link]]:
    one, other = [Link(end) for end in socket.socketpair()]
    yield one, other
    one.close()
    other.close()


def work_in(folder: os.PathLike[str]) -> Work:
    return Work(None, Canvas(), None, folder)  # type: ignore[arg-type]


def drawn(number: int) -> Drawn:
    return Drawn(number, FrameGeometry(Shape(2, 2, 3)), "")


def test_a_frame_is_reported_as_drawn_before_it_is_stored(ends, tmp_path):
    here, there = ends
    storing, threads = Storing(), threading.active_count()
    for number in range(5):
        storing.put(here, work_in(tmp_path), drawn(number), DATA)
    storing.wait()
    messages = [there.receive() for _ in range(10)]
    stored = [rest[0].number for kind, *rest in messages if kind == "outcome"]
    assert stored == list(range(5))
    for number in stored:
        at = next(k for k, (kind, *rest) in enumerate(messages) if rest and rest[0].number == number)
        assert [kind for kind, *_ in messages[:at]].count("drawn") > number
    assert Store(tmp_path).numbers() == list(range(5))
    assert threading.active_count() == threads, "a process must be forked without a second thread"


def test_a_frame_that_cannot_be_stored_is_reported_with_the_reason(ends, tmp_path):
    here, there = ends
    storing = Storing()
    storing.put(here, work_in(tmp_path / "gone"), drawn(3), DATA)
    storing.wait()
    assert there.receive() == ("drawn",)
    kind, outcome = there.receive()
    assert isinstance(outcome, Failed)
    assert (kind, outcome.kind, outcome.number) == ("outcome", "store", 3)
    assert "cannot write frame 3" in outcome.message


def test_a_frame_is_stored_although_nobody_is_there_any_more(ends, tmp_path):
    here, there = ends
    there.close()
    storing = Storing()
    with pytest.raises(OSError):
        storing.put(here, work_in(tmp_path), drawn(7), DATA)
    storing.wait()
    assert Store(tmp_path).numbers() == [7]
