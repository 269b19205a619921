"""A scene comes out as in one process, whatever it holds on to and however it is handed over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import framepipe as fp
from framepipe.core.images import read_png
from tests.support.forked import Python, run_python
from tests.support.sizes import all_if_long
from tests.support.waiting import PATIENCE_S, wait_for

FRAMES = 10
HEAD = """
    import functools, itertools, os, random, sys, threading, time
    import numpy as np
    from matplotlib import pyplot as plt
    from matplotlib.animation import FuncAnimation

    fig = plt.figure(figsize=(0.4, 0.4), dpi=50)

    def shown(value):
        value = int(value)
        fig.set_facecolor((value % 256 / 255, value // 256 % 256 / 255, 0))
"""
#: What a scene holds on to: its code, and the number that frame k must show.
HELD = {
    "a row that looks into an array": (
        """
        table = np.zeros((4, 12), int)
        row = table[2]
        def update(k):
            row[k] = k + 1
            shown(table.sum())
        """,
        lambda k: sum(range(1, k + 2)),
    ),
    "the inside of an array": (
        """
        field = np.zeros((6, 6), int)
        inside = field[1:-1, 1:-1]
        def update(k):
            inside += 1
            shown(field.sum())
        """.replace("inside += 1", "np.add(inside, 1, out=inside)"),
        lambda k: 16 * (k + 1),
    ),
    "a field of records": (
        """
        drops = np.zeros(5, dtype=[("x", int), ("y", int)])
        ys = drops["y"]
        def update(k):
            ys[k % 5] += 3
            shown(drops["y"].sum())
        """,
        lambda k: 3 * (k + 1),
    ),
    "a counter of its calls": (
        """
        calls = itertools.count(5)
        def update(k):
            shown(next(calls))
        """,
        lambda k: 5 + k,
    ),
    "state that shows in every 7th frame only": (
        """
        steps = iter(range(0, 1000, 9))
        latest = [0]
        def update(k):
            if k % 7 == 6:
                latest[0] = next(steps) + 100
            shown(latest[0] + k)
        """,
        lambda k: k + (100 if k >= 6 else 0),
    ),
    "what a helper remembers": (
        """
        @functools.lru_cache(maxsize=None)
        def square(n):
            return n * n
        def update(k):
            shown(square(k))
        """,
        lambda k: k * k,
    ),
    "a name that it looks up by text": (
        """
        A = np.arange(100) * 3
        def update(k):
            shown(globals()["A"][k])
        """,
        lambda k: 3 * k,
    ),
}
WAYS = ["script", "name", "function", "program"]


def numbers_in(store):
    """The numbers that a store's pictures show."""
    where = fp.Store(store)
    corners = [read_png(where.frame_path(number))[0, 0] for number in where.numbers()]
    return [int(red) + 256 * int(green) for red, green, *_ in corners]


def write(folder, code, end="", name="film.py"):
    (folder / name).write_text(textwrap.dedent(HEAD) + textwrap.dedent(code) + textwrap.dedent(end))


ANIMATION = f"""
    anim = FuncAnimation(fig, update, {FRAMES}, init_func=lambda: None)
"""
BUILDER = f"""
    def build():
        return FuncAnimation(fig, update, {FRAMES}, init_func=lambda: None)
"""
PROGRAM = f"""
    import framepipe as fp
    anim = FuncAnimation(fig, update, {FRAMES}, init_func=lambda: None)
    fp.render(anim, store="s", workers=int(sys.argv[1]))
"""


def draw(folder, cli_process, way, code, workers):
    """Draw a scene into the store ``s``, handed over in one of the ways that there are."""
    write(folder, code, {"program": PROGRAM, "function": BUILDER}.get(way, ANIMATION))
    if way == "program":
        done = run_python(["film.py", workers], folder, {}, 120)
        assert done.returncode == 0, done.stderr
        return
    address = {"script": "film.py", "name": "film.py:anim", "function": "film.py:build"}[way]
    cli_process("render", address, "--store", "s", "-j", workers, "-q", ok=True)


def in_turn(kinds):
    """Every other in one of the ways: a program sends it, the others load it. In the long run each in all of them."""
    for at, kind in enumerate(kinds):
        for way in WAYS:
            yield pytest.param(
                kind, way, marks=() if way == WAYS[-1 - at // 2 % 4] and at % 2 == 0 else pytest.mark.long
            )


@pytest.mark.parametrize(("held", "way"), [*in_turn(HELD)])
def test_what_a_scene_holds_on_to_is_there_in_every_worker(folder, cli_process, held, way):
    code, expected = HELD[held]
    draw(folder, cli_process, way, code, 2)
    assert numbers_in("s") == [expected(k) % 65536 for k in range(FRAMES)]


CHANCE = {
    "seeded numpy": ("np.random.seed(1)", "np.random.randint(60000)"),
    "seeded random": ("random.seed(1)", "random.randrange(60000)"),
    "a generator": ("rng = np.random.default_rng(3)", "rng.integers(60000)"),
}


@pytest.mark.parametrize(("kind", "way"), [*in_turn(CHANCE)])
def test_seeded_numbers_are_those_of_one_process(folder, cli_process, kind, way):
    seeding, number = CHANCE[kind]
    code = f"""
        {seeding}
        def update(k):
            shown({number})
    """
    draw(folder, cli_process, way, code, 2)
    space: dict[str, object] = {"np": np}
    exec("import random\n" + seeding, space)  # in this process, one after the other
    assert numbers_in("s") == [int(eval(number, space)) for _ in range(FRAMES)]


def test_numbers_without_a_seed_are_one_film_in_all_runs_of_a_job(folder, cli_process):
    code = """
        rng = np.random.default_rng()
        def update(k):
            shown((np.random.randint(60000), random.randrange(60000), rng.integers(60000))[k % 3])
    """
    draw(folder, cli_process, "script", code, 2)
    first = numbers_in("s")
    assert len(set(first)) > FRAMES // 2
    for gone in (2, 3, 7):  # one of each kind
        (folder / "s" / f"frame_{gone:06d}.png").unlink()
    cli_process("resume", "s", "-j", 2, "-q", ok=True)
    assert numbers_in("s") == first


@pytest.mark.long
def test_shards_with_the_seed_of_a_job_are_its_film_and_another_seed_is_another(folder, cli_process):
    code = """
        rng = np.random.default_rng()
        def update(k):
            shown((np.random.randint(20000), random.randrange(20000), rng.integers(20000))[k % 3])
    """
    draw(folder, cli_process, "script", code, 2)
    first = numbers_in("s")
    seed = json.loads((folder / "s" / "job.json").read_text())["seed"]
    for shard in ("1/2", "2/2"):
        cli_process(
            "render", "film.py", "--store", "t", "--shard", shard, "-j", 1, "-q", "--seed", seed, ok=True
        )
    assert numbers_in("t") == first
    cli_process("render", "film.py", "--store", "u", "-q", "--engine", "serial", "--seed", seed + 1, ok=True)
    assert numbers_in("u") != first


def test_shards_that_begin_at_once_draw_one_film(folder, cli_process):
    write(folder, "def update(k): shown(np.random.randint(60000))", ANIMATION)
    command = [
        sys.executable,
        "-m",
        "framepipe",
        "render",
        "film.py",
        "--store",
        "s",
        "-j",
        "1",
        "-q",
        "--shard",
    ]
    shards = [Python([*command, f"{k}/3"], cwd=folder) for k in (1, 2, 3)]
    assert [shard.wait(timeout=120) for shard in shards] == [0, 0, 0]
    assert fp.status("s").complete
    cli_process("render", "film.py", "--store", "t", "-j", 1, "-q", "--seed", fp.Store("s").seed(), ok=True)
    assert numbers_in("s") == numbers_in("t")


def test_an_open_file_is_read_on_where_one_process_would(folder, cli_process):
    (folder / "lines.txt").write_text("".join(f"{7 * k}\n" for k in range(FRAMES)))
    code = """
        lines = open("lines.txt")
        def update(k):
            shown(lines.readline())
    """
    draw(folder, cli_process, "script", code, 3)
    assert numbers_in("s") == [7 * k for k in range(FRAMES)]


@pytest.mark.parametrize("way", all_if_long(["script", "program"], "script"))
def test_a_pool_of_processes_in_an_update_neither_hangs_nor_stays(folder, cli_process, way):
    code = """
        import multiprocessing
        def double(n):
            return 2 * n
        def update(k):
            with multiprocessing.get_context("fork").Pool(2) as pool:
                shown(sum(pool.map(double, range(k + 1))))
    """
    draw(folder, cli_process, way, code, 2)
    assert numbers_in("s") == [k * (k + 1) for k in range(FRAMES)]


def test_a_script_with_threads_is_loaded_by_each_worker(folder, cli_process):
    code = """
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        print("loaded once for the eye")
        total = [0]
        def update(k):
            total[0] += k
            shown(total[0])
    """
    write(folder, code, ANIMATION)
    done = cli_process("render", "film.py:anim", "--store", "s", "-j", 2, "-q", ok=True)
    assert numbers_in("s") == [sum(range(k + 1)) for k in range(FRAMES)]
    assert (done.stdout + done.stderr).count("loaded once for the eye") == 1


def test_the_process_that_was_started_stays_light(folder, cli_process):
    (folder / "sitecustomize.py").write_text(
        textwrap.dedent("""
            import atexit, os, sys
            command = open("/proc/self/cmdline").read()
            def tell():
                if "matplotlib" in sys.modules:
                    open("loaded-" + ("stage" if "engines.stage" in command else "main"), "w").close()
            atexit.register(tell)
        """)
    )
    write(folder, "def update(k): shown(k)", ANIMATION)
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    cli_process("render", "film.py", "--store", "s", "-j", 2, "-q", ok=True, PYTHONPATH=path)
    assert [each.name for each in folder.glob("loaded-*")] == ["loaded-stage"]


def children_of(pid):
    """All processes below one."""
    found, waiting = set(), [pid]
    while waiting:
        parent = waiting.pop()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                if int(fields[1]) == parent and fields[0] != "Z" and int(entry.name) not in found:
                    found.add(int(entry.name))
                    waiting.append(int(entry.name))
    return found


@pytest.mark.parametrize(
    ("engine", "name"),
    all_if_long(
        [(engine, name) for engine in ("local", "serial") for name in ("SIGINT", "SIGTERM")],
        ("local", "SIGTERM"),
        ("serial", "SIGINT"),
    ),
)
def test_the_first_signal_ends_the_loading_of_a_script_that_hangs(folder, name, engine):
    write(folder, 'open("begun", "w"); time.sleep(600)\ndef update(k): pass', ANIMATION)
    command = [
        sys.executable,
        "-m",
        "framepipe",
        "render",
        "film.py:anim",
        "--store",
        "s",
        "--engine",
        engine,
    ]
    run = Python(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    wait_for((folder / "begun").exists)
    below = children_of(run.pid)
    run.send_signal(getattr(signal, name))
    _, said = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == (130 if name == "SIGINT" else 75), said
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below))
    assert not (folder / "s").exists(), "nothing was drawn: nothing is left"


@pytest.mark.parametrize("victim", ["stage", "worker"])
def test_a_killed_process_costs_no_frame(folder, victim):
    code = """
        total = [0]
        def update(k):
            open(f"pid-{os.getpid()}", "w")
            total[0] += k
            shown(total[0])
            while os.path.exists("s/frame_000000.png") and not os.path.exists("go"):
                time.sleep(0.01)
    """
    write(folder, code, ANIMATION)
    command = [sys.executable, "-m", "framepipe", "render", "film.py", "--store", "s", "-j", "2", "-q"]
    run = Python(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    wait_for((folder / "s" / "frame_000000.png").exists)
    drawing = {int(path.name[4:]) for path in folder.glob("pid-*")}
    stages = {
        pid for pid in children_of(run.pid) if pid not in drawing and "engines.stage" in command_of(pid)
    }
    os.kill(min(stages) if victim == "stage" else max(drawing), signal.SIGKILL)
    (folder / "go").touch()
    _, said = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 0, said
    assert numbers_in(folder / "s") == [sum(range(k + 1)) for k in range(FRAMES)]


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def test_a_large_array_is_in_memory_once(folder):
    code = """
        data = np.ones(60_000_000 // 8)
        def update(k):
            shown(data[k] + k)
            time.sleep(0.4)
    """
    write(folder, code, ANIMATION)
    command = [sys.executable, "-m", "framepipe", "render", "film.py", "--store", "s", "-j", "4", "-q"]
    run = Python(command, cwd=folder)
    wait_for(lambda: len(list((folder / "s").glob("frame_*.png"))) >= 3)
    private = sum(private_bytes(pid) for pid in children_of(run.pid))
    assert run.wait(timeout=PATIENCE_S) == 0
    assert private < 4 * 60_000_000, "each of several processes holds an array of 60 MB"


def private_bytes(pid):
    """Memory that no other process shares."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


@pytest.mark.parametrize("workers", all_if_long([1, 2], 2))
def test_slow_frames_in_short_slices_get_on(folder, workers):
    """Slices in which some 6 slow frames could be drawn: hardly any time goes into finding out the order."""
    (folder / "slow.py").write_text(
        textwrap.dedent("""
            import time
            from matplotlib import pyplot as plt
            def draw(k):
                time.sleep(0.5)
                return plt.figure(figsize=(0.4, 0.4), dpi=50, facecolor=str(k / 20))
        """)
    )
    command = [sys.executable, "-m", "framepipe", "render", "slow.py:draw", "--frames", "20", "--store", "s"]
    done = []
    for _ in range(2):
        run = Python([*command, "-j", str(workers), "-q"], cwd=folder, stderr=subprocess.DEVNULL)
        before = len(list((folder / "s").glob("frame_*.png")))
        wait_for(lambda: len(list((folder / "s").glob("frame_*.png"))) >= before + 5)
        run.send_signal(signal.SIGTERM)
        run.wait(timeout=PATIENCE_S)
        done.append(len(list((folder / "s").glob("frame_*.png"))) - before)
    assert min(done) >= 5


def test_what_no_pickle_takes_along_is_noticed_and_drawn_in_the_program(folder):
    (folder / "program.py").write_text(
        textwrap.dedent(HEAD)
        + textwrap.dedent("""
            import framepipe as fp
            class Odd:
                "Forgets what it knows when it is pickled."
                def __init__(self): self.known = 70
                def __reduce__(self): return (Odd.empty, ())
                @staticmethod
                def empty():
                    odd = Odd()
                    odd.known = 5
                    return odd
            odd = Odd()
            def update(k):
                shown(odd.known + k)
            anim = FuncAnimation(fig, update, 6, init_func=lambda: None)
            report = fp.render(anim, store="s", workers=2)
            print(report.engine, report.order, *report.notes)
        """)
    )
    done = run_python(["program.py"], folder, {}, 120)
    assert done.returncode == 0, done.stderr
    assert numbers_in("s") == [70 + k for k in range(6)]
    assert "serial" in done.stdout and "frame 0 looks different in another process" in done.stdout


def marked(mark):
    """Processes that were started with this in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


@pytest.mark.parametrize("frames", all_if_long([2, 3, 12], 3))
def test_no_worker_is_left_when_a_render_is_over(tmp_path, monkeypatch, frames):
    mark = f"stage-test-{os.getpid()}-{frames}"
    monkeypatch.setenv("FRAMEPIPE_TEST_MARK", mark)
    calls = []

    def draw(k):
        from matplotlib import pyplot as plt

        calls.append(k)  # state: so workers are forked where the updates have come to
        return plt.figure(figsize=(0.4, 0.4), dpi=50, facecolor=str(len(calls) / 20))

    assert fp.render(draw, frames, store=tmp_path / "s", workers=3).drawn
    wait_for(lambda: not marked(mark))
