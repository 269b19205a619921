"""Cleaning: only frames of a movie that was verified and is still there; nothing else, nowhere else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import framepipe
from tests.faults.conftest import FRAMES, SCENE, Bench, frames_in, names_in, one_line, pixels_of


@pytest.fixture
def proven(drawn: Bench) -> Bench:
    """A finished store with a verified movie."""
    framepipe.assemble(drawn.store, "movie.gif")
    return drawn


STRACE = ("strace", "-f", "-o", "/dev/null")


def test_clean_killed_at_any_unlink_goes_on_and_deletes_only_proven_frames(bench: Bench) -> None:
    framepipe.render("tiny.py:draw", 3, store="copy", engine="serial")
    movie = framepipe.assemble("copy", "movie.gif").path
    data, frames, kills = movie.read_bytes(), frames_in(bench.folder / "copy"), 0
    for call in ("unlink", "unlinkat", "rmdir"):
        for k in range(1, 20):
            shutil.rmtree(bench.store, ignore_errors=True)
            shutil.copytree("copy", bench.store)
            inject = ("-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={k}")
            process = bench.start("clean", "store", under=(*STRACE, *inject))
            process.communicate(timeout=60)
            if process.returncode == 0:
                break
            assert process.returncode in (-9, 137)
            kills += 1
            assert all(frames[name] == now for name, now in bench.frames().items())
            assert movie.read_bytes() == data
            again = bench.run("clean", "store")
            if names_in(bench.folder) == ["copy", "movie.gif", "store", "tiny.py"]:
                assert names_in(bench.store) == [], f"killed at {call} {k}, cleaned again: {again.stderr}"
            else:
                assert again.returncode == 0, f"killed at {call} {k}: {again.stderr}"
    assert kills >= 3 + 2 + 1, "the kills missed the deleting"


def test_make_killed_while_it_cleans_draws_nothing_again(
    bench: Bench, undisturbed_movies: dict[str, str]
) -> None:
    make = (
        "make",
        "tiny.py:draw",
        "--frames",
        FRAMES,
        "--store",
        "store",
        "-o",
        "movie.gif",
        "--engine",
        "serial",
        "-q",
    )
    inject = ("-e", "trace=unlinkat", "-P", str(bench.store), "-e", "inject=unlinkat:signal=SIGKILL:when=4")
    process = bench.start(*make, under=(*STRACE, *inject))
    process.communicate(timeout=60)
    assert len(bench.frames()) == FRAMES - 3, "it was not killed between two frames"
    assert pixels_of(bench.folder / "movie.gif") == undisturbed_movies["gif"]
    bench.run("clean", "store", ok=True)
    assert len(bench.draws()) == FRAMES
    assert names_in(bench.folder) == ["movie.gif", "tiny.py"]


@pytest.mark.parametrize(
    "change", ["deleted", "truncated", "one bit", "replaced by a folder", "replaced by another movie"]
)
def test_clean_refuses_when_the_movie_is_not_the_one_that_was_verified(
    proven: Bench, undisturbed: dict[str, bytes], change: str
) -> None:
    movie = proven.folder / "movie.gif"
    data = bytearray(movie.read_bytes())
    movie.unlink()
    if change == "truncated":
        movie.write_bytes(data[:-1])
    elif change == "one bit":
        data[len(data) // 2] ^= 1
        movie.write_bytes(data)
    elif change == "replaced by a folder":
        movie.mkdir()
    elif change == "replaced by another movie":
        framepipe.assemble(proven.store, "movie.gif", fps=10)
        movie.write_bytes(bytes(data))
    done = proven.run("clean", "store")
    assert done.returncode == 6
    assert "none was deleted" in one_line(done.stderr)
    assert proven.frames() == undisturbed


def test_clean_without_any_movie_refuses(drawn: Bench, undisturbed: dict[str, bytes]) -> None:
    done = drawn.run("clean", "store")
    assert done.returncode == 6
    assert "none was deleted" in one_line(done.stderr)
    assert drawn.frames() == undisturbed


def test_frames_drawn_anew_after_the_movie_are_not_deleted(bench: Bench) -> None:
    bench.render("--engine", "serial", "-q", ok=True)
    bench.run("assemble", "store", "-o", "movie.gif", "-q", ok=True)
    bench.scene(SCENE.replace("linewidth=8", "linewidth=3"))
    bench.run("resume", "store", "--engine", "serial", "--only", "2-4", "-q", ok=True)
    done = bench.run("clean", "store", ok=True)
    assert sorted(bench.frames()) == [f"frame_{number:06d}.png" for number in (2, 3, 4)]
    assert "2-4" in done.stdout


@pytest.mark.parametrize(
    "verb", [("clean", "store"), ("clean", "store", "--force"), ("clean", "store", "--movie", "movie.gif")]
)
def test_links_folders_and_foreign_files_stay(proven: Bench, verb: tuple[str, ...]) -> None:
    outside = proven.folder / "outside.png"
    shutil.copy(proven.store / "frame_000003.png", outside)
    data = outside.read_bytes()
    (proven.store / "frame_000003.png").unlink()
    (proven.store / "frame_000003.png").symlink_to(outside)
    (proven.store / "notes.txt").write_text("mine")
    (proven.store / "frame_000004.png").unlink()
    (proven.store / "frame_000004.png").mkdir()
    (proven.store / "frame_000099.png").write_bytes(b"not framepipe's")
    shutil.copy(outside, proven.store / "frame_000098.png")  # a passport that says another number
    proven.run(*verb)
    assert outside.read_bytes() == data
    assert (proven.store / "notes.txt").read_text() == "mine"
    stays = {"frame_000003.png", "frame_000004.png", "frame_000099.png", "frame_000098.png", "notes.txt"}
    assert stays <= set(names_in(proven.store))


def test_a_store_that_is_a_link_is_not_followed_out_of(proven: Bench, undisturbed: dict[str, bytes]) -> None:
    """The frames of a linked store are its frames; the link's target folder of the user's stays."""
    (proven.store).rename(proven.folder / "real")
    (proven.folder / "real" / "mine.txt").write_text("mine")
    proven.store.symlink_to("real")
    proven.run("clean", "store", ok=True)
    assert "mine.txt" in names_in(proven.folder / "real")


# job.json and movies.json from elsewhere


@pytest.fixture
def foreign(bench: Bench) -> Bench:
    """A store that somebody else made: its seal is that of another account."""
    for verb in (("render", "tiny.py:draw", "--frames", 3, "--store", "store", "--engine", "serial", "-q"),):
        bench.run(*verb, ok=True, XDG_STATE_HOME=str(bench.folder.parent / "their-state"))
    shutil.rmtree(bench.folder.parent / "their-state")
    bench.log.unlink()
    return bench


def edit(bench: Bench, **fields: object) -> None:
    data = json.loads((bench.store / "job.json").read_text())
    (bench.store / "job.json").write_text(json.dumps(data | fields))


def pwn(bench: Bench, name: str = "evil.py") -> Path:
    """Code that leaves a trace when anything runs it."""
    trace = bench.folder.parent / "pwned"
    (bench.folder / "theirs").mkdir(exist_ok=True)
    (bench.folder / "theirs" / name).write_text(f"open({str(trace)!r}, 'w').close()\ndef draw(value): pass\n")
    return trace


@pytest.mark.parametrize("seal", ["", "0" * 64, None, 3, "kept"])
def test_job_from_elsewhere_runs_nothing(foreign: Bench, seal: object) -> None:
    trace = pwn(foreign)
    fields = {} if seal == "kept" else {"seal": seal}
    edit(foreign, ref=f"{foreign.folder}/theirs/evil.py:draw", **fields)
    done = foreign.run("resume", "store", "-q")
    assert done.returncode == 3
    assert "--scene" in one_line(done.stderr)
    assert not trace.exists()
    assert foreign.draws() == []


def test_own_job_that_was_edited_runs_nothing(bench: Bench) -> None:
    bench.render("--engine", "serial", "-q", ok=True)
    trace = pwn(bench)
    edit(bench, ref=f"{bench.folder}/theirs/evil.py:draw")
    assert bench.run("resume", "store", "-q").returncode == 3
    assert not trace.exists()


MODULES = (
    "matplotlib",
    "numpy",
    "tqdm",
    "PIL",
    "ffmpeg",
    "kiwisolver",
    "cycler",
    "dateutil",
    "shlex",
    "hmac",
    "isal",
)


@pytest.mark.parametrize("scene", [(), ("--scene", "tiny.py:draw")], ids=["bare", "with-scene"])
@pytest.mark.parametrize("relative", [False, True], ids=["absolute", "relative"])
def test_working_folder_of_a_job_from_elsewhere_lends_no_modules(
    foreign: Bench, scene: tuple[str, ...], relative: bool
) -> None:
    """Its ``cwd`` must not get onto the import path: a module there would run."""
    for name in MODULES:
        trace = pwn(foreign, f"{name}.py")
    edit(foreign, cwd="theirs" if relative else str(foreign.folder / "theirs"))
    foreign.run("resume", "store", *scene, "-j", 1, "-q")
    assert not trace.exists(), "resume imported a module from the folder that a foreign job.json names"


def test_goal_of_a_job_from_elsewhere_writes_and_deletes_nothing(foreign: Bench) -> None:
    frames = foreign.frames()
    target = foreign.folder.parent / "target.gif"
    target.write_bytes(b"precious")
    goal = {
        "outputs": [str(target)],
        "fps": "25",
        "hold_first_s": 0,
        "hold_last_s": 0,
        "loop": "0",
        "encoder": "auto",
    }
    goal |= {
        "palette": "global",
        "colors": 256,
        "dither": "none",
        "crf": 18,
        "preset": "medium",
        "keep_frames": False,
    }
    edit(foreign, goal=goal)
    foreign.run("resume", "store", "-q")
    foreign.run("resume", "store", "--scene", "tiny.py:draw", "--engine", "serial", "-q")
    assert target.read_bytes() == b"precious"
    assert foreign.frames() == frames


@pytest.mark.parametrize("device", ["/dev/zero", "fifo"])
@pytest.mark.parametrize("field", ["inputs", "source"])
def test_job_from_elsewhere_cannot_make_status_read_for_ever(foreign: Bench, field: str, device: str) -> None:
    if device == "fifo":
        os.mkfifo(foreign.folder / "fifo")
        device = str(foreign.folder / "fifo")
    if field == "inputs":
        edit(foreign, inputs=[device])
    else:
        details = json.loads((foreign.store / "job.json").read_text())["details"]
        edit(foreign, details=details | {"source": {device: "0" * 64}})
    process = foreign.start("status", "store")
    try:
        process.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"status reads {device}, which a foreign job.json names, for ever")
    assert process.returncode in (0, 3)


@pytest.mark.parametrize("name", ["/dev/zero", "fifo"])
def test_movies_noted_by_others_cannot_make_clean_read_for_ever(drawn: Bench, name: str) -> None:
    if name == "fifo":
        os.mkfifo(drawn.folder / "fifo")
        name = str(drawn.folder / "fifo")
    noted = {name: {"passed": True, "sha256": "0" * 64, "fingerprints": {}}}
    (drawn.store / "movies.json").write_text(json.dumps(noted))
    process = drawn.start("clean", "store")
    try:
        process.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"clean reads {name}, which movies.json names, for ever")
    assert process.returncode == 6


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '{"movie.gif": 3}', '{"movie.gif": {"passed": true}}', "\0", "[" * 100_000]
)
def test_damaged_note_of_movies_deletes_nothing_and_is_no_bug(
    drawn: Bench, undisturbed: dict[str, bytes], text: str
) -> None:
    (drawn.store / "movies.json").write_text(text)
    with pytest.raises(framepipe.VerificationFailed):
        framepipe.clean(drawn.store)
    assert drawn.frames() == undisturbed
    framepipe.assemble(drawn.store, "movie.gif")
    assert framepipe.clean(drawn.store).deleted == FRAMES


def test_clean_of_a_store_without_a_good_job_is_refused(drawn: Bench, undisturbed: dict[str, bytes]) -> None:
    (drawn.store / "job.json").write_text("{")
    done = drawn.run("clean", "store", "--force")
    assert done.returncode == 3
    one_line(done.stderr)
    assert drawn.frames() == undisturbed
