"""Find ImageMagick, and run it in a child process.

Encoding goes through Wand (MagickWand, by ctypes) in ``magick_child``, so that a crash or a policy
limit of ImageMagick is an error and does not end the caller.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from framepipe.core.control import IDLE_TIMEOUT_S, NO_CONTROL, Control
from framepipe.core.process import Tool, query, run
from framepipe.errors import EncoderFailed, ToolMissing

GET_IMAGEMAGICK = "apt install libmagickwand-6.q16-6   (or: conda install imagemagick)"
_VERSION = re.compile(r"Version: ImageMagick (\S+)")
_NO_LIBRARY = 4


@cache
def library() -> Tool | None:
    """Find the MagickWand library that Wand loads, in a child process."""
    script = (
        "import wand.version as v; print(v.MAGICK_VERSION); import wand.api as a; print(a.libmagick._name)"
    )
    code, text = query([sys.executable, "-c", script], 60.0)
    lines = text.splitlines()
    if code or len(lines) < 2:
        return None
    match = re.match(r"ImageMagick (\S+)", lines[0])
    return Tool("imagemagick", lines[1], match[1] if match else lines[0])


def programs() -> list[tuple[str, str | None]]:
    """List every ``magick`` and ``convert`` on ``PATH`` with its version, None if it is another program.

    A name proves nothing: ``convert.exe`` of Windows converts file systems.
    """
    by_real_path: dict[str, tuple[str, str | None]] = {}
    for name in ("magick", "convert"):
        for folder in os.get_exec_path():
            path = shutil.which(name, path=folder)
            if path and (real_path := os.path.realpath(path)) not in by_real_path:
                by_real_path[real_path] = (path, _version_of(path))
    return list(by_real_path.values())


@cache
def _version_of(path: str) -> str | None:
    _, text = query([path, "-version"])
    match = _VERSION.search(text)
    return match[1] if match else None


def find_imagemagick() -> Tool:
    """Return the MagickWand library.

    Raises
    ------
    ToolMissing
        There is none; the message says how to get it.
    """
    tool = library()
    if tool is None:
        raise ToolMissing(
            "ImageMagick's MagickWand library is missing (Wand could not load it). "
            f"To get it: {GET_IMAGEMAGICK}. Without it: --encoder ffmpeg"
        )
    return tool


def run_imagemagick(
    tool: Tool,
    child: str,
    spec: Mapping[str, Any],
    *,
    cwd: Path,
    on_frame: Callable[[int], None] | None = None,
    idle_timeout_s: float = IDLE_TIMEOUT_S,
    control: Control = NO_CONTROL,
) -> None:
    """Build a movie in a child process, since MagickWand can end the process that it is loaded in.

    Parameters
    ----------
    tool : Tool
    child : str
        The module to run, with the path of ``spec`` as its argument.
    spec : mapping
        The movie to build, as JSON.
    cwd : Path
        The work folder.
    on_frame : callable, optional
        Called with the number of frames so far, which the child prints as ``frame=12``.
    idle_timeout_s : float
        See `framepipe.core.process.run`.
    control : Control, optional

    Raises
    ------
    EncoderFailed
        The child failed; the message has what it printed.
    """
    path = cwd / "spec.json"
    path.write_text(json.dumps(spec), encoding="ascii")

    def read(lines: str) -> bool:
        for line in lines.splitlines():
            key, _, value = line.partition("=")
            if on_frame and key == "frame" and value.isdigit():
                on_frame(int(value))
        return True

    result = run(
        command(child, path),
        cwd=cwd,
        on_lines=read,
        idle_timeout_s=idle_timeout_s,
        control=control,
        env=_import_path(),
    )
    if result.returncode == _NO_LIBRARY:
        raise ToolMissing(f"ImageMagick: {result.stderr.strip()}. To get it: {GET_IMAGEMAGICK}")
    if problem := result.verdict():
        words = result.stderr.strip()[-2000:]
        raise EncoderFailed(f"ImageMagick {problem}: {words}", stderr=result.stderr, tool=tool)


def command(child: str, spec: Path | str) -> list[str]:
    """Return the command that runs the module ``child`` with ``spec``."""
    return [sys.executable, "-m", child, str(spec)]


def _import_path() -> dict[str, str]:
    """Return the environment in which the child can import what we can, also from an uninstalled checkout."""
    return {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
