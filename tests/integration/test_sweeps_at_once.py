"""Points of a sweep under way at once: one pool of workers for all, and a stop ends all of them."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import framepipe as fp
from framepipe.core.images import read_png
from tests.faults.conftest import real_ffmpeg
from tests.support.forked import Python
from tests.support.waiting import PATIENCE_S, wait_for

#: Says when frames begin and end; those of ``waits`` wait until there is a file, of a later point for example.
SCENE = """
    import os, time

    import numpy as np

    def note(text):
        with open("log", "a") as file:
            file.write(text + "\\n")

    def wait_for(name, a, k):
        try:  # not in a process that draws the frame a second time, to compare
            os.close(os.open(f"waits-{{a}}-{{k}}", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        for _ in range(4800):
            if os.path.exists(name):
                return
            time.sleep(0.025)
        raise TimeoutError(name)

    waits = {waits}

    def draw(k, a=0):
        note(f"+ {{a}} {{k}}")
        if a == {breaks}:
            note(f"- {{a}} {{k}}")
            raise ValueError("unlucky")
        if (a, k) in waits:
            wait_for(waits[a, k], a, k)
        open(f"begun-{{a}}", "w").close()
        time.sleep(0.02)
        note(f"- {{a}} {{k}}")
        return np.full((16, 16, 3), (a * 20, k, 9), "u1")
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write the scene into a fresh working folder."""
    monkeypatch.chdir(tmp_path)

    def write(waits: dict[tuple[int, int], str] | None = None, breaks: int = -1) -> Path:
        text = SCENE.format(waits=waits or {}, breaks=breaks)
        (tmp_path / "scene.py").write_text(textwrap.dedent(text))
        return tmp_path

    return write


def sweep(**options):
    common = {"values": {"a": [0, 1, 2]}, "output": "{a}.gif", "workers": 2, "progress": False}
    return fp.sweep("scene.py:draw", 8, keep_frames=True, **{**common, **options})


def most_at_once(folder: Path) -> int:
    most = now = 0
    for line in (folder / "log").read_text().splitlines():
        now += 1 if line[0] == "+" else -1
        most = max(most, now)
    return most


def pixels(folder: Path, a: int) -> list[tuple[int, ...]]:
    paths = sorted((folder / f"frames/scene-draw-sweep/a={a}").glob("*.png"))
    return [tuple(map(int, read_png(path)[0, 0, :3])) for path in paths]


def test_the_next_point_draws_while_the_last_frame_of_one_is_drawn_and_never_more_at_once(project):
    folder = project(waits={(0, 7): "begun-1", (1, 7): "begun-2"}, breaks=3)
    steps: list[fp.Progress] = []
    with pytest.raises(fp.SweepFailed, match="1 of 4 points failed") as failed:
        sweep(values={"a": [0, 1, 2, 3]}, progress=steps.append)
    assert failed.value.exit_code == 3
    assert [len(each.report.render.drawn) for each in failed.value.report.points if each.report] == [8, 8, 8]
    assert {path.name for path in folder.glob("*.gif")} == {"0.gif", "1.gif", "2.gif"}
    assert most_at_once(folder) == 2
    for a in range(3):
        assert pixels(folder, a) == [(a * 20, k, 9) for k in range(8)]
    drawing = [each for each in steps if each.stage == "draw"]
    assert {each.label for each in drawing} == {"scene-draw-sweep"}
    assert max(each.done for each in drawing) == drawing[-1].total == 32
    assert any("1-2 of 4 points: a=0, a=1" in each.part for each in drawing)
    assert [each.news for each in steps if "of 4 points: a=0: 0.gif, 8 frames drawn" in each.news]


def test_what_is_wrong_for_all_points_is_said_once_and_what_a_callback_raises_ends_all(project):
    project()
    with pytest.raises(fp.UsageError, match="b"):
        sweep(values={"b": [0, 1]}, output="{b}.gif")

    class Enough(Exception):
        pass

    def callback(step):
        if step.done > 2:
            raise Enough

    with pytest.raises(Enough):
        sweep(progress=callback)
    assert not [each for each in threading.enumerate() if each.name.startswith("framepipe-point")]


@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
def test_ctrl_c_finishes_the_frames_in_hand_of_all_points_and_the_same_command_goes_on(project, twice):
    folder = project(waits={(0, 7): "go", (1, 2): "go"})
    argv = [sys.executable, "-m", "framepipe", "make", "scene.py:draw", "--frames=8", "--sweep=a=0:3"]
    argv += ["-o", "{a}.gif", "-j2", "--keep-frames"]
    process = Python(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def in_hand() -> list[str]:
        lines = (folder / "log").read_text().splitlines() if (folder / "log").exists() else []
        begun, ended = (Counter(line[2:] for line in lines if line[0] == sign) for sign in "+-")
        return sorted((begun - ended).elements())

    wait_for(lambda: in_hand() == ["0 7", "1 2"] or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    said = ""
    while "finishing frames" not in said:
        said += (line := process.stderr.readline())
        assert line, said
    if not twice:
        (folder / "go").touch()
    else:
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    if twice:
        return
    assert re.search(r"a=0, 1 of 3 points: stopped by SIGINT.*Run the same again", err), err
    assert in_hand() == [], "frames in hand were dropped"
    before = (folder / "log").read_text().count("- 0 ")
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert (folder / "log").read_text().count("- 0 ") <= before + 2, "frames that were done are drawn again"
    assert [pixels(folder, a)[7] for a in range(3)] == [(a * 20, 7, 9) for a in range(3)]


def test_points_share_the_processes_of_an_executor(project):
    folder = project(waits={(0, 7): "begun-1"})
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        report = sweep(values={"a": [0, 1]}, engine=executor, workers=None)
    assert [len(each.report.render.drawn) for each in report.points] == [8, 8]
    assert {each.report.render.engine for each in report.points} == {"the ProcessPoolExecutor"}
    assert most_at_once(folder) == 2
    for a in range(2):
        assert pixels(folder, a) == [(a * 20, k, 9) for k in range(8)]


#: An ffmpeg that begins the movie of point 0 when a frame of point 1 is drawn; then it fails if it is to.
SLOW_ENCODER = """\
#!/bin/bash
case "$PWD" in *"$FILM"*)
    for _ in $(seq 2400); do [ -e "$GO" ] && break; sleep 0.05; done
    [ -e "$GO" ] && [ -z "$BREAKS" ] || exit 9
esac
exec "$REAL" "$@"
"""


def shade(k, a=0):
    if a == 1:
        Path(os.environ["GO"]).touch()
    return np.full((16, 16, 3), (a * 20, k, 9), "u1")


@pytest.mark.parametrize("engine", ["local", "serial"])
@pytest.mark.parametrize("breaks", ["", "yes"], ids=["works", "fails"])
def test_the_movie_of_one_point_is_made_while_the_next_is_drawn(project, monkeypatch, engine, breaks):
    """Of a function of this program, and by engine serial."""
    folder = project()
    encoder = folder / "ffmpeg"
    encoder.write_text(SLOW_ENCODER)
    encoder.chmod(0o755)
    monkeypatch.setenv("REAL", real_ffmpeg())
    for name, value in [
        ("FRAMEPIPE_FFMPEG", encoder),
        ("GO", folder / "go"),
        ("FILM", ".0.mp4."),
        ("BREAKS", breaks),
    ]:
        monkeypatch.setenv(name, str(value))
    threads: set[int] = set()
    keywords = {"values": {"a": [0, 1]}, "engine": engine, "workers": None}
    keywords |= {"progress": lambda step: threads.add(threading.get_ident()), "keep_frames": True}
    if breaks:
        with pytest.raises(fp.SweepFailed, match="1 of 2 points failed") as failed:
            fp.sweep(shade, 4, "{a}.mp4", **keywords)
        assert failed.value.exit_code == 5
    else:
        fp.sweep(shade, 4, "{a}.mp4", **keywords)
        assert (folder / "0.mp4").exists()
    assert (folder / "1.mp4").exists()
    assert threads == {threading.get_ident()}, "the callback was called in another thread"
