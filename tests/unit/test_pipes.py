"""An encoder is never left waiting at a pipe, whatever becomes of its frames."""

import threading

import pytest

from framepipe.movie.pipes import Pipes


def failing(name):
    raise ValueError("nobody expects this")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("frame", [failing, lambda name: None], ids=["error", "no frame"])
def test_who_gives_no_frame_ends_the_encoder(tmp_path, frame):
    has_given_up = threading.Event()
    pipes = Pipes(tmp_path / "pipes", tmp_path, ["a.png"], frame, has_given_up.set)
    with pipes.fed():
        assert has_given_up.wait(10)
    assert not pipes.waits()
    assert not (tmp_path / "pipes").exists()
