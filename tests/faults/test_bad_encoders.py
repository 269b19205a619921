"""Encoders that misbehave once they are trusted: nothing they say is believed, nothing is lost.

The fake is a script in front of the real ffmpeg. It does honest work in the trial (two frames), for
the palette and for decoding, and misbehaves when it is asked for the movie itself.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.faults.conftest import FRAMES, Bench, names_in, pixels_of, real_ffmpeg
from tests.support.waiting import PATIENCE_S

HEAD = """#!/bin/bash
real={real}
last="${{@: -1}}"
if [[ "$last" != movie.* ]] || (( $(grep -c ^file frames.ffconcat) <= 2 )); then exec "$real" "$@"; fi
echo misbehaved >> {trace}
store=$(readlink frames)
cheerful() {{ printf 'frame={frames}\\nfps=99\\ndup_frames=0\\ndrop_frames=0\\nprogress=end\\n'; }}
{body}
"""
#: What the fake does instead of the movie, the exit codes that may follow, and a word of the message.
FAKES: dict[str, tuple[str, tuple[int, ...], str]] = {
    "exit 0 and no file": ("cheerful", (5,), "wrote no movie"),
    "exit 0 and an empty file": (": > $last; cheerful", (5,), "wrote no movie"),
    "exit 0 and a short file": (
        'head -n -6 frames.ffconcat > short; "$real" "${@/frames.ffconcat/short}" > /dev/null; cheerful',
        (6,),
        "frames",
    ),
    "exit 0 and a truncated file": (
        '"$real" "$@"; truncate -s -200 $last',
        (6,),
        "failed verification",
    ),
    "exit 0 and an old file": ("cp {old}.${last#movie.} $last; cheerful", (6,), "failed verification"),
    "exit 0 and two frames swapped": (
        'sed -i \'s/000003/XXX/; s/000004/000003/; s/XXX/000004/\' frames.ffconcat; "$real" "$@"',
        (6,),
        "failed verification",
    ),
    "exit 0 and one frame twice": (
        'sed -i \'s/000003/000004/\' frames.ffconcat; "$real" "$@"',
        (6,),
        "failed verification",
    ),
    "exit 0 and noise": ("head -c 5000 /dev/urandom > $last; cheerful", (6,), "failed verification"),
    "exit 1 and a good file": ('"$real" "$@"; exit 1', (5,), "exit code 1"),
    "hangs": ("sleep 600", (5,), "made no progress"),
    "hangs after a good file": ('"$real" "$@"; sleep 600', (5,), "made no progress"),
    "hangs and ignores SIGTERM": (
        "trap '' TERM INT HUP; while :; do sleep 0.1; done",
        (5,),
        "made no progress",
    ),
    "floods stderr": ('"$real" "$@"; head -c 10000000 /dev/zero | tr "\\0" x >&2', (5,), "printed errors"),
    "floods stdout": ('yes "$(printf %0100d 0)" | head -c 10000000; exit 1', (5,), "exit code 1"),
    "is killed": ('"$real" "$@"; kill -9 $$', (5,), "killed by signal 9"),
    "segfaults": ("kill -SEGV $$", (5,), "killed by signal 11"),
    "duplicates a frame": ('"$real" "$@" | sed s/^dup_frames=.*/dup_frames=1/', (5,), "duplicated 1"),
    "drops a frame": ('"$real" "$@" | sed s/^drop_frames=.*/drop_frames=2/', (5,), "dropped 2"),
    "says nothing": ('"$real" "$@" > /dev/null', (5,), "wrote 0 of"),
    "leaves a child behind": ("sleep 600 & sleep 600 & exit 3", (5,), "exit code 3"),
    "frames exchanged meanwhile": (
        "cd $store; cp frame_000001.png new; cp frame_000002.png frame_000001.png; mv new frame_000002.png; "
        'cd "$OLDPWD"; "$real" "$@"',
        (6,),
        "changed while",
    ),
    "a frame damaged meanwhile": ('"$real" "$@"; : > $store/frame_000001.png', (5, 6), ""),
    "a frame gone meanwhile": ('rm $store/frame_000001.png; "$real" "$@"', (5, 6), ""),
}

#: The formats in turn, and in the long run what concerns the content in both.
CASES = [
    pytest.param(name, suffix, marks=() if turn == at % 2 else pytest.mark.long)
    for at, (name, (_, codes, _)) in enumerate(FAKES.items())
    for turn, suffix in enumerate(("gif", "mp4"))
    if codes == (6,) or turn == at % 2
]


@pytest.fixture
def ready(drawn: Bench) -> Bench:
    """A finished store and older movies."""
    for suffix in ("gif", "mp4"):
        (drawn.folder / f"movie.{suffix}").write_bytes(b"the older movie")
    return drawn


def fake(bench: Bench, body: str) -> dict[str, str]:
    path, trace = bench.folder.parent / "ffmpeg-fake", bench.folder.parent / "trace"
    text = HEAD.format(real=real_ffmpeg(), trace=trace, frames=FRAMES, body=body)
    path.write_text(text.replace("{old}", str(bench.folder.parent / "old")))
    path.chmod(0o755)
    return {"FRAMEPIPE_FFMPEG": str(path)}


def misbehaved(bench: Bench) -> bool:
    return (bench.folder.parent / "trace").exists()


@pytest.mark.parametrize(("name", "suffix"), CASES)
def test_encoder_that_misbehaves_is_not_believed(
    ready: Bench, undisturbed: dict[str, bytes], other_movies: Path, name: str, suffix: str
) -> None:
    body, codes, words = FAKES[name]
    for each in ("gif", "mp4"):
        shutil.copy(other_movies / f"other.{each}", ready.folder.parent / f"old.{each}")
    before = names_in(ready.store)
    env = fake(ready, body)
    patience_s = 3 if words == "made no progress" else PATIENCE_S
    assemble = ("assemble", "store", "-o", f"movie.{suffix}", "--idle-timeout", patience_s, "-q")
    done = ready.run(*assemble, **env)
    assert misbehaved(ready), f"the fake was never asked for the movie: {done.stderr}"
    assert done.returncode in codes, done.stdout + done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr) < 20_000
    assert (ready.folder / f"movie.{suffix}").read_bytes() == b"the older movie"
    if "meanwhile" not in name:
        assert ready.frames() == undisturbed
        assert names_in(ready.store) == before
    rejected = [f"movie.rejected.{suffix}"] if "rejected" in done.stderr else []
    assert names_in(ready.folder) == sorted(["movie.gif", "movie.mp4", "store", "tiny.py", *rejected])
    assert ready.orphans() == {}


@pytest.fixture(scope="session")
def other_movies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Movies of as many frames of the same size, which are of another run."""
    folder = tmp_path_factory.mktemp("other")
    bench = Bench(folder)
    bench.render("--param", "amp=9", "--engine", "serial", "-q", ok=True)
    bench.run("assemble", "store", "-o", "other.gif", "-o", "other.mp4", "-q", ok=True)
    bench.close()
    return folder


@pytest.mark.parametrize("suffix", ["gif", "mp4"])
def test_negative_control_the_same_fake_behaving_well_passes(
    ready: Bench, undisturbed_movies: dict[str, str], suffix: str
) -> None:
    env = fake(ready, 'exec "$real" "$@"')
    ready.run("assemble", "store", "-o", f"movie.{suffix}", "-q", ok=True, **env)
    assert misbehaved(ready), "the fake was never asked for the movie"
    assert pixels_of(ready.folder / f"movie.{suffix}") == undisturbed_movies[suffix]


def test_encoder_that_talks_for_ever_and_does_nothing_is_ended(ready: Bench) -> None:
    """As ffmpeg 7 and later do when a frame cannot be read (a dead NFS server): progress, no frame."""
    env = fake(ready, "while :; do printf 'frame=3\\nprogress=continue\\n'; sleep 0.2; done")
    process = ready.start("assemble", "store", "-o", "movie.gif", "--idle-timeout", 1, "-q", **env)
    try:
        _, err = process.communicate(timeout=PATIENCE_S)
    except Exception:
        pytest.fail("an encoder that makes no progress keeps framepipe waiting for ever")
    assert process.returncode == 5, err


def test_encoder_whose_daemon_keeps_the_pipes_open_does_not_hang_framepipe(ready: Bench) -> None:
    env = fake(ready, "setsid sleep 600 & exit 3")
    process = ready.start("assemble", "store", "-o", "movie.gif", "--idle-timeout", 1, "-q", **env)
    try:
        code = process.wait(timeout=PATIENCE_S)
    except Exception:
        pytest.fail("framepipe waits for a process that is not its child")
    assert code == 5


def test_make_with_a_bad_encoder_keeps_the_frames_and_goes_on_with_a_good_one(
    bench: Bench, undisturbed: dict[str, bytes], undisturbed_movies: dict[str, str]
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
        "-o",
        "movie.mp4",
        "--engine",
        "serial",
        "-q",
    )
    env = fake(bench, '"$real" "$@"; [[ $last == movie.gif ]]')  # the first movie is right, the second fails
    assert bench.run(*make, **env).returncode == 5
    assert bench.frames() == undisturbed, "frames were deleted although a movie is missing"
    assert names_in(bench.folder) == ["movie.gif", "store", "tiny.py"]
    bench.run("resume", "store", "--engine", "serial", "-q", ok=True)
    assert len(bench.draws()) == FRAMES
    assert names_in(bench.folder) == ["movie.gif", "movie.mp4", "tiny.py"]
    for suffix, digest in undisturbed_movies.items():
        assert pixels_of(bench.folder / f"movie.{suffix}") == digest


def test_ffmpeg_that_cannot_even_be_tried_is_passed_over_and_told(bench: Bench) -> None:
    bench.render("--engine", "serial", "-q", ok=True)
    broken = bench.folder.parent / "broken"
    broken.write_text("#!/bin/sh\necho ffmpeg version 99\nexit 0\n")
    broken.chmod(0o755)
    done = bench.run("assemble", "store", "-o", "movie.gif", "-q", ok=True, FRAMEPIPE_FFMPEG=str(broken))
    assert str(broken) in done.stdout + done.stderr
    assert os.path.getsize(bench.folder / "movie.gif") > 100
