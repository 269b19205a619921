"""What travels between a render and processes elsewhere that draw for it, see `remote` and `site`.

Everything is bytes by then: the processes between (an executor's, a scheduler's) need none of the user's
modules, and pickle nothing of it themselves.
"""

from __future__ import annotations

import os
import pickle
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from framepipe.rendering.engines.base import Outcome, PackedValue, Task, Work

#: Whose versions must be the same on both sides for a scene that is pickled.
_DRAWN_WITH = ("matplotlib", "numpy")


def versions_here() -> dict[str, str]:
    """Return the versions that both sides must agree on before anything is unpickled."""
    return {
        "framepipe": metadata.version("framepipe"),
        "Python": ".".join(platform.python_version_tuple()[:2]),
    }


def packages_here() -> dict[str, str]:
    """Return the versions of what draws a pickled scene; a scene by its address has a record instead."""
    return {name: metadata.version(name) for name in _DRAWN_WITH}


@dataclass(frozen=True)
class Commission:
    """What all units of a render have in common; sent once to each process that draws.

    Attributes
    ----------
    payload : bytes
        The scene, see `framepipe.rendering.engines.payload.Payload`.
    by_address : bool
        See `Payload`.
    work : Work or None
        Without a scene, for one that the stage loads itself; None if the payload has it.
    store : str
        The folder of the frames.
    probe : str
        A file in it that was written just now; empty if the store is not shared: frames are then returned.
    parts, details : mapping
        Of the job's record, as it was computed where the render runs; empty for a pickled scene.
    packages : mapping
        Versions for a pickled scene.
    frame_timeout_s : float or None
    cwd : str
        The working folder, where there is one of this name.
    path : sequence of str
        Folders in ``sys.path`` that are not the Python installation's.
    env : mapping
        Environment variables that the scene says it reads.
    """

    payload: bytes
    by_address: bool
    work: Work | None
    store: str
    probe: str
    parts: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    frame_timeout_s: float | None = None
    cwd: str = field(default_factory=os.getcwd)
    path: Sequence[str] = field(default_factory=lambda: own_folders(sys.path))
    env: Mapping[str, str] = field(default_factory=dict)


def own_folders(path: Sequence[str]) -> list[str]:
    """Return the folders of ``sys.path`` that do not belong to the Python installation."""
    installed = tuple({sys.prefix, sys.base_prefix, sys.exec_prefix})
    folders = [os.path.abspath(entry) for entry in path]
    return [folder for folder in folders if not any(Path(folder).is_relative_to(root) for root in installed)]


@dataclass(frozen=True)
class Unit:
    """Frames for one worker, in order.

    Attributes
    ----------
    worker : int
        Names the worker. The process that has drawn its frames so far goes on, if it is the one that gets
        the unit; any other begins where that one stands.
    position : int or None
        Where the worker stands, see `framepipe.rendering.engines.base.Worker`.
    is_fresh : bool
        True if it has drawn nothing yet.
    tasks : sequence of Task
    """

    worker: int
    position: int | None
    is_fresh: bool
    tasks: Sequence[Task]


def packed(task: Task, knows_values: bool) -> Task:
    """Return a task that can travel; the stage may know the values itself. Pickling may raise anything."""
    return replace(task, value=None if knows_values else PackedValue.of(task.value))


def write(thing: Commission | Unit | Sequence[Outcome]) -> bytes:
    """Pickle what travels."""
    return pickle.dumps(thing, protocol=5)


def read(data: bytes) -> Any:
    """Unpickle it."""
    return pickle.loads(data)
