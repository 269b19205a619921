"""PBS, LSF and Grid Engine, as far as their manuals say what they do: by stand-ins that follow these."""

from __future__ import annotations

import textwrap

import pytest

from framepipe.cluster.oversight import queue_of
from tests.support.sizes import all_if_long
from tests.support.stand_in_schedulers import PROGRAMS, StandIn

#: It draws without matplotlib, which each process of each task would load.
SCENE = """
    import glob
    import os
    import time
    import numpy as np

    def draw(k):
        until = time.monotonic() + {pause}
        while glob.glob("s/frame_*.png") and not os.path.exists("warned") and time.monotonic() < until:
            time.sleep(0.02)
        return np.full((16, 16, 3), (9, 30 * k, 250 - 30 * k), np.uint8)
"""


#: How long a frame waits at most for the warning that the time will be over. Of PBS a task has 6 s until then, and
#: one frame takes longer; the others send it when the first frame is there.
PAUSE_S = {"pbs": 7, "lsf": 120, "sge": 120}


@pytest.fixture(params=PROGRAMS)
def queue(request, tmp_path_factory, folder, monkeypatch):
    """A scheduler's stand-in; ``folder`` has a scene that waits for the warning."""
    stand_in = StandIn(tmp_path_factory.mktemp("scheduler"), request.param)
    monkeypatch.setenv("PATH", str(stand_in.bin), prepend=":")
    (folder / "scene.py").write_text(textwrap.dedent(SCENE.format(pause=PAUSE_S[request.param])))
    return stand_in


@pytest.mark.parametrize("queue", all_if_long(PROGRAMS, "pbs"), indirect=True)
def test_a_task_whose_time_is_over_is_queued_again_and_the_movie_is_built(queue, cli_process, folder):
    time_of = ["--time", "66s", "--warning", "60"] if queue.kind == "pbs" else ["--time", "10m"]
    cli_process(
        *["submit", queue.kind, "scene.py:draw", "--frames", 8, "--store", "s", "-o", "a.gif"],
        *["--tasks", 2, *time_of, "--order", "free", "-q"],
        ok=True,
    )
    assert [job.after for job in queue.jobs()] == [None, 11]
    queue.run_all(folder, warn=1)
    log = (folder / "s/jobs/1/draw-1.log").read_text()
    assert "stopped by SIGUSR1" in log and "frames drawn" in log, log
    ends = [int(line) for line in (folder / "s/jobs/1/draw-1.ends").read_text().split()]
    assert ends[0] == 75 and ends[-1] == 0
    assert (folder / "a.gif").is_file()
    assert [(job, index) for job, index, _ in queue.runs][-1] == (12, None), queue.runs


def test_the_queue_is_read_and_cancelled(queue, cli_process, folder):
    submit = [
        "submit",
        queue.kind,
        "scene.py:draw",
        "--frames",
        9,
        "--store",
        "s",
        "-o",
        "a.gif",
        "--no-load",
    ]
    cli_process(*submit, ok=True)
    state = queue_of(folder / "s")
    assert not state.problem
    assert {each.job for each in state.entries} == {"11", "12"}
    assert ("11", "1") in {(each.job, each.task) for each in state.entries}
    second = cli_process(*submit)
    assert second.returncode == 3 and "still in the queue (11," in second.stderr
    cancelled = cli_process("cancel", "s", ok=True)
    assert "cancelled 11, 12" in cancelled.stdout
    assert queue.jobs() == [] and queue_of(folder / "s").entries == ()
    assert "nothing was in the queue" in cli_process("cancel", "s", ok=True).stdout
