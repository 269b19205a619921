"""What schedulers say in the environment, and through their programs (small stand-ins on PATH)."""

from __future__ import annotations

import os
import time

import pytest

from framepipe.core.allocation import (
    ArrayTask,
    array_task,
    parse_duration_s,
    refuse_ranks,
    requeues,
    time_left_s,
)
from framepipe.errors import UsageError


@pytest.mark.parametrize(
    ("env", "task"),
    [
        ({"SLURM_ARRAY_JOB_ID": "77", "SLURM_ARRAY_TASK_ID": "3"}, ArrayTask("77", "3")),
        ({"PBS_JOBID": "12[7].server", "PBS_ARRAY_INDEX": "7"}, ArrayTask("12", "7")),
        ({"LSB_JOBID": "5", "LSB_JOBINDEX": "2"}, ArrayTask("5", "2")),
        ({"LSB_JOBID": "5", "LSB_JOBINDEX": "0"}, None),
        ({"JOB_ID": "9", "SGE_TASK_ID": "4"}, ArrayTask("9", "4")),
        ({"JOB_ID": "9", "SGE_TASK_ID": "undefined"}, None),
        ({"SLURM_JOB_ID": "77"}, None),
        ({}, None),
    ],
)
def test_the_task_of_an_array_is_read_from_the_environment(env, task):
    assert array_task(env) == task


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"SLURM_NTASKS": "4", "SLURM_PROCID": "0"},  # a batch script: one process
        {"SLURM_STEP_NUM_TASKS": "1", "SLURM_NTASKS": "4"},  # srun -n 1 in it
        {"OMPI_COMM_WORLD_SIZE": "1"},
        {"PMIX_RANK": "0"},
    ],
)
def test_one_process_is_not_refused(env):
    refuse_ranks(env)


@pytest.mark.parametrize(
    "env",
    [
        {"SLURM_STEP_NUM_TASKS": "4"},
        {"OMPI_COMM_WORLD_SIZE": "2"},
        {"PMI_SIZE": "8"},
        {"PMIX_RANK": "1"},
        {"FLUX_JOB_SIZE": "2"},
    ],
)
def test_several_processes_of_one_command_are_refused_with_the_way_out(env):
    with pytest.raises(UsageError, match="--shard K/N"):
        refuse_ranks(env)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1:30", 90), ("2:00:00", 7200), ("1-02:00:30", 93630), (2.5, 2.5), ("0", 0)],
)
def test_durations_are_seconds_or_as_schedulers_write_them(text, seconds):
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "an hour", "1:2:3:4", "-5", "1h"])
def test_other_durations_are_refused(text):
    with pytest.raises(UsageError, match="H:MM:SS"):
        parse_duration_s(text)


def test_slurm_says_when_the_job_ends():
    assert 99 < time_left_s({"SLURM_JOB_END_TIME": str(int(time.time()) + 101)}) <= 101


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a program on PATH that prints a text if it gets some arguments."""

    def write(name, arguments, text):
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\n[ \"$*\" = '{arguments}' ] || exit 1\ncat <<'END'\n{text}\nEND\n")
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    return write


def test_an_older_slurm_is_asked(program):
    program("squeue", "-h -j 42 -O TimeLeft:30", "1:02:03                ")
    assert time_left_s({"SLURM_JOB_ID": "42"}) == 3723
    program("squeue", "-h -j 42 -O TimeLeft:30", "UNLIMITED")
    assert time_left_s({"SLURM_JOB_ID": "42"}) is None


def test_pbs_is_asked(program):
    text = "Job Id: 12[7].s\n    resources_used.walltime = 00:10:00\n    Resource_List.walltime = 02:00:00"
    program("qstat", "-f 12[7].s", text)
    assert time_left_s({"PBS_JOBID": "12[7].s"}) == 6600


def test_lsf_is_asked(program):
    program("bjobs", "-noheader -o time_left 5[2]", "1:30 L")
    assert time_left_s({"LSB_JOBID": "5", "LSB_JOBINDEX": "2"}) == 5400


def test_without_a_scheduler_or_its_program_nobody_knows(monkeypatch):
    assert time_left_s({}) is None
    monkeypatch.setenv("PATH", "")
    assert time_left_s({"SLURM_JOB_ID": "42", "PBS_JOBID": "1", "LSB_JOBID": "1"}) is None


def test_requeues_are_counted():
    assert (requeues({}), requeues({"SLURM_RESTART_COUNT": "2"})) == (0, 2)
