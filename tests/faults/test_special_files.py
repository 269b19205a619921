"""Named pipes, sockets, devices and giants where a store has its files: no verb waits, reads on, or crashes."""

from __future__ import annotations

import functools
import os
import signal
import socket
import struct
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import framepipe
from framepipe.cli import run
from framepipe.core import png
from framepipe.store.segment_cache import Key, SegmentCache
from framepipe.store.store import Store
from tests.faults.conftest import FRAMES, Bench
from tests.support.sizes import all_if_long
from tests.support.waiting import PATIENCE_S, wait_for

GIANT_BYTES = 5_000_000_000


def become_fifo(path: Path) -> None:
    os.mkfifo(path)


def become_socket(path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as server:
        here = Path.cwd()
        os.chdir(path.parent)  # the name of a socket has at most 107 bytes
        server.bind(path.name)
        os.chdir(here)


def become_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def become_terminal(path: Path) -> None:
    path.symlink_to("/dev/tty")


def become_giant(path: Path) -> None:
    path.touch()
    os.truncate(path, GIANT_BYTES)


SPECIAL: dict[str, Callable[[Path], None]] = {
    "fifo": become_fifo,
    "socket": become_socket,
    "device": become_device,
    "terminal": become_terminal,
    "giant": become_giant,
    "folder": Path.mkdir,
}
NAMES = ("job.json", "movies.json", "frame_000003.png")
VERBS = {
    "status": ["status", "store", "--deep"],
    "resume": ["resume", "store", "--scene", "tiny.py:draw", "--engine", "serial", "--order", "free", "-q"],
    "assemble": ["assemble", "store", "-o", "movie.gif", "-q"],
    "verify": ["verify", "movie.gif", "--store", "store"],
    "sheet": ["sheet", "store", "-o", "sheet.png"],
    "adopt": ["adopt", "picture.png", "--store", "store"],
    "clean": ["clean", "store"],
}


@pytest.fixture(autouse=True)
def bounded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A hang is an error of the verb that hangs."""

    def too_long(*_: object) -> None:
        raise AssertionError("a verb waits for ever")

    before = signal.signal(signal.SIGALRM, too_long)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def code_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code and the message of a verb in this process."""
    signal.setitimer(signal.ITIMER_REAL, 60)
    code = run(arguments)
    signal.setitimer(signal.ITIMER_REAL, 0)
    err = capsys.readouterr().err
    assert code != 1 and "this is a bug" not in err, err
    return code, err


@pytest.fixture
def whole(drawn: Bench) -> Bench:
    """A finished store, a movie of it that is noted, and a picture."""
    framepipe.assemble(drawn.store, "movie.gif")
    (drawn.folder / "picture.png").write_bytes((drawn.store / "frame_000000.png").read_bytes())
    return drawn


@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("name", NAMES)
def test_no_verb_waits_for_what_is_no_file_or_reads_what_is_too_large(
    whole: Bench, name: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = whole.store / name
    path.unlink()
    SPECIAL[kind](path)
    before = path.lstat()
    codes = {verb: code_of(arguments, capsys) for verb, arguments in VERBS.items() if verb != "resume"}
    if name == "job.json":
        assert codes.pop("verify")[0] == 0, "what the movie was built from stands in movies.json"
        assert {code for code, _ in codes.values()} == {3}, codes
        assert "job.json" in codes["status"][1]
    elif name == "movies.json":
        assert codes["status"][0] == codes["assemble"][0] == codes["verify"][0] == codes["sheet"][0] == 0
        if kind != "giant":  # which is written anew by assemble
            assert codes["clean"][0] == 6
    else:
        assert codes["status"][0] == codes["assemble"][0] == 3
        assert (
            codes["clean"][0] == 0
            or "nothing" in codes["clean"][1]
            or "none was deleted" in codes["clean"][1]
        )
    if kind != "giant":
        assert path.lstat().st_ino == before.st_ino, f"the {kind} was replaced or deleted"


@pytest.mark.parametrize("kind", ["fifo", "giant"])
def test_a_frame_that_is_none_is_broken_and_drawn_again(
    whole: Bench, kind: str, undisturbed: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    path = whole.store / "frame_000003.png"
    path.unlink()
    SPECIAL[kind](path)
    assert tuple(framepipe.status(whole.store).broken) == (3,)
    code, err = code_of(VERBS["resume"], capsys)
    assert code == 0, err
    assert whole.frames() == undisturbed


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        *(("gif", kind) for kind in ("fifo", "socket", "device", "terminal", "folder")),
        ("mp4", "fifo"),
        ("html", "fifo"),
        ("png", "fifo"),
        ("png", "device"),
    ],
)
def test_an_output_that_is_no_file_is_refused_before_anything_is_built(
    drawn: Bench, kind: str, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = drawn.folder / f"out.{suffix}"
    SPECIAL[kind](path)
    before = path.lstat()
    verb = "sheet" if suffix == "png" else "assemble"
    code, err = code_of([verb, "store", "-o", str(path)], capsys)
    assert code == 2
    assert f"out.{suffix} is a" in err and "not a file" in err
    assert path.lstat().st_ino == before.st_ino


def test_a_link_to_a_job_is_followed(drawn: Bench) -> None:
    (drawn.store / "job.json").rename(drawn.folder / "elsewhere.json")
    (drawn.store / "job.json").symlink_to(drawn.folder / "elsewhere.json")
    assert framepipe.status(drawn.store).complete


def test_drawing_does_not_replace_a_pipe_in_the_place_of_the_job(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.store.mkdir()
    os.mkfifo(bench.store / "job.json")
    arguments = ["render", "tiny.py:draw", "--frames", "2", "--store", "store", "--engine", "serial", "-q"]
    code, err = code_of(arguments, capsys)
    assert code == 3
    assert "job.json is a named pipe, not a file: move it away" in err
    assert os.listdir(bench.store) == ["job.json"]


def test_an_adopted_pipe_is_refused(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(bench.folder / "a.png")
    for pictures in ("a.png", "*.png"):
        code, err = code_of(["adopt", pictures, "--store", "new"], capsys)
        assert code == 2 and "is no file" in err


@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_a_finished_segment_that_is_no_file_is_not_taken(drawn: Bench, kind: str) -> None:
    cache, key = SegmentCache(Store(drawn.store)), Key("0" * 16, "1" * 32, ".mp4")
    cache.folder.mkdir()
    SPECIAL[kind](cache.folder / f"{key.stem}-{'2' * 64}.mp4")
    signal.setitimer(signal.ITIMER_REAL, 30)
    assert not cache.get(key, drawn.folder / "taken.mp4")
    cache.clear()
    assert cache.folder.exists() == (kind == "folder")


# --- pictures that would be much more than they seem ---------------------------------------------


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(frame: bytes, extra: bytes) -> bytes:
    """A frame with one more chunk before its pixels."""
    at = frame.index(b"IDAT") - 4
    return frame[:at] + extra + frame[at:]


def other_header(frame: bytes, width: int, height: int) -> bytes:
    header = struct.pack(">II", width, height) + frame[24:29]
    return frame[:8] + chunk(b"IHDR", header) + frame[33:]


@functools.cache
def zeros(count: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(count >> 20)), packer.flush()])


BOMBS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "60000x60000": (lambda frame: other_header(frame, 60_000, 60_000), "more than 178,956,970 pixels"),
    "few bytes": (lambda frame: other_header(frame, 12_000, 12_000), "too few bytes"),
    "2^31": (lambda frame: other_header(frame, (1 << 31) - 1, (1 << 31) - 1), "pixels"),
    "zTXt": (lambda frame: with_chunk(frame, chunk(b"zTXt", b"a\0\0" + zeros(1 << 28))), "unpacks to more"),
    "iCCP": (lambda frame: with_chunk(frame, chunk(b"iCCP", b"a\0\0" + zeros(1 << 28))), "unpacks to more"),
    "iTXt": (
        lambda frame: with_chunk(frame, chunk(b"iTXt", b"a\0\1\0en\0b\0" + zeros(1 << 28))),
        "unpacks to more",
    ),
    "many zTXt": (
        lambda frame: with_chunk(frame, chunk(b"zTXt", b"a\0\0" + zeros(1 << 20)) * 70),
        "unpacks to more",
    ),
    "tEXt": (lambda frame: with_chunk(frame, chunk(b"tEXt", b"a\0" + bytes(40 << 20))), "too many bytes"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_picture_that_would_be_much_more_than_it_seems_is_broken_and_never_decoded(
    drawn: Bench, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change, reason = BOMBS[name]
    path = drawn.store / "frame_000003.png"
    path.write_bytes(change(path.read_bytes()))
    found = framepipe.status(drawn.store, deep=True)
    assert tuple(found.broken) == (3,)
    assert reason in found.broken[3]
    code, err = code_of(["assemble", "store", "-o", "movie.gif", "-q"], capsys)
    assert code == 3 and reason in err
    (drawn.folder / "a.png").write_bytes(path.read_bytes())
    code, err = code_of(["adopt", "a.png", "--store", "new"], capsys)
    assert code == 2 and reason in err
    assert not (drawn.folder / "new").exists()


def test_memory_stays_flat_for_a_frame_of_5_gb(drawn: Bench) -> None:
    """One that ends as a frame does, so that nothing but its size speaks against it."""
    path = drawn.store / "frame_000003.png"
    whole = path.read_bytes()
    with path.open("r+b") as file:
        file.write(other_header(whole, 640, 480)[:33])
        file.truncate(GIANT_BYTES)
        file.seek(0, os.SEEK_END)
        file.write(whole[-16:])
    tracemalloc.start()
    info = png.inspect(path, deep=True)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert info is not None and "too many bytes" in info.damage
    assert peak_bytes < 1_000_000


# --- signals where nobody looks at them -----------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "number", "code"),
    all_if_long(
        [
            (verb, *end)
            for verb in ("assemble", "verify")
            for end in ((signal.SIGTERM, 75), (signal.SIGINT, 130))
        ],
        ("assemble", signal.SIGTERM, 75),
        ("verify", signal.SIGINT, 130),
    ),
)
def test_the_first_signal_ends_a_verb_that_waits_for_something_else(
    whole: Bench, verb: str, number: signal.Signals, code: int
) -> None:
    """A pipe that the user has named, into which nobody writes."""
    os.mkfifo(whole.folder / "durations")
    process = whole.start(*VERBS[verb], "--durations", "durations")
    wait_for(lambda: process.poll() is not None or _opens(process.pid))
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code, out + err
    assert "Traceback" not in err
    assert "run the same again" in err.lower()


def _opens(pid: int) -> bool:
    """Whether a process waits for a named pipe to be opened by somebody else."""
    try:
        return "fifo" in Path(f"/proc/{pid}/wchan").read_text() or _call(pid) in ("257", "56")
    except OSError:
        return False


def _call(pid: int) -> str:
    """The number of the system call in which a process is: 257 is openat on x86-64, 56 on ARM."""
    return Path(f"/proc/{pid}/syscall").read_text().split()[0]


@pytest.mark.parametrize(
    ("verb", "number"),
    all_if_long(
        [
            (verb, number)
            for verb in ("status", "sheet", "clean", "adopt")
            for number in (signal.SIGTERM, signal.SIGINT)
        ],
        ("status", signal.SIGTERM),
        ("sheet", signal.SIGINT),
        ("clean", signal.SIGTERM),
        ("adopt", signal.SIGINT),
    ),
)
def test_the_first_signal_ends_a_verb_that_looks_at_many_frames(
    bench: Bench, verb: str, number: signal.Signals
) -> None:
    script = bench.folder / "many.py"
    script.write_text(
        "import sys, time\n"
        "from framepipe import cli\n"
        "from framepipe.core import image_files, png\n"
        "from framepipe.store.store import Store\n"
        "def slow(*_, **__):\n"
        "    print('looking', flush=True)\n"
        "    time.sleep(600)\n"
        "png.inspect = image_files.find = slow\n"
        "sys.exit(cli.run(sys.argv[1:]))\n"
    )
    bench.render("--engine", "serial", "-q", ok=True)
    with subprocess.Popen(
        [sys.executable, script, *VERBS[verb], *(["--force"] if verb == "clean" else [])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "looking\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGTERM), err
    assert "Traceback" not in err
    assert len(bench.frames()) == FRAMES
