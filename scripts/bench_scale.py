"""Stores of many tiny frames: what looking at them costs, on a local disk and with slow metadata.

    .venv/dev/bin/python scripts/bench_scale.py [frames] [slow_frames] [shared_frames]

Default 50,000, 10,000 and 1,000; 0 leaves that part out. Each line is one command of framepipe's in a
process of its own: seconds by the clock, and of processor time (user and system, with children). "slow" runs
under a small library (LD_PRELOAD; it needs gcc) that adds 1 ms to each open and stat of a frame, as a busy
file system does.

- status, first: nothing is remembered. status, again: by size, times and inode.
- status of strided gaps: every eighth frame is missing; the size of what it prints counts.
- plan and render of a shard: what they keep in memory of a job of so many frames.
- render: nothing to do, but each frame is read whole (CRC).
- shares of a movie: how often they and the join open a frame (strace), and what the join costs with the
  reports of the shares, and without.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import Counter
from pathlib import Path

import numpy as np

from framepipe.core import png
from framepipe.job.fingerprint import digest_value
from framepipe.job.stamp import stamp
from framepipe.store.store import Store

SCENE = """
    def draw(k):
        import numpy as np
        return np.zeros((8, 8, 3), np.uint8)
"""
WAVE = """
    import numpy as np
    X, Y = np.meshgrid(np.linspace(0, 9, 640), np.linspace(0, 7, 480))

    def draw(k):
        wave = np.sin(X + k / 9) * np.cos(Y - k / 13)
        return np.stack([128 + 120 * wave, 200 - 50 * wave, 90 + 0 * wave], 2).astype(np.uint8)
"""
#: Files as new as this may still change within one tick of their clock.
_SETTLED_S = 2.5
SLOW = r"""
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <fcntl.h>
    #include <stdarg.h>
    #include <string.h>
    #include <sys/stat.h>
    #include <unistd.h>

    static void wait_for(const char *path) { if (path && strstr(path, "frame_")) usleep(1000); }
    #define NEXT(name) __typeof__(&name) next = dlsym(RTLD_NEXT, #name); wait_for(path)

    #define OPEN(name) int name(const char *path, int flags, ...) { va_list more; va_start(more, flags); \
        mode_t mode = va_arg(more, int); va_end(more); NEXT(name); return next(path, flags, mode); }
    OPEN(open) OPEN(open64)
    #define OPENAT(name) int name(int at, const char *path, int flags, ...) { va_list more; \
        va_start(more, flags); mode_t mode = va_arg(more, int); va_end(more); NEXT(name); \
        return next(at, path, flags, mode); }
    OPENAT(openat) OPENAT(openat64)
    int stat(const char *path, struct stat *to) { NEXT(stat); return next(path, to); }
    int lstat(const char *path, struct stat *to) { NEXT(lstat); return next(path, to); }
    int stat64(const char *path, struct stat64 *to) { NEXT(stat64); return next(path, to); }
    int lstat64(const char *path, struct stat64 *to) { NEXT(lstat64); return next(path, to); }
    int fstatat(int at, const char *path, struct stat *to, int how)
    { NEXT(fstatat); return next(at, path, to, how); }
    int fstatat64(int at, const char *path, struct stat64 *to, int how)
    { NEXT(fstatat64); return next(at, path, to, how); }
    int statx(int at, const char *path, int how, unsigned mask, struct statx *to)
    { NEXT(statx); return next(at, path, how, mask, to); }
"""


def main() -> None:
    given = [int(each) for each in sys.argv[1:4]]
    frames, slow_frames, shared_frames = [*given, *(50_000, 10_000, 1_000)[len(given) :]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_STATE_HOME"] = str(folder / "state")
        (folder / "tiny.py").write_text(textwrap.dedent(SCENE))
        if frames:
            look_at_many(folder, frames)
        if slow_frames:
            look_slowly(folder, slow_frames)
        if shared_frames:
            share_a_movie(folder, shared_frames)


def look_at_many(folder: Path, frames: int) -> None:
    make_store(folder, "many", frames)
    time.sleep(_SETTLED_S)
    run(folder, f"status, first: {frames:,}", "status", "many")
    run(folder, f"status, again: {frames:,}", "status", "many")
    run(folder, f"plan: {frames:,}", "plan", "tiny.py:draw", "--frames", str(frames), "--store", "many")
    run(folder, "render of one shard of 100", *render("many", frames), "--shard", "3/100", "--own-only")
    for number in range(2, frames, 8):
        (folder / "many" / f"frame_{number:06d}.png").unlink()
    run(folder, "status of strided gaps", "status", "many")
    make_store(folder, "many", frames)
    run(folder, f"render, nothing to do: {frames:,}", *render("many", frames))


def look_slowly(folder: Path, frames: int) -> None:
    slow = shim(folder)
    if slow is None:
        print("no gcc: what slow metadata costs is not measured")
        return
    make_store(folder, "slow", frames)
    time.sleep(_SETTLED_S)
    run(folder, f"slow: status, first: {frames:,}", "status", "slow", preload=slow)
    run(folder, f"slow: status, again: {frames:,}", "status", "slow", preload=slow)
    run(folder, f"slow: render, nothing to do: {frames:,}", *render("slow", frames), preload=slow)


def share_a_movie(folder: Path, frames: int) -> None:
    (folder / "wave.py").write_text(textwrap.dedent(WAVE))
    command = [sys.executable, "-m", "framepipe", "render", "wave.py:draw", "--frames", str(frames)]
    command += ["--store", "wave", "--order", "free", "-q"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    time.sleep(_SETTLED_S)
    assemble = ("assemble", "wave", "-o", "wave.mp4", "-q")
    segments = folder / "wave" / "segments"
    if shutil.which("strace"):
        for share in (["--shard", "1/2"], ["--shard", "2/2"], []):
            count_opens(folder, " ".join(["assemble", *share]), *assemble, *share)
        shutil.rmtree(segments)
    for k in (1, 2):
        run(folder, f"share {k}/2 of {frames:,}", *assemble, "--shard", f"{k}/2")
    run(folder, "join", *assemble)
    for report in segments.glob("*.json"):
        report.unlink()
    run(folder, "join without the shares' reports", *assemble)
    shutil.rmtree(segments)
    run(folder, "all in one process", *assemble)


def count_opens(folder: Path, what: str, *args: str) -> None:
    trace = folder / "trace"
    command = ["strace", "-f", "-qq", "-e", "trace=open,openat", "-e", "signal=none", "-o", str(trace)]
    command += [sys.executable, "-m", "framepipe", *args]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    opens = Counter(re.findall(r"frame_(\d{6})\.png", trace.read_text(errors="replace")))
    print(f"{what:36} opened {len(opens):,} frames, {sum(opens.values()):,} times in all", flush=True)


def render(store: str, frames: int) -> list[str]:
    return ["render", "tiny.py:draw", "--frames", str(frames), "--store", store, "--order", "free", "-q"]


def make_store(folder: Path, name: str, frames: int) -> None:
    """Draw one frame for ``job.json``, then write all with its stamp."""
    shutil.rmtree(folder / name, ignore_errors=True)
    command = [sys.executable, "-m", "framepipe", *render(name, frames), "--only", "0"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    store = Store(folder / name)
    record, _ = store.read_job()
    plain = png.encode(np.zeros((8, 8, 3), np.uint8))
    for number in range(frames):
        data = png.with_stamp(plain, stamp(number, record.parts_with(digest_value(number))))
        store.frame_path(number).write_bytes(data)


def run(folder: Path, what: str, *args: str, preload: Path | None = None) -> None:
    env = {**os.environ, **({"LD_PRELOAD": str(preload)} if preload else {})}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "framepipe", *args], cwd=folder, env=env, capture_output=True, check=False
    )
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{what:36} {seconds:6.2f} s, {cpu:6.2f} s of a processor, {after.ru_maxrss // 1000:4d} MB at most, "
        f"{len(done.stdout):,} bytes printed, exit {done.returncode}",
        flush=True,
    )


def shim(folder: Path) -> Path | None:
    """Compile the library that slows metadata down; None without a compiler."""
    if shutil.which("gcc") is None:
        return None
    (folder / "slow.c").write_text(textwrap.dedent(SLOW))
    library = folder / "slow.so"
    subprocess.run(
        ["gcc", "-O1", "-w", "-shared", "-fPIC", "-o", library, folder / "slow.c", "-ldl"], check=True
    )
    return library


if __name__ == "__main__":
    main()
