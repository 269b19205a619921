"""Signals to the command line: it stops soon, says how to go on, and loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.conftest import FRAMES, Bench, names_in, pixels_of
from tests.support.sizes import all_if_long
from tests.support.waiting import PATIENCE_S, wait_for

MAKE = ("make", "tiny.py:draw", "--frames", FRAMES, "--store", "store", "-o", "movie.gif", "-j", 2, "-q")


def with_frames_in_hand(
    bench: Bench, *command: object, stored: int = 2, workers: int = 2
) -> subprocess.Popen[str]:
    """A command that has drawn some frames, and of which each worker waits with its next one."""
    process = bench.start(*command or MAKE, FB_HOLD=f"{stored}", FB_SLEEP="0" if stored else "600")

    def each_waits() -> bool:
        return len(bench.frames()) >= stored and len(bench.held() if stored else bench.in_hand()) == workers

    wait_for(lambda: each_waits() or process.poll() is not None)
    assert process.poll() is None
    return process


def check_it_goes_on(bench: Bench, undisturbed: dict[str, bytes], movies: dict[str, str]) -> None:
    there, before = bench.frames(), len(bench.draws())
    assert all(undisturbed[name] == data for name, data in there.items())
    bench.run("resume", "store", "--engine", "serial", "-q", ok=True)
    assert not {int(name[6:12]) for name in there} & set(bench.draws()[before:])
    assert pixels_of(bench.folder / "movie.gif") == movies["gif"]
    assert names_in(bench.folder) == ["movie.gif", "tiny.py"]


@pytest.mark.parametrize(
    ("number", "code"),
    all_if_long(
        [(signal.SIGTERM, 75), (signal.SIGUSR1, 75), (signal.SIGUSR2, 75), (signal.SIGINT, 130)],
        (signal.SIGTERM, 75),
        (signal.SIGINT, 130),
    ),
    ids=lambda value: getattr(value, "name", ""),
)
def test_signal_while_drawing_finishes_frames_in_hand_and_resume_completes(
    bench: Bench,
    undisturbed: dict[str, bytes],
    undisturbed_movies: dict[str, str],
    number: signal.Signals,
    code: int,
) -> None:
    process = with_frames_in_hand(bench)
    in_hand = bench.in_hand()
    process.send_signal(number)
    if number == signal.SIGINT:
        assert process.stderr is not None
        assert "finishing frames" in process.stderr.readline() + process.stderr.readline()
    bench.go_on(in_hand | bench.in_hand())
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code, err
    assert "Run the same again to go on" in err and number.name in err
    assert "The movie so far: framepipe assemble store -o movie.gif --so-far" in err
    assert "Traceback" not in err
    assert bench.orphans() == {}
    drawn = {int(name[6:12]) for name in bench.frames()}
    assert in_hand <= drawn < set(range(FRAMES)), "frames in hand were dropped, or nothing was stopped"
    assert bench.run("status", "store", "--deep").returncode == 3
    check_it_goes_on(bench, undisturbed, undisturbed_movies)


@pytest.mark.parametrize("group", all_if_long([False, True], True), ids=["to-parent", "to-terminal-group"])
def test_ctrl_c_twice_stops_at_once(
    bench: Bench, undisturbed: dict[str, bytes], undisturbed_movies: dict[str, str], group: bool
) -> None:
    process = with_frames_in_hand(bench, stored=0, workers=1)
    send = os.killpg if group else os.kill
    send(process.pid, signal.SIGINT)
    assert process.stderr is not None
    assert "Ctrl-C again stops at once" in process.stderr.readline() + process.stderr.readline()
    send(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert bench.orphans() == {}
    check_it_goes_on(bench, undisturbed, undisturbed_movies)


def test_sigterm_does_not_wait_for_a_frame_that_takes_too_long(bench: Bench) -> None:
    process = with_frames_in_hand(bench, stored=0, workers=1)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 75, err
    assert bench.orphans() == {}


def test_closed_terminal_leaves_no_process_and_loses_no_frame(
    bench: Bench, undisturbed: dict[str, bytes], undisturbed_movies: dict[str, str]
) -> None:
    process = with_frames_in_hand(bench)
    os.killpg(process.pid, signal.SIGHUP)
    bench.go_on(bench.in_hand())
    process.wait(timeout=PATIENCE_S)
    assert process.returncode != 0
    assert bench.orphans() == {}
    check_it_goes_on(bench, undisturbed, undisturbed_movies)


@pytest.mark.parametrize(
    ("encoder", "number", "code"),
    all_if_long(
        [
            (encoder, *end)
            for encoder in ("ffmpeg", "imagemagick")
            for end in ((signal.SIGTERM, 75), (signal.SIGINT, 130))
        ],
        ("ffmpeg", signal.SIGTERM, 75),
        ("imagemagick", signal.SIGINT, 130),
    ),
    ids=lambda value: getattr(value, "name", value),
)
def test_signal_while_encoding_leaves_the_old_movie_and_no_process(
    drawn: Bench, number: signal.Signals, code: int, encoder: str
) -> None:
    env = slow_encoder(drawn) if encoder == "ffmpeg" else {}
    (drawn.folder / "movie.gif").write_bytes(b"the older movie")
    hold = () if encoder == "ffmpeg" else ("--palette", "per-frame")
    process = drawn.start("assemble", "store", "-o", "movie.gif", "--encoder", encoder, *hold, "-q", **env)
    if encoder == "ffmpeg":
        wait_for(lambda: Path(f"{drawn.log}.reached").exists())
    else:
        wait_for(lambda: any("magick_child" in command for command in drawn.processes().values()))
    process.send_signal(number)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert drawn.orphans() == {}
    assert (drawn.folder / "movie.gif").read_bytes() == b"the older movie"
    assert names_in(drawn.folder) == ["movie.gif", "store", "tiny.py"]


def slow_encoder(bench: Bench) -> dict[str, str]:
    """The real ffmpeg, but it stays a while with the movie."""
    path = bench.folder.parent / "slow-ffmpeg"
    path.write_text(
        '#!/bin/bash\nffmpeg "$@"\n'
        '[[ "${@: -1}" == movie.* && $(grep -c ^file frames.ffconcat) -gt 2 ]] && touch "$FB_LOG.reached" && sleep 600\nexit 0\n'
    )
    path.chmod(0o755)
    return {"FRAMEPIPE_FFMPEG": str(path)}


def test_signal_to_a_serial_render_finishes_its_frame(bench: Bench, undisturbed: dict[str, bytes]) -> None:
    render = ("render", "tiny.py:draw", "--frames", FRAMES, "--store", "store", "--engine", "serial", "-q")
    process = with_frames_in_hand(bench, *render, workers=1)
    process.send_signal(signal.SIGTERM)
    bench.go_on(bench.in_hand())
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 75, err
    assert len(bench.frames()) == 3
    bench.run("resume", "store", "--engine", "serial", "-q", ok=True)
    assert len(bench.draws()) == FRAMES
    assert bench.frames() == undisturbed


def test_reader_that_went_away_is_no_bug(drawn: Bench) -> None:
    process = drawn.start("status", "store")
    assert process.stdout is not None
    process.stdout.close()
    process.wait(timeout=PATIENCE_S)
    assert process.stderr is not None
    assert "Traceback" not in (err := process.stderr.read()), err


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2], ids=lambda each: each.name
)
def test_a_signal_while_the_command_line_is_imported_ends_as_an_interrupt(
    tmp_path: Path, number: signal.Signals
) -> None:
    # short sleeps: Python heeds a signal that comes just before one only after it
    (tmp_path / "click.py").write_text(
        "import time\nprint('importing', flush=True)\nfor _ in range(6000):\n    time.sleep(0.1)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-m", "framepipe", "status", "s"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "importing\n"
        process.send_signal(number)
        try:
            _, err = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    assert process.returncode == 75, err
    assert err == f"framepipe: stopped by {number.name}: run the same again\n"


def test_a_signal_to_a_process_that_will_load_the_scene_does_not_kill_it(bench: Bench) -> None:
    """A scheduler sends its warning to every process of a job, also to one that Python still starts."""
    (bench.folder / "sitecustomize.py").write_text(
        "import os, signal, sys, time\n"
        "if any('engines.stage' in each for each in sys.orig_argv):\n"
        "    os.kill(os.getpid(), signal.SIGUSR1)\n"
    )
    done = bench.run(
        "render",
        "tiny.py:draw",
        "--frames",
        2,
        "--store",
        "store",
        "-j",
        1,
        "-q",
        PYTHONPATH=str(bench.folder),
    )
    assert done.returncode == 0, done.stderr
