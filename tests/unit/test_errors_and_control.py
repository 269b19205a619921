"""Errors: their tree, exit codes and journey between processes; how a stop is asked for."""

from __future__ import annotations

import pickle
import time

import pytest

from framepipe import errors
from framepipe.core.control import Control, Progress, Stop, ignore_progress

TABLE = {
    "FramepipeError": 1,
    "UsageError": 2,
    "FrameRangeError": 2,
    "RenderError": 3,
    "FramesFailed": 3,
    "FrameSizeError": 3,
    "StoreError": 3,
    "IncompleteStore": 3,
    "EngineError": 3,
    "ToolMissing": 4,
    "EncoderFailed": 5,
    "VerificationFailed": 6,
    "SweepFailed": 3,
    "Interrupted": 75,
}
ALL = [
    thing
    for thing in vars(errors).values()
    if isinstance(thing, type) and issubclass(thing, errors.FramepipeError)
]


def test_the_table_has_every_error_there_is():
    assert {kind.__name__ for kind in ALL} == set(TABLE)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_an_error_has_the_exit_code_of_the_table(kind):
    assert kind("went wrong").exit_code == TABLE[kind.__name__]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_an_error_survives_pickling_with_its_attributes(kind):
    before = kind("went wrong\nin two lines", stderr="tail", status={"broken": [3]}, signal_name="SIGTERM")
    after = pickle.loads(pickle.dumps(before))
    assert type(after) is kind
    assert str(after) == str(before)
    assert vars(after) == vars(before)
    assert after.exit_code == before.exit_code


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 75), ("SIGUSR1", 75), ("", 75)])
def test_ctrl_c_and_a_scheduler_stop_give_different_exit_codes(name, code):
    assert errors.Interrupted("stopped", signal_name=name).exit_code == code


def test_the_docstring_of_the_tree_names_every_error_with_its_code():
    for name, code in TABLE.items():
        line = next(line for line in (errors.__doc__ or "").splitlines() if name in line)
        assert str(code) in line


def test_a_stop_that_nobody_asked_for_is_none():
    stop = Stop()
    assert (stop.requested, stop.out_of_time, stop.signal_name) == (False, False, "")


def test_a_stop_without_grace_lets_frames_in_hand_take_their_time():
    stop = Stop()
    stop.request("SIGINT")
    assert (stop.requested, stop.out_of_time, stop.signal_name) == (True, False, "SIGINT")


def test_a_stop_with_grace_runs_out_of_time():
    stop = Stop()
    stop.request("SIGTERM", grace_s=1000)
    assert not stop.out_of_time
    stop.request(grace_s=0)
    time.sleep(0.01)
    assert stop.out_of_time
    assert stop.signal_name == "SIGTERM", "the first reason is kept"


def test_progress_that_nobody_wants_is_ignored():
    assert ignore_progress(Progress("draw", 1, 2)) is None


def test_a_stage_gives_up_where_it_checks_and_says_what_it_was_doing():
    control = Control()
    control.check("verifying a.gif")
    control.stop.request("SIGTERM")
    with pytest.raises(errors.Interrupted) as stopped:
        control.check("verifying a.gif")
    line = "stopped by SIGTERM while verifying a.gif: the frames are safe. Run the same again to go on"
    assert (str(stopped.value), stopped.value.signal_name) == (line, "SIGTERM")


def test_a_stop_is_passed_on_with_its_reason_and_the_time_that_it_leaves():
    stop, other = Stop(), Stop()
    stop.pass_on(other)
    assert not other.requested
    stop.request("SIGINT")
    stop.pass_on(other)
    assert (other.requested, other.by, other.out_of_time) == (True, " by SIGINT", False)
    stop.request("SIGTERM", grace_s=0)
    stop.pass_on(other)
    assert (other.by, other.out_of_time) == (" by SIGTERM", True)
