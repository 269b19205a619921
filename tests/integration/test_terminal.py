"""What a person sees on a terminal."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pexpect
import pytest

SLOW = """
    import time
    from matplotlib import pyplot as plt

    def draw(k):
        time.sleep(0.3)
        return plt.figure(figsize=(2, 1), dpi=50)
"""


@pytest.fixture
def terminal(folder: Path):
    (folder / "slow.py").write_text(textwrap.dedent(SLOW))
    started = []

    def start(*args: str) -> pexpect.spawn:
        child = pexpect.spawn(
            sys.executable, ["-m", "framepipe", *args], dimensions=(30, 120), encoding="utf8", timeout=60
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.close(force=True)


def test_a_bar_shows_frames_rate_and_time_left(terminal) -> None:
    child = terminal("make", "scene.py:draw", "--frames", "12", "-o", "a.gif")
    child.expect(r"drawing scene-draw: .*12/12 \[\d\d:\d\d<\d\d:\d\d, +[\d.]+frame/s\]")
    child.expect(r"encoding a.gif: .*12/12")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_ctrl_c_finishes_the_frames_in_hand_and_says_how_to_go_on(terminal) -> None:
    child = terminal("render", "slow.py:draw", "--frames", "50", "-j", "2")
    child.expect("2/50")
    child.sendintr()
    child.expect("finishing frames in progress; Ctrl-C again stops at once")
    child.expect(r"stopped by SIGINT: (\d+) of 50 frames are safe in .*slow-draw. Run the same again")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130


def test_two_ctrl_c_stop_at_once(terminal) -> None:
    child = terminal("render", "slow.py:draw", "--frames", "50", "-j", "2")
    child.expect("1/50")
    child.sendintr()
    child.expect("Ctrl-C again stops at once")
    child.sendintr()
    child.expect("stopped by Ctrl-C")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130


def test_term_stops_within_the_frames_in_hand_with_75(terminal) -> None:
    child = terminal("render", "slow.py:draw", "--frames", "50", "-j", "2")
    child.expect("1/50")
    child.kill(signal.SIGTERM)
    child.expect("stopped by SIGTERM")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 75


def test_nobody_who_reads_the_output_is_no_bug():
    command = [sys.executable, "-m", "framepipe", "help", "make"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
