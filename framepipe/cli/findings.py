"""What `framepipe doctor` finds: the machine, programs, their versions, formats that can be built."""

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

from framepipe import __version__
from framepipe.core.cpus import usable_cpus
from framepipe.core.process import Tool
from framepipe.encoders import imagemagick
from framepipe.encoders.ffmpeg import candidates, version_of
from framepipe.errors import ToolMissing
from framepipe.formats import FORMATS
from framepipe.formats.gif import gifsicle
from framepipe.movie.probe import tool_for_format
from framepipe.options import EncodeOptions
from framepipe.watching.beside import GET_LIBRARIES, LIBRARIES


@dataclass(frozen=True)
class Finding:
    """The result of one check: whether it passed, what was seen, and how to get what is missing."""

    ok: bool
    what: str
    seen: str
    hint: str = ""


def installation() -> list[Finding]:
    """Check this machine, the programs on it, and each format by building something tiny."""
    return [*_machine(), *_ffmpegs(), *_imagemagicks(), *_gifsicles(), _page(), *_formats()]


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
    findings = [
        Finding(version is not None, "ffmpeg", f"{version or 'is no working ffmpeg'}  {path} ({origin})")
        for path, origin, version in ((path, origin, version_of(path)) for path, origin in candidates())
    ]
    return findings or [Finding(False, "ffmpeg", "none", "pip install imageio-ffmpeg")]


def _imagemagicks() -> list[Finding]:
    library = imagemagick.library()
    seen = f"{library.version}  {library.path}" if library else "none that Wand can load"
    findings = [
        Finding(
            bool(library),
            "MagickWand library",
            seen,
            "" if library else imagemagick.GET_IMAGEMAGICK,
        )
    ]
    for path, version in imagemagick.programs():
        seen = f"ImageMagick {version}" if version else "another program of that name, never used"
        findings.append(Finding(version is not None, Path(path).name, f"{seen}  {path}"))
    return findings


def _gifsicles() -> list[Finding]:
    """Check the gifsicles on this machine: they make GIFs smaller; none is needed to build one."""
    findings = [
        Finding(
            version is not None,
            "gifsicle (--optimize)",
            f"{version or 'is no working gifsicle'}  {path} ({origin})",
        )
        for path, origin, version in (
            (path, origin, gifsicle.version_of(path)) for path, origin in gifsicle.candidates()
        )
    ]
    return findings or [Finding(False, "gifsicle (--optimize)", "none", gifsicle.GET_GIFSICLE)]


def _page() -> Finding:
    """Check the libraries that serve the page of `framepipe watch`; nothing else needs them."""
    try:
        versions = ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES)
    except metadata.PackageNotFoundError:
        return Finding(False, "page (watch)", "none", GET_LIBRARIES)
    return Finding(True, "page (watch)", versions)


def _formats() -> list[Finding]:
    usual, magick = EncodeOptions(), EncodeOptions(encoder="imagemagick")
    findings = [
        _builds(f"builds {name}", partial(tool_for_format, each, usual)) for name, each in FORMATS.items()
    ]
    return [*findings, _builds("gif by ImageMagick", partial(tool_for_format, FORMATS["gif"], magick))]


def _builds(what: str, attempt: Callable[[], Tool]) -> Finding:
    try:
        return Finding(True, what, str(attempt()))
    except ToolMissing as error:
        return Finding(False, what, str(error).splitlines()[0])
