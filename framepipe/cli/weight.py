"""What an installation weighs: framepipe and the packages that it needs, as their files are on disk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import framepipe


def sizes_bytes() -> dict[str, int]:
    """Return the bytes of framepipe and of each package that it needs, heaviest first.

    What only an extra brings does not count, nor a package whose files its installer has not listed. Where
    framepipe is installed as editable, its own files are those of the checkout's package.
    """
    sizes = {name: _bytes_of(files) for name, files in _files_of_packages().items() if files}
    sizes["framepipe"] = _bytes_of(
        path for path in Path(framepipe.__file__).parent.rglob("*") if path.is_file()
    )
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def packages_that_need(name: str) -> list[str]:
    """Return the installed packages, without framepipe, that do not work without another one."""
    return sorted(
        {
            other
            for distribution in metadata.distributions()
            if (other := _normal(distribution.metadata["Name"] or "")) != "framepipe"
            and name in _requirements(distribution)
        }
    )


def _files_of_packages() -> dict[str, list[Path]]:
    """Return the files of all that framepipe needs, and of what those need, by the package's name."""
    packages: dict[str, list[Path]] = {}
    names = ["framepipe"]
    while names:
        name = names.pop()
        if name in packages:
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another Python or system, or left out on purpose
        packages[name] = [Path(str(distribution.locate_file(each))) for each in distribution.files or ()]
        names.extend(_requirements(distribution))
    return packages


def _requirements(distribution: metadata.Distribution) -> Iterator[str]:
    """Yield the names of what a package needs on some system, without what its extras bring."""
    for requirement in distribution.requires or ():
        needed, _, marker = requirement.partition(";")
        if "extra" not in marker and (name := re.match(r"[\w.-]+", needed.strip())):
            yield _normal(name[0])


def _normal(name: str) -> str:
    """Return a package's name as all spell it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _bytes_of(paths: Iterator[Path] | list[Path]) -> int:
    size = 0
    for path in paths:
        try:
            size += path.stat().st_size
        except OSError:  # listed and deleted since, as byte code is
            continue
    return size
