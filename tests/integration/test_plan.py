"""`framepipe plan`: what a few frames show, and the command that it proposes."""

from __future__ import annotations

import json
import shlex
import textwrap
from dataclasses import replace

from framepipe.cli import run
from framepipe.cluster.estimate import PlanReport, Trial

SLOW = """
    import time
    from matplotlib import pyplot as plt

    BALLAST = bytearray(b"x" * 100_000_000)

    def draw(k):
        time.sleep(0.3)
        return plt.figure(figsize=(1, 1), dpi=40)
"""


def test_a_plan_is_measured_and_its_command_can_be_submitted(cli_process, folder):
    (folder / "scene.py").write_text(textwrap.dedent(SLOW))
    before = sorted(folder.iterdir())
    arguments = ["scene.py:draw", "--frames", "0-9999", "-o", "a b.gif", "--cpus", 4, "--account", "x", "-q"]
    done = cli_process("plan", *arguments, "--json", ok=True)
    assert [path for path in sorted(folder.iterdir()) if path.name != "__pycache__"] == before
    plan = json.loads(done.stdout)
    trial = plan["trial"]
    assert (trial["frames"], trial["sample"][0], trial["sample"][-1], len(trial["sample"])) == (
        10_000,
        0,
        9999,
        8,
    )
    assert trial["slowest_s"] >= trial["frame_s"] >= 0.3
    assert trial["worker_mb"] > 100 and plan["mem_mb"] >= 5 * 100
    assert trial["store_bytes"] > 10_000 * 100 and plan["free_bytes"] > 0
    assert trial["building_s"]["a b.gif"] > 0
    assert 1 <= plan["tasks"] <= 256 and plan["tasks"] * 4 * plan["time_s"] > 10_000 * trial["frame_s"]
    assert plan["command"][:4] == ["framepipe", "submit", "slurm", "scene.py:draw"]
    assert {"--cpus=4", "--account=x", "--output=a b.gif"} <= {*plan["command"]}
    shown = cli_process(*plan["command"][1:], "--dry-run", "--no-load", ok=True).stdout
    assert "#SBATCH --cpus-per-task=4" in shown and f"#SBATCH --mem={plan['mem_mb']}M" in shown


PLAN = PlanReport(
    trial=Trial(100, (0, 99), 2.0, 3.0, "free", 300.0, 100.0, 5_000_000, {"a.mp4": 90.0}),
    free_bytes=10_000_000,
    free_files=1000,
    tasks=4,
    cpus=5,
    mem_mb=2304,
    time_s=600,
    command=("framepipe", "submit", "slurm", "it's.py:draw"),
)


def test_a_plan_is_a_table_and_a_command_for_the_shell():
    assert PLAN.summary().splitlines() == [
        "100 frames; 0,99 were drawn now, by one worker",
        "  a frame     2 s, at most 3 s, order free",
        "  all frames  0:03:20 by one worker, 10 s by 4 tasks x 5",
        "  memory      300 MB a worker, 100 MB beside them; at most 2560 MB a task",
        "  disk        5 MB; 10 MB free",
        "  files       100; 1000 more fit",
        "  a.mp4       0:01:30 to build",
        "Submit:",
        f"  {shlex.join(PLAN.command)}",
    ]
    assert PLAN.problems() == []


def test_a_plan_says_what_will_not_work():
    full = replace(PLAN, free_bytes=4_000_000, free_files=99, trial=replace(PLAN.trial, order="serial"))
    text = full.summary()
    for words in ("tasks cannot share them", "will not fit", "cannot take so many files"):
        assert words in text


def test_a_plan_of_a_scene_with_a_mistake_says_so(folder, capsys):
    assert run(["plan", "scene.py:nothing", "--frames", "3"]) == 2
    assert "nothing" in capsys.readouterr().err
