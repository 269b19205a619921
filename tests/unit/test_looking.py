"""Looking at many frames: in threads if it takes long, and again only at what has changed."""

from __future__ import annotations

import os
import runpy
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

import framepipe as fp
from framepipe.core import png
from framepipe.core.control import Control
from framepipe.job.contents import FileDigests
from framepipe.job.fingerprint import digest_file, digest_value
from framepipe.job.record import input_digests
from framepipe.job.stamp import stamp
from framepipe.rendering.large_inputs import read_large
from framepipe.store.looking import Known, _Rows, look_at_all

OLD_S = 60


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store of 40 frames, all older than what may still change within one tick of a clock."""

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def draw(k):
        return np.full((4, 4, 3), k, np.uint8)

    fp.render(draw, 2, store=tmp_path / "s", engine="serial", order="free")
    store = fp.Store(tmp_path / "s")
    record, _ = store.read_job()
    store.write_job(replace(record, numbers=tuple(range(40)), spec="40"))
    for number in range(40):
        data = png.encode(draw(number), stamp(number, record.parts_with(digest_value(number))))
        store.frame_path(number).write_bytes(data)
    return store


def aged(store, monkeypatch):
    """Let the clock go on until files that are there now are old."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + OLD_S * 10**9)
    assert fp.status(store).complete
    return store


@pytest.fixture
def opened(monkeypatch):
    """The frames that are opened."""
    names, real = [], os.open

    def spy(path, *args, **keywords):
        if os.path.basename(path).startswith("frame_"):
            names.append(os.path.basename(path))
        return real(path, *args, **keywords)

    monkeypatch.setattr(os, "open", spy)
    return names


def test_numbers_come_in_order_however_many_threads_look():
    threads = set()

    def look(number):
        time.sleep(0.001)
        threads.add(threading.get_ident())
        return -number

    assert list(look_at_all(range(400), look)) == [(number, -number) for number in range(400)]
    assert len(threads) > 4


def test_quick_looks_need_no_threads():
    threads = set()
    assert len(list(look_at_all(range(400), lambda _: threads.add(threading.get_ident())))) == 400
    assert threads == {threading.get_ident()}


def test_an_error_in_a_thread_reaches_the_caller():
    def look(number):
        time.sleep(0.001)
        if number == 333:
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        list(look_at_all(range(400), look))


def test_status_opens_no_frame_that_is_as_it_was(store, monkeypatch, opened):
    aged(store, monkeypatch)
    assert len(opened) == 40
    opened.clear()
    first = fp.status(store)
    assert opened == []
    assert (first.complete, first.size_bytes > 0, first.shape.width) == (True, True, 4)
    assert fp.status(store, deep=True).complete and len(opened) == 40, "deep looks at all"


def test_status_sees_a_frame_that_was_changed_replaced_or_removed(store, monkeypatch, opened):
    aged(store, monkeypatch)
    opened.clear()
    data = store.frame_path(3).read_bytes()
    store.frame_path(3).write_bytes(data[:-20])  # in place, shorter
    store.frame_path(5).unlink()
    other = store.path / "other"
    other.write_bytes(store.frame_path(8).read_bytes())
    state = store.frame_path(7).stat()
    os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
    os.replace(other, store.frame_path(7))  # another picture of the same size and time
    status = fp.status(store)
    assert sorted(status.broken) == [3, 7] and status.missing == (5,)
    assert "frame 8 under another name" in status.broken[7]


def test_status_looks_at_all_again_when_the_job_has_changed(store, monkeypatch, opened):
    aged(store, monkeypatch)
    opened.clear()
    record, _ = store.read_job()
    store.write_job(record.in_order("replay"))
    assert len(fp.status(store).stale) == 40 and len(opened) == 40


def test_files_of_this_moment_are_not_remembered(store, opened):
    fp.status(store)
    opened.clear()
    fp.status(store)
    assert len(opened) == 40


def test_what_goes_into_a_movie_is_read_again(store, monkeypatch, opened):
    aged(store, monkeypatch)
    opened.clear()
    record, _ = store.read_job()
    assert store.scan(record, deep=True).complete and len(opened) == 40


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"key": 3}', '{"frames": []}'])
def test_a_damaged_memory_is_passed_over(store, tmp_path, monkeypatch, text):
    aged(store, monkeypatch)
    (memory,) = (tmp_path / "state" / "framepipe").glob("status-*")
    memory.write_text(text)
    assert fp.status(store).complete


def test_an_input_file_or_folder_is_read_once_and_digested_as_before(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    files = [tmp_path / "big.bin", tmp_path / "data" / "a.py", tmp_path / "data" / "b"]
    for path in files:
        path.write_bytes(path.name.encode() * 100)
        os.utime(path, (1e9, 1e9))
    paths = [tmp_path / "big.bin", tmp_path / "data", tmp_path / "absent"]
    digests = FileDigests()
    first = input_digests(paths, digests)
    assert first == {
        str(paths[0]): digest_file(paths[0]),
        str(paths[1]): digest_file(paths[1]),
        str(paths[2]): "absent",
    }
    monkeypatch.setattr("framepipe.job.contents._digest", lambda *_: pytest.fail("it is read again"))
    assert input_digests(paths, FileDigests(digests.remembered())) == first


def test_rows_are_found_in_whatever_order_they_came_and_survive_packing():
    rows, again = _Rows(), _Rows()
    known = {
        number: (
            (number, -5, 1 << 62, (1 << 64) - number - 1),
            Known((4, 4, "RGB", None), {"a": "b"}, number),
        )
        for number in (7, 3, 9, 1, 1_000_000)
    }
    for number, (version, each) in known.items():
        rows.add(number, version, each)
    again.fill(rows.shapes, rows.reads, rows.packed())
    for number, (version, each) in known.items():
        assert again.find(number, version) == each
        assert again.find(number, (*version[:3], 0)) is None
    assert again.find(2, (0, 0, 0, 0)) is None
    with pytest.raises(ValueError, match="rows"):
        _Rows().fill([], [], b"12345")


@pytest.mark.parametrize(
    ("engine", "as_script"),
    [("serial", True), ("serial", False), ("local", False)],
    ids=["script", "function", "function for workers"],
)
def test_an_input_file_is_read_once_a_job(tmp_path, monkeypatch, opened_inputs, engine, as_script):
    scene = "tiny.py:draw"
    (tmp_path / "tiny.py").write_text(
        "import numpy as np\ndef draw(k):\n    return np.full((20, 20, 3), k, np.uint8)\n"
    )
    monkeypatch.chdir(tmp_path)
    if not as_script:
        scene = runpy.run_path("tiny.py")["draw"]
    for k in (1, 2):
        fp.render(scene, 4, store="s", inputs=["big.bin"], engine=engine, order="free", shard=(k, 2))
    fp.assemble("s", "m.gif")
    fp.sheet("s", "sheet.png")
    assert fp.status("s").complete
    assert opened_inputs() == 1


@pytest.fixture
def opened_inputs(tmp_path, monkeypatch):
    """How often an old input file was opened, by whichever process."""
    (tmp_path / "big.bin").write_bytes(b"big" * 1000)
    os.utime(tmp_path / "big.bin", (1e9, 1e9))
    log, real = tmp_path / "log", os.open

    def spy(path, *args, **keywords):
        if os.path.basename(path) == "big.bin":
            with log.open("a") as file:
                file.write("x")
        return real(path, *args, **keywords)

    monkeypatch.setattr(os, "open", spy)
    return lambda: len(log.read_text()) if log.exists() else 0


def test_a_large_input_file_is_read_with_progress_and_can_be_interrupted(tmp_path, monkeypatch):
    monkeypatch.setattr("framepipe.rendering.large_inputs._LARGE_BYTES", 3_000_000)
    (tmp_path / "data").mkdir()
    large, small = tmp_path / "data" / "large.bin", tmp_path / "data" / "small.bin"
    for path, size in ((large, 5_000_000), (small, 10)):
        path.write_bytes(bytes(size))
        os.utime(path, (1e9, 1e9))
    seen, digests = [], FileDigests()
    control = Control(seen.append)
    read_large([tmp_path / "data"], digests, control)
    assert {(each.stage, each.label, each.total) for each in seen} == {("read", "large.bin", 5)}
    assert [seen[0].done, seen[-1].done] == [0, 5]
    assert digests.knows(large) and not digests.knows(small)
    seen.clear()
    read_large([large], digests, control)
    assert seen == [], "its digest is known"
    control.stop.request("SIGTERM")
    with pytest.raises(fp.Interrupted, match="while reading"):
        read_large([large], FileDigests(), control)
