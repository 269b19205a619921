"""File names are data: whatever the script, the store and the movie are called, it works or is refused."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import framepipe
from tests.faults.conftest import SCENE, Bench, names_in, one_line
from tests.support.sizes import FAULTS, all_if_long
from tests.support.waiting import wait_for

NAMES = {
    "space": "a b  c",
    "single quote": "it's",
    "double quote": 'say "hi"',
    "percent d": "%d-%05d",
    "colon": "msl:x:draw",
    "brackets": "x[0]",
    "star": "a*",
    "question": "what?",
    "at": "@file",
    "pipe": "|ls",
    "tilde": "~root",
    "dash": "-rf",
    "double dash": "--help",
    "newline": "two\nlines",
    "unicode": "Ünïcödé-映画-🎬",
    "dollar": "$(touch pwned)",
    "backtick": "`touch pwned`",
    "semicolon": "a;touch pwned",
    "backslash": "back\\slash",
    "hash": "#1",
    "ffconcat": "file 'x'",
    "protocol": "concat:a|b",
    "caption": "caption:hello",
    "equals": "a=b",
    "dots": "...",
    "dot temporary": ".x.host.1.1.tmp",
    "tab": "a\tb",
    "no utf-8": os.fsdecode(b"\xff\xfe"),
}


def check_made(bench: Bench, movies: list[str], *others: str) -> None:
    for movie in movies:
        data = (bench.folder / movie).read_bytes()
        assert data.startswith(b"GIF89a") or data[4:8] == b"ftyp"
    assert names_in(bench.folder) == sorted({*movies, *others, "tiny.py"}), "files appeared beside"
    assert set(names_in(bench.folder.parent)) <= {"bench", bench.log.name}, "files appeared outside"


@pytest.mark.parametrize("name", all_if_long(NAMES, *[*NAMES][1::2]))
def test_hostile_names_of_script_store_and_movies_work(bench: Bench, name: str) -> None:
    text = NAMES[name]
    script, store = f"{text}.py", f"{text}-store"
    bench.scene(SCENE, script)
    movies = [f"{text}.gif", f"{text}.mp4"]
    framepipe.make(f"./{script}:draw", 2, movies, store=store, engine="serial", keep_frames=True)
    check_made(bench, movies, script, store)


@pytest.mark.parametrize(
    "name",
    all_if_long(
        ["percent d", "newline", "no utf-8", "dash", "single quote", "brackets", "protocol"],
        *("percent d", "newline", "no utf-8"),
    ),
)
def test_every_verb_takes_hostile_names(bench: Bench, name: str) -> None:
    text = NAMES[name]
    script, store, movie = f"{text}.py", f"{text}-store", f"{text}.gif"
    bench.scene(SCENE, script)
    run = partial(bench.run, ok=True, apart=name == "no utf-8")  # the system's bytes become text only there
    run("render", "--frames", 2, f"--store={store}", "--engine", "serial", "-q", "--", f"{script}:draw")
    run("status", "--", store)
    run("assemble", f"--output={movie}", "--encoder", "imagemagick", "-q", "--", store)
    run("verify", f"--store={store}", "--", movie)
    check_made(bench, [movie], script, store)
    run("clean", "--", store)
    check_made(bench, [movie], script)


@pytest.mark.parametrize("text", all_if_long(["n" * 246, "é" * 123], "é" * 123), ids=["ascii", "two-byte"])
def test_names_of_250_bytes_work_and_leave_nothing_behind(bench: Bench, text: str) -> None:
    movie, store = f"{text}.gif", f"{text}-dir"
    assert len(os.fsencode(movie)) == len(os.fsencode(store)) == 250
    for encoder in ("ffmpeg", "imagemagick"):
        bench.run(
            "make", "tiny.py:draw", "--frames", 2, "--store", store, "-o", movie, "--encoder", encoder,
            "--engine", "serial", "-q", ok=True,
        )  # fmt: skip
        check_made(bench, [movie])


@pytest.mark.parametrize(
    "name",
    all_if_long(
        ["n" * 240 + ".gif", "two\nlines.gif", os.fsdecode(b"\xff.gif"), "plain.gif"],
        *("n" * 240 + ".gif", os.fsdecode(b"\xff.gif")),
    ),
)
def test_work_folder_of_a_killed_run_is_removed_whatever_the_movie_is_called(drawn: Bench, name: str) -> None:
    stuck = drawn.folder.parent / "stuck-ffmpeg"
    stuck.write_text(
        '#!/bin/bash\n[[ "${@: -1}" == movie.gif && $(grep -c ^file frames.ffconcat) -gt 2 ]] || exec ffmpeg "$@"\ntouch "$FB_LOG.stuck"\nsleep 600\n'
    )
    stuck.chmod(0o755)
    process = drawn.start("assemble", "store", "-o", name, "-q", FRAMEPIPE_FFMPEG=str(stuck))
    wait_for(lambda: os.path.exists(f"{drawn.log}.stuck") or process.poll() is not None)
    assert process.poll() is None
    process.kill()
    process.wait()
    assert drawn.orphans() == {}
    assert len(names_in(drawn.folder)) == 3
    framepipe.assemble(drawn.store, name)
    assert names_in(drawn.folder) == sorted(["store", "tiny.py", name])


def test_name_that_is_too_long_is_refused_in_one_line_before_drawing(bench: Bench) -> None:
    for options in (("--store", "n" * 256, "-o", "a.gif"), ("--store", "store", "-o", "n" * 252 + ".gif")):
        done = bench.run("make", "tiny.py:draw", "--frames", 2, *options, "--engine", "serial", "-q")
        assert done.returncode in (2, 3)
        one_line(done.stderr)
        assert bench.draws() == [], "it was refused only after drawing"


@pytest.mark.parametrize(
    "output", ["movie", "movie.avi", "", "gif", ".gif", "folder.gif", "no/such/folder.gif", "nul\0.gif"]
)
def test_output_that_cannot_be_is_refused_up_front_in_one_line(bench: Bench, output: str) -> None:
    (bench.folder / "folder.gif").mkdir()
    if "\0" in output:
        with pytest.raises((framepipe.UsageError, ValueError)):
            framepipe.make("tiny.py:draw", 2, output, store="store", engine="serial")
    else:
        done = bench.run(
            "make",
            "tiny.py:draw",
            "--frames",
            2,
            "--store",
            "store",
            "-o",
            output,
            "--engine",
            "serial",
            "-q",
        )
        assert done.returncode == 2, done.stdout + done.stderr
        one_line(done.stderr)
    assert bench.draws() == []
    assert names_in(bench.folder) == ["folder.gif", "tiny.py"]


legal = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=40)
COUNTER = iter(range(10**9))


@settings(
    max_examples=6 if FAULTS == 1 else 12 * FAULTS,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(store=legal, movie=legal, suffix=st.sampled_from([".gif", ".mp4"]))
@example(store="%d", movie="%03d", suffix=".mp4")
@example(store="..x", movie="'", suffix=".gif")
def test_any_legal_name_gives_a_verified_movie_or_a_usage_error(
    bench: Bench, undisturbed: dict[str, bytes], store: str, movie: str, suffix: str
) -> None:
    inside = bench.folder / f"case-{next(COUNTER)}"
    inside.mkdir()
    outer = names_in(bench.folder)
    try:
        report = framepipe.make(
            f"{bench.folder}/tiny.py:draw",
            2,
            inside / f"{movie}{suffix}",
            store=inside / store,
            engine="serial",
        )
    except framepipe.UsageError as error:
        assert "\n" not in str(error).strip()
        return
    assert report.movies[0].report.passed
    assert names_in(inside) == [f"{movie}{suffix}"]
    assert names_in(bench.folder) == outer


def test_a_name_cannot_name_a_place_outside(bench: Bench) -> None:
    """Only what the user wrote is written: a store given through a link stays in the linked folder."""
    (bench.folder / "real").mkdir()
    (bench.folder / "link").symlink_to("real")
    bench.run("render", "tiny.py:draw", "--frames", 2, "--store", "link", "--engine", "serial", "-q", ok=True)
    assert names_in(bench.folder / "real") == ["frame_000000.png", "frame_000001.png", "job.json"]
    assert Path(bench.folder / "link").is_symlink()
