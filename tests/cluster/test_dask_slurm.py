"""dask-jobqueue's SLURMCluster and MPI's ranks on a real Slurm."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import warnings

import pytest

import framepipe as fp
from framepipe.core.images import read_png
from tests.support.waiting import wait_for

SCENE = """
    import time
    from matplotlib import pyplot as plt

    def draw(value, pause=0.0):
        time.sleep(pause)
        fig, ax = plt.subplots(figsize=(1, 1), dpi=40)
        ax.plot([0, value, 3])
        return fig
"""


def pixels(store):
    return {path.name: read_png(path).tobytes() for path in store.glob("frame_*.png")}


@pytest.fixture
def scene(folder):
    (folder / "scene.py").write_text(textwrap.dedent(SCENE))
    return "scene.py:draw"


@pytest.mark.filterwarnings("default::ResourceWarning", "default::DeprecationWarning")
def test_a_cluster_of_dask_jobqueue_draws_and_a_cancelled_job_loses_nothing(slurm, folder, scene):
    from dask_jobqueue import SLURMCluster

    cancelled: list[str] = []

    def cancel(progress):
        if progress.done >= 4 and not cancelled:
            job = next(iter(cluster.workers.values())).job_id
            cancelled.append(job)
            subprocess.run(["scancel", job], check=True, timeout=60)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of dask's own making
        cluster = SLURMCluster(
            cores=1,
            processes=1,
            memory="500MB",
            walltime="0:10:00",
            interface="lo",
            python=sys.executable,
            log_directory=str(folder / "logs"),
            scheduler_options={"dashboard_address": None, "interface": "lo"},
            worker_extra_args=["--no-dashboard"],
            silence_logs="CRITICAL",
        )
    with cluster:
        cluster.scale(2)
        report = fp.render(
            scene,
            20,
            params={"pause": 0.2},
            store=folder / "a",
            engine=cluster,
            order="free",
            progress=cancel,
        )
    assert cancelled
    assert (report.engine, len(report.drawn)) == ("dask", 20)
    fp.render(scene, 20, store=folder / "b", engine="serial", order="free")
    assert pixels(folder / "a") == pixels(folder / "b")


@pytest.mark.long
def test_ranks_of_srun_draw_together_and_a_warning_ends_them_with_75(slurm, folder, scene):
    command = [sys.executable, "-m", "framepipe", "render", scene, "--frames", "60", "--param", "pause=0.2"]
    command += ["--store", "s", "-q", "--engine", "mpi", "--order", "free"]
    process = subprocess.Popen(
        ["srun", "--mpi=pmix", "--ntasks=3", "--job-name=ranks", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: process.poll() is not None or len(list((folder / "s").glob("frame_*.png"))) >= 3)
    assert process.poll() is None, (
        process.communicate(),
        "PMIx missing: run scripts/test, or apt install libpmix-dev",
    )
    subprocess.run(["scancel", "--signal=USR1", "--name=ranks"], check=True, timeout=60)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 75, out + err
    assert err.count("framepipe: stopped by SIGUSR1") == 1, err
    assert 3 <= len(pixels(folder / "s")) < 60


def test_ranks_that_do_not_see_each_other_are_refused(slurm, folder, scene):
    command = [sys.executable, "-m", "framepipe", "render", scene, "--frames", "3", "--engine", "mpi"]
    done = subprocess.run(
        ["srun", "--mpi=none", "--ntasks=2", *command], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "srun has started 2 processes, but each is alone in MPI" in done.stderr
