"""What a scheduler says of this process: whose task it is, its rank among others, when its time ends.

All of it stands in the environment, but the end of the time in some schedulers, which are asked for it.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from framepipe.core.process import query
from framepipe.errors import UsageError

#: Variables with the number of processes that were started at once for the same command. (Slurm sets
#: SLURM_NTASKS in the batch script too, which is one process; SLURM_STEP_NUM_TASKS is for those of srun.)
_SIZES = {
    "SLURM_STEP_NUM_TASKS": "srun",
    "OMPI_COMM_WORLD_SIZE": "Open MPI",
    "PMI_SIZE": "MPI",
    "PALS_SIZE": "PALS",
    "MV2_COMM_WORLD_SIZE": "MVAPICH",
    "FLUX_JOB_SIZE": "Flux",
    "JSM_NAMESPACE_SIZE": "jsrun",
}
#: Variables with the rank alone: any but the first shows that there are several.
_RANKS = {"PMIX_RANK": "PMIx", "PALS_RANKID": "PALS", "ALPS_APP_PE": "ALPS"}
#: Variables in which launchers of parallel programs tell each process its rank: torchrun, Open MPI,
#: MPICH and Intel MPI, PMIx, MVAPICH.
_RANKS_OF_PROGRAMS = ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "MV2_COMM_WORLD_RANK")
#: Job and task of an array, of Slurm, PBS, LSF and Grid Engine. LSF and Grid Engine set a task for other
#: jobs too: 0 and "undefined".
_ARRAYS = (
    ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"),
    ("PBS_ARRAY_ID", "PBS_ARRAY_INDEX"),
    ("LSB_JOBID", "LSB_JOBINDEX"),
    ("JOB_ID", "SGE_TASK_ID"),
)
_ASK_S = 10.0


@dataclass(frozen=True)
class ArrayTask:
    """A task of a job array.

    Attributes
    ----------
    job : str
        The same for all tasks of the array.
    task : str
        Its number in the array.
    """

    job: str
    task: str


def array_task(env: Mapping[str, str] = os.environ) -> ArrayTask | None:
    """Return the task of a job array that this process is, None if it is none."""
    for job_name, task_name in _ARRAYS:
        job, task = env.get(job_name) or _job_of_pbs(job_name, env), env.get(task_name, "")
        if job and task.isdigit() and (task != "0" or not job_name.startswith("LSB")):
            return ArrayTask(job, task)
    return None


def _job_of_pbs(name: str, env: Mapping[str, str]) -> str:
    """Return the array's id as PBS Pro has it: ``1234[7].server`` for its task 7."""
    return env.get("PBS_JOBID", "").partition("[")[0] if name.startswith("PBS") else ""


def requeues(env: Mapping[str, str] = os.environ) -> int:
    """Return how often the scheduler has started this task again (only Slurm counts)."""
    text = env.get("SLURM_RESTART_COUNT", "")
    return int(text) if text.isdigit() else 0


def rank_in_program(env: Mapping[str, str] = os.environ) -> int:
    """Return the rank of this process in a parallel program, 0 outside of one."""
    for name in _RANKS_OF_PROGRAMS:
        if (text := env.get(name, "")).isdigit():
            return int(text)
    alone = env.get("SLURM_NTASKS", "1") == "1"
    text = env.get("SLURM_PROCID", "")
    return int(text) if text.isdigit() and not alone else 0


def refuse_ranks(env: Mapping[str, str] = os.environ) -> None:
    """Refuse to draw in each of several processes that were started for the same command.

    Raises
    ------
    UsageError
        A launcher (srun, mpirun …) has started more than one.
    """
    for name, launcher in _SIZES.items():
        if env.get(name, "").isdigit() and int(env[name]) > 1:
            raise _several(f"{env[name]} processes of this command ({name}={env[name]})", launcher)
    for name, launcher in _RANKS.items():
        if env.get(name, "").isdigit() and int(env[name]) > 0:
            raise _several(f"several processes of this command ({name}={env[name]})", launcher)


def _several(what: str, launcher: str) -> UsageError:
    return UsageError(
        f"{launcher} has started {what}, and each would draw all frames. Start one (srun -n 1), which uses "
        "all processors that it is given, let them share the frames: --engine mpi, or give each its part: "
        "--shard K/N, K from 1 to N"
    )


def time_left_s(env: Mapping[str, str] = os.environ) -> float | None:
    """Return the seconds until this job's time limit, as the scheduler says; None if it does not.

    Slurm, PBS and LSF are asked by their own programs where the environment does not have it, which may take
    some seconds.
    """
    end = env.get("SLURM_JOB_END_TIME", "")  # since Slurm 22.05
    if end.isdigit():
        return float(end) - time.time()
    return next((left for ask in _ASKED if (left := ask(env)) is not None), None)


def _ask_slurm(env: Mapping[str, str]) -> float | None:
    """Read the time left as squeue prints it: ``1-02:03:04``, or UNLIMITED."""
    job = env.get("SLURM_JOB_ID", "")
    return (
        _seconds(_output("squeue", "-h", "-j", job, "-O", "TimeLeft:30").strip()) if job.isdigit() else None
    )


def _ask_pbs(env: Mapping[str, str]) -> float | None:
    """Subtract the time used from the limit, in what ``qstat -f`` prints."""
    job = env.get("PBS_JOBID", "")
    text = _output("qstat", "-f", job) if re.fullmatch(r"[\w.\[\]-]+", job) else ""
    limit, used = (
        _seconds(match[1]) if (match := re.search(rf"{key}\.walltime = ([\d:]+)", text)) else None
        for key in ("Resource_List", "resources_used")
    )
    return None if limit is None else limit - (used or 0.0)


def _ask_lsf(env: Mapping[str, str]) -> float | None:
    """Read ``bjobs -o time_left``: ``1:30 L``, in hours and minutes."""
    job, index = env.get("LSB_JOBID", ""), env.get("LSB_JOBINDEX", "0")
    if not job.isdigit():
        return None
    text = _output("bjobs", "-noheader", "-o", "time_left", f"{job}[{index}]" if index != "0" else job)
    match = re.match(r"\s*(\d+):(\d+)", text)
    return int(match[1]) * 3600.0 + int(match[2]) * 60.0 if match else None


_ASKED: tuple[Callable[[Mapping[str, str]], float | None], ...] = (_ask_slurm, _ask_pbs, _ask_lsf)


def _output(*command: str) -> str:
    """Return what a scheduler's program prints; empty if it fails or is missing."""
    code, answer = query(command, _ASK_S)
    return answer if code == 0 else ""


def _seconds(text: str) -> float | None:
    try:
        return parse_duration_s(text)
    except UsageError:  # UNLIMITED, INVALID, NOT_SET
        return None


def parse_duration_s(text: str | float) -> float:
    """Parse seconds, ``MM:SS``, ``H:MM:SS`` or ``D-HH:MM:SS``.

    Raises
    ------
    UsageError

    >>> parse_duration_s("1-02:00:30"), parse_duration_s("90"), parse_duration_s(2.5)
    (93630.0, 90.0, 2.5)
    """
    match = re.fullmatch(r"(?:(?:(\d+)-)?(\d+):)?(?:(\d+):)?(\d+(?:\.\d+)?)", str(text).strip())
    if match is None:
        raise UsageError(f"{text!r} is no duration; give seconds (90), MM:SS, H:MM:SS or D-HH:MM:SS")
    days, first, second, seconds = (float(part or 0) for part in match.groups())
    hours, minutes = (first, second) if match[3] is not None else (0.0, first)
    return days * 86400 + hours * 3600 + minutes * 60 + seconds
