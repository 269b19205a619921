"""A damaged job.json: one clear line, never a traceback, and rendering again mends it and keeps the frames."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

import framepipe
from tests.faults.conftest import FRAMES, Bench, one_line
from tests.support.sizes import FAULTS, all_if_long


@pytest.fixture
def job(bench: Bench) -> Path:
    framepipe.render("tiny.py:draw", FRAMES, store=bench.store, engine="serial")
    return bench.store / "job.json"


def refused(store: Path) -> str:
    """The one message of `status` and `resume`."""
    with pytest.raises(framepipe.StoreError) as first:
        framepipe.status(store)
    with pytest.raises(framepipe.StoreError) as second:
        framepipe.resume(store, engine="serial")
    assert str(first.value) == str(second.value)
    assert "\n" not in str(first.value)
    assert len(str(first.value)) < 1000
    return str(first.value)


def test_job_cut_at_any_byte_is_refused_in_one_line(bench: Bench, job: Path) -> None:
    whole = job.read_bytes()
    assert len(whole) > 1000
    step = 3 if FAULTS == 1 else 1
    for length in range(
        0, len(whole) - 1, step
    ):  # the last byte is the end of the line, which may be missing
        job.write_bytes(whole[:length])
        assert "damaged" in refused(bench.store)
    job.write_bytes(whole[:-1])
    assert framepipe.status(bench.store).complete


def test_job_with_flipped_bits_runs_nothing_that_was_not_written(
    bench: Bench, job: Path, dice: random.Random
) -> None:
    whole, frames = job.read_bytes(), bench.frames()
    damaged = foreign = 0
    for _ in range(300 * FAULTS):
        data = bytearray(whole)
        for _ in range(dice.choice((1, 1, 1, 4, 40))):
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        job.write_bytes(data)
        try:
            framepipe.status(bench.store)
        except framepipe.StoreError as error:
            assert "\n" not in str(error)
            damaged += 1
        if bytes(data) != whole:
            with pytest.raises(framepipe.StoreError) as refusal:
                framepipe.resume(bench.store, engine="serial")
            foreign += "not written by this account" in str(refusal.value)
    assert bench.frames() == frames
    assert damaged > 20 and foreign > 20, "only one kind of damage was tried"


STRANGE = {
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "number": b"1e999",
    "text": b'"job"',
    "object": b"{}",
    "zeros": bytes(4096),
    "deep": b"[" * 100_000,
    "no text": b"\xff\xfe\x00",
    "huge integer": b'{"framepipe_job": ' + b"9" * 10_000 + b"}",
    "schema of text": b'{"framepipe_job": "x"}',
    "schema only": b'{"framepipe_job": 1}',
}


@pytest.mark.parametrize("name", STRANGE)
def test_strange_job_is_refused_in_one_line(bench: Bench, job: Path, name: str) -> None:
    job.write_bytes(STRANGE[name])
    refused(bench.store)


@pytest.mark.parametrize(
    "field",
    [
        "numbers",
        "parts",
        "details",
        "canvas",
        "inputs",
        "params",
        "spec",
        "ref",
        "cwd",
        "goal",
        "seal",
        "name",
    ],
)
def test_field_of_another_type_is_no_traceback(bench: Bench, job: Path, field: str) -> None:
    data = json.loads(job.read_bytes())
    for value in (None, 3, "text", [], {}, [None], {"a": 1}, [[1]], True, -1.5, "9-1x0", "../../etc"):
        job.write_text(json.dumps(data | {field: value}))
        try:
            framepipe.status(bench.store)
        except framepipe.FramepipeError as error:
            assert error.exit_code == 3
            assert "\n" not in str(error)
        if data[field] != value:
            with pytest.raises(framepipe.FramepipeError):
                framepipe.resume(bench.store, engine="serial")
    del data[field]
    job.write_text(json.dumps(data))
    refused(bench.store)


@pytest.mark.parametrize(
    "how", all_if_long(["cut", "empty", "newer", "folder", "gone"], "cut", "newer", "folder")
)
def test_command_line_says_it_in_one_line_and_render_mends_it_and_keeps_the_frames(
    bench: Bench, job: Path, how: str
) -> None:
    whole, frames = job.read_bytes(), bench.frames()
    job.unlink()
    if how == "folder":
        job.mkdir()
    elif how == "newer":
        job.write_text(json.dumps(json.loads(whole) | {"framepipe_job": 99}))
    elif how != "gone":
        job.write_bytes(whole[:500] if how == "cut" else b"")
    for verb in (
        ("status", "store"),
        ("resume", "store", "-q"),
        ("assemble", "store", "-o", "a.gif", "-q"),
        ("clean", "store"),
    ):
        done = bench.run(*verb)
        assert done.returncode == 3, verb
        line = one_line(done.stderr)
        assert "store" in line
        assert how != "newer" or "newer framepipe" in line
    assert bench.frames() == frames
    if how == "folder":
        job.rmdir()
    bench.log.unlink(missing_ok=True)
    done = bench.render("--engine", "serial", "-q", ok=True, seed=None)  # the frames know it
    assert f"0 frames drawn, {FRAMES} were done" in done.stdout
    assert bench.draws() == []
    assert bench.frames() == frames
    assert job.read_bytes() == whole


def test_make_after_damage_finishes_what_it_began(bench: Bench, undisturbed: dict[str, bytes]) -> None:
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
    bench.run(*make, "--keep-frames", ok=True)
    (bench.store / "job.json").write_bytes(b"{")
    (bench.store / "movies.json").write_bytes(b"{")
    bench.run(*make, ok=True)
    assert len(bench.draws()) == FRAMES
    assert not bench.store.exists()
