"""What `framepipe doctor` finds: the machine, programs, their versions, formats that can be built."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path

from framepipe import __version__
from framepipe.cli import weight
from framepipe.core.cpus import usable_cpus
from framepipe.core.process import Tool
from framepipe.core.summary import size_text
from framepipe.encoders import imagemagick
from framepipe.encoders.ffmpeg import candidates, version_of
from framepipe.errors import ToolMissing
from framepipe.formats import FORMATS
from framepipe.formats.gif import gifsicle
from framepipe.movie.probe import tool_for_format
from framepipe.options import EncodeOptions
from framepipe.watching.beside import GET_LIBRARIES, LIBRARIES

_SHIPS_FFMPEG = "imageio-ffmpeg"
_HEAVIEST = 4


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes
    ----------
    ok : bool
        Whether it passed.
    what : str
    seen : str
    hint : str
        How to get what is missing; of what is there and not needed, how to leave it out.
    sizes_bytes : mapping of str to int
        Of the weight: that of each package, the heaviest first.
    """

    ok: bool
    what: str
    seen: str
    hint: str = ""
    sizes_bytes: Mapping[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """Return the fields, without what does not apply."""
        return {name: value for name, value in vars(self).items() if name != "sizes_bytes" or value}


def installation() -> list[Finding]:
    """Check this machine, the programs on it, and each format by building something tiny."""
    formats, builders = _formats()
    return [
        *_machine(),
        *_ffmpegs(),
        *_imagemagicks(),
        *_gifsicles(),
        _page(),
        *formats,
        *_weight(builders),
    ]


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


def _formats() -> tuple[list[Finding], list[Tool]]:
    """Build something tiny in each format; return with the findings the tools that did it."""
    usual, magick = EncodeOptions(), EncodeOptions(encoder="imagemagick")
    attempts = {f"builds {name}": partial(tool_for_format, each, usual) for name, each in FORMATS.items()}
    attempts["gif by ImageMagick"] = partial(tool_for_format, FORMATS["gif"], magick)
    findings, builders = [], []
    for what, attempt in attempts.items():
        try:
            builders.append(attempt())
            findings.append(Finding(True, what, str(builders[-1])))
        except ToolMissing as error:
            findings.append(Finding(False, what, str(error).splitlines()[0]))
    return findings, builders


def _weight(builders: Sequence[Tool]) -> list[Finding]:
    """Weigh the installation; say of its heaviest part, an ffmpeg, whether anything here is built by it."""
    sizes = weight.sizes_bytes()
    heaviest = ", ".join(f"{name} {size_text(size)}" for name, size in [*sizes.items()][:_HEAVIEST])
    total = f"{size_text(sum(sizes.values()))} in {len(sizes)} packages: {heaviest} …"
    findings = [Finding(True, "weight", total, sizes_bytes=sizes)]
    shipped = {path for path, origin in candidates() if origin == _SHIPS_FFMPEG}
    if shipped and sizes.get(_SHIPS_FFMPEG) and not shipped & {tool.path for tool in builders}:
        others = weight.packages_that_need(_SHIPS_FFMPEG)
        seen = f"{size_text(sizes[_SHIPS_FFMPEG])} that no format above is built with"
        if others:
            findings.append(Finding(True, "ffmpeg of pip", f"{seen}; {', '.join(others)} needs it, too"))
        else:
            findings.append(Finding(True, "ffmpeg of pip", seen, f"pip uninstall {_SHIPS_FFMPEG}"))
    return findings
