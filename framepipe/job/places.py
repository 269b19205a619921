"""Whose a file is: Python's or an installed package's, the system's, framepipe's, or the user's."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import site
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

Kind = Literal["ignored", "module", "file"]

#: framepipe's own package: as its code objects name it, and its real path.
AS_IMPORTED = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OWN = os.path.realpath(AS_IMPORTED)

_PACKAGES = re.compile(r"[\\/](site|dist)-packages([\\/]|$)")
_SYSTEM = ("/proc", "/sys", "/dev", "/etc", "/run", "/usr/share/zoneinfo")
#: Users' folders below the system's: a RAM disk, and removable disks.
_OF_USERS = ("/dev/shm", "/run/media")  # noqa: S108
#: matplotlib's list of fonts with its lock, and TeX's output for it.
_CACHES = re.compile(r"[\\/](fontlist-v[^\\/]*\.json|[^\\/]*\.matplotlib-lock|tex\.cache[\\/].*)$")
#: Also installed, if a prefix is a conda environment, which holds more than Python.
_OF_CONDA = ("bin", "etc", "include", "lib", "share", "ssl", "Library", "DLLs", "Lib")


def classify(path: str, ignore: Iterable[str] = ()) -> Kind:
    """Classify an opened file: whether and how it counts for a job.

    Parameters
    ----------
    path : str
        Absolute. For compiled code its source, see `source_of`.
    ignore : iterable of str, optional
        framepipe's own folders, such as the store.

    Returns
    -------
    {"ignored", "module", "file"}
        ``"module"``: Python source that is not installed. ``"file"``: any other file of the user, fonts
        and style sheets too. ``"ignored"``: files of Python and of installed packages (they count by
        version), of the system, of framepipe, matplotlib's caches, and what is below ``ignore``.
    """
    real_path = _real(path)
    if (
        is_installed(path)
        or is_below(real_path, OWN)
        or any(is_below(real_path, _real(each)) for each in ignore)
    ):
        return "ignored"
    if any(is_below(path, each) for each in _SYSTEM) and not any(is_below(path, each) for each in _OF_USERS):
        return "ignored"
    if _CACHES.search(path) or Path(path).parent.name == "__pycache__":
        return "ignored"
    return "module" if path.endswith((".py", ".pyw")) else "file"


def is_installed(path: str) -> bool:
    """True for files of the standard library and of installed packages, but not of editable ones."""
    real_path = _real(path)
    return bool(_PACKAGES.search(real_path)) or any(
        is_below(real_path, each) for each in _installed_folders()
    )


def is_below(path: str, folder: str) -> bool:
    """True if ``path`` is ``folder`` or in it, by their names alone."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def source_of(path: str) -> str:
    """Return the source of compiled code in a ``__pycache__``; any other path unchanged."""
    if not path.endswith(".pyc"):
        return path
    try:
        return importlib.util.source_from_cache(path)
    except (ValueError, NotImplementedError):  # a .pyc of its own, without source
        return path


def _real(path: str) -> str:
    """Resolve the links of a path's folder, but not of the file itself.

    A package whose folder is linked into ``site-packages`` is being developed and counts as the user's;
    one whose files are links into an installer's cache (``uv --link-mode symlink``) is installed.
    """
    folder, name = os.path.split(path)
    return os.path.join(_real_folder(folder), name)


@functools.lru_cache(maxsize=4096)
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)


@functools.cache
def _installed_folders() -> tuple[str, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = {path for name in names if (path := sysconfig.get_path(name))}
    folders |= {os.path.dirname(os.__file__)}  # of the base Python, seen from a virtual environment
    folders |= {path for path in sys.path if re.fullmatch(r"python\d+\.zip", Path(path).name)}
    get = getattr(site, "getsitepackages", None)  # missing in environments of old virtualenv
    folders |= set(get() if get else ())
    for prefix in {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}:
        if (Path(prefix) / "conda-meta").is_dir():
            folders |= {os.path.join(prefix, name) for name in _OF_CONDA}
    return tuple(sorted({os.path.realpath(folder) for folder in folders if Path(folder).is_absolute()}))
