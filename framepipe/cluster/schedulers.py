"""Schedulers as data: what each calls its options, its variables and its programs.

A scheduler is a small class; `SCHEDULERS` has one object of each. Slurm's is tried on a real Slurm; the
others follow their manuals: PBS Professional's reference guide (also OpenPBS), IBM's LSF 10.1 command
reference, and the manual pages of Grid Engine.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from framepipe.cluster.resources import Resources, clock
from framepipe.errors import UsageError
from framepipe.job.frames import format_range


@dataclass(frozen=True)
class Phase:
    """One job of the chain: an array of tasks, or a single one.

    Attributes
    ----------
    name : {"draw", "encode", "finish"}
        Also the name of its script.
    title : str
        The job's name in the queue: letters, digits, ``-`` and ``_``, a letter first.
    tasks : tuple of int
        The tasks that are sent, each from 1.
    is_array : bool
    log_by_scheduler : bool
        The scheduler appends all that a task prints to its log; else the script does.
    """

    name: str
    title: str
    tasks: tuple[int, ...]
    is_array: bool
    log_by_scheduler: bool


@dataclass(frozen=True)
class QueueEntry:
    """One job or task in a scheduler's queue.

    Attributes
    ----------
    job : str
        The job's number, without that of the task.
    task : str
        The task's number, a range for tasks that wait together, or empty.
    state : str
        In the scheduler's words.
    reason : str
        Why it waits, if the scheduler says so.
    """

    job: str
    task: str
    state: str
    reason: str = ""


class Scheduler(ABC):
    """What framepipe has to know of a scheduler.

    Attributes
    ----------
    name : str
    submits, cancels, lists : str
        Its programs.
    id_pattern : str
        A regular expression for the job's number in what ``submits`` prints.
    prefix : str
        What its lines in a script begin with.
    array_index : str
        The shell's word for the number of an array's task.
    needs_table : bool
        Arrays are one range from 1, so that a few tasks need a table of which these are.
    reads_stdin : bool
        The script is read from standard input.
    """

    name: ClassVar[str]
    submits: ClassVar[str]
    cancels: ClassVar[str]
    lists: ClassVar[str]
    id_pattern: ClassVar[str]
    prefix: ClassVar[str]
    array_index: ClassVar[str]
    needs_table: ClassVar[bool] = False
    reads_stdin: ClassVar[bool] = False

    def keeps_logs(self, folder: str) -> bool:
        """True if the scheduler appends all that a task prints, in each run, to a log in the folder."""
        return False

    @abstractmethod
    def directives(self, phase: Phase, resources: Resources) -> list[str]:
        """Return the scheduler's lines for a script, without their prefix."""

    def before(self, resources: Resources) -> list[str]:
        """Return shell lines that protect the script itself from the warning before the walltime."""
        return []

    def launcher(self, resources: Resources) -> str:
        """Return what stands before the program, so that a warning before the walltime reaches it."""
        return ""

    @abstractmethod
    def again(self, phase: Phase) -> str:
        """Return the shell command with which a task queues itself again."""

    @abstractmethod
    def dependency(self, job: str) -> list[str]:
        """Return arguments of ``submits``: the job begins when another has ended, however it ended."""

    @abstractmethod
    def queue(self, text: str) -> list[QueueEntry]:
        """Read what ``lists`` printed."""

    def submit_arguments(self, script: str, after: str | None) -> list[str]:
        """Return the arguments that submit a script of the working folder."""
        arguments = [self.submits, *(self.dependency(after) if after else [])]
        return arguments if self.reads_stdin else [*arguments, script]

    def list_arguments(self, jobs: Sequence[str]) -> list[str]:
        """Return the arguments that list some jobs."""
        return [self.lists, *jobs]

    def job_of(self, text: str) -> str | None:
        """Return the job's number from what ``submits`` printed; None if there is none."""
        match = re.search(self.id_pattern, text, re.MULTILINE)
        return match[1] if match else None


class Slurm(Scheduler):
    """Slurm. ``srun`` starts a step: the signal of ``--signal=USR1@60`` goes to steps, not to the script."""

    name = "slurm"
    submits, cancels, lists = "sbatch", "scancel", "squeue"
    id_pattern = r"^(\d+)(?:;|$)"
    prefix = "#SBATCH"
    array_index = "$SLURM_ARRAY_TASK_ID"

    def keeps_logs(self, folder: str) -> bool:
        """See `Scheduler`. In a log's path Slurm replaces ``%`` and what follows, and drops backslashes."""
        return not {"%", "\\"} & {*folder}

    def directives(self, phase: Phase, resources: Resources) -> list[str]:
        """See `Scheduler`; ``--time`` has whole minutes in effect."""
        array = [f"--array={format_range(phase.tasks)}"] if phase.is_array else []
        lines = [f"--job-name={phase.title}", *array, "--ntasks=1", f"--cpus-per-task={resources.cpus}"]
        lines += [f"--mem={resources.mem_mb}M"] if resources.mem_mb else []
        lines += [f"--time={clock(resources.time_s)}"] if resources.time_s else []
        lines += [f"--partition={resources.partition}"] if resources.partition else []
        lines += [f"--account={resources.account}"] if resources.account else []
        lines += [f"--signal=USR1@{resources.warning_s}", "--requeue", "--open-mode=append"]
        log = f"{phase.name}-{'%a' if phase.is_array else '1'}.log" if phase.log_by_scheduler else "/dev/null"
        return [*lines, f"--output={log}", *resources.directives]

    def launcher(self, resources: Resources) -> str:
        """See `Scheduler`. Since Slurm 22.05 srun does not take ``--cpus-per-task`` over from the job."""
        return f"srun --ntasks=1 --cpus-per-task={resources.cpus}"

    def again(self, phase: Phase) -> str:
        """See `Scheduler`. An array's own number would queue all of its tasks again."""
        job = "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID" if phase.is_array else "$SLURM_JOB_ID"
        return f'scontrol requeue "{job}"'

    def submit_arguments(self, script: str, after: str | None) -> list[str]:
        """See `Scheduler`."""
        program, *arguments = super().submit_arguments(script, after)
        return [program, "--parsable", *arguments]

    def dependency(self, job: str) -> list[str]:
        """See `Scheduler`. ``afterok`` would wait for ever for a task that ended at its walltime."""
        return [f"--dependency=afterany:{job}"]

    def list_arguments(self, jobs: Sequence[str]) -> list[str]:
        """See `Scheduler`. Named jobs that squeue has forgotten are an error, so all are listed."""
        return [self.lists, "--noheader", "--me", "--format=%F|%K|%T|%r"]

    def queue(self, text: str) -> list[QueueEntry]:
        """See `Scheduler`."""
        rows = [line.split("|", 3) for line in text.splitlines() if line.count("|") >= 3]
        return [
            QueueEntry(job, "" if task == "N/A" else task, state, "" if reason == "None" else reason)
            for job, task, state, reason in rows
        ]


class Pbs(Scheduler):
    """PBS Professional and OpenPBS.

    They send TERM at the walltime, and nothing before it, so ``timeout`` sends the warning. ``qrerun`` is the
    operators' alone on many sites: where it is refused, the last job submits the rest again.
    """

    name = "pbs"
    submits, cancels, lists = "qsub", "qdel", "qstat"
    id_pattern = r"^(\d+(?:\[\])?\.[\w.-]+|\d+(?:\[\])?)\s*$"
    prefix = "#PBS"
    array_index = "${PBS_ARRAY_INDEX:-1}"
    needs_table = True

    def directives(self, phase: Phase, resources: Resources) -> list[str]:
        """See `Scheduler`."""
        count = len(phase.tasks)
        array = [f"-J 1-{count}"] if phase.is_array and count > 1 else []  # an array of one is refused
        memory = f":mem={resources.mem_mb}mb" if resources.mem_mb else ""
        lines = [f"-N {phase.title}", *array, f"-l select=1:ncpus={resources.cpus}{memory}"]
        lines += [f"-l walltime={clock(resources.time_s)}"] if resources.time_s else []
        lines += [f"-q {resources.partition}"] if resources.partition else []
        lines += [f"-A {resources.account}"] if resources.account else []
        return [*lines, "-r y", "-j oe", "-V", *resources.directives]

    def launcher(self, resources: Resources) -> str:
        """See `Scheduler`."""
        if not resources.time_s:
            return ""
        seconds = resources.time_s - resources.warning_s
        return f"timeout --foreground --preserve-status --signal=USR1 $(({seconds} - SECONDS))"

    def again(self, phase: Phase) -> str:
        """See `Scheduler`."""
        return 'qrerun "$PBS_JOBID"'

    def dependency(self, job: str) -> list[str]:
        """See `Scheduler`."""
        return ["-W", f"depend=afterany:{job}"]

    def list_arguments(self, jobs: Sequence[str]) -> list[str]:
        """See `Scheduler`: arrays with their tasks."""
        return [self.lists, "-t"]

    def queue(self, text: str) -> list[QueueEntry]:
        """See `Scheduler`: columns are Job id, Name, User, Time Use, S, Queue."""
        entries = []
        for line in text.splitlines():
            if match := re.match(r"(\d+)(?:\[([^\]]*)\])?\S*\s+(?:\S+\s+)+?(\w)\s+\S+\s*$", line):
                entries.append(QueueEntry(match[1], match[2] or "", match[3]))
        return entries


class Lsf(Scheduler):
    """LSF. It queues a task again by itself if that ends with an exit code of ``-Q``."""

    name = "lsf"
    submits, cancels, lists = "bsub", "bkill", "bjobs"
    id_pattern = r"Job <(\d+)>"
    prefix = "#BSUB"
    array_index = "$LSB_JOBINDEX"
    reads_stdin = True

    def directives(self, phase: Phase, resources: Resources) -> list[str]:
        """See `Scheduler`. LSF drops what a task printed that it queues again, so the script keeps it."""
        array = f"[{format_range(phase.tasks)}]" if phase.is_array else ""
        lines = [f'-J "{phase.title}{array}"', f"-n {resources.cpus}", '-R "span[hosts=1]"']
        if resources.mem_mb:
            lines += [f"-M {resources.mem_mb}MB", f'-R "rusage[mem={resources.mem_mb}MB]"']
        if resources.time_s:
            lines += [f"-W {_hours_minutes(resources.time_s)}"]
            lines += ["-wa USR1", f"-wt {-(-resources.warning_s // 60)}"]
        lines += [f"-q {resources.partition}"] if resources.partition else []
        lines += [f"-P {resources.account}"] if resources.account else []
        index = "%I" if phase.is_array else "1"
        return [*lines, "-r", '-Q "75"', f"-o {phase.name}-{index}.lsf", *resources.directives]

    def before(self, resources: Resources) -> list[str]:
        """See `Scheduler`: LSF signals the script too."""
        return _IGNORE_USR1 if resources.time_s else []

    def again(self, phase: Phase) -> str:
        """See `Scheduler`."""
        return "exit 75"

    def dependency(self, job: str) -> list[str]:
        """See `Scheduler`."""
        return ["-w", f"ended({job})"]

    def list_arguments(self, jobs: Sequence[str]) -> list[str]:
        """See `Scheduler`."""
        return [self.lists, "-noheader", "-o", "jobid jobindex stat delimiter='|'", *jobs]

    def queue(self, text: str) -> list[QueueEntry]:
        """See `Scheduler`; bjobs also lists jobs that have ended within the hour."""
        rows = [line.strip().split("|") for line in text.splitlines() if line.count("|") == 2]
        return [
            QueueEntry(job, "" if task == "0" else task, state)
            for job, task, state in rows
            if state not in ("DONE", "EXIT")
        ]


class Sge(Scheduler):
    """Sun, Univa, Altair and Son of Grid Engine. A task that ends with 99 is queued again."""

    name = "sge"
    submits, cancels, lists = "qsub", "qdel", "qstat"
    id_pattern = r"^(\d+)(?:\.\S*)?\s*$"
    prefix = "#$"
    array_index = "$SGE_TASK_ID"
    needs_table = True

    def directives(self, phase: Phase, resources: Resources) -> list[str]:
        """See `Scheduler`. Memory is a slot's; the parallel environment is called smp on most sites."""
        lines = [f"-N {phase.title}", "-S /bin/bash", "-cwd", "-V", "-j y", "-r y"]
        lines += [f"-t 1-{len(phase.tasks)}"] if phase.is_array else []
        lines += [f"-pe smp {resources.cpus}"] if resources.cpus > 1 else []
        lines += [f"-l h_vmem={-(-resources.mem_mb // resources.cpus)}M"] if resources.mem_mb else []
        if resources.time_s:
            soft = clock(resources.time_s - resources.warning_s)
            lines += [f"-l h_rt={clock(resources.time_s)},s_rt={soft}"]
        lines += [f"-q {resources.partition}"] if resources.partition else []
        lines += [f"-P {resources.account}"] if resources.account else []
        return [*lines, *resources.directives]

    def before(self, resources: Resources) -> list[str]:
        """See `Scheduler`: at the soft limit the script gets USR1, and so does all that it started."""
        return _IGNORE_USR1 if resources.time_s else []

    def again(self, phase: Phase) -> str:
        """See `Scheduler`."""
        return "exit 99"

    def dependency(self, job: str) -> list[str]:
        """See `Scheduler`."""
        return ["-hold_jid", job]

    def submit_arguments(self, script: str, after: str | None) -> list[str]:
        """See `Scheduler`."""
        program, *arguments = super().submit_arguments(script, after)
        return [program, "-terse", *arguments]

    def list_arguments(self, jobs: Sequence[str]) -> list[str]:
        """See `Scheduler`."""
        return [self.lists]

    def queue(self, text: str) -> list[QueueEntry]:
        """See `Scheduler`: columns are job-ID, prior, name, user, state, …, slots, ja-task-ID."""
        entries = []
        for line in text.splitlines():
            words = line.split()
            if len(words) >= 8 and words[0].isdigit():
                # the date and time stand behind the state; the queue's name, of running tasks, behind these
                has_task = bool(re.fullmatch(r"\d+|\d+-\d+:\d+[\d,:-]*", words[-1])) and words[-2].isdigit()
                entries.append(QueueEntry(words[0], words[-1] if has_task else "", words[4]))
        return entries


#: A trap, unlike an ignored signal, is not handed on to the programs that the script starts.
_IGNORE_USR1 = ["trap : USR1  # the warning before the walltime is for framepipe, which gets it too"]


def _hours_minutes(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return f"{minutes // 60}:{minutes % 60:02}"


SCHEDULERS: dict[str, Scheduler] = {each.name: each for each in (Slurm(), Pbs(), Lsf(), Sge())}


def scheduler_of(name: str) -> Scheduler:
    """Return a scheduler by its name.

    Raises
    ------
    UsageError
    """
    if name not in SCHEDULERS:
        raise UsageError(f"scheduler {name!r} is unknown; give one of {', '.join(SCHEDULERS)}")
    return SCHEDULERS[name]
