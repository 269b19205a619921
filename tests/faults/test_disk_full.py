"""A full disk: a small tmpfs, at every stage; finished frames and old movies stay, and it goes on later."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import FRAMES, Bench, names_in, pixels_of
from tests.support.sizes import FAULTS, all_if_long

Disk = Callable[[int], Path]


class Mount:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, size_kb: int, inodes: int = 200) -> Path:
        """A fresh disk of this size."""
        self.unmount()
        self.path.mkdir(exist_ok=True)
        options = f"size={size_kb}k,nr_inodes={inodes}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "framepipe-test", self.path], check=True)
        return self.path

    def grow(self, size_kb: int) -> None:
        options = f"remount,size={size_kb}k,nr_inodes=1000"
        subprocess.run(["mount", "-o", options, self.path], check=True)

    def unmount(self) -> None:
        if self.path.is_mount():
            subprocess.run(["umount", "--lazy", self.path], check=True)


@pytest.fixture
def disk(bench: Bench) -> Iterator[Mount]:
    mount = Mount(bench.folder.parent / "disk")
    yield mount
    mount.unmount()


def render(bench: Bench, store: Path, *options: object) -> subprocess.CompletedProcess[str]:
    return bench.run("render", "tiny.py:draw", "--frames", FRAMES, "--store", store, "-q", *options)


SIZES_KB = sorted({4 + step * 36 // (4 * FAULTS) for step in range(4 * FAULTS)})  # 4, 13, 22, 31 in CI


@pytest.mark.parametrize("size_kb", all_if_long(SIZES_KB, SIZES_KB[0], SIZES_KB[2 * FAULTS]))
def test_disk_that_fills_while_rendering_is_told_and_rendering_goes_on_later(
    bench: Bench, disk: Mount, undisturbed: dict[str, bytes], size_kb: int
) -> None:
    store = disk(size_kb) / "store"
    done = render(bench, store, "--engine", "serial")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "no space left" in done.stderr.splitlines()[0]
    assert str(store) in done.stderr
    assert "Traceback" not in done.stderr
    there = {path.name: path.read_bytes() for path in store.glob("frame_*.png")}
    assert all(undisturbed[name] == data for name, data in there.items())
    assert [name for name in names_in(store) if name.endswith(".tmp")] == []
    before = len(bench.draws())
    disk.grow(1000)
    assert render(bench, store, "--engine", "serial").returncode == 0
    assert not {int(name[6:12]) for name in there} & set(bench.draws()[before:])
    assert {path.name: path.read_bytes() for path in store.glob("frame_*.png")} == undisturbed


def test_disk_that_fills_under_many_workers_is_told_once(
    bench: Bench, disk: Mount, undisturbed: dict[str, bytes]
) -> None:
    store = disk(24) / "store"
    done = render(bench, store, "-j", 2)
    assert done.returncode == 3
    assert done.stderr.count("no space left") == 1
    assert bench.orphans() == {}
    disk.grow(1000)
    assert render(bench, store, "--engine", "serial").returncode == 0
    assert {path.name: path.read_bytes() for path in store.glob("frame_*.png")} == undisturbed
    assert names_in(store) == sorted([*undisturbed, "job.json"])


def test_disk_without_inodes_is_told_and_rendering_goes_on_later(
    bench: Bench, disk: Mount, undisturbed: dict[str, bytes]
) -> None:
    store = disk(1000, inodes=7) / "store"
    done = render(bench, store, "--engine", "serial")
    assert done.returncode == 3
    assert "no space left" in done.stderr
    disk.grow(1000)
    assert render(bench, store, "--engine", "serial").returncode == 0
    assert {path.name: path.read_bytes() for path in store.glob("frame_*.png")} == undisturbed


@pytest.mark.parametrize("free_kb", all_if_long([0, 4], 4))
@pytest.mark.parametrize(
    ("movie", "encoder"), [("movie.gif", "ffmpeg"), ("movie.mp4", "ffmpeg"), ("movie.gif", "imagemagick")]
)
def test_disk_that_fills_while_encoding_leaves_the_old_movie_and_works_later(
    drawn: Bench, disk: Mount, undisturbed_movies: dict[str, str], movie: str, encoder: str, free_kb: int
) -> None:
    output = disk(400) / movie
    output.write_bytes(b"the older movie")
    fill(disk.path, free_kb)
    assemble = ("assemble", "store", "-o", output, "--encoder", encoder, "--dither", "none", "-q")
    done = drawn.run(*assemble)
    assert done.returncode == 5, done.stdout + done.stderr
    assert "No space left" in done.stderr or "no space left" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert output.read_bytes() == b"the older movie"
    assert names_in(disk.path) == ["ballast", movie]
    (disk.path / "ballast").unlink()
    drawn.run(*assemble, ok=True)
    assert names_in(disk.path) == [movie]
    if encoder == "ffmpeg":
        assert pixels_of(output) == undisturbed_movies[movie[-3:]]


def fill(folder: Path, free_kb: int) -> None:
    """Leave only so much room."""
    with (folder / "ballast").open("wb") as file:
        file.write(bytes(shutil.disk_usage(folder).free - free_kb * 1024))


def test_make_on_a_full_disk_keeps_the_frames_and_goes_on_later(
    bench: Bench, disk: Mount, undisturbed: dict[str, bytes], undisturbed_movies: dict[str, str]
) -> None:
    output = disk(400) / "movie.mp4"
    fill(disk.path, 2)
    make = (
        "make",
        "tiny.py:draw",
        "--frames",
        FRAMES,
        "--store",
        "store",
        "-o",
        output,
        "--engine",
        "serial",
        "-q",
    )
    assert bench.run(*make).returncode == 5
    assert bench.frames() == undisturbed
    (disk.path / "ballast").unlink()
    bench.run("resume", "store", "-q", ok=True)
    assert len(bench.draws()) == FRAMES
    assert pixels_of(output) == undisturbed_movies["mp4"]
    assert not bench.store.exists()


def test_disk_that_fills_while_verifying_is_told_as_a_full_disk_not_as_a_bad_movie(
    drawn: Bench, disk: Mount, undisturbed_movies: dict[str, str]
) -> None:
    """The movie fits (4 kB), what verification unpacks (8 raw pictures, 91 kB) does not."""
    output = disk(60) / "movie.mp4"
    done = drawn.run("assemble", "store", "-o", output, "-q")
    if done.returncode:
        assert done.returncode == 5, done.stderr
        assert "o space left" in done.stderr.splitlines()[0]
        assert names_in(disk.path) == []
        disk.grow(1000)
        drawn.run("assemble", "store", "-o", output, "-q", ok=True)
    assert pixels_of(output) == undisturbed_movies["mp4"]
    assert names_in(disk.path) == ["movie.mp4"]
