"""Detects the kind of a scene: a function, an animation, a generator, or the address of one."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from framepipe.scenes.animation import AnimationScene
from framepipe.scenes.base import Scene
from framepipe.scenes.function import FunctionScene
from framepipe.scenes.generator import GeneratorScene
from framepipe.scenes.loading import LoadedObject, is_animation, load


def scene_of(
    thing: Any,
    params: Mapping[str, Any] | None = None,
    loaded: LoadedObject | None = None,
    *,
    has_frames: bool = True,
    first_call_twice: bool = False,
) -> Scene:
    """Return the scene of an object or address.

    Parameters
    ----------
    thing : callable, Animation or str
        A function of one frame's value; a generator function that yields Figures; a matplotlib
        animation, or a function without parameters that returns one; the address of any of these.
    params : mapping, optional
        Keyword arguments.
    loaded : LoadedObject, optional
        The address that it was loaded from.
    has_frames : bool
        True if the user named frames; only an animation or a generator works without.
    first_call_twice : bool
        See `AnimationScene`.

    Raises
    ------
    UsageError
    """
    if isinstance(thing, str):
        loaded = load(thing)
        thing = loaded.thing
    if inspect.isgeneratorfunction(inspect.unwrap(thing) if callable(thing) else thing):
        return GeneratorScene(thing, params, loaded)
    if is_animation(thing) or _returns_animation(thing, has_frames):
        return AnimationScene(thing, params, loaded, first_call_twice=first_call_twice)
    return FunctionScene(thing, params, loaded)


def _returns_animation(thing: Any, has_frames: bool) -> bool:
    """True for a function that needs no argument, if there are no frames or it cannot take one."""
    if not callable(thing) or isinstance(thing, type):
        return False
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return False
    return _accepts(signature) and not (has_frames and _accepts(signature, object()))


def _accepts(signature: inspect.Signature, *arguments: object) -> bool:
    try:
        signature.bind(*arguments)
    except TypeError:
        return False
    return True
