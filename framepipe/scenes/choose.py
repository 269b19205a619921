"""Which kind of scene a thing is: a function, an animation, a generator, or the address of one."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from framepipe.scenes.animation import AnimationScene
from framepipe.scenes.base import Scene
from framepipe.scenes.function import FunctionScene
from framepipe.scenes.generator import GeneratorScene
from framepipe.scenes.load import Loaded, is_animation, load


def scene_of(
    thing: Any,
    params: Mapping[str, Any] | None = None,
    loaded: Loaded | None = None,
    *,
    frames_told: bool = True,
) -> Scene:
    """The scene that a user means.

    Parameters
    ----------
    thing : callable, Animation or str
        A function of one frame's value; a generator function that yields Figures; a matplotlib
        animation, or a function without parameters that returns one; the address of any of these.
    params : mapping, optional
        Keyword arguments.
    loaded : Loaded, optional
        Where it was loaded from.
    frames_told : bool
        False if the user did not say which frames, as only an animation or a generator allows.

    Raises
    ------
    UsageError
    """
    if isinstance(thing, str):
        loaded = load(thing)
        thing = loaded.thing
    if inspect.isgeneratorfunction(inspect.unwrap(thing) if callable(thing) else thing):
        return GeneratorScene(thing, params, loaded)
    if is_animation(thing) or _makes_animation(thing, frames_told):
        return AnimationScene(thing, params, loaded)
    return FunctionScene(thing, params, loaded)


def _makes_animation(thing: Any, frames_told: bool) -> bool:
    """True for a function that needs no frame, where none was told or it cannot take one."""
    if not callable(thing) or isinstance(thing, type):
        return False
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return False
    return _takes(signature) and not (frames_told and _takes(signature, object()))


def _takes(signature: inspect.Signature, *arguments: object) -> bool:
    try:
        signature.bind(*arguments)
    except TypeError:
        return False
    return True
