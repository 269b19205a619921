"""Progress for people who look at a log file."""

from __future__ import annotations

import io
import re
import socket

import pytest

from framepipe import ProgressBar
from framepipe.core.control import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


#: When and where a line was written.
STAMP = re.compile(r"^\[\d\d-\d\d \d\d:\d\d:\d\d [\w.-]+\] ", re.M)


def told(steps, file=None):
    file = file or io.StringIO()
    bar = ProgressBar(file)
    for step in steps:
        bar(step)
    bar.close()
    return re.sub(STAMP, "", file.getvalue())


def drawing(total=5, failed=0, first=0):
    return [Progress("draw", done, total, failed, "run1") for done in range(first, total + 1)]


def test_a_log_gets_one_plain_line_at_the_end_of_a_short_stage():
    text = told(drawing())
    assert re.fullmatch(r"drawing run1: 5/5 frames, [0-9.e+]+ frames/s\n", text)


def test_a_log_has_no_control_characters():
    assert not re.search(r"[\r\x1b]", told(drawing(50)))


def test_failed_frames_are_told():
    assert told(drawing(failed=2)).rstrip().endswith(", 2 failed")


def test_each_movie_and_stage_gets_its_own_line():
    steps = [*drawing(), *(Progress("encode", k, 3, label="a.gif") for k in range(4))]
    steps += [Progress("encode", k, 3, label="a.mp4") for k in range(4)]
    lines = told(steps).splitlines()
    assert [line.split(":")[0] for line in lines] == ["drawing run1", "encoding a.gif", "encoding a.mp4"]


def test_the_end_is_told_once_even_if_it_is_reported_twice():
    assert len(told([*drawing(), *drawing()[-1:]]).splitlines()) == 1


def test_frames_that_were_done_before_do_not_count_for_the_rate():
    assert told([Progress("draw", 5, 5, 0, "run1")]) == "drawing run1: 5/5 frames\n"


@pytest.mark.parametrize("label", ["a.gif", "with % and {braces}"])
def test_a_terminal_gets_a_bar_with_the_counts_and_ends_its_line(label):
    text = told([Progress("encode", k, 3, label=label) for k in range(4)], Terminal())
    assert f"encoding {label}" in text
    assert "3/3" in text
    assert text.endswith("\n")


def test_a_terminal_sees_failures():
    assert "2 failed" in told(drawing(failed=2), Terminal())


def test_a_line_of_a_log_says_when_and_where_it_was_written(monkeypatch):
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "77")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "5")
    file = io.StringIO()
    ProgressBar(file)(Progress("draw", 5, 5, 0, "run1"))
    assert re.match(
        rf"\[\d\d-\d\d \d\d:\d\d:\d\d {socket.gethostname()} task 5\] drawing run1", file.getvalue()
    )


def test_news_are_told_at_once_in_a_log_and_above_the_bar_of_a_terminal():
    steps = [
        Progress("draw", 1, 50, 1, "run1", "frame 1 failed: no data"),
        Progress("draw", 2, 50, 1, "run1"),
    ]
    assert told(steps).startswith("frame 1 failed: no data\n")
    assert "frame 1 failed: no data\n" in told(steps, Terminal())
