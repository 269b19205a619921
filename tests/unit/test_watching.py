"""What the page knows of a store: looked at for little, right at any moment, and safe to show."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import socket
import time

import numpy as np
import pytest
from PIL import Image

import framepipe as fp
from framepipe.core import png
from framepipe.core.usage import Usage
from framepipe.job.frames import file_name
from framepipe.store.failures import FailureLog
from framepipe.store.heartbeats import Heartbeat, Heartbeats
from framepipe.watching import thumbnails as small
from framepipe.watching.address import Address, listen, tunnel
from framepipe.watching.document import details, document, newest_frames, runs_of_letters, runs_of_numbers
from framepipe.watching.folder import Folder
from framepipe.watching.snapshot import Watcher
from framepipe.watching.thumbnails import SIDE_PX, Thumbnails
from tests.support.many_frames import many_frames, pixels_of, write_frame


@pytest.fixture
def store(tmp_path):
    return many_frames(tmp_path, 12, [0, 1, 2, 5])


def seen(watcher):
    """The document, as the page gets it."""
    snapshot = watcher.look()
    return json.loads(json.dumps(document(watcher.store, snapshot, newest_frames(snapshot)), allow_nan=False))


def letters(about):
    return "".join(letter * count for letter, count in about["frames"])


def test_a_folder_names_what_was_written_replaced_and_deleted_since_the_last_look(tmp_path):
    folder = Folder(tmp_path)
    (tmp_path / "a").touch()
    assert folder.changes().written == {"a"}
    (tmp_path / "b").touch()
    (tmp_path / "new").touch()
    os.replace(tmp_path / "new", tmp_path / "a")
    assert folder.changes().written == {"a", "b"}
    (tmp_path / "a").unlink()
    assert (folder.changes().gone, folder.changes().gone) == ({"a"}, set())


def test_a_folder_that_has_long_been_as_it_is_is_not_listed_again(tmp_path):
    folder = Folder(tmp_path)
    then = time.time() - 100
    os.utime(tmp_path, (then, then))
    folder.changes()
    (tmp_path / "a").touch()
    os.utime(tmp_path, (then, then))  # as if nothing had happened
    assert not folder.changes().written
    os.utime(tmp_path)
    assert folder.changes().written == {"a"}


def test_a_link_is_no_folder_to_look_into(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "frame_000000.json").touch()
    (tmp_path / "store" / "logs").symlink_to(tmp_path / "elsewhere")
    assert not FailureLog(tmp_path / "store").numbers()
    watched = Folder(tmp_path / "store" / "logs")
    assert not watched.changes().written


def test_what_is_looked_at_bit_by_bit_is_what_status_finds(store):
    watcher, chance = Watcher(fp.Store(store)), random.Random(7)
    watcher.look()
    for _ in range(30):
        number = chance.randrange(12)
        path = store / file_name(number)
        match chance.randrange(4):
            case 0 | 1:
                write_frame(store, number)
            case 2:
                path.unlink(missing_ok=True)
            case 3:
                (store / "torn").write_bytes(b"\x89PNG\r\n\x1a\n torn")
                os.replace(store / "torn", path)
        snapshot, status = watcher.look(), fp.status(store)
        assert snapshot.done == set(status.done)
        assert snapshot.broken == status.broken
        assert snapshot.numbers == status.numbers


def test_a_frame_of_another_size_is_broken_as_for_status(store):
    watcher = Watcher(fp.Store(store))
    watcher.look()
    record = fp.Store(store).known_job()
    from framepipe.job.stamp import stamp

    data = png.encode(np.zeros((9, 9, 3), np.uint8), stamp(7, record.frame_parts(7)))
    fp.Store(store).commit(7, data)
    assert (
        watcher.look().broken == fp.status(store).broken == {7: "is 9x9 RGB, the other frames are 32x24 RGB"}
    )


def test_nothing_is_looked_at_where_nothing_has_happened(store):
    watcher = Watcher(fp.Store(store))
    then = time.time() - 100
    os.utime(store, (then, then))
    first = watcher.look()
    assert watcher.look() is first
    write_frame(store, 3)
    assert watcher.look() is not first


def test_watching_writes_nothing_into_the_store(store):
    Heartbeats(store).write(Heartbeat(total=12, drawing={4: 1.0}))
    watcher = Watcher(fp.Store(store))

    def times():
        return {path: path.stat().st_mtime_ns for path in [store, *store.rglob("*")]}

    before = times()
    for _ in range(3):
        seen(watcher)
    assert times() == before


def test_the_document_says_who_draws_what_and_what_has_failed(store):
    FailureLog(store, "task 3 on node7").add(4, "raised", "ValueError: <b>4</b>", "Traceback …")
    FailureLog(store, "task 3 on node7").add(6, "raised", "ValueError: <b>6</b>", "Traceback …")
    beat = Heartbeat(
        total=12, done=4, drawing={7: 5.0}, rate=2.0, drawn="0-2,5", host="node7", memory_bytes=5
    )
    Heartbeats(store).write(beat)
    watcher = Watcher(fp.Store(store))
    about = seen(watcher)
    assert letters(about) == "dddmfdfwmmmm"
    assert about["phase"] == "drawing"
    assert about["counts"] == {"d": 4, "m": 5, "f": 2, "b": 0, "s": 0, "w": 1}
    assert about["rate"] == 2.0
    (failure,) = about["failures"]
    assert (failure["numbers"], failure["message"]) == ("4,6", "ValueError: <b>4</b>")
    assert [task["drawing"] for task in about["tasks"]] == ["7"]
    facts = details(watcher.store, watcher.look(), 6, FailureLog(store))
    assert facts["failure"]["traceback"].startswith("frame 4: ValueError")
    assert facts["command"].endswith("many --only 6 --engine serial")
    assert details(watcher.store, watcher.look(), 5, FailureLog(store))["host"] == "node7"
    assert details(watcher.store, watcher.look(), 5, FailureLog(store))["value"] == "5"
    write_frame(store, 6)
    FailureLog(store).drop(6)
    assert letters(seen(watcher)) == "dddmfddwmmmm"


@pytest.mark.parametrize(
    ("done", "failed", "phase"), [(12, 0, "complete"), (5, 1, "failed"), (5, 0, "stopped")]
)
def test_a_store_in_which_nobody_draws_is_complete_failed_or_stopped(tmp_path, done, failed, phase):
    store = many_frames(tmp_path, 12, range(done))
    if failed:
        FailureLog(store).add(9, "raised", "no", "")
    assert seen(Watcher(fp.Store(store)))["phase"] == phase


def test_a_store_that_goes_away_is_gone_and_may_come_back(store):
    watcher = Watcher(fp.Store(store))
    assert seen(watcher)["phase"] == "stopped"
    job = (store / "job.json").read_bytes()
    (store / "job.json").unlink()
    gone = seen(watcher)
    assert gone["phase"] == "gone" and "has no job.json" in gone["problem"]
    (store / "job.json").write_bytes(job)
    assert letters(seen(watcher)) == "dddmmdmmmmmm"


def test_what_a_program_records_is_seen_as_it_comes_and_nobody_is_said_to_be_gone(tmp_path):
    with fp.Recorder(tmp_path / "s") as recorder:
        watcher = Watcher(fp.Store(tmp_path / "s"))
        for number in (0, 1, 3):
            recorder.snap(pixels_of(number), number=number)
            recorder.flush()
            about = seen(watcher)
        recorder.snap(pixels_of(7), number=7)
    about = seen(watcher)
    assert (about["phase"], letters(about)) == ("recorded", "dddd")
    assert about["numbers"] == [["0", 2, 1], ["3", 2, 4]]


def test_numbers_that_json_does_not_have_do_not_stop_the_page(store):
    (store / "tasks").mkdir()
    beat = Heartbeat(total=1, rate=float("inf"), processors=float("nan"), drawing={3: float("nan")})
    Heartbeats(store).write(beat)
    (store / "movies.json").write_text(
        '{"framepipe_movies": {"/x/a.gif": {"passed": 1, "about": {"frames": NaN}, "checks": [3]}, "b": 7}}'
    )
    about = seen(Watcher(fp.Store(store)))
    assert about["tasks"][0]["frames_per_s"] == 0
    assert about["movies"] == [
        {"path": "/x/a.gif", "name": "a.gif", "encoder": "", "passed": False, "checks": [], "frames": 0.0}
    ]


def test_a_record_cannot_name_a_file_outside_of_the_store(store, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    FailureLog(store).add(4, "raised", "no", "")
    path = store / "logs" / "frame_000004.json"
    for name in ("../../secret.txt", str(tmp_path / "secret.txt"), "error-0123456789ab.txt"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "error": name}))
        (store / "logs" / "error-0123456789ab.txt").unlink(missing_ok=True)
        (store / "logs" / "error-0123456789ab.txt").symlink_to(tmp_path / "secret.txt")
        watcher = Watcher(fp.Store(store))
        assert details(watcher.store, watcher.look(), 4, FailureLog(store))["failure"]["traceback"] == ""


def test_runs_are_short_for_shards_and_say_large_numbers_as_text():
    assert runs_of_letters("dddmmd") == [["d", 3], ["m", 2], ["d", 1]]
    assert runs_of_numbers([*range(5), 10**17, 8, 6, 4]) == [
        ["0", 5, 1],
        ["1" + "0" * 17, 2, 8 - 10**17],
        ["6", 2, -2],
    ]


# ---- small pictures


def test_a_small_picture_is_made_once_for_each_version_of_a_frame(store):
    thumbnails = Thumbnails()
    path = store / file_name(1)
    first = thumbnails.of(path, 1, 100, None)
    assert thumbnails.of(path, 1, 100, None) is first
    assert thumbnails.count == 1
    assert thumbnails.of(path, 1, 101, None) == first
    assert thumbnails.count == 2


def test_small_pictures_are_small_and_show_what_is_behind_what_is_transparent(tmp_path):
    pixels = np.zeros((400, 900, 4), np.uint8)
    pixels[:, 450:] = (0, 0, 255, 255)
    (tmp_path / "a.png").write_bytes(png.encode(pixels))
    data = Thumbnails().of(tmp_path / "a.png", 0, 1, (255, 0, 0))
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "JPEG" and max(image.size) == SIDE_PX
        (left, right) = (image.getpixel((x, 20)) for x in (10, image.width - 10))
    assert left[0] > 240 and left[2] < 15 and right[2] > 240


def test_what_is_no_picture_or_a_link_or_too_large_has_no_small_picture(tmp_path):
    (tmp_path / "text.png").write_bytes(b"<html>")
    (tmp_path / "torn.png").write_bytes(png.encode(pixels_of(1))[:60])
    (tmp_path / "good.png").write_bytes(png.encode(pixels_of(1)))
    (tmp_path / "link.png").symlink_to(tmp_path / "good.png")
    os.mkfifo(tmp_path / "pipe.png")
    huge = bytearray(png.encode(pixels_of(1)))
    huge[16:24] = (60_000).to_bytes(4, "big") * 2
    (tmp_path / "huge.png").write_bytes(huge)
    for name in ("text", "torn", "link", "pipe", "huge", "absent"):
        assert Thumbnails().of(tmp_path / f"{name}.png", 0, 1, None) is None, name


def test_small_pictures_are_forgotten_before_they_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(small, "_KEPT_BYTES", 200_000)
    noise = np.random.default_rng(1).integers(0, 256, (200, 200, 3), np.uint8)
    (tmp_path / "a.png").write_bytes(png.encode(noise))
    thumbnails = Thumbnails()
    for version in range(12):
        thumbnails.of(tmp_path / "a.png", 0, version, None)
    assert thumbnails._kept_bytes == sum(map(len, thumbnails._kept.values())) <= 200_000
    assert 1 < len(thumbnails._kept) < 12


# ---- the address


def test_the_page_is_served_at_the_same_address_again(tmp_path):
    listener, first = listen(tmp_path)
    listener.close()
    listener, second = listen(tmp_path)
    listener.close()
    assert first == second and len(first.token) >= 32
    other, third = listen(tmp_path / "other")
    other.close()
    assert third.token != first.token


def test_a_port_that_is_taken_is_another_one_the_next_time_and_so_is_the_token(tmp_path):
    listener, first = listen(tmp_path)
    with listener:
        again, second = listen(tmp_path)
        again.close()
        assert second.port != first.port
        assert second.token != first.token, "whoever has the port was sent the token"
        with pytest.raises(fp.UsageError, match=rf"cannot listen at 127.0.0.1 port {first.port}: .*--port"):
            listen(tmp_path, port=first.port)


def test_the_token_is_for_this_account_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    listen(tmp_path)[0].close()
    (file,) = (tmp_path / "state" / "framepipe").glob("watch-*.json")
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        ("127.0.0.1:8000", True),
        ("localhost:9999", True),
        ("LOCALHOST", True),
        ("[::1]:80", True),
        ("evil.example:8000", False),
        ("127.0.0.1.evil.example", False),
        ("192.168.1.2:8000", False),
        (socket.gethostname() + ".", False),
        ("", False),
    ],
)
def test_only_this_machines_own_names_are_served(host, is_allowed):
    assert Address("127.0.0.1", 8000, "t").allows(host) == is_allowed


def test_a_page_that_is_open_to_other_machines_is_served_under_its_address_and_its_name_alone():
    address = Address("0.0.0.0", 8000, "t")
    assert address.allows("192.168.1.2:8000") and address.allows(socket.gethostname())
    assert not address.allows("evil.example")
    assert address.url() == f"http://{socket.gethostname()}:8000/t/"


def test_the_command_for_ssh_is_there_where_the_user_is_elsewhere():
    address, here = Address("127.0.0.1", 8000, "t"), socket.gethostname()
    assert tunnel(address, {}) == ""
    assert tunnel(address, {"SSH_CONNECTION": "1"}).startswith("ssh -L 8000:127.0.0.1:8000 ")
    assert tunnel(address, {"SSH_CONNECTION": "1"}).endswith(f"@{here}")
    node = tunnel(address, {"SLURM_JOB_ID": "7", "SLURM_SUBMIT_HOST": "login2"})
    assert " -J " in node and "@login2 " in node and node.endswith(f"@{here}")


def test_the_use_of_processors_and_memory_counts_all_processes_below():
    usage = Usage()
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    used = usage.look()
    assert used.processors > 0 and used.memory_bytes > 1_000_000


def test_memory_that_processes_share_counts_once():
    shared = b"x" * 100_000_000
    before = Usage().look().memory_bytes
    assert before > 100_000_000
    pid = os.fork()
    if not pid:
        signal.pause()
        os._exit(0)
    try:
        used = Usage().look()
        assert used.workers >= 1 and used.memory_bytes < before + 60_000_000
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert len(shared) == 100_000_000
