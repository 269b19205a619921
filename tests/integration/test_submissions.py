"""What a submission does with a store and with how its tasks ended. `sbatch` here only notes what it is given."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

import framepipe as fp
from framepipe.cluster.submission import JobFolder, Submission, create, folders_of, next_folder

SBATCH = '#!/bin/sh\necho "$(pwd) $*" >>"$SUBMITTED"\ncat "$SUBMITTED" | wc -l\n'


@pytest.fixture
def submitted(tmp_path_factory, monkeypatch):
    """The lines of all calls of ``sbatch``; its queue is always empty."""
    bin_ = tmp_path_factory.mktemp("bin")
    for name, text in {"sbatch": SBATCH, "squeue": "#!/bin/sh\n", "scancel": "#!/bin/sh\n"}.items():
        (bin_ / name).write_text(text)
        (bin_ / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(bin_), prepend=":")
    record = bin_ / "submitted"
    record.touch()
    monkeypatch.setenv("SUBMITTED", str(record))
    return lambda: record.read_text().splitlines()


@pytest.fixture
def half(folder, submitted):
    """A submission of 6 frames by 3 tasks, after which only the first has drawn: its folder."""
    fp.render("scene.py:draw", "0-5", store="s", shard="1/3", order="free", engine="serial")
    job = next_folder(folder / "s")
    create(job)
    job.write(
        Submission(
            scheduler="slurm",
            scene="scene.py:draw",
            frames="0-5",
            store=str(folder / "s"),
            outputs=(str(folder / "a.gif"),),
            cwd=str(folder),
            options={"rounds": 1, "order": "free"},
            tasks=3,
            sent=(1, 2, 3),
        ),
        {"draw": "1", "finish": "2"},
    )
    end(job, 1, 0)
    return job


def end(job, task, *codes):
    job.ends_file("draw", task).write_text("".join(f"{code}\n" for code in codes))


def edit(job, **changes):
    submission, jobs = job.read()
    job.write(replace(submission, **changes), jobs)


def test_tasks_that_died_are_submitted_again_but_not_those_that_failed(half, submitted, folder):
    end(half, 2, 3)  # frames failed; task 3 was killed, and noted nothing
    report = fp.finish(half.path)
    assert report.state == "again" and "2 frames are missing because tasks 3 died" in report.text
    again, jobs = JobFolder(folder / "s/jobs/2").read()
    assert (again.sent, again.failed, again.round) == ((3,), (2,), 1)
    assert jobs == {"draw": "1", "finish": "2"} and len(submitted()) == 2
    assert "--array=3\n" in (folder / "s/jobs/2/draw.sh").read_text()
    assert "--dependency=afterany:1 finish.sh" in submitted()[1]

    # the second round draws what can be drawn, and then says what cannot
    fp.render("scene.py:draw", "0-5", store="s", shard="3/3", order="free", engine="serial")
    with pytest.raises(fp.IncompleteStore, match="frames 1,4: tasks 2 ended with an error"):
        fp.finish(folder / "s/jobs/2")
    assert len(submitted()) == 2
    assert JobFolder(folder / "s/jobs/2").result()[0] == "failed"


def test_what_dies_again_and_again_is_given_up_after_so_many_rounds(half, submitted, folder):
    fp.finish(half.path)
    with pytest.raises(fp.IncompleteStore, match=r"frames 1-2,4-5: tasks 2-3 died .* \(round 1\)"):
        fp.finish(folder / "s/jobs/2")
    assert len(folders_of(folder / "s")) == 2


def test_tasks_that_stopped_in_time_do_not_use_up_a_round_while_frames_are_added(half, folder):
    for task in (2, 3):
        end(half, task, 75, 75)
    assert "had too little time" in fp.finish(half.path).text
    again, _ = JobFolder(folder / "s/jobs/2").read()
    assert (again.round, again.done_before) == (0, 2)
    for task in (2, 3):
        end(JobFolder(folder / "s/jobs/2"), task, 75)
    fp.finish(folder / "s/jobs/2")  # nothing was added
    assert JobFolder(folder / "s/jobs/3").read()[0].round == 1


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 6])
def test_every_error_by_which_framepipe_ends_is_not_tried_again(half, submitted, code):
    for task in (2, 3):
        end(half, task, code)
    with pytest.raises(fp.IncompleteStore, match="tasks 2-3 ended with an error"):
        fp.finish(half.path)
    assert submitted() == []


@pytest.mark.parametrize("code", [129, 137, 138, 143, 0])
def test_a_task_that_a_signal_ended_is_tried_again(half, submitted, code):
    for task in (2, 3):
        end(half, task, 75, code)
    assert fp.finish(half.path).state == "again"


def test_tasks_that_never_began_are_submitted_again(folder, submitted, half):
    for path in [*(folder / "s").glob("*.png"), folder / "s/job.json", half.ends_file("draw", 1)]:
        path.unlink()
    assert "all frames are missing because tasks 1-3 died" in fp.finish(half.path).text


def draw_the_rest():
    fp.render("scene.py:draw", "0-5", store="s", order="free", engine="serial")


def test_a_complete_store_becomes_the_movie_and_frames_go_last(half, folder):
    draw_the_rest()
    report = fp.finish(half.path)
    assert report.state == "done" and "6 frames deleted" in report.text
    assert (folder / "a.gif").is_file() and not list((folder / "s").glob("*.png"))
    assert fp.finish(half.path).text == report.text  # a scheduler may start the last job twice


def test_frames_are_kept_if_they_are_to_be(half, folder):
    draw_the_rest()
    edit(half, keep_frames=True)
    assert "deleted" not in fp.finish(half.path).text
    assert len(list((folder / "s").glob("*.png"))) == 6


def test_a_last_job_that_was_killed_while_it_deleted_frames_goes_on(half, folder):
    draw_the_rest()
    edit(half, keep_frames=True)
    text = fp.finish(half.path).text
    edit(half, keep_frames=False)
    half.write_result("built", text)
    for number in range(3):
        (folder / f"s/frame_{number:06d}.png").unlink()
    assert "3 frames deleted" in fp.finish(half.path).text
    assert half.result()[0] == "done"


def test_a_cancelled_submission_submits_nothing(half, submitted):
    half.write_result("cancelled", "")
    assert fp.finish(half.path).state == "cancelled"
    assert submitted() == []


def test_a_submission_from_elsewhere_runs_nothing(half, submitted):
    path = half.path / "submission.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "cwd": "/"}))
    with pytest.raises(fp.StoreError, match="was not written by this account, so what it names is not run"):
        fp.finish(half.path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"seal": "x", "jobs": {}}', "\0"])
def test_a_damaged_submission_is_an_error_with_a_next_step(half, text):
    (half.path / "submission.json").write_text(text)
    with pytest.raises(fp.StoreError, match=r"cannot be read .* Submit again"):
        fp.finish(half.path)


def test_submit_sends_only_the_tasks_that_have_frames_to_draw(folder, submitted):
    fp.render("scene.py:draw", "0-8", store="s", shard="1/3", order="free", engine="serial")
    report = fp.submit(
        "slurm", "scene.py:draw", range(9), "a.gif", store="s", tasks=3, order="free", engine="serial"
    )
    assert (report.pending, report.frames, report.tasks) == (6, 9, (2, 3))
    assert "--array=2-3\n" in report.scripts["draw"]
    assert "the frames will stay: they were begun by render" in report.summary()
    again = fp.submit("slurm", "scene.py:draw", 9, "a.gif", store="s", order="free", engine="serial")
    for each in folders_of(folder / "s"):
        assert each.read()[0].keep_frames
    assert "will stay" in again.summary()


def test_submit_of_a_complete_store_only_finishes(folder, submitted):
    fp.render("scene.py:draw", 3, store="s", order="free", engine="serial")
    report = fp.submit("slurm", "scene.py:draw", 3, "a.gif", store="s", engine="serial", order="free")
    assert [*report.jobs] == ["finish"] and report.tasks == ()


def test_there_are_not_more_tasks_than_frames(folder, submitted):
    report = fp.submit("slurm", "scene.py:draw", 3, "a.gif", store="s", tasks=64, engine="serial")
    assert report.tasks == (1, 2, 3) and '--shard="$task/3"' in report.scripts["draw"]


def test_a_long_movie_is_encoded_by_tasks_too(folder, submitted):
    keywords = {"store": "s", "tasks": 9, "engine": "serial", "dry_run": True}
    report = fp.submit("slurm", "scene.py:draw", 1600, "a.mp4", **keywords)
    assert [*report.scripts] == ["draw", "encode", "finish"] and '"$task/7"' in report.scripts["encode"]
    assert [*fp.submit("slurm", "scene.py:draw", 1600, "a.webp", **keywords).scripts] == ["draw", "finish"]


def test_a_dry_run_leaves_nothing(folder, submitted):
    before = sorted(folder.rglob("*"))
    report = fp.submit("slurm", "scene.py:draw", 4, "a.gif", store="frames/s", engine="serial", dry_run=True)
    assert "#SBATCH --array=1-4" in report.details()
    assert submitted() == []
    (folder / "scene.py").write_text(SWEPT)
    before = sorted(folder.rglob("*"))
    sweep = fp.submit_sweep(
        *("slurm", "scene.py:draw", 4, "{red}.gif"),
        values={"red": [1, 2]},
        grid="all.gif",
        store="new/frames/sweep",
        dry_run=True,
    )
    assert "new/frames/sweep/grid/jobs/1" in sweep.details()
    assert "all.gif, when all points have their movies" in sweep.details()
    assert [path for path in sorted(folder.rglob("*")) if "__pycache__" not in path.parts] == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("slurm", "scene.py:nothing", 4, "a.gif"), "nothing"),
        (("slurm", "scene.py:draw", 4, "a.xyz"), "framepipe builds"),
        (("slurm", "scene.py:draw", 4, ()), "no output"),
        (("condor", "scene.py:draw", 4, "a.gif"), "scheduler 'condor' is unknown; give one of slurm, pbs"),
        (("slurm", len, 4, "a.gif"), "scene is a builtin_function_or_method; give its address"),
        (("slurm", "scene.py:draw", [1, 2], "a.gif"), "frames is a list; give a count"),
    ],
)
def test_mistakes_are_found_before_anything_is_submitted(folder, submitted, arguments, words):
    with pytest.raises(fp.UsageError, match=words):
        fp.submit(*arguments, store="s", engine="serial")
    assert submitted() == [] and not (folder / "s").exists()


def test_without_loading_all_tasks_are_sent(folder, submitted):
    (folder / "scene.py").write_text("import nothing_like_that_here\n")
    report = fp.submit("slurm", "scene.py:draw", 4, "a.gif", store="s", tasks=3, load=False)
    assert report.tasks == (1, 2, 3) and report.frames is None


def test_a_scheduler_that_is_not_here_or_refuses_is_named(folder, submitted, monkeypatch, tmp_path):
    with pytest.raises(
        fp.ToolMissing, match="qsub is not here: pbs jobs are submitted on a machine of the cluster"
    ):
        fp.submit("pbs", "scene.py:draw", 4, "a.gif", store="s", engine="serial")
    (tmp_path / "sbatch").write_text("#!/bin/sh\necho invalid partition >&2\nexit 1\n")
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(
        fp.StoreError, match=r"sbatch refuses draw.sh: invalid partition. Nothing stays in the queue"
    ):
        fp.submit("slurm", "scene.py:draw", 4, "a.gif", store="s", engine="serial")


def test_logs_that_are_alike_are_shown_once(half):
    for task in (1, 2, 3):
        half.log("draw", task).write_text(f"drew {task * 100} frames\n")
    half.log("draw", 3).write_text("Traceback: no\n")
    end(half, 2, 0)
    end(half, 3, 75, 3)
    text = fp.logs(half.path.parents[1]).summary()
    assert text.splitlines() == [
        "== draw 1-2: done (s/jobs/1/draw-1.log; the others are alike)",
        "drew 100 frames",
        "== draw 3: exit code 3, 2 runs (s/jobs/1/draw-3.log)",
        "Traceback: no",
    ]
    assert [each.task for each in fp.logs("s", failed=True).logs] == [3]
    assert [each.task for each in fp.logs("s", task=2).logs] == [2]
    with pytest.raises(fp.UsageError, match="there is no task 9: give one of 1-3"):
        fp.logs("s", task=9)


def test_a_store_of_which_nothing_was_submitted_says_so(folder):
    for verb in (fp.logs, fp.cancel):
        with pytest.raises(fp.StoreError, match=r"nothing was submitted of .*s: framepipe submit does so"):
            verb("s")


SWEPT = """
import numpy as np

def draw(k, red=0):
    return np.full((8, 8, 3), (red, k, 9), "u1")
"""


def drawn_and_finished(store):
    """What the tasks of a point and its last job do."""
    newest = folders_of(store)[-1]
    submission, _ = newest.read()
    params = submission.options["params"]
    fp.render("scene.py:draw", submission.frames, store=store, params=params, order="free", engine="serial")
    return fp.finish(newest.path)


def test_each_point_of_a_sweep_is_a_submission_and_frames_go_when_all_have_their_movies(folder, submitted):
    (folder / "scene.py").write_text(SWEPT)
    sweep = folder / "frames/scene-draw-sweep"
    options = {"values": {"red": [1, 2]}, "tasks": 2, "order": "free", "engine": "serial"}

    def submit():
        return fp.submit_sweep("slurm", "scene.py:draw", 4, "{red}.gif", **options)

    report = submit()
    assert [each.outcome for each in report.points] == ["draw 1, finish 2", "draw 3, finish 4"]
    assert "red  frames  tasks  jobs" in report.summary() and "framepipe cancel" in report.summary()
    assert "--param=red=1" in (sweep / "red=1/jobs/1/draw.sh").read_text()
    assert '--shard="$task/2"' in (sweep / "red=2/jobs/1/draw.sh").read_text()
    json.dumps(report.to_dict())

    assert "deleted" not in drawn_and_finished(sweep / "red=1").text
    assert len(list((sweep / "red=1").glob("*.png"))) == 4, "until the other one has its movie"
    (sweep / "red=2/jobs/1/result.json").write_text('{"state": "failed", "text": "no"}')
    again = submit()
    assert [each.outcome for each in again.points] == ["it has its movies", "draw 5, finish 6"]
    assert "8 frames of all 2 points deleted" in drawn_and_finished(sweep / "red=2").text
    assert not list(sweep.rglob("*.png")) and {"1.gif", "2.gif"} <= {each.name for each in folder.iterdir()}


def test_the_grid_of_a_sweep_is_a_job_of_its_own_when_all_points_have_their_movies(folder, submitted, cli):
    (folder / "scene.py").write_text(SWEPT)
    sweep = folder / "frames/scene-draw-sweep"
    keywords = {"values": {"red": [1, 2]}, "tasks": 1, "order": "free", "engine": "serial", "fps": 5}

    def submit(**more):
        return fp.submit_sweep("slurm", "scene.py:draw", 4, "{red}.gif", grid="all.gif", **keywords, **more)

    assert "side by side: all.gif, when all points have their movies" in submit().summary()
    drawn_and_finished(sweep / "red=1")
    assert "side by side: all.gif, comes when all points" in cli("status", sweep).stdout
    assert len(submitted()) == 4
    done = drawn_and_finished(sweep / "red=2")
    assert f"the grid is submitted, see {sweep / 'grid/jobs/1'}" in done.text and len(submitted()) == 5
    assert len(list(sweep.rglob("frame_*.png"))) == 8, "until the grid is there"

    (sweep / "grid/jobs/1/result.json").write_text('{"state": "failed", "text": "no"}')
    again = submit(keep_frames=True)
    assert [each.outcome for each in again.points] == ["it has its movies"] * 2
    assert again.grid is not None and again.grid.jobs == {"finish": "6"}
    json.dumps(again.to_dict())
    report = fp.finish(sweep / "grid/jobs/2")
    assert "all.gif: 4 frames, 0.80 s" in report.text
    assert len(list(sweep.rglob("frame_*.png"))) == 8, "keep_frames"
    assert "all.gif is there" in submit(keep_frames=True).summary() and len(submitted()) == 6
    shown = cli("status", sweep)
    assert (shown.returncode, "side by side: all.gif, done" in shown.stdout) == (0, True)


def test_the_state_of_a_submitted_sweep_is_a_table_and_it_is_cancelled_as_a_whole(folder, submitted, cli):
    (folder / "scene.py").write_text(SWEPT)
    fp.submit_sweep("slurm", "scene.py:draw", 4, "{red}.gif", values={"red": [1, 2]}, load=False)
    sweep = folder / "frames/scene-draw-sweep"
    fp.render("scene.py:draw", "0-3", store=sweep / "red=1", only=2, params={"red": 1}, engine="serial")
    shown = cli("status", sweep)
    assert shown.returncode == 3
    assert [line.split() for line in shown.stdout.splitlines()[:2]] == [
        ["red", "frames", "state"],
        ["1", "1", "of", "4", "waits,", "or", "is", "drawn"],
    ]
    assert "0 of 2 points have their movies" in shown.stdout
    assert "name a point, as framepipe logs" in cli("logs", sweep).stderr
    cli("cancel", sweep, ok=True)
    assert {folders_of(sweep / name)[-1].result()[0] for name in ("red=1", "red=2")} == {"cancelled"}


def test_a_sweep_that_cannot_be_submitted_leaves_nothing_behind(folder, submitted):
    (folder / "scene.py").write_text(SWEPT)
    with pytest.raises(fp.UsageError, match="blue"):
        fp.submit_sweep("slurm", "scene.py:draw", 4, "{blue}.gif", values={"blue": [1, 2]})
    assert not list(folder.rglob("sweep.json")) and submitted() == []


def test_a_sweep_json_from_elsewhere_deletes_and_cancels_nothing(folder, submitted):
    (folder / "scene.py").write_text(SWEPT)
    fp.submit_sweep("slurm", "scene.py:draw", 4, "{red}.gif", values={"red": [1]}, load=False)
    file = folder / "frames/scene-draw-sweep/sweep.json"
    file.write_text(file.read_text().replace('"red=1"', '"../red=1"'))
    with pytest.raises(fp.StoreError, match="was not written by this account"):
        fp.cancel(file.parent)


@pytest.mark.parametrize("scheduler", ["slurm", "pbs", "lsf", "sge"])
def test_every_scheduler_gets_an_array_for_each_point(folder, scheduler):
    (folder / "scene.py").write_text(SWEPT)
    report = fp.submit_sweep(
        *(scheduler, "scene.py:draw", 4, "{red}.gif"),
        values={"red": [1, 0.5]},
        tasks=2,
        load=False,
        dry_run=True,
    )
    for point, value in zip(report.points, ("1", "0.5")):
        script = point.report.scripts["draw"]
        assert f"--param=red={value} " in script and f"/red={value}/jobs/1" in script
        assert any(words in script for words in ("--array=1-2", "-J 1-2", "[1-2]", "-t 1-2")), script
        assert "finish" in point.report.scripts
    assert "The scripts of the other points differ" in report.details()
    assert not (folder / "frames").exists()


def test_a_plan_of_a_sweep_is_that_of_all_its_points(folder):
    (folder / "scene.py").write_text(SWEPT)
    plan = fp.plan("scene.py:draw", 4, "{red}.gif", values={"red": [1, 2, 3]}, engine="serial")
    assert (plan.points, plan.frames) == (3, 12)
    assert "12 frames of 3 points" in plan.summary() and "--sweep=red=1,2,3" in plan.command
    assert "--output={red}.gif" in plan.command
