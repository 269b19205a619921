"""The scheduler's programs: submit the scripts of a folder, list and cancel its jobs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from framepipe.cluster.schedulers import QueueEntry, Scheduler, scheduler_of
from framepipe.cluster.submission import PHASES, JobFolder, Submission
from framepipe.core.process import Answer, call
from framepipe.errors import StoreError, ToolMissing

_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class QueueState:
    """What a scheduler knows of a submission's jobs now.

    Attributes
    ----------
    entries : tuple of QueueEntry
        Its jobs and tasks that wait or run.
    problem : str
        Why the scheduler could not be asked; empty if it answered.
    """

    entries: tuple[QueueEntry, ...]
    problem: str = ""

    @property
    def job_numbers(self) -> set[str]:
        """The numbers of the jobs that wait or run."""
        return {each.job for each in self.entries}


def send(submission: Submission, folder: JobFolder) -> dict[str, str]:
    """Submit the scripts in a folder, each to begin after the one before; return the jobs' numbers by phase.

    Raises
    ------
    ToolMissing
        The scheduler's program is not here.
    StoreError
        The scheduler refuses. What was submitted before is cancelled.
    """
    scheduler, jobs = scheduler_of(submission.scheduler), dict[str, str]()
    for phase in submission.phases:
        after = next(reversed(jobs.values()), None)
        script = folder.script(phase)
        stdin = script.read_bytes() if scheduler.reads_stdin else b""
        answer = _call(scheduler.submit_arguments(script.name, after), folder, stdin)
        job = scheduler.job_of(answer.stdout) if answer.returncode == 0 else None
        if job is None:
            cancel_jobs(scheduler, jobs)
            folder.write_result("failed", answer.stderr)
            _refuse(scheduler, script.name, answer)
        jobs[phase] = str(job)
        folder.write(submission, jobs)
    return jobs


def _refuse(scheduler: Scheduler, script: str, answer: Answer) -> None:
    text = (answer.stderr.strip() or answer.stdout.strip())[-2000:]
    if answer.returncode == -1 and "No such file" in text:
        raise ToolMissing(
            f"{scheduler.submits} is not here: {scheduler.name} jobs are submitted on a machine of the "
            "cluster. To see the scripts: --dry-run"
        )
    raise StoreError(f"{scheduler.submits} refuses {script}: {text}. Nothing stays in the queue")


def cancel_jobs(scheduler: Scheduler, jobs: Mapping[str, str]) -> Answer:
    """Cancel jobs, the last phase first, so that none begins because one before it has ended."""
    numbers = [jobs[phase] for phase in reversed(PHASES) if phase in jobs]
    return call([scheduler.cancels, *numbers], timeout_s=_TIMEOUT_S) if numbers else Answer(0, "", "")


def queue_state(submission: Submission, jobs: Mapping[str, str]) -> QueueState:
    """Ask the scheduler for the jobs of a submission.

    Parameters
    ----------
    submission : Submission
    jobs : mapping of str to str
        The jobs' numbers by phase.
    """
    scheduler = scheduler_of(submission.scheduler)
    if not jobs:
        return QueueState(())
    answer = call(scheduler.list_arguments([*jobs.values()]), timeout_s=_TIMEOUT_S)
    if answer.returncode == -1:
        return QueueState((), answer.stderr)
    numbers = {plain_number(job) for job in jobs.values()}
    entries = tuple(each for each in scheduler.queue(answer.stdout) if plain_number(each.job) in numbers)
    # a list may end with an error because it has forgotten a job: that one has ended
    problem = "" if answer.returncode == 0 or answer.stdout or not answer.stderr else answer.stderr.strip()
    return QueueState(entries, "" if _is_forgotten(problem) else problem)


def _is_forgotten(text: str) -> bool:
    return any(
        words in text.lower()
        for words in ("invalid job id", "is not found", "unknown job", "no matching job")
    )


def plain_number(job: str) -> str:
    """Return a job's number without the server and the brackets of PBS."""
    return job.partition(".")[0].partition("[")[0]


def _call(arguments: list[str], folder: JobFolder, stdin: bytes) -> Answer:
    # within a task of Slurm: what that task was given is not to be handed on to the job that is submitted
    env = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith("SLURM_") or name == "SLURM_CONF"
    }
    return call(arguments, timeout_s=_TIMEOUT_S, cwd=folder.path, stdin=stdin, env=env)
