"""What a script's frames must be, what framepipe draws of it, and how the two are compared.

A stage is a fresh folder with a copy of one script and of the data beside it; both run there, so that nothing
is written beside the originals. All that is started from a stage is in process groups of its own and carries a
mark in its environment, by which it is found and ended.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from framepipe.core.images import read_png
from tests.support.forked import Python, run_python

Pixels = npt.NDArray[np.uint8]
HERE = Path(__file__).parent
DRIVER = HERE / "as_matplotlib.py"
SCRIPTS = HERE.parent / "scripts"
#: Longest time that any one command may take, on a machine that is busy with other things.
PATIENCE_S = 240.0
#: Best first: what a script writes counts more than what it shows meanwhile.
LOOPS = ("writer", "savefig", "flush", "pause")


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


class Stage:
    """A folder with one script, for matplotlib and framepipe to run it in.

    Parameters
    ----------
    folder : Path
        Made here.
    script : Path
        Copied with the files beside it that are no scripts, or with all of them.
    beside : bool
        Copy everything that lies beside the script, as a stranger's modules.
    pythonpath : Path, optional
        The framepipe to run; as in this process without it.
    """

    def __init__(
        self, folder: Path, script: Path, *, beside: bool = False, pythonpath: Path | None = None
    ) -> None:
        folder.mkdir(parents=True)
        self.folder, self.script = folder, folder / script.name
        for path in sorted(script.parent.iterdir()):
            if path == script or beside or (path.is_file() and path.suffix != ".py"):
                copy = shutil.copytree if path.is_dir() else shutil.copy
                copy(path, folder / path.name)
        self._mark = uuid.uuid4().hex
        self._env = {**os.environ, "MPLBACKEND": "Agg", "CORPUS_MARK": self._mark}
        if pythonpath is not None:
            self._env["PYTHONPATH"] = str(pythonpath)

    def start(self, *command: object, **env: str) -> subprocess.Popen[str]:
        """Start a Python program here; it and its children write to files, so that none waits for a reader."""
        log = self.folder / f"log-{uuid.uuid4().hex[:8]}"
        with open(f"{log}.out", "wb") as out, open(f"{log}.err", "wb") as err:
            process: Any = Python(
                [sys.executable, *map(str, command)],
                cwd=self.folder,
                env={**self._env, **env},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        process.log = log
        return process

    def finish(self, process: Any, patience_s: float = PATIENCE_S) -> Outcome:
        """Wait for a program's end; what hangs is killed with all its children, and its code is -9."""
        try:
            code = process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.kill_all()
            code = process.wait()
        out, err = (Path(f"{process.log}.{kind}").read_text(errors="replace") for kind in ("out", "err"))
        return Outcome(code, out, err)

    def run(self, *command: object, patience_s: float = PATIENCE_S, **env: str) -> Outcome:
        """A Python program, to its end; of what hangs, the code is -9."""
        try:
            done = run_python(command, self.folder, {**self._env, **env}, patience_s)
        except subprocess.TimeoutExpired as error:
            self.kill_all()
            return Outcome(-9, "", str(error))
        return Outcome(done.returncode, done.stdout, done.stderr)

    def framepipe(self, *arguments: object, patience_s: float = PATIENCE_S, **env: str) -> Outcome:
        """The command line, to its end."""
        return self.run("-m", "framepipe", *arguments, patience_s=patience_s, **env)

    def reference(
        self, *arguments: str, animation: int = 1, most: int = 0, patience_s: float = PATIENCE_S
    ) -> dict[str, list[Path]]:
        """The frames that matplotlib draws, by scene; see ``as_matplotlib``.

        Raises
        ------
        RuntimeError
            The script fails in plain Python too.
        """
        folder = self.folder / f"film-{uuid.uuid4().hex[:8]}"
        limits = {"FILM_ANIMATION": str(animation), "FILM_MOST": str(most)}
        end = self.run(DRIVER, folder, self.script, *arguments, patience_s=patience_s, **limits)
        if end.code != 0:
            raise RuntimeError(f"{self.script.name} fails in plain Python too, exit {end.code}:\n{end.text}")
        return {scene.name: sorted(scene.glob("*.npy")) for scene in sorted(folder.glob("*"))}

    def processes(self) -> list[int]:
        """All living processes that were started from here."""
        pids = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with contextlib.suppress(OSError):
                if f"CORPUS_MARK={self._mark}".encode() not in (entry / "environ").read_bytes().split(b"\0"):
                    continue
                if (entry / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                    pids.append(int(entry.name))
        return pids

    def kill_group(self, process: subprocess.Popen[str]) -> None:
        """End a program as a scheduler does that has no more patience: -9 for its whole process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def kill_all(self) -> None:
        """End all that was started from here, and nothing else."""
        until = time.monotonic() + 10
        while (left := self.processes()) and time.monotonic() < until:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)


def main_scene(scenes: dict[str, list[Path]], animation: int = 1) -> list[Path]:
    """The frames of the scene that a movie of the script shows."""
    if any(name.startswith("animation-") for name in scenes):
        return scenes[f"animation-{animation}"]
    for kind in LOOPS:
        if frames := scenes.get(f"{kind}-1"):
            return frames
    raise AssertionError(f"the script has no scene: {sorted(scenes)}")


def frames_of(store: Path) -> list[Path]:
    """The frames of a store, in their order."""
    return sorted(store.glob("frame_*.png"))


def difference(expected: Sequence[Path], drawn: Sequence[Path]) -> str:
    """Where two films differ first; empty if they are one.

    Parameters
    ----------
    expected : sequence of Path
        PNG files or ``.npy`` arrays of RGBA.
    drawn : sequence of Path
        Likewise.
    """
    for index, (one, other) in enumerate(zip(expected, drawn)):
        if text := _difference(_pixels(one), _pixels(other)):
            return f"frame {index} of {len(expected)} ({other.name}) differs: {text}"
    if len(expected) != len(drawn):
        return f"{len(drawn)} frames where {len(expected)} are due"
    return ""


def _pixels(path: Path) -> Pixels:
    return np.load(path) if path.suffix == ".npy" else read_png(path)


def _difference(expected: Pixels, drawn: Pixels) -> str:
    """Exact where the drawn frame is opaque; elsewhere as close as laying it over white can be rounded."""
    if expected.shape != drawn.shape:
        return f"{drawn.shape[1]}x{drawn.shape[0]} px where {expected.shape[1]}x{expected.shape[0]} are due"
    opaque = (drawn[..., 3] == 255) & (expected[..., 3] == 255)
    off = np.abs(_over_white(expected) - _over_white(drawn)).max(2)
    wrong = off > np.where(opaque, 0.01, 2.5)
    if not wrong.any():
        return ""
    rows, columns = np.nonzero(wrong)
    box = f"rows {rows.min()}-{rows.max()}, columns {columns.min()}-{columns.max()}"
    return f"{int(wrong.sum())} pixels in {box}, by {off.max():.0f} at most"


def _over_white(rgba: Pixels) -> npt.NDArray[np.float64]:
    share = rgba[..., 3:] / 255
    return rgba[..., :3] * share + 255 * (1 - share)
