"""Cleaning: only frames of a movie that was verified and is still there; nothing else, nowhere else."""

from __future__ import annotations

import shutil

import pytest

import framepipe
from tests.faults.conftest import FRAMES, SCENE, Bench, frames_in, names_in, one_line, pixels_of
from tests.support.sizes import LONG
from tests.support.waiting import PATIENCE_S


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
        for k in range(1, 20, 1 if LONG or call == "rmdir" else 2):
            shutil.rmtree(bench.store, ignore_errors=True)
            shutil.copytree("copy", bench.store)
            inject = ("-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={k}")
            process = bench.start("clean", "store", under=(*STRACE, *inject))
            process.communicate(timeout=PATIENCE_S)
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
    assert kills >= (3 + 2 + 1 if LONG else 4), "the kills missed the deleting"


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
    process.communicate(timeout=PATIENCE_S)
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
    shutil.copy(outside, proven.store / "frame_000098.png")  # a stamp that says another number
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
