"""Tasks of one job that draw a store together: nothing wrong, nothing lost, nothing silent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time

import pytest

import framepipe as fp
from framepipe.store.heartbeats import Heartbeats
from tests.support.forked import Python

TINY = """
    import os, sys, time
    from matplotlib import pyplot as plt

    RUN = os.environ.get("RUN", "/scratch/1")
    PAUSE_S = 0.0

    def show(value):
        fig = plt.figure(figsize=(0.4, 0.4), dpi=50)
        fig.set_facecolor((value % 256 / 255, value // 256 % 256 / 255, 0))
        return fig

    def draw(k):
        if k in map(int, os.environ.get("RAISE", "").split()):
            raise ValueError(f"frame {k} has no data")
        time.sleep(float(os.environ.get("SLEEP_S", 0)))
        return show(3 * k + len(RUN) * 0)

    def chancy(k):
        return show(int.from_bytes(os.urandom(2), "big"))
"""


def write(folder, code):
    (folder / "tiny.py").write_text(textwrap.dedent(code))


@pytest.fixture
def render(folder, cli_process):
    """Render ``tiny.py`` into ``s``, with one worker or in one process."""
    write(folder, TINY)

    def run(*args, scene="draw", frames=12, worker=False, **keywords):
        how = ("-j", 1) if worker else ("--engine", "serial")
        return cli_process(
            "render", f"tiny.py:{scene}", "--frames", frames, "--store", "s", *how, *args, **keywords
        )

    return run


def start(folder, *args, **env):
    command = [sys.executable, "-m", "framepipe", "render", "tiny.py:draw", "--store", "s", "-j", "1", *args]
    return Python(
        [*map(str, command)],
        cwd=folder,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill(process):
    process.kill()
    process.communicate()


def wait_for_frames(store, count, process=None):
    until = time.monotonic() + 120
    while len(fp.Store(store).numbers()) < count:
        assert time.monotonic() < until
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.05)


def test_a_scene_whose_frames_differ_each_time_is_not_shared(render):
    refused = render("--shard", "1/3", scene="chancy", worker=True)
    assert refused.returncode == 2
    assert "cannot be shared among tasks" in refused.stderr and "default_rng(0)" in refused.stderr
    assert fp.Store("s").numbers() == []


def test_a_task_joins_no_store_in_which_another_found_that_frames_differ_each_time(render):
    render("--shard", "1/3", scene="chancy", worker=True)
    again = render("--shard", "2/3", scene="chancy", worker=True)
    assert again.returncode == 2 and "cannot be shared among tasks" in again.stderr
    alone = render(scene="chancy", frames=6, worker=True)
    assert alone.returncode == 0, alone.stderr
    assert "order serial" in alone.stdout


def test_tasks_of_one_process_each_find_out_that_frames_differ_each_time(render):
    render("--shard", "1/3", scene="chancy", ok=True)
    refused = render("--shard", "2/3", scene="chancy")
    assert refused.returncode == 2 and "cannot be shared among tasks" in refused.stderr
    assert set(fp.status("s").stale) == {0, 3, 6, 9}


def test_order_serial_of_a_shard_is_refused(render):
    refused = render("--shard", "1/3", "--order", "serial")
    assert refused.returncode == 2 and "cannot be shared among tasks" in refused.stderr


def test_tasks_check_the_beginning_once_and_tell_each_other(render):
    first = json.loads(render("--shard", "1/3", "-q", "--json", worker=True, ok=True).stdout)
    second = json.loads(render("--shard", "2/3", "-q", "--json", worker=True, ok=True).stdout)
    assert first["trials"] >= 2
    assert second["trials"] < first["trials"]
    third = json.loads(render("--shard", "3/3", "-q", "--json", ok=True).stdout)
    assert third["drawn_count"] == 4
    assert not os.path.exists("s/tasks"), "all is drawn: nobody needs the heartbeats"
    assert fp.status("s").complete


@pytest.mark.parametrize("more", [pytest.param((), marks=pytest.mark.long), ("--stale", "draw")])
def test_a_task_with_another_global_stops_at_once_and_names_it(folder, render, more):
    (folder / "s").mkdir()
    one = start(folder, "--frames", 40, "--shard", "1/2", RUN="/scratch/1", SLEEP_S="0.5")
    wait_for_frames("s", 1, one)
    before = (folder / "s" / "job.json").read_bytes()
    two = render("--shard", "2/2", *more, frames=40, RUN="/scratch/2")
    assert two.returncode == 3, two.stdout + two.stderr
    assert "global variable RUN: '/scratch/2' here, '/scratch/1' there" in two.stderr
    assert "(shard 1/2) draws other frames" in two.stderr
    assert (folder / "s" / "job.json").read_bytes() == before
    one.terminate()
    one.communicate(timeout=60)
    assert one.returncode == 75
    assert fp.status("s").stale == {}


def test_a_task_that_differs_from_one_that_has_ended_is_refused_too(render):
    render("--shard", "1/2", ok=True)
    two = render("--shard", "2/2", RUN="/scratch/2")
    assert two.returncode == 3
    assert "global variable RUN: '/scratch/2' here, '/scratch/1' there" in two.stderr
    assert "--stale draw" in two.stderr
    render("--shard", "2/2", "--stale", "draw", RUN="/scratch/2", ok=True)
    assert len(fp.status("s").stale) == 6


def test_tasks_of_one_array_must_be_the_same_whatever_they_are_told(render):
    array = {"SLURM_ARRAY_JOB_ID": "77"}
    render("--shard", "1/2", SLURM_ARRAY_TASK_ID="1", **array, ok=True)
    two = render("--shard", "2/2", "--stale", "draw", RUN="/x", SLURM_ARRAY_TASK_ID="2", **array)
    assert two.returncode == 3 and "task 1 on " in two.stderr and "has drawn other frames" in two.stderr


def test_an_edited_script_is_a_new_version_and_no_other_task(folder, render):
    render("--shard", "1/2", ok=True)
    write(folder, TINY.replace("3 * k", "4 * k"))
    render("--shard", "1/2", ok=True)
    assert not set(fp.status("s").stale) & set(range(0, 12, 2))


def test_failed_frames_are_kept_and_told_apart_until_they_are_drawn(folder, render):
    failed = render("--shard", "1/2", RAISE="2 4 8")
    assert failed.returncode == 3
    status = fp.status("s")
    assert sorted(status.failed) == [2, 4, 8] and set(status.failed) <= set(status.missing)
    lines = status.problems()
    assert lines[0].startswith("failed: 2,4,8: failed in draw(): ValueError: frame ")
    assert lines[1] == "missing: 1-11x2"
    logs = sorted(os.listdir("s/logs"))
    assert len(logs) == 4, "a record each, and one traceback"
    assert "has no data" in (folder / "s" / "logs" / logs[0]).read_text()
    assert failed.stderr.count("Traceback") == 2, "once when it happens, once at the end"
    render("--shard", "1/2", RAISE="4", ok=False)
    assert sorted(fp.status("s").failed) == [4]
    render(ok=True)
    assert fp.status("s").failed == {} and not os.path.exists("s/logs")


def test_failures_before_an_interrupt_are_not_lost(folder, render):
    (folder / "s").mkdir()
    one = start(folder, "--frames", 60, RAISE="1 2", SLEEP_S="0.3")
    wait_for_frames("s", 4, one)
    one.terminate()
    _, err = one.communicate(timeout=60)
    assert one.returncode == 75
    assert "2 failed: 1-2: failed in draw(): ValueError" in err
    assert sorted(fp.status("s").failed) == [1, 2]


@pytest.mark.parametrize(
    "env",
    [
        {"SLURM_STEP_NUM_TASKS": "3", "SLURM_PROCID": "1"},
        {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0"},
        {"PMI_SIZE": "2", "PMI_RANK": "0"},
        {"PMIX_RANK": "1"},
        {"PALS_RANKID": "3"},
    ],
    ids=lambda env: next(iter(env)),
)
def test_each_of_several_ranks_is_refused_before_anything_is_drawn(render, env):
    refused = render(**env)
    assert refused.returncode == 2 and "--shard K/N" in refused.stderr
    assert not os.path.exists("s")


def test_a_rank_with_a_shard_of_its_own_and_a_batch_script_are_not_refused(render):
    render("--shard", "2/2", SLURM_STEP_NUM_TASKS="2", SLURM_PROCID="1", ok=True)
    render(SLURM_NTASKS="4", SLURM_PROCID="0", SLURM_JOB_ID="", ok=True)


def test_a_task_that_is_through_helps_one_that_is_slow(folder, render):
    (folder / "s").mkdir()
    slow = start(folder, "--frames", 24, "--shard", "1/2", "--json", SLEEP_S="1.0")
    wait_for_frames("s", 1, slow)
    quick = json.loads(render("--shard", "2/2", "--json", frames=24, SLEEP_S="0.1", ok=True).stdout)
    out, err = slow.communicate(timeout=120)
    assert slow.returncode == 0, err
    theirs = json.loads(out)
    assert quick["drawn_count"] == 12 and quick["helped"]
    assert theirs["drawn_count"] < 12 and theirs["drawn_count"] + theirs["kept"] == 12
    assert fp.status("s").complete


def test_what_a_killed_task_has_left_is_drawn_by_another(folder, render):
    (folder / "s").mkdir()
    one = start(folder, "--frames", 20, "--shard", "1/2", SLEEP_S="0.5")
    wait_for_frames("s", 1, one)
    kill(one)
    assert [beat.is_alive for beat in Heartbeats(folder / "s").all()] == [False]
    render("--shard", "2/2", frames=20, worker=True, ok=True)
    assert fp.status("s").complete


def test_shards_that_nobody_has_begun_are_left_to_their_tasks(render):
    render("--shard", "1/2", ok=True)
    assert fp.status("s").missing == tuple(range(1, 12, 2))


def test_a_task_that_is_to_draw_only_its_own_does_not_help(folder, render):
    (folder / "s").mkdir()
    one = start(folder, "--frames", 20, "--shard", "1/2", SLEEP_S="0.5")
    wait_for_frames("s", 1, one)
    kill(one)
    render("--shard", "2/2", "--own-only", frames=20, worker=True, ok=True)
    assert not fp.status("s").complete


def test_a_frame_that_will_not_fit_is_not_begun(render):
    stopped = render("--time-left", "14", frames=40, SLEEP_S="1")
    assert stopped.returncode == 75, stopped.stderr
    assert "s are left of the time that this task has, and a frame takes 1" in stopped.stderr
    assert 0 < len(fp.Store("s").numbers()) < 40


def test_the_end_of_the_allocation_is_heeded(render):
    stopped = render(frames=40, SLEEP_S="1", SLURM_JOB_END_TIME=str(int(time.time()) + 16))
    assert stopped.returncode == 75
    assert len(fp.Store("s").numbers()) < 40
