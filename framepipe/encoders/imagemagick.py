"""ImageMagick: what there is of it, and running it in a child process.

Encoding goes through Wand (MagickWand, by ctypes) in ``magick_child``, so that a crash or a policy
limit of ImageMagick is an error and not the end of the caller.
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

from framepipe.control import Stop
from framepipe.encoders.tools import STALL_S, Tool, answer, run
from framepipe.errors import EncoderFailed, ToolMissing

GET_IMAGEMAGICK = "apt install libmagickwand-6.q16-6   (or: conda install imagemagick)"
_CHILD = "framepipe.encoders.magick_child"
_VERSION = re.compile(r"Version: ImageMagick (\S+)")
_NO_LIBRARY = 4


@cache
def library() -> Tool | None:
    """The MagickWand library that Wand finds; asked for in a child process."""
    asked = (
        "import wand.version as v; print(v.MAGICK_VERSION); import wand.api as a; print(a.libmagick._name)"
    )
    code, text = answer([sys.executable, "-c", asked], 60.0)
    lines = text.splitlines()
    if code or len(lines) < 2:
        return None
    found = re.match(r"ImageMagick (\S+)", lines[0])
    return Tool("imagemagick", lines[1], found[1] if found else lines[0])


def programs() -> list[tuple[str, str | None]]:
    """Every ``magick`` and ``convert`` on ``PATH`` with its version, None if it is another program.

    A name proves nothing: ``convert.exe`` of Windows converts file systems.
    """
    found: dict[str, tuple[str, str | None]] = {}
    for name in ("magick", "convert"):
        for folder in os.get_exec_path():
            path = shutil.which(name, path=folder)
            if path and (real := os.path.realpath(path)) not in found:
                found[real] = (path, _version_of(path))
    return list(found.values())


@cache
def _version_of(path: str) -> str | None:
    _, text = answer([path, "-version"])
    found = _VERSION.search(text)
    return found[1] if found else None


def find_imagemagick() -> Tool:
    """The MagickWand library.

    Raises
    ------
    ToolMissing
        There is none; says how to get it.
    """
    tool = library()
    if tool is None:
        raise ToolMissing(
            "ImageMagick's MagickWand library is not here (Wand could not load it). "
            f"To get it: {GET_IMAGEMAGICK}. Without it: --encoder ffmpeg"
        )
    return tool


def run_imagemagick(
    tool: Tool,
    spec: Mapping[str, Any],
    *,
    cwd: Path,
    on_frame: Callable[[int], None] | None = None,
    stall_s: float = STALL_S,
    stop: Stop | None = None,
) -> None:
    """Build a movie as ``spec`` says (see ``magick_child``) in a child process.

    Raises
    ------
    EncoderFailed
        With what it printed.
    """
    path = cwd / "spec.json"
    path.write_text(json.dumps(spec), encoding="ascii")

    def read(lines: str) -> bool:
        for line in lines.splitlines():
            key, _, value = line.partition("=")
            if on_frame and key == "frame" and value.isdigit():
                on_frame(int(value))
        return True

    done = run(command(path), cwd=cwd, on_lines=read, stall_s=stall_s, stop=stop, env=_import_path())
    if done.returncode == _NO_LIBRARY:
        raise ToolMissing(f"ImageMagick: {done.stderr.strip()}. To get it: {GET_IMAGEMAGICK}")
    if problem := done.verdict():
        words = done.stderr.strip()[-2000:]
        raise EncoderFailed(f"ImageMagick {problem}: {words}", stderr=done.stderr, tool=tool)


def command(spec: Path | str) -> list[str]:
    """The command that reads ``spec``."""
    return [sys.executable, "-m", _CHILD, str(spec)]


def _import_path() -> dict[str, str]:
    """Lets the child import what we can, also from a checkout that is not installed."""
    return {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
