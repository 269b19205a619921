"""What the user's drawing code may do: the frame is reported by its number, the others are drawn."""

from __future__ import annotations

import subprocess
import textwrap

import pytest

from framepipe.core import png
from tests.faults.conftest import FRAMES, SCENE, Bench, names_in
from tests.support.sizes import all_if_long
from tests.support.waiting import PATIENCE_S

BAD = 4
#: Put at the start of draw() for one frame: code, what the message must say, whether there is a
#: traceback (None: either).
FAULTY: dict[str, tuple[str, str, bool | None]] = {
    "raises": ("1 / 0", "ZeroDivisionError: division by zero", True),
    "raises something huge": ("raise ValueError('x' * 2_000_000)", "ValueError: xxx", True),
    "raises what cannot be pickled": (
        "class Odd(Exception):\n    def __reduce__(self): raise TypeError('no')\nraise Odd('odd')",
        "Odd: odd",
        True,
    ),
    "raises what cannot be printed": (
        "class Mute(Exception):\n    def __str__(self): raise RuntimeError('mute')\nraise Mute()",
        "Mute",
        True,
    ),
    "sys.exit": ("import sys; sys.exit(3)", "SystemExit: 3", True),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt", None),
    "recursion": ("draw(value)", "RecursionError", True),
    "os._exit(0)": ("os._exit(0)", "ended by itself (exit code 0); tried twice", False),
    "abort": ("os.abort()", "process crashed (", None),
    "segfault": ("import ctypes; ctypes.string_at(0)", "process crashed (", None),
    "killed for memory": ("os.kill(os.getpid(), 9)", "signal 9: usually out of memory); tried twice", False),
    "closes all files": ("os.closerange(3, 256)", "", False),
    "returns nothing": ("return None", "returned nothing", False),
    "returns a number": ("return 3", "returned a int", False),
    "returns an array that is no picture": (
        "import numpy; return numpy.zeros((3, 3))",
        "a picture is uint8 of shape (height, width, 3 or 4); got float64 (3, 3)",
        False,
    ),
    "other size": (
        "from matplotlib.figure import Figure as F; return F(figsize=(3, 3), dpi=50)",
        "150x150",
        False,
    ),
}


def scene_with(code: str, when: str = f"value == {BAD}") -> str:
    inside = textwrap.indent(textwrap.dedent(code), " " * 12)
    return SCENE.replace("        time.sleep", f"        if {when}:\n{inside}\n        time.sleep", 1)


def render(bench: Bench, *options: object, workers: int = 2) -> subprocess.CompletedProcess[str]:
    return bench.run(
        "render", "tiny.py:draw", "--frames", FRAMES, "--store", "store", "-j", workers, "-q", *options
    )


def check_others_drawn(bench: Bench, *bad: int) -> None:
    drawn = {int(name[6:12]) for name in bench.frames()}
    assert drawn >= set(range(FRAMES)) - set(bad)
    assert bench.orphans() == {}


@pytest.mark.parametrize(
    "name",
    all_if_long(
        FAULTY,
        "raises what cannot be pickled",
        "sys.exit",
        "os._exit(0)",
        "segfault",
        "killed for memory",
        "closes all files",
        "other size",
    ),
)
def test_frame_whose_code_misbehaves_is_named_and_all_others_are_drawn(bench: Bench, name: str) -> None:
    code, words, has_traceback = FAULTY[name]
    bench.scene(scene_with(code))
    done = render(bench)
    assert done.returncode == 3, done.stdout + done.stderr
    err: str = done.stderr
    assert f"1 of {FRAMES} frames failed" in err
    assert f"frame {BAD}: " in err and words in err
    assert has_traceback in (None, "tiny.py" in err and "in draw" in err), err
    assert len(err) < 100_000, "the message floods the terminal"
    check_others_drawn(bench, BAD)


def test_mended_code_draws_only_what_its_change_asks_for(bench: Bench) -> None:
    bench.scene(scene_with("if os.path.exists('trouble'): 1 / 0"))
    (bench.folder / "trouble").touch()
    assert render(bench).returncode == 3
    (bench.folder / "trouble").unlink()
    bench.run("resume", "store", "--engine", "serial", "-q", ok=True)
    assert sorted(bench.draws()) == sorted([*range(FRAMES), BAD])


@pytest.mark.parametrize(
    "name", all_if_long(["raises", "sys.exit", "other size", "returns nothing"], "raises", "returns nothing")
)
def test_frame_that_misbehaves_in_this_process_is_named_too(bench: Bench, name: str) -> None:
    code, words, _ = FAULTY[name]
    bench.scene(scene_with(code))
    done = bench.render("--engine", "serial", "-q")
    assert done.returncode == 3
    assert f"frame {BAD}: " in done.stderr and words in done.stderr
    check_others_drawn(bench, BAD)


#: Side effects that each strike another frame.
HARMLESS = {
    "prints 1 MB": "import sys; print('x' * 1_000_000); print('y' * 1_000_000, file=sys.stderr)",
    "writes 1 MB to descriptor 1": "os.write(1, b'z' * 1_000_000)",
    "changes the folder": "os.chdir('/')",
    "leaks figures": "from matplotlib import pyplot as plt; [plt.figure() for _ in range(5)]",
    "reads standard input": "import sys; sys.stdin.read()",
    "closes standard streams": "os.close(0); os.close(1); os.close(2)",
    "changes signal handlers": "import signal; signal.signal(signal.SIGTERM, signal.SIG_DFL)",
    "changes rcParams": "import matplotlib; matplotlib.rcParams['savefig.dpi'] = 50",
}
#: What stays behind when the frame is drawn.
STAYING = {
    "forks a child that sleeps": "if os.fork() == 0:\n    time.sleep(600)\n    os._exit(0)",
    "starts a program that sleeps": "import subprocess; subprocess.Popen(['sleep', '600'])",
    "starts an endless thread": "import threading as t; t.Thread(target=time.sleep, args=(600,)).start()",
    "registers an exit handler that hangs": "import atexit; atexit.register(time.sleep, 600)",
}


def check_all_drawn(bench: Bench) -> None:
    done = render(bench)
    assert done.returncode == 0, done.stderr[-5000:]
    assert len(bench.frames()) == FRAMES
    assert bench.orphans() == {}
    assert names_in(bench.folder) == ["store", "tiny.py"]


def test_code_with_side_effects_draws_all_frames(bench: Bench) -> None:
    cases = "\n".join(f"if value == {at}: {code}" for at, code in enumerate(HARMLESS.values(), 1))
    bench.scene(scene_with(cases, "True"))
    check_all_drawn(bench)


@pytest.mark.parametrize(
    "name",
    all_if_long(
        STAYING,
        "forks a child that sleeps",
        "starts an endless thread",
        "registers an exit handler that hangs",
    ),
)
def test_code_that_starts_something_draws_all_frames_and_leaves_no_process(bench: Bench, name: str) -> None:
    bench.scene(scene_with(STAYING[name]))
    check_all_drawn(bench)


@pytest.mark.long
def test_frame_that_sleeps_for_ever_is_given_up_and_named(bench: Bench) -> None:
    bench.scene(scene_with("time.sleep(600)"))
    done = render(bench, "--frame-timeout", 3)
    assert done.returncode == 3
    assert f"frame {BAD}: not drawn within 3 s (--frame-timeout); tried twice" in done.stderr
    assert bench.draws().count(BAD) == 2
    check_others_drawn(bench, BAD)


def test_frame_that_hangs_outside_python_is_given_up_and_named(bench: Bench) -> None:
    bench.scene(scene_with("import ctypes; ctypes.PyDLL(None).sleep(600)"))
    done = render(bench, "--frame-timeout", 3)
    assert done.returncode == 3
    assert f"frame {BAD}: not drawn within 3 s (--frame-timeout); tried twice" in done.stderr
    assert bench.draws().count(BAD) == 2
    check_others_drawn(bench, BAD)


@pytest.mark.parametrize(
    ("fault", "bad"),
    all_if_long(
        [(fault, bad) for fault in ("os.kill(os.getpid(), 9)", "time.sleep(600)") for bad in (0, BAD)],
        ("os.kill(os.getpid(), 9)", 0),
        ("time.sleep(600)", BAD),
    ),
    ids=["killed-first-frame", "killed-later-frame", "hangs-first-frame", "hangs-later-frame"],
)
def test_frame_lost_once_is_drawn_at_the_second_try(
    bench: Bench, undisturbed: dict[str, bytes], bad: int, fault: str
) -> None:
    once = f"""
        if not os.path.exists("{bench.log}.once"):
            open("{bench.log}.once", "w").close()
            {fault}
    """
    bench.scene(scene_with(once, f"value == {bad}"))
    done = render(bench, "--frame-timeout", 5)
    assert done.returncode == 0, done.stderr
    assert len(bench.frames()) == FRAMES
    assert bench.draws().count(bad) == 2
    assert pixels(bench.frames()) == pixels(undisturbed)


def pixels(frames: dict[str, bytes]) -> dict[str, bytes]:
    """What follows the stamp."""
    return {name: data[data.index(b"IDAT") :] for name, data in frames.items()}


def test_child_in_a_session_of_its_own_does_not_hang_framepipe(bench: Bench) -> None:
    """It cannot be found and ended, but nobody waits for the pipes that it holds open."""
    bench.scene(scene_with("if os.fork() == 0:\n    os.setsid()\n    time.sleep(600)\n    os._exit(0)"))
    process = bench.start("render", "tiny.py:draw", "--frames", FRAMES, "--store", "store", "-j", 2, "-q")
    try:
        code = process.wait(timeout=PATIENCE_S)
    except Exception:
        pytest.fail("framepipe waits for a process that is not its child")
    assert code == 0
    assert len(bench.frames()) == FRAMES


def test_all_frames_fail_alike_and_are_told_once(bench: Bench) -> None:
    bench.scene(scene_with("1 / 0", "True"))
    done = render(bench)
    assert done.returncode == 3
    assert done.stderr.count("ZeroDivisionError: division by zero") == 2
    assert f"frames 0-{FRAMES - 1}" in done.stderr
    assert bench.frames() == {}


def test_size_that_changes_at_random_never_gets_into_the_store(
    bench: Bench, undisturbed: dict[str, bytes]
) -> None:
    bench.scene(SCENE.replace("figsize=(2, 1.5)", "figsize=(2, 1.5 + value % 3)"))
    done = render(bench)
    assert done.returncode == 3
    assert {png.inspect(path).height for path in bench.store.glob("*.png")} == {75}  # type: ignore[union-attr]
    assert "frames 1-2,4-5,7-8" in done.stderr or "frames 1,4,7" in done.stderr
