"""The folder in which the frames of a request go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framepipe.job.canvas import Canvas
from framepipe.job.fingerprint import digest_value
from framepipe.scenes.address import split_address
from framepipe.scenes.base import Scene
from framepipe.store.store import Store

if TYPE_CHECKING:
    from framepipe.rendering.request.request import Request


def store_of(request: Request, store: str | os.PathLike[str] | None, scene: Any = None) -> Path:
    """Return the requested folder or the default one; a preview has its own.

    Parameters
    ----------
    request : Request
    store : path-like, optional
    scene : Scene, optional
        See `default_store`.
    """
    if store is None:
        return default_store(request, scene)
    path = Store(store).path
    return path.with_name(f"{path.name}-preview") if request.preview else path


def default_store(request: Request, scene: Scene | None = None) -> Path:
    """Return the default folder for a job's frames, below ``frames/`` in the working folder.

    It is named after the script and the scene in it. A digest is added for a script in another folder, and
    for parameters, arguments, dpi and the like, so that different jobs have different folders.

    Parameters
    ----------
    request : Request
    scene : Scene, optional
        The scene, if the request has no address.
    """
    if scene is None:
        script, name = split_address(str(request.scene))
        stem = Path(script).stem if script.endswith(".py") else script.rpartition(".")[2]
        folder = Path(os.path.abspath(script)).parent if script.endswith(".py") else Path.cwd()
    else:
        stem, name = scene.stem, scene.name
        folder = scene.sources[0].parent if scene.sources else Path.cwd()
    plain = "".join(char if char.isalnum() or char in "-_" else "" for char in name)
    plain = plain or ("" if scene is None else "draw")
    differing: dict[str, Any] = {
        "folder": "" if folder == Path.cwd() else os.path.relpath(folder),
        "params": dict(request.params),
        "script_args": list(request.script_args),
        "animation": request.animation,
        "canvas": request.canvas if request.canvas != Canvas() else None,
    }
    differing = {key: value for key, value in differing.items() if value}
    digest = digest_value([*differing, *map(repr, differing.values())])[:8] if differing else ""
    return Path("frames") / "-".join(filter(None, [stem, plain, digest]))
