"""``framepipe doctor``."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

import click

from framepipe import __version__
from framepipe.cli import options
from framepipe.encoders import gifsicle, imagemagick
from framepipe.encoders.ffmpeg import candidates, version_of
from framepipe.encoders.tools import Tool
from framepipe.engines.cpus import usable_cpus
from framepipe.errors import ToolMissing
from framepipe.recipes import FORMATS, Options
from framepipe.trial import tool_of


@dataclass(frozen=True)
class Finding:
    """One thing looked at: ``ok``, what it is, and what to do if it is not ok."""

    ok: bool
    what: str
    seen: str
    cure: str = ""


@click.command("doctor")
@options.AS_JSON
def command(as_json: bool) -> None:
    """Tell what is here, its version, what is missing and how to get it.

    Exit code 0 when GIF and MP4 can be built, 4 when not.
    """
    findings = [*_machine(), *_ffmpegs(), *_imagemagicks(), *_gifsicles(), *_formats()]
    if as_json:
        options.print_json([vars(each) for each in findings])
    else:
        for each in findings:
            print(f"{'ok' if each.ok else '--'}  {each.what:<26} {each.seen}")
            if each.cure:
                print(f"      to get it: {each.cure}")
    if not all(each.ok for each in findings if each.what.startswith("builds") and not each.cure):
        click.get_current_context().exit(ToolMissing.exit_code)


def _machine() -> list[Finding]:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    packages = ["matplotlib", "numpy", "Pillow", "wand", "ffmpeg-python"]
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in packages)
    return [
        Finding(True, "framepipe", f"{__version__}, Python {platform.python_version()}, {sys.platform}"),
        Finding(True, "packages", versions),
        Finding(True, "processors to use", str(usable_cpus())),
        Finding(free > 1, "disk space here", f"{free:.1f} GB free"),
        Finding(
            os.access(".", os.W_OK),
            "this folder",
            "can be written" if os.access(".", os.W_OK) else "cannot be written",
        ),
    ]


def _ffmpegs() -> list[Finding]:
    found = [
        Finding(version is not None, "ffmpeg", f"{version or 'is no working ffmpeg'}  {path} ({origin})")
        for path, origin, version in ((path, origin, version_of(path)) for path, origin in candidates())
    ]
    return found or [Finding(False, "ffmpeg", "none", "pip install imageio-ffmpeg")]


def _imagemagicks() -> list[Finding]:
    library = imagemagick.library()
    seen = f"{library.version}  {library.path}" if library else "none that Wand can load"
    found = [
        Finding(
            bool(library),
            "MagickWand library",
            seen,
            "" if library else imagemagick.GET_IMAGEMAGICK,
        )
    ]
    for path, version in imagemagick.programs():
        seen = f"ImageMagick {version}" if version else "another program of that name, never used"
        found.append(Finding(version is not None, Path(path).name, f"{seen}  {path}"))
    return found


def _gifsicles() -> list[Finding]:
    """Those that could make GIFs smaller; none is needed to build one."""
    found = [
        Finding(
            version is not None,
            "gifsicle (--optimize)",
            f"{version or 'is no working gifsicle'}  {path} ({origin})",
        )
        for path, origin, version in (
            (path, origin, gifsicle.version_of(path)) for path, origin in gifsicle.candidates()
        )
    ]
    return found or [Finding(False, "gifsicle (--optimize)", "none", gifsicle.GET_GIFSICLE)]


def _formats() -> list[Finding]:
    usual, magick = Options(), Options(encoder="imagemagick")
    found = [_builds(f"builds {name}", partial(tool_of, name, usual)) for name in FORMATS]
    asked = [_builds(f"{name} by ImageMagick", partial(tool_of, name, magick)) for name in ("gif", "webp")]
    return [*found, *asked]


def _builds(what: str, attempt: Callable[[], Tool]) -> Finding:
    try:
        return Finding(True, what, str(attempt()))
    except ToolMissing as error:
        return Finding(False, what, str(error).splitlines()[0])
