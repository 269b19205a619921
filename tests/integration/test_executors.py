"""Frames drawn through executors of the program: the same pixels, and what is lost or refused."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import textwrap
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

import framepipe as fp
from framepipe.core.images import read_png
from framepipe.errors import EngineError, FramesFailed, Interrupted, StoreError, UsageError
from framepipe.rendering.engines.parcel import versions_here
from framepipe.rendering.engines.site import draw_unit
from tests.support.forked import run_python

#: Its updates keep state, and its noise is seeded by framepipe.
ANIMATION = """
    import time
    import numpy as np
    from matplotlib import pyplot as plt
    from matplotlib.animation import FuncAnimation

    fig, ax = plt.subplots(figsize=(1, 1), dpi=40)
    total = np.zeros(20)
    (line,) = ax.plot(total)
    ax.set_ylim(-3, 9)

    def update(k):
        total[:] += 0.3 * np.random.default_rng(k).random(20)
        line.set_ydata(total)
        return [line]

    animation = FuncAnimation(fig, update, frames=8)
"""


def draw(value):
    from matplotlib import pyplot as plt

    fig, ax = plt.subplots(figsize=(1, 1), dpi=40)
    ax.plot([0, value, 3])
    return fig


def slow(value):
    time.sleep(0.3)
    return draw(value)


def spoilt(value):
    if value == 2:
        raise ValueError("no such day")
    if value == 4:
        os._exit(9)
    return draw(value)


def pixels(store):
    return {path.name: read_png(path).tobytes() for path in store.glob("frame_*.png")}


@pytest.fixture
def animation(folder):
    (folder / "moving.py").write_text(textwrap.dedent(ANIMATION))
    return "moving.py:animation"


@pytest.fixture(scope="module")
def pool():
    """Two processes that know nothing of framepipe yet."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        for future in [executor.submit(time.sleep, 0.5) for _ in range(2)]:  # begun before the first test
            future.result()
        yield executor


def rendered(scene, frames, folder, name, **options):
    fp.render(scene, frames, store=folder / name, **options)
    return pixels(folder / name)


def test_a_process_pool_draws_what_one_process_draws(folder, pool, animation):
    report = fp.render(animation, store=folder / "a", seed=3, engine=pool)
    assert (report.engine, report.workers) == ("the ProcessPoolExecutor", 2)
    assert len(report.drawn) == 8
    assert pixels(folder / "a") == rendered(animation, None, folder, "b", seed=3, engine="serial")

    assert rendered(draw, 6, folder, "c", engine=pool) == rendered(draw, 6, folder, "d", engine="serial")
    assert not [path for path in (folder / "a").iterdir() if "probe" in path.name]


def test_frames_that_raise_or_crash_are_reported_as_by_local(folder, pool):
    with pytest.raises(FramesFailed) as caught:
        fp.render(spoilt, 6, store=folder / "s", engine=pool, workers=1)
    raised, crashed = caught.value.report.failed
    assert (raised.number, raised.kind) == (2, "raised")
    assert raised.message == "failed in spoilt(): ValueError: no such day"
    assert raised.traceback.endswith("in spoilt\nValueError: no such day")
    assert (crashed.number, crashed.kind) == (4, "lost")
    assert "its process ended by itself (exit code 9); tried twice" in crashed.message
    assert len(pixels(folder / "s")) == 4


def test_a_frame_that_takes_too_long_is_stopped(folder, pool):
    with pytest.raises(FramesFailed, match="frame-timeout"):
        fp.render(slow, 2, store=folder / "s", engine=pool, workers=1, frame_timeout_s=0.1)


def _die(_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_pool_whose_process_was_killed_ends_the_run_and_another_engine_goes_on(folder):
    def killing(progress):
        if progress.done == 2:
            executor.submit(_die, None)

    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as executor:
        with pytest.raises(Interrupted, match=r"BrokenProcessPool.*Finished frames are safe") as caught:
            fp.render(slow, 8, store=folder / "s", engine=executor, order="free", progress=killing)
    assert caught.value.exit_code == 75
    kept = len(pixels(folder / "s"))
    report = fp.render(slow, 8, store=folder / "s", order="free")
    assert report.kept == kept >= 2
    assert pixels(folder / "s") == rendered(draw, 8, folder, "b", engine="serial")


class _Ticket:
    """A future of no known class."""

    def __init__(self, result):
        self._result = result

    def done(self):
        return self._result.ready()

    def result(self):
        return self._result.get()

    def cancel(self):
        return False


class _Queue:
    """An executor of another make, which does not say how many processes it has."""

    def __init__(self, pool):
        self._pool = pool

    def submit(self, function, *arguments):
        return _Ticket(self._pool.apply_async(function, arguments))


def test_an_executor_of_another_make_needs_submit_and_the_number_of_its_workers(folder):
    with multiprocessing.get_context("fork").Pool(1) as processes:
        with pytest.raises(UsageError, match="a _Queue does not say how many processes it has: give workers"):
            fp.render(draw, 4, store=folder / "a", engine=_Queue(processes))
        assert len(rendered(draw, 4, folder, "a", engine=_Queue(processes), workers=1)) == 4


def test_threads_are_refused(folder):
    with ThreadPoolExecutor(2) as threads, pytest.raises(UsageError, match="engine is a ThreadPoolExecutor"):
        fp.render(draw, 4, store=folder / "a", engine=threads)
    with pytest.raises(UsageError, match="in Python a dask Client, an executor or an Engine"):
        fp.render(draw, 4, store=folder / "a", engine=object())


def test_a_store_that_workers_do_not_see_is_refused_and_frames_can_come_back(folder, animation):
    """Each process sees another folder under the name of the store."""
    (elsewhere := folder / "elsewhere" / "s").mkdir(parents=True)
    store = "/proc/self/cwd/s"
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(
        1, mp_context=context, initializer=os.chdir, initargs=(elsewhere.parent,)
    ) as pool:
        with pytest.raises(StoreError, match=r"/proc/self/cwd/s is not the store.*\n?.*--no-shared-store"):
            fp.render(animation, store=store, seed=3, engine=pool)
        fp.render(animation, store=store, seed=3, engine=pool, shared_store=False)
    assert pixels(folder / "s") == rendered(animation, None, folder, "b", seed=3, engine="serial")
    assert not pixels(elsewhere)


def _set(name, value):
    os.environ[name] = value


def test_workers_that_would_draw_other_pictures_are_refused_and_say_what_differs(folder, animation):
    (folder / "matplotlibrc").write_text("lines.linewidth: 5\n")
    (folder / "there").mkdir()
    (folder / "matplotlibrc").rename(folder / "there" / "matplotlibrc")
    arguments = "MATPLOTLIBRC", str(folder / "there" / "matplotlibrc")
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_set, initargs=arguments) as pool:
        with pytest.raises(
            EngineError, match=r"other frames:\n(.*\n)*  rcParam lines.linewidth: none here, 5.0 there"
        ):
            fp.render(animation, store=folder / "s", seed=3, engine=pool)
    assert not pixels(folder / "s")


def test_other_versions_are_refused_before_anything_is_unpickled():
    versions = {**versions_here(), "framepipe": "0.0.1"}
    answer = draw_unit({"job": "j", "versions": versions}, b"no pickle", b"no pickle")
    assert f"versions differ: framepipe 0.0.1 here, {fp.__version__} there" in str(answer["error"])


def test_a_scene_whose_frames_differ_each_time_is_drawn_by_one_process_of_this_machine(folder, pool):
    (folder / "chance.py").write_text(
        "import os\nimport numpy as np\n\n\ndef draw(k):\n"
        "    return np.frombuffer(os.urandom(300), np.uint8).reshape(10, 10, 3)\n"
    )
    report = fp.render("chance.py:draw", 6, store=folder / "s", engine=pool, workers=1)
    assert report.order == "serial"
    assert len(pixels(folder / "s")) == 6


def test_the_engine_of_the_documentation_runs_and_has_40_lines(folder):
    docs = (Path(__file__).parents[2] / "docs" / "engines.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", docs, re.S)[-1]
    assert len([line for line in code.splitlines() if line]) <= 40
    (folder / "watching.py").write_text(code)
    done = run_python(["watching.py"], folder, {})
    assert done.returncode == 0, done.stderr
    assert re.findall(r"frame (\d): \d+ ms", done.stdout) == ["0", "1", "2", "3"]
    assert "(watching, 1 at once" in done.stdout
