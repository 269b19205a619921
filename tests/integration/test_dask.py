"""Frames drawn by a real dask cluster of processes: the movie of one process, whatever happens to workers."""

from __future__ import annotations

import os
import signal
import textwrap
import warnings

import pytest

import framepipe as fp
from framepipe.core.images import read_png
from framepipe.errors import FramesFailed, UsageError
from tests.support.cluster_of_dask import running_dask
from tests.support.waiting import wait_for

#: Drawing changes what later frames look like, so all updates run in order; noise is seeded by framepipe.
SCRIPT = """
    import sys
    import time
    import numpy as np
    from matplotlib import pyplot as plt
    from matplotlib.animation import FuncAnimation

    fig, ax = plt.subplots(figsize=(1, 1), dpi=40)
    total, noise = np.zeros(20), np.random.default_rng(5)
    (line,) = ax.plot(total)
    ax.set_ylim(-3, 9)

    def update(k):
        time.sleep(float(sys.argv[1]) if len(sys.argv) > 1 else 0)
        total[:] += 0.3 * noise.random(20)
        line.set_ydata(total)
        return [line]

    animation = FuncAnimation(fig, update, frames=10)
    animation.save("moving.gif")
"""
pytestmark = pytest.mark.filterwarnings("default::ResourceWarning", "default::DeprecationWarning")


def slow(value):
    import time

    from matplotlib import pyplot as plt

    time.sleep(0.2)
    if value == 90:
        raise ValueError("no such day")
    fig, ax = plt.subplots(figsize=(1, 1), dpi=40)
    ax.plot([0, value, 3])
    return fig


def pixels(store):
    return {path.name: read_png(path).tobytes() for path in store.glob("frame_*.png")}


@pytest.fixture(scope="module")
def cluster():
    with running_dask(2) as running:
        yield running


@pytest.fixture
def script(folder):
    (folder / "moving.py").write_text(textwrap.dedent(SCRIPT))
    return "moving.py"


def test_the_movie_of_a_script_is_that_of_one_process(folder, script, cluster, cli_process):
    address = ["--engine", "dask", "--address", cluster.scheduler_address]
    done = cli_process("make", script, "-o", "a.gif", "--store", "a", "--keep-frames", *address, ok=True)
    assert "10 frames" in done.stdout
    cli_process("make", script, "-o", "b.gif", "--store", "b", "--keep-frames", "--engine", "serial", ok=True)
    assert pixels(folder / "a") == pixels(folder / "b")
    assert (folder / "a.gif").read_bytes() == (folder / "b.gif").read_bytes()


def test_errors_of_the_scene_are_those_of_local_and_nothing_stays(folder, cluster):
    from distributed import Client

    with Client(cluster) as client:
        with pytest.raises(FramesFailed) as caught:
            fp.render(slow, range(88, 93), store=folder / "s", engine=client, workers=1)
        (failed,) = caught.value.report.failed
        assert (failed.number, failed.message) == (90, "failed in slow(): ValueError: no such day")
        assert caught.value.report.workers == 1
        assert len(pixels(folder / "s")) == 4
        assert client.status == "running"  # it is the user's
        wait_for(lambda: not any(client.run(_renders).values()))


def test_the_points_of_a_sweep_share_the_workers_and_filters_of_warnings_stay(folder, cluster):
    from distributed import Client

    draw = "import numpy as np\n\ndef draw(k, a): return np.full((8, 8, 3), a + k, 'u1')\n"
    (folder / "still.py").write_text(draw)
    before = list(warnings.filters)
    with Client(cluster) as client:
        report = fp.sweep(
            "still.py:draw", 3, "{a}.gif", values={"a": [0, 5]}, engine=client, keep_frames=True
        )
    assert [(each.report.render.engine, len(each.report.render.drawn)) for each in report.points] == [
        ("dask", 3)
    ] * 2
    assert (folder / "0.gif").exists() and (folder / "5.gif").exists()
    assert warnings.filters == before


def _renders():
    from framepipe.rendering.engines import site

    return len(site._sites._renders)


def test_frames_come_back_where_workers_do_not_see_the_store(folder, script, cluster):
    """The folder of this name is another one in each process."""
    report = fp.render(script, store="/proc/self/cwd/s", engine=cluster, shared_store=False)
    assert len(report.drawn) == 10
    fp.render(script, store=folder / "b", engine="serial")
    assert pixels(folder / "s") == pixels(folder / "b")


def test_it_says_what_is_missing_to_reach_a_scheduler(folder, cli):
    scene = ["render", "scene.py:draw", "--frames", "3", "--engine", "dask"]
    for more, says in [
        ([], "engine dask: no scheduler is named. Give --address tcp://HOST:8786 or --scheduler-file FILE"),
        (["--scheduler-file", "s.json"], "no such scheduler file: s.json"),
        (["--address", "nonsense://x"], "no scheduler of dask answers at nonsense://x (ValueError: "),
    ]:
        done = cli(*scene, *more)
        assert (done.returncode, says in done.stderr) == (2, True), done.stderr
    with pytest.raises(UsageError, match="where dask's scheduler is: add --engine dask"):
        fp.render(slow, 3, address="tcp://127.0.0.1:8786")


@pytest.mark.long
def test_a_worker_is_killed_and_others_join_and_no_frame_is_missing(folder, cluster):
    """The last one, since the worker that takes its place belongs to this test."""
    killed: list[int] = []

    def disturb(progress):
        if progress.done >= 4 and not killed:
            killed.append(next(iter(cluster.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)
            cluster.scale(3)

    report = fp.render(slow, 20, store=folder / "a", engine=cluster, order="free", progress=disturb)
    assert killed
    assert report.engine == "dask"
    assert len(report.drawn) == 20
    fp.render(slow, 20, store=folder / "b", order="free")
    assert pixels(folder / "a") == pixels(folder / "b")
