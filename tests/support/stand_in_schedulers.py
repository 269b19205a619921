"""Stand-ins for PBS, LSF and Grid Engine: their programs as small scripts, and what their daemons do.

They follow the manuals (PBS Professional 2021 reference guide, LSF 10.1 command reference, Grid Engine's manual pages) in what
framepipe relies on: how arrays are numbered, which variables tasks get, what is printed, when a dependent job begins, what queues
a task again, and whom the signal before the walltime reaches. Tasks run one after the other.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = {
    "pbs": {"submit": "qsub", "cancel": "qdel", "list": "qstat", "rerun": "qrerun"},
    "lsf": {"submit": "bsub", "cancel": "bkill", "list": "bjobs"},
    "sge": {"submit": "qsub", "cancel": "qdel", "list": "qstat"},
}
_PROGRAM = '#!/bin/sh\nexec {python} {module} {queue} {kind} {action} "$@"\n'


@dataclass
class Job:
    """A job in the queue, as its programs left it there."""

    number: int
    script: str
    cwd: str
    after: int | None
    directives: str

    @property
    def indices(self) -> Iterable[int | None]:
        """The numbers of its tasks; None for a job that is no array."""
        if match := re.search(r"-[Jt] 1-(\d+)$", self.directives, re.M):
            return range(1, int(match[1]) + 1)
        if match := re.search(r'-J "\S+\[([\d,-]+)\]"', self.directives):
            runs = [part.partition("-") for part in match[1].split(",")]
            return [k for first, _, last in runs for k in range(int(first), int(last or first) + 1)]
        return [None]


class StandIn:
    """A queue in a folder, its programs on PATH, and its daemon."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.kind, self.queue = kind, folder / "queue"
        self.bin = folder / "bin"
        self.queue.mkdir(parents=True)
        self.bin.mkdir()
        self.runs: list[tuple[int, int | None, int]] = []
        for action, program in PROGRAMS[kind].items():
            path = self.bin / program
            path.write_text(
                _PROGRAM.format(
                    python=sys.executable, module=__file__, queue=self.queue, kind=kind, action=action
                )
            )
            path.chmod(0o755)

    def jobs(self) -> list[Job]:
        """Those in the queue, the oldest first."""
        paths = sorted(self.queue.glob("*.json"), key=lambda path: int(path.stem))
        return [Job(**json.loads(path.read_text())) for path in paths]

    def run_all(self, folder: Path, warn: int = 0) -> None:
        """Run tasks until the queue is empty.

        The first ``warn`` runs are told that the walltime is near as soon as there is a frame in ``folder``; a
        file ``warned`` there says so.
        """
        while jobs := self.jobs():
            job = next(each for each in jobs if each.after not in [other.number for other in jobs])
            for index in job.indices:
                while self._run(job, index, folder, warn=warn > len(self.runs)):
                    pass
            (self.queue / f"{job.number}.json").unlink(missing_ok=True)

    def _run(self, job: Job, index: int | None, folder: Path, warn: bool) -> bool:
        """Run a task once; return True if it is queued again."""
        from tests.support.waiting import wait_for  # the programs run this file without the package

        marker = self.queue / "again"
        marker.unlink(missing_ok=True)
        spooled = self.queue / "script"
        spooled.write_text(job.script)
        with spooled.open() as stdin:
            process = subprocess.Popen(
                ["bash", "-s"] if self.kind == "lsf" else ["bash", spooled],
                cwd=job.cwd,
                env={**os.environ, **self._variables(job, index)},
                stdin=stdin if self.kind == "lsf" else subprocess.DEVNULL,
                start_new_session=True,
            )
        if warn and self.kind != "pbs":  # which has no warning
            wait_for(lambda: any(folder.rglob("frame_*.png")) or process.poll() is not None)
            os.killpg(process.pid, signal.SIGUSR1)
            (folder / "warned").touch()
        code = process.wait(120)
        (folder / "warned").touch()
        self.runs.append((job.number, index, code))
        again = {"pbs": marker.exists(), "sge": code == 99, "lsf": code in _requeue_codes(job)}
        return again[self.kind]

    def _variables(self, job: Job, index: int | None) -> dict[str, str]:
        name = f"{job.number}[{index}].server" if index else f"{job.number}.server"
        return {
            "pbs": {"PBS_JOBID": name, **({"PBS_ARRAY_INDEX": str(index)} if index else {})},
            "lsf": {"LSB_JOBID": str(job.number), "LSB_JOBINDEX": str(index or 0)},
            "sge": {"JOB_ID": str(job.number), "SGE_TASK_ID": str(index or "undefined")},
        }[self.kind]


def _requeue_codes(job: Job) -> list[int]:
    match = re.search(r'^#BSUB -Q "([\d ]+)"', job.script, re.M)
    return [int(code) for code in match[1].split()] if match else []


def _submit(queue: Path, kind: str, arguments: list[str]) -> None:
    after = None
    for option, pattern in {
        "-W": r"depend=afterany:(\d+)",
        "-w": r"ended\((\d+)\)",
        "-hold_jid": r"(\d+)",
    }.items():
        if option in arguments:
            at = arguments.index(option)
            found = re.match(pattern, arguments[at + 1])
            assert found, arguments
            after = int(found[1])
            del arguments[at : at + 2]
    if kind == "sge":
        assert arguments.pop(0) == "-terse"
    script = sys.stdin.read() if kind == "lsf" else Path(arguments.pop()).read_text()
    assert not arguments, arguments
    counter = queue / "count"
    number = int(counter.read_text()) + 1 if counter.exists() else 11
    counter.write_text(str(number))
    prefix = {"pbs": "#PBS", "lsf": "#BSUB", "sge": "#$"}[kind]
    head = "\n".join(line for line in script.split("\n\n")[0].splitlines() if line.startswith(prefix + " "))
    job = Job(number, script, os.getcwd(), after, head)
    (queue / f"{number}.json").write_text(json.dumps(vars(job)))
    is_array = job.indices != [None]
    count = len(list(job.indices))
    print(
        {
            "pbs": f"{number}{'[]' if is_array else ''}.server",
            "lsf": f"Job <{number}> is submitted to default queue <normal>.",
            "sge": f"{number}.1-{count}:1" if is_array else f"{number}",
        }[kind]
    )


def _list(queue: Path, kind: str) -> None:
    numbers = sorted(int(path.stem) for path in queue.glob("*.json"))
    if kind == "pbs" and numbers:
        print("Job id            Name             User              Time Use S Queue")
        print("----------------  ---------------- ----------------  -------- - -----")
        for number in numbers:
            print(f"{number}[].server    framepipe-x-draw root                     0 B workq")
            print(f"{number}[1].server   framepipe-x-draw root              00:00:01 R workq")
    if kind == "lsf":
        for number in numbers:
            print(f"{number}|1|RUN\n{number}|2|PEND\n{number}|3|DONE")
    if kind == "sge" and numbers:
        print("job-ID  prior   name       user  state submit/start at     queue   slots ja-task-ID")
        print("-" * 80)
        for number in numbers:
            print(f"{number:7} 0.55500 framepipe- root  r     11/30/2026 16:00:00 all.q@node1   1 1")
            print(f"{number:7} 0.00000 framepipe- root  qw    11/30/2026 16:00:00               1 2-9:1")


def _main(queue: Path, kind: str, action: str, arguments: list[str]) -> None:
    if action == "submit":
        _submit(queue, kind, arguments)
    elif action == "list":
        _list(queue, kind)
    elif action == "rerun":
        (queue / "again").touch()
    else:
        for each in arguments:
            (queue / f"{re.match('[0-9]+', each)[0]}.json").unlink()  # type: ignore[index]


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
