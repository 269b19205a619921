"""What the fault battery shares: a cheap scene, the command line under watch, pictures to compare.

Whatever must happen while frames are drawn does so while they wait: with ``FB_HOLD=3`` no draw ends once three
frames are in the store, until `Bench.go_on` names it. A busy machine cannot be too slow for that.

Nothing of framepipe is replaced. A bench is a fresh folder with a scene that notes every draw in a
log; all processes started from it carry a mark in their environment, by which those that outlive
their caller are found in ``/proc``.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.support.command_line import run_here
from tests.support.forked import Python, run_python
from tests.support.processes import kill, living, none_left
from tests.support.waiting import PATIENCE_S

FRAMES = 10
SEED = 1
#: Of a scene: wait, with FB_HOLD frames in the store, until this one may go on.
HOLD = """
    def hold(value):
        enough = int(os.environ.get("FB_HOLD", "0"))
        while enough and enough <= sum(os.path.exists(f"store/frame_{k:06d}.png") for k in range(10)):
            if os.path.exists(f"{os.environ['FB_LOG']}.go-{value}"):
                break
            open(f"{os.environ['FB_LOG']}.held-{value}", "a").close()
            time.sleep(0.01)
"""
SCENE = (
    """
    import os
    import time
    from matplotlib.figure import Figure

    def draw(value, amp=1.0):
        if log := os.environ.get("FB_LOG"):
            with open(log, "a") as file:
                file.write(f"{value}\\n")
        hold(value)
        time.sleep(float(os.environ.get("FB_SLEEP", "0")))
        figure = Figure(figsize=(2, 1.5), dpi=50)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()  # all but a quarter of the time that a frame takes went into ticks beside it
        axes.plot([0, 1, 2], [value, amp, 10 - value], linewidth=8, color=f"C{value % 10}")
        axes.set(xlim=(0, 2), ylim=(-1, 11))
        return figure
"""
    + HOLD
)
_END_S = 60.0


DRAWING_VERBS = ("make", "render", "resume")
#: They load no user code: what is no matter of processes runs in that of the tests.
VERBS_RUN_HERE = ("assemble", "verify", "clean", "status")


class Bench:
    """A folder with ``tiny.py`` and the command line to run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "store"
        self.log = folder.parent / f"{folder.name}.log"
        self.mark = f"FB_MARK={uuid.uuid4().hex}"
        self.env = {"FB_MARK": self.mark.partition("=")[2], "FB_LOG": str(self.log)}
        self._started: list[subprocess.Popen[str]] = []
        self.scene(SCENE)

    def scene(self, text: str, name: str = "tiny.py") -> Path:
        """Write a script."""
        path = self.folder / name
        path.write_text(textwrap.dedent(text))
        return path

    def start(
        self,
        *args: object,
        under: tuple[str, ...] = (),
        seed: int | None = SEED,
        apart: bool = False,
        **env: str,
    ) -> subprocess.Popen[str]:
        """The command line, running; stderr and stdout are read with `communicate`.

        The order of frames is named, so that each is drawn just once; `test_order` kills while it is
        found out. The seed is named, so that frames of two stores are the same bytes.
        """
        process = (subprocess.Popen if apart else Python)(
            [*under, sys.executable, "-m", "framepipe", *map(os.fspath, map(_text, _settled(args, seed)))],
            cwd=self.folder,
            env={**os.environ, **self.env, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def run(
        self,
        *args: object,
        ok: bool = False,
        timeout: float = PATIENCE_S,
        seed: int | None = SEED,
        apart: bool = False,
        **env: str,
    ) -> subprocess.CompletedProcess[str]:
        """The command line, to its end; a hang is an error.

        In a process of its own if it draws or has more in its environment than an ffmpeg; in one that is
        started as a shell would if it is to be apart.
        """
        if not apart and args[0] in VERBS_RUN_HERE and set(env) <= {"FRAMEPIPE_FFMPEG"}:
            done = run_here(args, self.folder, {**self.env, **env})
        else:
            done = self._in_a_process(args, seed, timeout, apart, env)
        assert "this is a bug in framepipe" not in done.stderr, done.stderr
        assert not ok or done.returncode == 0, done.stdout + done.stderr
        return done

    def _in_a_process(
        self, args: tuple[object, ...], seed: int | None, timeout: float, apart: bool, env: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        try:
            if not apart:
                command = ("-m", "framepipe", *_settled(args, seed))
                return run_python(command, self.folder, {**self.env, **env}, timeout)
            process = self.start(*args, seed=seed, apart=True, **env)
            said = process.communicate(timeout=timeout)
            return subprocess.CompletedProcess(args, process.returncode, *said)
        except subprocess.TimeoutExpired:
            self.kill_all()
            raise AssertionError(f"framepipe {' '.join(map(str, args))} did not end in {timeout} s") from None

    def render(self, *args: object, **keywords: object) -> subprocess.CompletedProcess[str]:
        """``framepipe render`` of the usual frames into ``store``."""
        return self.run("render", "tiny.py:draw", "--frames", FRAMES, "--store", "store", *args, **keywords)  # type: ignore[arg-type]

    def draws(self) -> list[int]:
        """The values of all frames that were drawn so far."""
        return [int(line) for line in self.log.read_text().split()] if self.log.exists() else []

    def in_hand(self) -> set[int]:
        """The frames that were begun and are not in the store."""
        return set(self.draws()) - {int(name[6:12]) for name in self.frames()}

    def held(self) -> set[int]:
        """The frames that wait to be named by `go_on`."""
        return {int(path.suffix[6:]) for path in self.log.parent.glob(f"{self.log.name}.held-*")}

    def go_on(self, values: Iterable[int]) -> None:
        """End the waiting of these frames."""
        for value in values:
            Path(f"{self.log}.go-{value}").touch()

    def frames(self) -> dict[str, bytes]:
        """The frames in the store, whole."""
        return frames_in(self.store)

    def processes(self) -> dict[int, str]:
        """All living processes that were started from here: pid and command line."""
        return living(self.mark)

    def orphans(self) -> dict[int, str]:
        """Those that are still there after a while in which they may end."""
        until = time.monotonic() + _END_S
        while (left := self.processes()) and time.monotonic() < until:
            time.sleep(0.02)
        return left

    def kill_all(self) -> None:
        """End what was started from here, and nothing else."""
        kill(self.mark)

    def close(self) -> None:
        """At the end of the test: nothing of it runs on."""
        self.kill_all()
        for process in self._started:
            process.kill()
            process.wait()
            for pipe in (process.stdout, process.stderr):
                assert pipe is not None
                pipe.close()


def _settled(args: tuple[object, ...], seed: int | None) -> tuple[object, ...]:
    if args[0] in DRAWING_VERBS and "--order" not in args:
        args = (args[0], "--order", "free", *args[1:])
    if args[0] in ("make", "render") and seed is not None:
        args = (args[0], "--seed", seed, *args[1:])
    return args


def _text(argument: object) -> str:
    return (
        argument
        if isinstance(argument, str)
        else os.fspath(argument)
        if isinstance(argument, os.PathLike)
        else str(argument)
    )


@pytest.fixture(autouse=True)
def no_process_left() -> Iterator[None]:
    with none_left():
        yield


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    folder = tmp_path / "bench"
    folder.mkdir()
    monkeypatch.chdir(folder)
    bench = Bench(folder)
    yield bench
    bench.close()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The frames of the usual job, drawn one after the other in one process, once."""
    folder = tmp_path_factory.mktemp("undisturbed")
    bench = Bench(folder)
    bench.render("--engine", "serial", "-q", ok=True)
    bench.close()
    return frames_in(folder / "store")


@pytest.fixture
def drawn(bench: Bench, undisturbed: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A bench with a copy of the finished store, whose script stands elsewhere: for what draws nothing."""
    shutil.copytree(
        next(tmp_path_factory.getbasetemp().glob("undisturbed*")) / "store",
        bench.store,
        ignore=shutil.ignore_patterns("movies.json"),
    )
    assert bench.frames() == undisturbed
    return bench


@pytest.fixture(scope="session")
def undisturbed_movies(
    undisturbed: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The digest of all pixels of the usual job's movies, by format."""
    folder = next(path for path in tmp_path_factory.getbasetemp().glob("undisturbed*"))
    bench = Bench(folder)
    bench.run("assemble", "store", "-o", "movie.gif", "-o", "movie.mp4", "-q", ok=True)
    bench.close()
    return {suffix: pixels_of(folder / f"movie.{suffix}") for suffix in ("gif", "mp4")}


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Chance that is the same every time this test runs."""
    return random.Random(request.node.nodeid)


def frames_in(store: Path) -> dict[str, bytes]:
    """Every file with a frame's name: name and content."""
    return {path.name: path.read_bytes() for path in sorted(store.glob("frame_*.png")) if path.is_file()}


def names_in(folder: Path) -> list[str]:
    """All that lies in a folder, hidden files too."""
    return sorted(os.listdir(folder))


def pixels_of(movie: Path) -> str:
    """A digest of all decoded pictures and of their times."""
    sha = hashlib.sha256()
    if movie.suffix == ".gif":
        with Image.open(movie) as image:
            for index in range(image.n_frames):
                image.seek(index)
                sha.update(f"{image.info.get('duration')}".encode() + image.convert("RGBA").tobytes())
        return sha.hexdigest()
    decode = [real_ffmpeg(), "-v", "error", "-xerror", "-i", str(movie), "-f", "framemd5", "-"]
    sha.update(subprocess.run(decode, check=True, capture_output=True).stdout)
    return sha.hexdigest()


def real_ffmpeg() -> str:
    """The first on PATH."""
    found = shutil.which("ffmpeg")
    assert found, "no ffmpeg on PATH: run scripts/test, which installs it"
    return found


def one_line(text: str) -> str:
    """An error message that must be one line without a traceback; returned without its end."""
    lines = text.rstrip("\n").splitlines()
    assert len(lines) == 1, f"not one line:\n{text}"
    assert lines[0].startswith("framepipe"), text
    return lines[0]
