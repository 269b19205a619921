"""The job scripts of a submission: text that a person can read, send by hand and change."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from framepipe import __version__
from framepipe.cluster.resources import CPUS, REQUEUES, Resources
from framepipe.cluster.schedulers import Phase, Scheduler, scheduler_of
from framepipe.cluster.submission import JobFolder, Submission
from framepipe.options import DrawOptions, EncodeOptions, SceneOptions, SubmitOptions, as_flags, options_of
from framepipe.timeline import Timing

_PURPOSES = {
    "draw": "Draws the frames of {store}: task K those of shard K/{tasks}.",
    "encode": "Encodes the movies of {store} in segments: task K those of shard K/{tasks}.",
    "finish": "Builds the movies of {store} and verifies them, or submits again what is missing.",
    "grid": "Draws the movies of all points side by side, when they are built; then deletes their frames.",
}


def scripts_of(submission: Submission, folder: JobFolder) -> dict[str, str]:
    """Return the script of each phase, by its name."""
    return {phase: _script(submission, folder, phase) for phase in submission.phases}


def _script(submission: Submission, folder: JobFolder, phase_name: str) -> str:
    scheduler = scheduler_of(submission.scheduler)
    options = cluster_options(submission)
    resources = Resources.of(options)
    store = Path(submission.store)
    phase = Phase(
        name=phase_name,
        title=_title(store, phase_name) if not submission.is_grid else _title(store.parent, "grid"),
        tasks=submission.tasks_of(phase_name),
        is_array=phase_name != "finish",
        log_by_scheduler=scheduler.keeps_logs(str(folder.path)),
    )
    tasks = submission.tasks if phase_name == "draw" else submission.encoding_tasks
    purpose = _PURPOSES["grid" if submission.is_grid else phase_name]
    by_hand = f"{scheduler.submits} {'<' if scheduler.reads_stdin else ''}{phase_name}.sh"
    lines = [
        "#!/bin/bash",
        f"# {purpose.format(store=_in_comment(store.name), tasks=tasks)}",
        f"# Written by framepipe {__version__}. By hand, in this folder: {by_hand}",
        *(f"{scheduler.prefix} {each}" for each in scheduler.directives(phase, resources)),
        "",
        *_task_lines(scheduler, phase),
        f"folder={shlex.quote(str(folder.path))}",
        *([] if phase.log_by_scheduler else [f'exec >>"$folder/{phase_name}-$task.log" 2>&1']),
        f"cd -- {shlex.quote(submission.cwd)} || exit",
        *([options.setup.rstrip()] if options.setup else []),
        *scheduler.before(resources),
        "",
        _command(submission, phase_name, scheduler.launcher(resources), options.python or sys.executable),
        "code=$?",
        *_end(scheduler, phase, REQUEUES if options.requeues is None else options.requeues),
    ]
    return "\n".join(lines) + "\n"


def _task_lines(scheduler: Scheduler, phase: Phase) -> list[str]:
    """Return the lines that set ``task``."""
    if not phase.is_array:
        return ["task=1"]
    in_order = phase.tasks == tuple(range(1, len(phase.tasks) + 1))
    if not scheduler.needs_table or in_order:
        return [f"task={scheduler.array_index}"]
    table = " ".join(map(str, phase.tasks))
    return [
        f"tasks=({table})  # those that have frames to draw",
        f"task=${{tasks[{scheduler.array_index} - 1]}}",
    ]


def _end(scheduler: Scheduler, phase: Phase, requeues: int) -> list[str]:
    """Return the lines that note how the task ended, and queue it again if its time was over."""
    ends = f'"$folder/{phase.name}-$task.ends"'
    return [
        '[ "$code" != 138 ] || code=75  # USR1 came before framepipe listened to it, or after',
        f'echo "$code" >>{ends}',
        "# 75: the time was over. What is done is safe, and the task goes on with the rest in its next run.",
        f'if [ "$code" = 75 ] && [ "$(wc -l <{ends})" -le {requeues} ]; then',
        f"    {scheduler.again(phase)}",
        "fi",
        '[ "$code" != 75 ] || code=1',
        'exit "$code"',
    ]


def _command(submission: Submission, phase: str, launcher: str, python: str) -> str:
    """Return the command of a phase, an argument a line."""
    cpus = submission.options.get("cpus") or CPUS
    options, store = submission.options, submission.store
    if phase == "draw":
        words = ["render", *([submission.scene] if submission.scene else [])]
        words += [f"--frames={submission.frames}"] if submission.frames is not None else []
        words += [f"--store={store}", *as_flags({"workers": cpus, **options}, SceneOptions, DrawOptions)]
        shard, script_args = f'--shard="$task/{submission.tasks}"', options.get("script_args") or ()
    elif phase == "encode":
        words = ["assemble", store, *(f"--output={path}" for path in submission.outputs)]
        words += [f"--workers={cpus}", *as_flags(options, Timing, EncodeOptions)]
        words += ["--stale=keep"] if options.get("stale") == "keep" else []
        shard, script_args = f'--shard="$task/{submission.encoding_tasks}"', ()
    else:
        return _folded(launcher, python, ["finish"], ['"$folder"'])
    last = [shard, *(["--", *map(shlex.quote, script_args)] if script_args else [])]
    return _folded(launcher, python, words, last)


def _folded(launcher: str, python: str, words: Sequence[str], last: Sequence[str]) -> str:
    """Join arguments to a command; ``last`` are words of the shell already."""
    program = f"{shlex.quote(python)} -m framepipe {' '.join(map(shlex.quote, words[:2]))}"
    lines = [*([launcher] if launcher else []), program, *map(shlex.quote, words[2:]), *last]
    return " \\\n    ".join(lines)


def cluster_options(submission: Submission) -> SubmitOptions:
    """Return the submission's options for the cluster."""
    names = options_of(SubmitOptions)
    return SubmitOptions(**{name: value for name, value in submission.options.items() if name in names})


def _title(store: Path, phase: str) -> str:
    """Return a name for the queue that every scheduler accepts."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", store.name).strip("-")[:40]
    return "-".join(filter(None, ["framepipe", plain, phase]))


def _in_comment(name: str) -> str:
    """Return a name for a comment: a newline in it would end the comment."""
    return "".join(char if char.isprintable() else "?" for char in name)
