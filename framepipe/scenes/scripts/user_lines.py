"""The lines of the user's code: of the script and its local modules, on the stack or in a traceback."""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import dataclass
from types import FrameType, TracebackType

from framepipe.job.places import AS_IMPORTED

_PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


@dataclass(frozen=True)
class Place:
    """A line of the user's code: the file, the function's first line, and the line."""

    file: str
    function: str
    first_line: int
    line: int


def chain_of(traceback: TracebackType | None) -> tuple[Place, ...]:
    """Return the lines of the user's code in a traceback, the outermost first."""
    places = []
    while traceback is not None:
        if is_users(traceback.tb_frame):
            places.append(_place(traceback.tb_frame, traceback.tb_lineno))
        traceback = traceback.tb_next
    return tuple(places)


def chain() -> tuple[Place, ...]:
    """Return the lines of the user's code that led here, the outermost first."""
    places = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if is_users(frame):
            places.append(_place(frame, frame.f_lineno))
        frame = frame.f_back
    return tuple(reversed(places))


def _place(frame: FrameType, line: int) -> Place:
    return Place(frame.f_code.co_filename, frame.f_code.co_name, frame.f_code.co_firstlineno, line)


@functools.cache
def _library_folders() -> tuple[str, ...]:
    import sysconfig

    paths = sysconfig.get_paths()
    installed = (paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    return tuple(folder + os.sep for folder in (*installed, AS_IMPORTED))


def is_library(file: str) -> bool:
    """True for a file of Python, of an installed package or of framepipe, and for code without a file."""
    return file.startswith(("<", *_library_folders())) or any(folder in file for folder in _PACKAGES)


def is_users(frame: FrameType) -> bool:
    """True for a frame of the script or of a local module, not of a library or of code without a file."""
    if is_library(frame.f_code.co_filename):
        return False
    # a program that runs scripts was itself __main__, until the script became that
    return frame.f_globals.get("__name__") != "__main__" or frame.f_globals is vars(sys.modules["__main__"])
