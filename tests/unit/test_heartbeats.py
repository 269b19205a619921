"""Heartbeats of tasks, what they found out about the order, and records of failures."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time

import pytest

from framepipe.rendering.siblings import differences_between
from framepipe.store.failures import FailureLog, failure_lines
from framepipe.store.heartbeats import Findings, Heartbeat, Heartbeats, born_at, task_lines

ELSEWHERE = "node9"


@pytest.fixture
def store(tmp_path):
    return Heartbeats(tmp_path)


def aged(store, beat, seconds):
    store.write(beat)
    then = time.time() - seconds
    os.utime(store._path(beat), (then, then))
    return next(each for each in store.all() if each.pid == beat.pid)


def test_a_heartbeat_comes_back_as_it_was_written(store):
    beat = Heartbeat(
        shard="2/8", total=10, done=3, drawing={7: 5.0}, rate=0.5, parts={"seed": "1"}, error="x"
    )
    store.write(beat)
    (read,) = store.all()
    assert dataclasses.replace(read, beat_s=0.0, age_s=0.0) == beat
    assert (store._path(beat).stat().st_mode & 0o077) == 0, "it may show values of globals"


def test_a_process_that_has_ended_is_dead_at_once_on_its_own_host(store):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    beat = Heartbeat(pid=process.pid, born=born_at(process.pid))
    assert beat.is_alive
    assert not dataclasses.replace(beat, born=beat.born + 1).is_alive, "another process has its id now"
    process.communicate()
    assert not beat.is_alive


def test_a_process_of_another_host_is_dead_when_its_heartbeat_is_stale(store):
    beat = Heartbeat(processes=ELSEWHERE, host=ELSEWHERE, pid=1)
    assert aged(store, beat, 5).is_alive
    assert not aged(store, beat, 600).is_alive


def test_a_task_that_says_that_it_has_ended_is_not_alive():
    assert not Heartbeat(state="ended").is_alive


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": -1}', '{"drawing": 3}', "\0", '{"pid": "x"}'])
def test_damaged_heartbeats_are_ignored(store, text):
    store.folder.mkdir()
    (store.folder / "node-1.json").write_text(text)
    assert store.all() == []


def test_a_folder_of_heartbeats_that_points_elsewhere_is_left_alone(tmp_path):
    elsewhere = tmp_path / "mine"
    elsewhere.mkdir()
    (elsewhere / "order-x").write_text("precious")
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "tasks").symlink_to(elsewhere)
    beats = Heartbeats(tmp_path / "s")
    beats.write(Heartbeat())
    Findings(tmp_path / "s", "1" * 64).add("serial", "")
    beats.clear()
    assert [path.name for path in elsewhere.iterdir()] == ["order-x"]


def test_the_strictest_order_that_any_task_found_holds_and_none_is_taken_back(tmp_path):
    one, two = Findings(tmp_path, "a" * 64), Findings(tmp_path, "a" * 64)
    assert one.strictest() is None
    two.add("replay", "frame 3 differs")
    one.add("free", "")
    assert one.strictest() == two.strictest() == ("replay", "frame 3 differs")
    one.add("replay", "another reason")
    assert two.strictest() == ("replay", "frame 3 differs"), "the first finder's"
    assert Findings(tmp_path, "b" * 64).strictest() is None, "another version of the job"


def test_a_frame_that_came_out_different_when_its_changes_were_drawn_is_told_to_all_tasks(tmp_path):
    one, two = Findings(tmp_path, "a" * 64), Findings(tmp_path, "a" * 64)
    assert one.full_redraw() is None
    two.add_full_redraw(17)
    assert (one.full_redraw(), one.strictest()) == (17, None)


def test_what_differs_between_tasks_is_named_with_both_values():
    one = Heartbeat(
        parts={"data": "1", "packages": "1", "source": "1", "seed": "5", "reads": "1"},
        details={
            "data": {"RUN": "aa", "TABLE": "bb"},
            "packages": {"numpy": "1.26"},
            "source": {"/a/film.py": "cc"},
            "reads": {"x.npy": "1", "y.npy": "2"},
        },
        shown={"RUN": "'/scratch/1'"},
    )
    assert differences_between(one, one) == []
    other = Heartbeat(
        parts={"data": "2", "packages": "2", "source": "2", "seed": "6", "reads": "2"},
        details={
            "data": {"RUN": "ax", "TABLE": "bx"},
            "packages": {"numpy": "2.1"},
            "source": {"/a/film.py": "cx"},
            "reads": {"x.npy": "other", "z.npy": "3"},
        },
        shown={"RUN": "'/scratch/2'"},
    )
    assert differences_between(one, other) == [
        "global variable RUN: '/scratch/1' here, '/scratch/2' there",
        "global variable TABLE: SHA-256 bb… here, SHA-256 bx… there",
        "package numpy: 1.26 here, 2.1 there",
        "file /a/film.py: SHA-256 cc… here, SHA-256 cx… there",
        "file x.npy: SHA-256 1… here, SHA-256 other… there",
        "seed: 5 here, 6 there",
    ]


def test_tasks_are_told_with_their_rate_the_time_left_and_the_last_error():
    beats = [
        Heartbeat(shard="1/2", task="1", host="n1", total=100, done=10, rate=2.0, born=0, beat_s=50.0),
        Heartbeat(shard="2/2", task="2", host="n2", processes=ELSEWHERE, age_s=7300.0, total=100, done=3),
    ]
    beats[1] = dataclasses.replace(beats[1], error="frame 7: no data", requeues=1)
    lines = task_lines(beats, 187)
    assert lines[0] == "tasks: 1 drawing, 1 dead; 2 frames/s, about 0:01:34 left; started again 1 times"
    assert lines[1].strip() == "task 1 on n1 (1/2): 10 of 100, 2 frames/s"
    assert (
        lines[2]
        .strip()
        .startswith("task 2 on n2 (2/2): 3 of 100; died, or has not said anything 2:01:40 ago")
    )
    assert lines[3] == "last error: frame 7: no data (task 2 on n2)"
    assert task_lines([], 3) == []


def test_failures_that_are_alike_have_one_traceback_and_one_line(tmp_path):
    log = FailureLog(tmp_path, "task 3 on n1")
    for number in range(0, 200, 2):
        log.add(
            number, "raised", f"failed in draw(): IndexError: {number}", f"Traceback…\nIndexError: {number}"
        )
    log.add(5, "timeout", "not drawn within 3 s", "")
    assert len(list(log.folder.glob("error-*.txt"))) == 2
    lines = failure_lines(log.records(range(200)).values())
    assert [line.split(" (")[0] for line in lines] == [
        "failed: 0-198x2: failed in draw(): IndexError: 198",
        "failed: 5: not drawn within 3 s",
    ]
    assert "task 3 on n1" in lines[0]
    for number in log.numbers():
        log.drop(number)
    log.tidy()
    assert not log.folder.exists()


ASKS_FOR_THE_TIME = """
import sys, time
from pathlib import Path
from framepipe.core.files import temporary_beside
probe = temporary_beside(Path(sys.argv[1], "tasks", "clock"))
probe.touch()
print(flush=True)
while Path(sys.argv[2]).exists():
    time.sleep(0.01)
probe.unlink()
"""


def test_the_folder_goes_also_while_another_process_asks_it_for_the_time(store, tmp_path):
    """As `status` does, and the page of `watch`, at the moment at which `make` removes what is left."""
    beat = Heartbeat(state="ended")
    store.write(beat)
    reader = subprocess.Popen(
        [sys.executable, "-c", ASKS_FOR_THE_TIME, tmp_path, store._path(beat)], stdout=subprocess.PIPE
    )
    reader.stdout.readline()
    store.clear()
    reader.communicate()
    assert not store.folder.exists()


def test_the_folder_stays_with_what_is_not_ours_in_it(store):
    store.folder.mkdir()
    (store.folder / "notes.txt").touch()
    store.clear()
    assert [path.name for path in store.folder.iterdir()] == ["notes.txt"]
