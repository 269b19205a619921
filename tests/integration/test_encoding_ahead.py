"""Segments of a long movie are encoded while its later frames are drawn, and nothing depends on it."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import threading
import time

import pytest

import framepipe as fp
from tests.integration.movies import fake_ffmpeg
from tests.support.processes import is_running
from tests.support.sizes import all_if_long

SCENE = """
import time
from pathlib import Path

import numpy as np

STORE = Path({store!r})


def draw(i):
    pixels = np.full((48, 64, 3), i % 200, np.uint8)
    pixels[:, i % 64] = 255  # within a block of 8 px nobody sees it move who only looks at means
    if {waits} and i == 500:  # until a segment of earlier frames is there
        until = time.monotonic() + 120
        while not [*STORE.glob("segments/*.{suffix}")]:
            assert time.monotonic() < until, "no segment was encoded while frames were drawn"
            time.sleep(0.05)
    return pixels
"""


def made(tmp_path, name, waits, suffix, **options):
    folder = tmp_path / name
    folder.mkdir()
    script = folder / "scene.py"
    script.write_text(SCENE.format(store=str(folder / "frames"), waits=waits, suffix=suffix))
    movie = folder / f"film.{suffix}"
    report = fp.make(f"{script}:draw", 520, movie, store=folder / "frames", fps=25, workers=2, **options)
    return movie, report


@pytest.mark.parametrize(
    ("suffix", "options"),
    all_if_long(
        [
            ("mp4", {"quality": "good"}),
            ("mp4", {"quality": "lossless"}),
            ("gif", {"palette": "per-frame"}),
            ("gif", {"palette": "viridis"}),
        ],
        ("mp4", {"quality": "good"}),
        ("gif", {"palette": "per-frame"}),
    ),
)
def test_a_movie_whose_segments_were_encoded_ahead_has_the_bytes_of_one_that_was_not(
    tmp_path, suffix, options
):
    movie, report = made(tmp_path, "ahead", True, suffix, keep_frames=True, **options)
    assert report.movies[0].report.passed
    later = tmp_path / f"later.{suffix}"
    for segment in (tmp_path / "ahead" / "frames" / "segments").iterdir():
        segment.unlink()
    fp.assemble(tmp_path / "ahead" / "frames", later, fps=25, workers=2, **options)
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (movie, later)}
    assert len(digests) == 1


def test_segments_of_frames_that_were_drawn_again_are_not_used(tmp_path):
    folder = tmp_path / "turning"
    folder.mkdir()
    script = folder / "scene.py"
    # the first 500 frames differ the second time, which the change of a file that they read brings about
    (folder / "level.txt").write_text("1")
    script.write_text(
        "from pathlib import Path\nimport time\nimport numpy as np\n"
        f"FOLDER = Path({str(folder)!r})\n"
        "def draw(i):\n"
        "    level = int((FOLDER / 'level.txt').read_text())\n"
        "    if i == 500 and level == 1:\n"
        "        until = time.monotonic() + 120\n"
        "        while not [*FOLDER.glob('frames/segments/*.mp4')] and time.monotonic() < until:\n"
        "            time.sleep(0.05)\n"
        "        (FOLDER / 'level.txt').write_text('9')\n"
        "    pixels = np.full((48, 64, 3), 20 * level, np.uint8)\n"
        "    pixels[:, i % 8 * 8 :][:, :8] = 255\n"
        "    return pixels\n"
    )
    report = fp.make(f"{script}:draw", 520, folder / "film.mp4", store=folder / "frames", fps=25, workers=2)
    assert report.movies[0].report.passed
    assert any("changed while frames were drawn" in note for note in report.render.notes)


def test_a_segment_that_is_being_encoded_when_the_last_frame_is_drawn_is_waited_for(tmp_path, monkeypatch):
    log = tmp_path / "encoded"
    body = f"if [[ $last == segment-*.mp4 ]]; then echo $last >> {log}; sleep 2; fi"
    fake_ffmpeg(tmp_path, monkeypatch, body)
    script = tmp_path / "scene.py"
    script.write_text(
        "from pathlib import Path\nimport time\nimport numpy as np\n"
        "def draw(i):\n"
        "    if i == 519:\n"
        "        until = time.monotonic() + 120\n"
        f"        while not Path({str(log)!r}).exists() and time.monotonic() < until:\n"
        "            time.sleep(0.05)\n"
        "    return np.full((48, 64, 3), i % 200, np.uint8)\n"
    )
    report = fp.make(f"{script}:draw", 520, tmp_path / "film.mp4", store=tmp_path / "s", fps=25, workers=2)
    assert report.movies[0].report.passed
    assert sorted(log.read_text().split()) == [f"segment-{at:06d}.mp4" for at in range(3)]
    assert report.movies[0].notes == (), "whether there was time for it is nobody's concern"


# A movie without segments

SHORT = """
import time
from pathlib import Path

import numpy as np

LOG = Path({log!r})


def draw(i):
    if i == {at}:
        until = time.monotonic() + 120
        while not LOG.exists():
            assert time.monotonic() < until, "no encoder was started while frames were drawn"
            time.sleep(0.05)
        {then}
    pixels = np.full((48, 64, 3), i % 200, np.uint8)
    pixels[:, i % 64] = 255
    return pixels
"""
COUNTED = "if [[ $PWD == *film* && $last == movie.* ]]; then echo $last >> {log}; fi"


def short(tmp_path, monkeypatch, then="pass", at=50):
    """Return a scene whose frame 50 waits until a movie is being encoded, and where encoders are noted."""
    log = tmp_path / "encoders"
    fake_ffmpeg(tmp_path, monkeypatch, COUNTED.format(log=log))
    script = tmp_path / "scene.py"
    script.write_text(SHORT.format(log=str(log), at=at, then=then))
    return f"{script}:draw", log


def movie_files(folder):
    return sorted(path.name for path in folder.iterdir() if "film" in path.name)


@pytest.mark.parametrize("suffix", all_if_long(["mp4", "webm", "webp"], "mp4", "webp"))
def test_a_short_movie_is_encoded_from_its_first_frame_on(tmp_path, monkeypatch, suffix):
    scene, log = short(tmp_path, monkeypatch)
    movie = tmp_path / f"film.{suffix}"
    report = fp.make(scene, 60, movie, store=tmp_path / "s", fps=25, workers=2, keep_frames=True)
    assert report.movies[0].report.passed
    assert len(log.read_text().split()) == 1, "encoded once"
    assert movie_files(tmp_path) == [movie.name]
    fp.assemble(tmp_path / "s", tmp_path / f"later.{suffix}", fps=25)
    assert movie.read_bytes() == (tmp_path / f"later.{suffix}").read_bytes()


@pytest.mark.parametrize("options", [{"hold_last_s": 1}, {"fps": 3}, {"bounce": True}], ids=str)
def test_frames_that_are_read_again_are_read_from_their_files(tmp_path, monkeypatch, options):
    scene, log = short(tmp_path, monkeypatch)
    movie = tmp_path / "film.mp4"
    report = fp.make(scene, 60, movie, store=tmp_path / "s", workers=2, keep_frames=True, **options)
    assert report.movies[0].report.passed
    assert len(log.read_text().split()) == 1, "encoded once"
    fp.assemble(tmp_path / "s", tmp_path / "later.mp4", **options)
    assert movie.read_bytes() == (tmp_path / "later.mp4").read_bytes()


def test_an_encoder_that_waits_for_a_slow_frame_is_not_idle(tmp_path, monkeypatch):
    scene, log = short(tmp_path, monkeypatch, "time.sleep(4)")
    report = fp.make(scene, 60, tmp_path / "film.mp4", store=tmp_path / "s", workers=2, idle_timeout_s=2)
    assert report.movies[0].report.passed
    assert len(log.read_text().split()) == 1, "it was not ended, and begun again"


def test_a_movie_of_frames_that_were_drawn_again_is_encoded_anew(tmp_path, monkeypatch):
    level = tmp_path / "level.txt"
    level.write_text("1")
    scene, log = short(tmp_path, monkeypatch, f"level == 1 and Path({str(level)!r}).write_text('9')")
    script = tmp_path / "scene.py"
    script.write_text(
        script.read_text()
        .replace("def draw(i):", f"def draw(i):\n    level = int(Path({str(level)!r}).read_text())")
        .replace("i % 200", "20 * level")
    )
    report = fp.make(scene, 60, tmp_path / "film.mp4", store=tmp_path / "s", workers=2)
    assert report.movies[0].report.passed
    assert any("changed while frames were drawn" in note for note in report.render.notes)
    assert len(log.read_text().split()) == 2


def test_nothing_is_left_of_a_movie_whose_last_frame_fails(tmp_path, monkeypatch):
    scene, log = short(tmp_path, monkeypatch, "raise ValueError('no such number')")
    with pytest.raises(fp.FramesFailed, match="no such number"):
        fp.make(scene, 51, tmp_path / "film.mp4", store=tmp_path / "s", workers=2)
    assert log.exists()
    assert movie_files(tmp_path) == []


def test_nothing_is_left_of_a_movie_when_drawing_is_stopped(tmp_path, monkeypatch):
    scene, log = short(tmp_path, monkeypatch, "time.sleep(600)")
    stop = fp.Stop()

    def end():
        until = time.monotonic() + 120
        while not log.exists() and time.monotonic() < until:
            time.sleep(0.05)
        stop.request(grace_s=0)

    ending = threading.Thread(target=end)
    ending.start()
    with pytest.raises(fp.Interrupted):
        fp.make(scene, 60, tmp_path / "film.mp4", store=tmp_path / "s", workers=2, stop=stop)
    ending.join()
    assert movie_files(tmp_path) == []


def test_an_encoder_that_fails_does_not_end_that_of_another_output(tmp_path, monkeypatch):
    scene, log = short(tmp_path, monkeypatch)
    fails = f"if [[ $PWD == *film* && $last == movie.webm && ! -e {log}.failed ]]; then "
    fails += f"until [ -e {log} ]; do sleep 0.05; done; "  # the other one is at work
    fails += f"exec 3<frames/frame_000000.png; sleep 0.2; : >{log}.failed; exit 1; fi; "
    fake_ffmpeg(tmp_path, monkeypatch, fails + COUNTED.format(log=log))
    script = tmp_path / "scene.py"  # frames that do not fit into a pipe's buffer
    noise = "np.random.default_rng(0).integers(0, 256, (192, 256, 3), np.uint8)"
    text = script.read_text().replace("np.full((48, 64, 3), i % 200, np.uint8)", noise)
    script.write_text(text.replace(str(log), f"{log}.failed"))  # frame 50 waits for it
    outputs = [tmp_path / "film.mp4", tmp_path / "film.webm"]
    report = fp.make(scene, 60, outputs, store=tmp_path / "s", workers=2)
    assert all(movie.report.passed for movie in report.movies)
    assert sorted(log.read_text().split()) == ["movie.mp4", "movie.webm"], "each once"


def test_an_encoder_that_fails_while_frames_are_drawn_is_tried_again(tmp_path, monkeypatch):
    scene, log = short(tmp_path, monkeypatch)
    body = COUNTED.format(log=log)
    fake_ffmpeg(
        tmp_path,
        monkeypatch,
        f"if [[ $PWD == *film* && $last == movie.* && ! -e {log} ]]; then {body}; exit 1; fi; {body}",
    )
    report = fp.make(scene, 60, tmp_path / "film.mp4", store=tmp_path / "s", workers=2)
    assert report.movies[0].report.passed
    assert len(log.read_text().split()) == 2


def test_a_killed_render_leaves_no_encoder_and_goes_on(tmp_path, monkeypatch):
    scene, log = short(
        tmp_path, monkeypatch, "time.sleep(600 if not Path(__file__).with_name('go').exists() else 0)"
    )
    body = f"if [[ $PWD == *film* && $last == movie.* ]]; then echo $$ >> {log}; fi"
    fake_ffmpeg(tmp_path, monkeypatch, body)
    command = [
        sys.executable,
        "-m",
        "framepipe",
        "make",
        scene,
        "--frames",
        "60",
        "-o",
        "film.mp4",
        "--workers",
        "2",
    ]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 120
        while not (log.exists() and log.read_text().strip()) and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    encoder = int(log.read_text())
    while is_running(encoder):
        assert time.monotonic() < until, "the encoder waits for frames for ever"
        time.sleep(0.05)
    (tmp_path / "go").touch()
    assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode == 0
    assert [name for name in movie_files(tmp_path) if name != "film.mp4"] == []
