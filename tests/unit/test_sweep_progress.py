"""Progress of a sweep: one bar for all points, which says which of them are under way."""

from __future__ import annotations

import io

from framepipe.core.control import Progress
from framepipe.core.progress_bar import ProgressBar
from framepipe.sweeps.progress import SweepProgress


def test_frames_of_all_points_are_counted_together_and_encoding_shows_when_nothing_else_is_under_way():
    steps: list[Progress] = []
    sweep = SweepProgress(steps.append, "s", ["a=0", "a=1", "a=2"])
    sweep.begin(0)
    sweep.note(0, Progress("draw", 1, 4, store="s/a=0"))
    assert (steps[-1].done, steps[-1].total, steps[-1].store) == (1, 12, "s/a=0"), "the others are as long"
    assert steps[-1].part == "1 of 3 points: a=0"
    sweep.begin(1)
    sweep.note(1, Progress("draw", 2, 6, failed=1, news="oh"))
    assert (steps[-1].done, steps[-1].total, steps[-1].failed, steps[-1].news) == (3, 16, 1, "oh")
    assert steps[-1].part == "1-2 of 3 points: a=0, a=1"
    sweep.note(0, Progress("encode", 1, 4))
    assert len(steps) == 2, "the bar stays that of drawing"
    sweep.end(0, "done")
    assert (steps[-1].stage, steps[-1].done, steps[-1].news) == ("draw", 3, "done")
    sweep.note(1, Progress("encode", 2, 6, label="1.gif"))
    assert steps[-1].stage == "encode"
    sweep.end(1, "done too")
    assert (steps[-1].stage, steps[-1].news) == ("encode", "done too")


def test_a_sweep_of_an_unknown_number_of_frames_has_no_total():
    steps: list[Progress] = []
    sweep = SweepProgress(steps.append, "s", ["a=0", "a=1"])
    sweep.begin(0)
    sweep.note(0, Progress("draw", 1, None))
    assert steps[-1].total is None


def test_the_line_in_a_log_says_which_points_are_under_way():
    log = io.StringIO()
    bar = ProgressBar(log)
    bar(Progress("draw", 0, 8, label="s", part="1 of 2 points: a=0"))
    bar(Progress("draw", 8, 8, label="s", part="2 of 2 points: a=1"))
    assert log.getvalue().rstrip().endswith("frames/s; 2 of 2 points: a=1")
