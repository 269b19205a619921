"""GIFs that gifsicle made smaller: the same movie to every reader, or left as they were."""

from __future__ import annotations

import os
import subprocess
import threading

import pytest

import framepipe as fp
from framepipe.core.control import Stop
from framepipe.formats.gif.gifsicle import find_gifsicle
from tests.conftest import debian_ffmpeg
from tests.integration.movies import gif_facts, half_see_through, moving, noise, see_through, titled
from tests.support.processes import is_running
from tests.support.sizes import all_if_long
from tests.support.waiting import wait_for
from tests.unit.test_find_ffmpeg import program
from tests.unit.test_gifsicle import without_program

WAYS = {
    "global": {},
    "per-frame": {"palette": "per-frame"},
    "imagemagick": {"encoder": "imagemagick"},
    "3 times": {"loop": 3},
    "once, 30 fps, held": {"loop": 1, "fps": 30, "hold_last_s": 1},
}


def as_ffmpeg_sees_it(path):
    """A digest of each frame: another reader than the one that framepipe compares with."""
    argv = ["ffmpeg", "-v", "error", "-i", path, "-fps_mode", "passthrough", "-pix_fmt", "rgba"]
    text = subprocess.run([*argv, "-f", "framemd5", "-"], capture_output=True, text=True, check=True).stdout
    return [line.rpartition(",")[2] for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "scene", all_if_long([moving, see_through, half_see_through, titled], see_through, titled)
)
def test_an_optimized_gif_is_smaller_and_the_same_movie(stores, tmp_path, scene, way):
    plain = fp.assemble(stores(scene), tmp_path / "plain.gif", **WAYS[way])
    small = fp.assemble(stores(scene), tmp_path / "small.gif", optimize=True, **WAYS[way])
    assert small.size_bytes == small.path.stat().st_size < plain.size_bytes
    assert small.report.passed
    assert small.notes[-1].startswith(f"gifsicle {find_gifsicle().version}: ")
    assert small.notes[-1].endswith(" % smaller")
    assert as_ffmpeg_sees_it(small.path) == as_ffmpeg_sees_it(plain.path)
    assert gif_facts(small.path) == gif_facts(plain.path)
    assert fp.verify(small.path, stores(scene)).passed
    assert sorted(os.listdir(tmp_path)) == ["plain.gif", "small.gif"]


def test_frames_that_are_alike_stay_frames(tmp_path):
    store = fp.render(lambda k: moving(0), 4, store=tmp_path / "s", engine="serial").store
    movie = fp.assemble(store, tmp_path / "m.gif", optimize=True)
    assert len(gif_facts(movie.path)[0]) == 4
    assert movie.notes[-1].endswith(" % smaller")


def test_a_gif_that_cannot_be_smaller_is_left_and_that_is_told(stores, tmp_path):
    store = stores(noise)
    plain = fp.assemble(store, tmp_path / "m.gif", encoder="imagemagick")
    before = plain.path.read_bytes()
    movie = fp.assemble(store, plain.path, encoder="imagemagick", optimize=True)
    assert movie.notes[-1] == f"gifsicle {find_gifsicle().version} made it no smaller"
    assert movie.path.read_bytes() == before


NAME = 'case "$1" in --version) echo "LCDF Gifsicle 9.9"; exit 0;; esac\n'
MISBEHAVE = {
    "exit 1": ("echo 'no way' >&2; exit 1", "failed, the GIF is unchanged: exit code 1: no way"),
    "nothing written": ("exit 0", "failed, the GIF is unchanged: wrote nothing"),
    "a truncated file, as on a full disk": (
        '{real} "$@"; truncate -s -60 smaller.gif; exit 0',
        "made another movie (cut short",
    ),
    "a frame less": ('{real} -O2 "#0-4" -o smaller.gif < movie.gif', "made another movie (other frames)"),
    "other delays": ('{real} --delay 9 "$@"', "made another movie (other delays)"),
    "other colours": ("{real} -O2 --colors 4 -o smaller.gif movie.gif", "other pixels in frame 0"),
    "played once": ('{real} --no-loopcount "$@"', "made another movie (other plays)"),
    "hangs": ("sleep 60", "made no progress for 2 s and was killed"),
    "is killed": ("kill -9 $$", "was killed by signal 9"),
}


@pytest.mark.parametrize("name", MISBEHAVE)
def test_a_gifsicle_that_misbehaves_costs_nothing(stores, tmp_path, monkeypatch, name):
    script, words = MISBEHAVE[name]
    store = stores(moving)
    plain = fp.assemble(store, tmp_path / "m.gif")
    before = plain.path.read_bytes()
    program(tmp_path / "bin", NAME + script.format(real=find_gifsicle().path) + "\n", "gifsicle")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    movie = fp.assemble(store, plain.path, optimize=True, idle_timeout_s=2)
    assert words in movie.notes[-1]
    assert movie.notes[-1].startswith("gifsicle 9.9 ")
    assert movie.report.passed
    assert movie.path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["bin", "m.gif"]


def test_a_stop_ends_gifsicle_and_leaves_what_was_there(stores, tmp_path, monkeypatch):
    work = tmp_path / "bin" / "at-work"
    program(
        tmp_path / "bin", f"{NAME}echo $$ > {work}.new; mv {work}.new {work}; exec sleep 60\n", "gifsicle"
    )
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "m.gif").write_bytes(b"an older movie")
    stop = Stop()

    def stop_it_at_work():
        wait_for(work.exists)
        stop.request("SIGTERM")

    watcher = threading.Thread(target=stop_it_at_work)
    watcher.start()
    with pytest.raises(fp.Interrupted, match="the frames are safe"):
        fp.assemble(stores(moving), tmp_path / "m.gif", optimize=True, stop=stop)
    watcher.join()
    wait_for(lambda: not is_running(int(work.read_text())))
    assert (tmp_path / "m.gif").read_bytes() == b"an older movie"
    assert sorted(os.listdir(tmp_path)) == ["bin", "m.gif"]


def test_a_missing_gifsicle_is_told_before_a_frame_is_drawn(folder, cli_process):
    hidden = os.pathsep.join([without_program(folder), os.environ.get("PYTHONPATH", "")])
    env = {"PATH": "/nowhere", "FRAMEPIPE_FFMPEG": debian_ffmpeg(), "PYTHONPATH": hidden}
    done = cli_process("make", "scene.py:draw", "--frames", 3, "-o", "a.gif", "--optimize", **env)
    assert done.returncode == 4, done.stderr
    assert "pip install 'framepipe[optimize]'" in done.stderr
    assert not (folder / "frames").exists()


def test_optimize_on_the_command_line(folder, cli_process):
    done = cli_process("make", "scene.py:draw", "--frames", 3, "-o", "a.gif", "--optimize", ok=True)
    assert "gifsicle" in done.stdout
    refused = cli_process("make", "scene.py:draw", "--frames", 3, "-o", "b.mp4", "--optimize")
    assert refused.returncode == 2
    assert "optimize is for GIF, not mp4" in refused.stderr
    assert not (folder / "b.mp4").exists()


def test_doctor_tells_of_gifsicle(cli):
    lines = cli("doctor").stdout.splitlines()
    (line, *_) = [line for line in lines if "--optimize" in line]
    assert line.startswith("ok")
    assert find_gifsicle().version in line
