"""The folder of frames: committing and scanning."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from framepipe import Store
from framepipe.core import png
from framepipe.errors import StoreError
from framepipe.job.frames import file_name
from framepipe.job.record import JobRecord
from framepipe.job.stamp import stamp
from framepipe.store.store import NO_SEED
from tests.unit.test_job import record

PIXELS = np.zeros((4, 6, 3), np.uint8)


def frame(job: JobRecord, number: int, pixels=PIXELS, **keywords) -> bytes:
    return png.encode(pixels, stamp(number, job.frame_parts(number)), **keywords)


@pytest.fixture
def job():
    return record(5)


@pytest.fixture
def full(tmp_path, job):
    """A store with all five frames."""
    store = Store(tmp_path / "s")
    store.create()
    store.write_job(job)
    for number in range(5):
        store.commit(number, frame(job, number))
    return store


def test_a_full_store_is_complete(full, job):
    status = full.scan(job)
    assert (status.complete, status.done, status.total) == (True, (0, 1, 2, 3, 4), 5)
    assert str(status.shape) == "6x4 RGB"
    assert status.size_bytes == sum(full.frame_path(k).stat().st_size for k in range(5))
    assert status.problems() == []


def test_each_frame_is_done_missing_broken_or_stale_with_its_reason(full, job):
    full.frame_path(0).unlink()
    full.frame_path(1).write_bytes(b"")
    full.commit(2, frame(record(5, params={"a": 1}), 2))
    full.commit(3, frame(job, 4))
    status = full.scan(job, deep=True)
    assert (status.done, status.missing) == ((4,), (0,))
    assert status.broken == {1: "is empty (0 bytes)", 3: "is frame 4 under another name"}
    assert status.stale == {2: "the parameters changed"}
    assert status.problems() == [
        "missing: 0",
        "broken: 1: is empty (0 bytes)",
        "broken: 3: is frame 4 under another name",
        "stale: 2: the parameters changed",
    ]
    assert (status.total, status.complete) == (5, False)


def test_a_frame_of_another_shape_than_the_most_is_broken(full, job):
    full.commit(1, frame(job, 1, np.zeros((4, 8, 3), np.uint8)))
    full.commit(2, frame(job, 2, np.zeros((4, 6, 4), np.uint8)))
    status = full.scan(job)
    assert status.broken == {
        1: "is 8x4 RGB, the other frames are 6x4 RGB",
        2: "is 6x4 RGBA, the other frames are 6x4 RGB",
    }


def test_foreign_frames_and_damaged_passports_are_broken(full, job):
    full.commit(1, png.encode(PIXELS))
    full.commit(2, png.encode(PIXELS, "rubbish"))
    assert full.scan(job).broken == {1: "was not drawn by framepipe", 2: "has a damaged stamp"}


def test_frames_outside_the_plan_are_extra_and_never_done(full, job):
    full.commit(17, frame(job, 17))
    status = full.scan(job)
    assert status.extra == (17,)
    assert 17 not in status.done
    assert status.complete


def test_only_the_numbers_asked_for_are_looked_at(full, job):
    full.frame_path(0).unlink()
    status = full.scan(job, numbers=[1, 2])
    assert (status.done, status.missing, status.total) == ((1, 2), (), 2)


def test_a_flipped_bit_is_seen_by_a_deep_scan_only(full, job):
    data = bytearray(full.frame_path(2).read_bytes())
    data[data.index(b"IDAT") + 6] ^= 4
    full.frame_path(2).write_bytes(data)
    assert full.scan(job).complete
    assert list(full.scan(job, deep=True).broken) == [2]


def test_values_of_frames_are_held_against_the_passport(tmp_path):
    job = record(["a", "b", "c"])
    store = Store(tmp_path / "s")
    store.create()
    for number, value in enumerate("abc"):
        store.commit(number, png.encode(PIXELS, stamp(number, job.frame_parts(value))))
    assert store.scan(job, values=dict(enumerate("abc"))).complete
    assert store.scan(job, values=dict(enumerate("axc"))).stale == {1: "the frame's value changed"}
    assert store.scan(job).complete, "without values they are believed to be unchanged"


def test_the_background_of_see_through_frames_is_told(tmp_path, job):
    store = Store(tmp_path / "s")
    store.create()
    pixels = np.zeros((4, 6, 4), np.uint8)
    for number in range(5):
        store.commit(number, frame(job, number, pixels, background=(1, 2, 3)))
    assert store.scan(job).background == (1, 2, 3)


def test_a_status_is_json(full, job):
    data = json.loads(json.dumps(full.scan(job).to_dict()))
    assert (data["done"], data["complete"], data["width_px"], data["height_px"]) == ("0-4", True, 6, 4)
    empty = Store(full.path.parent / "none").scan(job).to_dict()
    assert (empty["missing"], empty["width_px"]) == ("0-4", None)


def test_a_folder_in_the_place_of_a_frame_is_moved_aside_and_not_deleted(full, job):
    path = full.frame_path(2)
    path.unlink()
    path.mkdir()
    (path / "precious").write_text("")
    full.commit(2, frame(job, 2))
    assert path.is_file()
    assert (full.path / f"{path.name}.aside-1" / "precious").exists()
    assert full.numbers() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("kind", ["picture", "folder"])
def test_what_is_moved_aside_never_replaces_what_was_moved_before(full, job, kind):
    """After 999 of them it was drawn over."""
    path = full.frame_path(2)
    for count in range(1, 1001):
        path.with_name(f"{path.name}.aside-{count}").touch()
    path.unlink()
    if kind == "folder":
        path.mkdir()
        (path / "precious").touch()
    else:
        path.write_bytes(png.encode(PIXELS + 7))  # somebody has retouched it
    before = os.stat(path).st_ino
    full.commit(2, frame(job, 2))
    assert full.scan(job).complete
    assert path.with_name(f"{path.name}.aside-1001").stat().st_ino == before
    assert len(list(full.path.glob("*.aside-*"))) == 1001


def test_a_link_in_the_place_of_a_frame_is_broken_and_replaced_not_followed(full, job, tmp_path):
    (tmp_path / "outside.png").write_bytes(frame(job, 2))
    full.frame_path(2).unlink()
    full.frame_path(2).symlink_to(tmp_path / "outside.png")
    assert full.scan(job).broken == {2: "is a symbolic link, not a file"}
    full.commit(2, frame(job, 2))
    assert not full.frame_path(2).is_symlink()
    assert (tmp_path / "outside.png").exists()


def test_a_store_with_frames_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / file_name(3)).write_bytes(png.encode(PIXELS))
    with pytest.raises(StoreError, match=r"frames that framepipe did not draw .*choose another --store"):
        Store(tmp_path / "s").create()


def test_a_store_whose_job_file_is_lost_is_not_refused(full):
    full.job_file.unlink()
    full.create()


def test_a_file_in_the_place_of_a_store_is_a_store_error(tmp_path):
    (tmp_path / "s").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        Store(tmp_path / "s").create()


def test_a_folder_without_a_job_and_no_folder_are_told_apart(tmp_path):
    with pytest.raises(StoreError, match="does not exist"):
        Store(tmp_path / "none").read_job()
    with pytest.raises(StoreError, match=r"has no job\.json"):
        Store(tmp_path).read_job()
    assert Store(tmp_path).known_job() is None


def test_a_damaged_job_file_names_its_store(full):
    full.job_file.write_text("{")
    with pytest.raises(StoreError, match=r"/s: job\.json is damaged"):
        full.read_job()


def test_the_job_file_is_written_only_when_it_says_something_else(full, job):
    before = full.job_file.stat().st_ino
    full.write_job(job)
    assert full.job_file.stat().st_ino == before
    full.write_job(replace(job, cwd="/elsewhere"))
    assert full.read_job()[0].cwd == "/elsewhere"


def test_temporaries_of_dead_processes_are_swept_and_nothing_else(full):
    host = next(iter(_temporary_host(full)))
    dead = full.path / f".{file_name(1)}.{host}.{2**22 - 1}.0.tmp"
    alive = full.path / f".{file_name(1)}.{host}.{os.getpid()}.0.tmp"
    for path in (dead, alive, full.path / "notes.txt"):
        path.write_bytes(b"")
    full.sweep()
    assert (dead.exists(), alive.exists(), (full.path / "notes.txt").exists()) == (False, True, True)


def _temporary_host(store):
    from framepipe.core.files import temporary_beside

    yield temporary_beside(store.path / "x").name.split(".")[2]


def test_fingerprints_are_those_of_whole_frames_under_their_own_numbers(full, job):
    full.frame_path(0).write_bytes(b"")
    full.commit(1, frame(job, 2))
    full.frame_path(3).unlink()
    assert set(full.look(range(6))) == {2, 4}


def test_the_newest_twenty_movies_are_remembered(full, tmp_path):
    for index in range(25):
        full.note_movie(tmp_path / f"{index}.gif", {"passed": True, "index": index})
    full.note_movie(tmp_path / "7.gif", {"again": True})
    movies = full.read_movies()
    assert len(movies) == 20
    assert list(movies)[-1] == str(tmp_path / "7.gif")
    assert str(tmp_path / "4.gif") not in movies


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000])
def test_a_damaged_list_of_movies_is_an_empty_one(full, text):
    full.movies_file.write_text(text)
    assert full.read_movies() == {}
    full.note_movie(full.path / "a.gif", {"passed": True})
    assert len(full.read_movies()) == 1


def test_the_same_frame_written_by_another_is_the_same_and_other_pixels_are_not(full, job):
    before = full.look(range(5))
    full.commit(2, frame(job, 2))  # another run drew it too: a new file, the same picture
    assert full.look(range(5)) == before == dict(full.scan(job).frame_states)
    full.commit(2, frame(job, 2, PIXELS + 1))
    assert full.look(range(5)) != before


def test_the_movies_that_are_remembered_fit_into_what_is_read(full, monkeypatch):
    monkeypatch.setattr("framepipe.store.store.MAX_JSON_BYTES", 2000)
    for count in range(9):
        full.note_movie(full.path / f"{count}.gif", {"sha256": "0" * 500})
    assert full.movies_file.stat().st_size <= 2000
    assert [name[-5:] for name in full.read_movies()] == ["6.gif", "7.gif", "8.gif"]


def test_a_growing_job_is_not_as_long_as_a_stray_file_says(full):
    growing = replace(record(5), numbers=(), extent="growing")
    full.frame_path(10**12).touch()
    assert full.plan(growing) == (0, 1, 2, 3, 4)


def test_a_seed_is_drawn_once_for_a_store(tmp_path):
    seeds = {Store(tmp_path / "s").seed() for _ in range(3)}
    assert len(seeds) == 1
    assert 0 <= seeds.pop() < 2**32
    assert len({Store(tmp_path / f"s{k}").seed() for k in range(8)}) == 8


def test_of_several_that_begin_at_once_the_first_ones_seed_counts(tmp_path):
    code = "import sys; from framepipe import Store; sys.stdin.read(1); print(Store('s').seed())"
    crowd = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(6)
    ]
    for each in crowd:
        each.stdin.write(b"x")
        each.stdin.flush()
    seeds = {int(each.communicate(timeout=120)[0]) for each in crowd}
    assert seeds == {Store(tmp_path / "s").seed()}
    assert [path.name for path in (tmp_path / "s").iterdir()] == [".seed"]


def test_the_seed_of_a_job_that_never_began_leaves_no_trace(tmp_path):
    store = Store(tmp_path / "frames" / "s")
    store.seed()
    store.forget_seed()
    assert not store._seed_file.exists()


def test_the_seed_of_a_job_stands_in_its_record_and_outlives_the_file(tmp_path, job):
    store = Store(tmp_path / "s")
    seed = store.seed()
    store.create()
    store.write_job(replace(job, seed=seed))
    store.forget_seed()
    assert not store._seed_file.exists()
    assert store.seed() == seed


def test_a_job_that_was_told_to_use_no_seed_has_none(tmp_path, job):
    store = Store(tmp_path / "s")
    store.create()
    store.write_job(replace(job, seed=NO_SEED))
    assert store.seed() is None


def test_a_store_without_its_record_knows_the_seed_from_its_frames(tmp_path, job):
    store = Store(tmp_path / "s")
    store.create()
    parts = {**job.frame_parts(0), "seed": "77"}
    store.commit(0, png.encode(PIXELS, stamp(0, parts)))
    assert store.seed() == 77


@pytest.mark.parametrize("text", [b"", b"x", b"1.5", b"\xff"])
def test_a_damaged_seed_file_says_what_to_do(tmp_path, text):
    store = Store(tmp_path / "s")
    store.seed()
    store._seed_file.write_bytes(text)
    with pytest.raises(StoreError, match="delete it"):
        store.seed()


def test_a_submission_without_frames_says_where_to_look(tmp_path):
    (tmp_path / "jobs" / "1").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"has no frames now: what was submitted has not begun") as caught:
        Store(tmp_path).read_job()
    assert str(caught.value).endswith(f"framepipe logs {tmp_path}")
