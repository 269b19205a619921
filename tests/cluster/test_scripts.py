"""The job scripts: as they stand in golden files, and what shells and hostile names make of them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import framepipe
from framepipe.cluster.schedulers import SCHEDULERS
from framepipe.cluster.scripts import scripts_of
from framepipe.cluster.submission import JobFolder, Submission

GOLDEN = Path(__file__).with_name("golden")
LONG_MOVIE = Submission(
    scheduler="slurm",
    scene="scene.py:draw",
    frames="0-9999",
    store="/data/run/frames/run1",
    outputs=("/data/run/run1.mp4", "/data/run/run1.gif"),
    cwd="/data/run",
    options={
        "fps": "24",
        "params": {"amplitude": 0.8, "title": "a b"},
        "script_args": ["--steps", "200"],
        "tasks": 64,
        "cpus": 4,
        "mem": "8G",
        "time": "1:00:00",
        "partition": "rome",
        "account": "physics",
        "directives": ["-l gpu=1"],
        "setup": "module load ffmpeg\nsource /data/venv/bin/activate",
        "python": "/data/venv/bin/python",
    },
    tasks=64,
    sent=tuple(range(1, 65)),
    encoding_tasks=40,
)
#: What dead tasks left, with as few options as can be.
REST = replace(
    LONG_MOVIE, sent=(3, 7, 8, 9), encoding_tasks=0, options={"python": "/usr/bin/python3"}, round=1
)
FOLDER = JobFolder(Path("/data/run/frames/run1/jobs/1"))
HOSTILE = [
    "a b",
    "it's",
    'say "hi"',
    "100%a",
    "new\nline",
    "$HOME `id` $(id)",
    "-rf",
    "back\\slash",
    "ünï",
    "#x;y&z|*?",
]


def scripts(submission, folder=FOLDER):
    texts = scripts_of(submission, folder)
    return {phase: text.replace(framepipe.__version__, "VERSION") for phase, text in texts.items()}


@pytest.mark.parametrize("which", ["all", "rest"])
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_scripts_are_as_in_the_golden_files(scheduler, which):
    """To renew them after a change that is meant: RENEW_GOLDEN=1."""
    submission = replace(LONG_MOVIE if which == "all" else REST, scheduler=scheduler)
    for phase, text in scripts(submission).items():
        path = GOLDEN / f"{scheduler}-{which}-{phase}.sh"
        if os.environ.get("RENEW_GOLDEN"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert text == path.read_text(), f"{path.name} differs"


def test_shellcheck_and_bash_accept_every_golden_script():
    paths = sorted(GOLDEN.glob("*.sh"))
    assert len(paths) == len(SCHEDULERS) * 5
    for path in paths:
        subprocess.run(["bash", "-n", path], check=True)
    shellcheck = Path(sys.executable).with_name("shellcheck")
    excluded = "SC1091"  # what the user's setup reads is not here
    done = subprocess.run([shellcheck, f"--exclude={excluded}", *paths], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def arguments_in(script, tmp_path, **variables):
    """Run a script with a Python that prints its arguments, and return these."""
    recorder = tmp_path / "python"
    recorder.write_text(
        '#!/bin/sh\nfor each; do printf "%s\\0" "$each"; done >"$RECORD"\npwd >"$RECORD.cwd"\n'
    )
    recorder.chmod(0o755)
    (tmp_path / "srun").write_text('#!/bin/sh\nshift 2\nexec "$@"\n')
    (tmp_path / "srun").chmod(0o755)
    path = tmp_path / "script.sh"
    path.write_text(script.replace("PYTHON", shlex.quote(str(recorder))))
    record = tmp_path / "record"
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "RECORD": str(record), **variables}
    subprocess.run(["bash", path], env=env, check=True)
    return record.read_bytes().decode().split("\0")[:-1], Path(f"{record}.cwd").read_text()[:-1]


INDEX = {
    "slurm": "SLURM_ARRAY_TASK_ID",
    "pbs": "PBS_ARRAY_INDEX",
    "lsf": "LSB_JOBINDEX",
    "sge": "SGE_TASK_ID",
}


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("name", HOSTILE, ids=repr)
def test_names_and_options_are_data_however_they_are_called(scheduler, name, tmp_path):
    cwd = tmp_path / name
    store = cwd / "frames" / name
    folder = JobFolder(store / "jobs" / "1")
    folder.path.mkdir(parents=True)
    submission = Submission(
        scheduler=scheduler,
        scene=f"./{name}.py:draw",
        frames="0-9",
        store=str(store),
        outputs=(str(cwd / f"{name}.mp4"),),
        cwd=str(cwd),
        options={
            "params": {"title": name},
            "script_args": [name],
            "metadata": {"title": name},
            "python": "PYTHON",
            "time": "2h",
        },
        tasks=3,
        sent=(1, 2, 3),
        encoding_tasks=2,
    )
    texts = scripts_of(submission, folder)
    directives = [
        line for line in texts["draw"].splitlines() if line.startswith(SCHEDULERS[scheduler].prefix + " ")
    ]
    assert all(re.fullmatch(r"[\w #@$%.,:;=()\"\[\]/-]*", line, re.ASCII) for line in directives), directives

    arguments, where = arguments_in(texts["draw"], tmp_path, **{INDEX[scheduler]: "2"})
    assert where == str(cwd).rstrip("\n")
    assert arguments[:4] == ["-m", "framepipe", "render", f"./{name}.py:draw"]
    assert f"--store={store}" in arguments and f"--param=title={name}" in arguments
    assert arguments[-3:] == ["--shard=2/3", "--", name]
    assert folder.ends("draw", 2) == (0,)

    arguments, _ = arguments_in(texts["encode"], tmp_path, **{INDEX[scheduler]: "1"})
    assert arguments[2:4] == ["assemble", str(store)] and arguments[-1] == "--shard=1/2"
    assert f"--output={cwd / name}.mp4" in arguments and f"--metadata=title={name}" in arguments

    arguments, _ = arguments_in(texts["finish"], tmp_path)
    assert arguments == ["-m", "framepipe", "finish", str(folder.path)]


@pytest.mark.parametrize("scheduler", ["pbs", "sge"])
def test_an_array_of_a_few_tasks_draws_just_these(scheduler, tmp_path):
    folder = JobFolder(tmp_path / "jobs" / "1")
    folder.path.mkdir(parents=True)
    few = replace(REST, scheduler=scheduler, cwd=str(tmp_path), options={"python": "PYTHON"})
    script = scripts_of(few, folder)["draw"]
    drawn = [arguments_in(script, tmp_path, **{INDEX[scheduler]: str(index)})[0][-1] for index in range(1, 5)]
    assert drawn == [f"--shard={shard}/64" for shard in (3, 7, 8, 9)]
