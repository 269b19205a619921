"""From one command to the movie on a real Slurm: what goes wrong on clusters, and that nothing is lost by it."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.support.forked import run_python

DOCS = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text(encoding="utf-8")
#: Its random numbers are not seeded by the script. It draws without matplotlib, which each process would load.
SCENE = """
    import time

    import numpy as np

    grey = np.random.default_rng().random((8, 8))

    def draw(k):
        time.sleep({pause})
        if k == 5 and {breaks}:
            raise ValueError("no such day")
        picture = np.kron(np.roll(grey, k, axis=1), np.ones((4, 4)))
        picture[: 4 * (1 + k // 8)] = k % 8 / 8  # nor is the picture of eight frames ago this one
        return np.uint8(255 * np.dstack([picture] * 3))
"""


def project(folder, pause=0.2, breaks=False):
    """A folder with a scene."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scene.py").write_text(textwrap.dedent(SCENE.format(pause=pause, breaks=breaks)))
    return folder


def framepipe(cwd, *arguments, code=0):
    done = run_python(["-m", "framepipe", *arguments], cwd, {})
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def submit(cwd, *arguments, frames="0-11", tasks=2, output="a.mp4", code=0):
    """Submit with little; the scene is drawn in the order that is given, so that nothing has to be found out."""
    common = ["--frames", frames, "--tasks", tasks, "--store", "s", "-o", output, "--order", "free", "-q"]
    return framepipe(cwd, "submit", "slurm", "scene.py:draw", *common, *arguments, code=code)


def slurm_says(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def job_of(cwd, phase="draw", submission=1):
    return json.loads((cwd / f"s/jobs/{submission}/submission.json").read_text())["jobs"][phase]


def tasks_in_state(job):
    """Task number -> state, as Slurm sees them."""
    lines = slurm_says("squeue", "--noheader", "--array", "--format=%F %K %T").splitlines()
    return {task: state for number, task, state in map(str.split, lines) if number == job}


def wait_until(is_so, seconds=90):
    until = time.monotonic() + seconds
    while not (seen := is_so()):
        assert time.monotonic() < until, is_so
        time.sleep(0.2)
    return seen


def result(cwd, seconds=120):
    """What became of the newest submission, once it has ended."""

    def newest():
        folders = sorted((cwd / "s/jobs").iterdir(), key=lambda each: int(each.name))
        path = folders[-1] / "result.json"
        data = json.loads(path.read_text()) if path.exists() else {"state": ""}
        return data if data["state"] in ("done", "failed", "cancelled") else None

    return wait_until(newest, seconds)


def logs(cwd):
    return "\n".join(path.read_text() for path in sorted((cwd / "s/jobs").rglob("*.log")))


def decoded(movie):
    """Digest of each picture of a movie."""
    argv = ["ffmpeg", "-v", "error", "-i", movie, "-f", "framemd5", "-"]
    lines = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.split(",")[-1].strip() for line in lines if not line.startswith("#")]


def serial_movie(cwd, frames, seed):
    """The same movie, drawn by one process from the first frame to the last; without pauses, which do not show."""
    project(cwd, pause=0)
    options = ["--engine", "serial", "--store", "reference", "-o", "reference.mp4", "--seed", seed, "-q"]
    framepipe(cwd, "make", "scene.py:draw", "--frames", frames, *options)
    return cwd / "reference.mp4"


def seed_of(cwd):
    """What the tasks have agreed on."""
    return json.loads((cwd / "s/job.json").read_text())["seed"]


@pytest.fixture(scope="module")
def beyond_the_walltime(slurm_environment, tmp_path_factory):
    """Submitted first, since it takes longest: each task needs more than its walltime has before the warning.

    Slurm looks at time limits twice a minute, so the warning comes at some time between 5 and 35 seconds.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, value in slurm_environment.items():
            patch.setenv(name, value)
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
        cwd = project(tmp_path_factory.mktemp("walltime"), pause=1.5)
        submit(cwd, "--time", "1m", "--warning", 55, "--seed", 7, frames="0-49")
    return cwd


def test_two_submits_at_once_are_one_and_cancel_ends_it(beyond_the_walltime, slurm, tmp_path):
    cwd = project(tmp_path, pause=30)
    argv = [sys.executable, "-m", "framepipe", "submit", "slurm", "scene.py:draw", "--frames=4", "--tasks=2"]
    argv += ["--store=s", "-o", "a.gif", "-q"]
    both = [
        subprocess.Popen(argv, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [(*each.communicate(timeout=60), each.returncode) for each in both]
    assert sorted(code for *_, code in answers) == [0, 3], answers
    (refusal,) = [err for _, err, code in answers if code]
    assert "at this moment" in refusal or "still in the queue" in refusal
    assert len(list((cwd / "s/jobs").iterdir())) == 1
    job = job_of(cwd)
    assert "cancelled" in framepipe(cwd, "cancel", "s")
    wait_until(lambda: not tasks_in_state(job))
    assert not tasks_in_state(job_of(cwd, "finish"))
    assert len(list((cwd / "s/jobs").iterdir())) == 1  # nothing was submitted again


def test_what_is_killed_cancelled_and_requeued_ends_in_the_same_movie(beyond_the_walltime, slurm, tmp_path):
    """From a folder whose name is hostile to shells, and of a scene that does not seed its random numbers.

    The tasks that live on also draw what the dead ones left.
    """
    cwd = project(tmp_path / 'it\'s 100%a\n"run" $HOME', pause=0.5)
    submit(cwd, frames="0-35", tasks=4)
    job = job_of(cwd)
    wait_until(lambda: len(list((cwd / "s").glob("frame_*.png"))) >= 4)
    seed = seed_of(cwd)
    os.kill(_render_of(cwd, task=1), signal.SIGKILL)
    slurm_says("scancel", f"{job}_2")
    slurm_says("scontrol", "requeue", f"{job}_3")
    text = result(cwd)["text"]
    assert "36 frames" in text and "ok  order" in text, text
    assert (cwd / "s/jobs/1/draw-1.ends").read_text() == "137\n"
    assert not (cwd / "s/jobs/1/draw-2.ends").exists()
    assert not list((cwd / "s").glob("frame_*.png"))
    assert decoded(cwd / "a.mp4") == decoded(serial_movie(cwd, "0-35", seed))


def test_when_all_tasks_have_died_the_last_job_submits_the_rest_again(beyond_the_walltime, slurm, tmp_path):
    cwd = project(tmp_path, pause=1)
    submit(cwd, frames="0-9")
    wait_until(lambda: len(list((cwd / "s").glob("frame_*.png"))) >= 2)
    os.kill(_render_of(cwd, task=1, tasks=2), signal.SIGKILL)
    slurm_says("scancel", f"{job_of(cwd)}_2")
    assert "10 frames" in result(cwd)["text"]
    assert "because tasks 1-2 died: submitted again" in (cwd / "s/jobs/1/result.json").read_text()
    assert [path.name for path in sorted((cwd / "s/jobs").iterdir())] == ["1", "2"]
    assert sorted(path.name for path in (cwd / "s/jobs/2").glob("draw-*.log")) == ["draw-1.log", "draw-2.log"]
    assert len(decoded(cwd / "a.mp4")) == 10


def _render_of(cwd, task, tasks=4):
    """Process id of the render of a task."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and os.path.exists(entry / "cwd") and os.readlink(entry / "cwd") == str(cwd):
            command = (entry / "cmdline").read_bytes().split(b"\0")
            if f"--shard={task}/{tasks}".encode() in command and b"srun" not in command[0]:
                return int(entry.name)
    raise AssertionError(f"no task {task} runs")


def test_frames_that_raise_are_reported_and_not_tried_for_ever(beyond_the_walltime, slurm, tmp_path):
    cwd = project(tmp_path, pause=0, breaks=True)
    text = submit(cwd, "--wait", code=3)
    assert "frames 5: tasks 2 ended with an error" in text and "framepipe logs s --failed" in text
    assert len(list((cwd / "s/jobs").iterdir())) == 1
    assert not (cwd / "a.mp4").exists()
    failed = framepipe(cwd, "logs", "s", "--failed")
    assert "== draw 2: exit code 3" in failed and "ValueError: no such day" in failed
    assert "== draw 1" not in failed

    # mended, the same submit again sends what is missing; code that draws has changed, so that is all
    project(cwd, pause=0)
    text = submit(cwd, "--stale", "keep", "--wait")
    assert "1 of 12 frames of s by 1 tasks" in text and "ok  frames    12" in text
    assert [path.name for path in (cwd / "s/jobs/2").glob("draw-*.log")] == ["draw-2.log"]


def test_a_walltime_shorter_than_the_work_ends_in_the_movie_with_one_submit(beyond_the_walltime, slurm):
    cwd = beyond_the_walltime
    text = result(cwd, seconds=240)["text"]
    assert "50 frames" in text
    printed = logs(cwd)
    assert len(re.findall("stopped by SIGUSR1: .* frames are safe", printed)) >= 2, printed
    assert [path.name for path in (cwd / "s/jobs").iterdir()] == ["1"]
    ends = [path.read_text().split() for path in sorted((cwd / "s/jobs/1").glob("draw-*.ends"))]
    assert [(each[0], each[-1]) for each in ends] == [("75", "0")] * 2
    assert decoded(cwd / "a.mp4") == decoded(serial_movie(cwd, "0-49", 7))


def test_the_script_to_write_by_hand_goes_on_and_its_movie_is_built(
    beyond_the_walltime, slurm, tmp_path, monkeypatch
):
    """As it stands in docs/cluster.md, with fewer frames and tasks."""
    cwd = project(tmp_path, pause=0.5)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    script, then = re.findall(r"```sh\n(.*?)```", DOCS.partition("## By hand")[2], re.S)[:2]
    for long, short in [("0-9999", "0-11 --order free -q"), ("1-8", "1-2"), ('/8"', '/2"')]:
        assert long in script
        script = script.replace(long, short)
    (cwd / "draw.sh").write_text(script.replace("--cpus-per-task=4", "--cpus-per-task=1"))
    job = subprocess.check_output(["sbatch", "--parsable", "draw.sh"], cwd=cwd, text=True).strip()
    after = shlex.split(then.replace("NUMBER", job))
    subprocess.run(after, cwd=cwd, check=True)
    wait_until(lambda: len(list((cwd / "frames/run1").glob("frame_*.png"))) >= 2)
    slurm_says("scancel", "--signal=USR1", f"{job}_1")
    wait_until(lambda: (cwd / "run1.mp4").exists(), 120)
    output = (cwd / f"slurm-{job}_1.out").read_text()
    assert "stopped by SIGUSR1" in output and "frames drawn" in output
    assert len(decoded(cwd / "run1.mp4")) == 12


def test_a_long_movie_is_encoded_by_tasks_and_is_the_one_of_one_process(slurm, tmp_path):
    """Drawn by an array, its segments encoded and verified by another, joined by the last job."""
    (tmp_path / "scene.py").write_text(
        "import numpy as np\n\n\ndef draw(k):\n    return np.full((16, 16, 3), (k % 256, k // 256, 90), np.uint8)\n"
    )
    frames = "0-1019"
    submit(tmp_path, "--seed", 1, frames=frames, tasks=2, output="a.mp4")
    assert result(tmp_path)["state"] == "done", logs(tmp_path)
    text = (tmp_path / "s/jobs/1/encode.sh").read_text()
    assert "--array=1-2" in text
    encoded = "".join(path.read_text() for path in (tmp_path / "s/jobs/1").rglob("encode*.log"))
    assert len(re.findall(r"segments encoded", encoded)) == 2, encoded
    options = [
        "--engine",
        "serial",
        "--order",
        "free",
        "--store",
        "one",
        "-o",
        "one.mp4",
        "--seed",
        "1",
        "-q",
    ]
    framepipe(tmp_path, "make", "scene.py:draw", "--frames", frames, *options)
    assert decoded(tmp_path / "a.mp4") == decoded(tmp_path / "one.mp4")


def test_points_and_shards_of_a_sweep_are_drawn_finished_and_cleaned_together(slurm, tmp_path):
    cwd = tmp_path
    (cwd / "scene.py").write_text(
        "import numpy as np\ndef draw(k, red=0):\n    return np.full((16, 16, 3), (red, k, 9), 'u1')\n"
    )
    argv = ["submit", "slurm", "scene.py:draw", "--frames", "0-3", "--sweep", "red=50,90", "--tasks", "2"]
    argv += ["-o", "{red}.gif", "--order", "free", "--engine", "serial", "--grid", "all.gif", "-q"]
    shown = framepipe(cwd, *argv, "--wait")
    assert [line.split()[:4] for line in shown.splitlines()[1:3]] == [
        ["50", "4", "of", "4"],
        ["90", "4", "of", "4"],
    ], shown
    assert {each.name for each in cwd.glob("*.gif")} == {"50.gif", "90.gif", "all.gif"}
    assert "side by side: all.gif:" in shown, shown
    sweep = cwd / "frames/scene-draw-sweep"
    assert len(list(sweep.glob("red=*/jobs/1/draw-[12].ends"))) == 4
    wait_until(lambda: not list(sweep.rglob("*.png")))
    state = framepipe(cwd, "status", sweep)
    assert "2 of 2 points have their movies" in state and "side by side: all.gif, done" in state
    assert not (cwd / "frames/scene-draw-sweep/grid/jobs/2").exists(), "submitted twice"
