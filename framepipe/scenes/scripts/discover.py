"""Finds the animations of a script, and a name for each."""

from __future__ import annotations

import ast
import contextlib
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framepipe.scenes import matplotlib_private
from framepipe.scenes.scripts.capture import Capture, CapturedAnimation, SaveCall
from framepipe.scenes.scripts.user_lines import Place

_MAX_DEPTH = 4  # runner.views[0].anim
_MAX_LENGTH = 1000  # a longer list is data


@dataclass(frozen=True)
class NamedAnimation:
    """An animation that a script made.

    Attributes
    ----------
    name : str
        ``"anim"``, ``"runner.anim"``, ``"animations[0]"``; of several with one name the last has it, the
        earlier ones are ``"anim#1"`` …; empty if there is no name.
    animation : Animation
    saves : tuple of SaveCall
        The script's calls that would have saved it.
    number : int
        From 1, in order of creation.
    line : int or None
        The line that made it.
    """

    name: str
    animation: Any
    saves: tuple[SaveCall, ...] = ()
    number: int = 1
    line: int | None = None

    @property
    def frames(self) -> int | None:
        """Number of frames; None if unknown."""
        count = matplotlib_private.count_of(self.animation)
        if count is None:
            with contextlib.suppress(TypeError):
                count = len(matplotlib_private.artists_of(self.animation))
        return count

    def __str__(self) -> str:
        width, height = matplotlib_private.figure_of(self.animation).get_size_inches()
        parts = [
            self.name or "(no name)",
            f"line {self.line}" if self.line else "",
            f"{self.frames} frames" if self.frames is not None else "",
            f"{width:g}x{height:g} in",
            ", ".join(map(str, self.saves)),
        ]
        return ", ".join(filter(None, parts))


def find_animations(module: types.ModuleType, capture: Capture) -> tuple[NamedAnimation, ...]:
    """Return all animations of a script in order of creation, each with its name if there is one.

    An animation that is only ``extra_anim`` of another one's save belongs to that one.

    Parameters
    ----------
    module : ModuleType
        The script.
    capture : Capture
        The record of its run.
    """
    extra = {id(each) for _, save in capture.saves for each in save.extra_anim}
    captured = [each for each in capture.animations if id(each.animation) not in extra]
    names_by_id = _names({id(each.animation) for each in captured}, module)
    names = [names_by_id.get(id(each.animation)) or _assigned(each) for each in captured]
    saves: dict[int, list[SaveCall]] = {}
    for animation, save in capture.saves:
        saves.setdefault(id(animation), []).append(save)
    return tuple(
        NamedAnimation(
            name, each.animation, tuple(saves.get(id(each.animation), ())), number, _line(each.place)
        )
        for number, (name, each) in enumerate(zip(_distinct(names), captured), 1)
    )


def _line(place: Place | None) -> int | None:
    return place.line if place else None


def _distinct(names: list[str]) -> list[str]:
    """Number equal names, except for the last one, as it is in Python."""
    result = []
    for index, name in enumerate(names):
        earlier = names[:index].count(name)
        result.append(f"{name}#{earlier + 1}" if name and name in names[index + 1 :] else name)
    return result


def _names(ids: set[int], module: types.ModuleType) -> dict[int, str]:
    """Return the shortest expressions for objects, starting at a module's names, by object id."""
    names: dict[int, str] = {}
    visited: set[int] = set()
    level = [(name, value) for name, value in vars(module).items() if not name.startswith("__")]
    for _ in range(_MAX_DEPTH):
        next_level: list[tuple[str, Any]] = []
        for name, value in level:
            if id(value) in ids:
                names.setdefault(id(value), name)
            elif id(value) not in visited:
                visited.add(id(value))
                next_level += _parts(name, value)
        level = next_level
    return names


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the items of a container, or the attributes of an object of a user's class."""
    if isinstance(value, (list, tuple)):
        if len(value) <= _MAX_LENGTH:
            yield from ((f"{name}[{index}]", part) for index, part in enumerate(value))
    elif isinstance(value, dict):
        if len(value) <= _MAX_LENGTH:
            yield from ((f"{name}[{key!r}]", part) for key, part in list(value.items()))
    elif isinstance(value, (set, frozenset)):
        if len(value) <= _MAX_LENGTH:
            yield from ((f"{name}{{{index}}}", part) for index, part in enumerate(value))
    elif not isinstance(value, (types.ModuleType, types.FunctionType)) and not _is_library_object(value):
        yield from ((f"{name}.{key}", part) for key, part in _attributes(value).items())


def _is_library_object(value: Any) -> bool:
    kind = value if isinstance(value, type) else type(value)
    return kind.__module__.partition(".")[0] in ("builtins", "matplotlib", "numpy", "mpl_toolkits", "pandas")


def _attributes(value: Any) -> Mapping[str, Any]:
    attributes = getattr(value, "__dict__", None) or {}
    return {key: part for key, part in dict(attributes).items() if not str(key).startswith("__")}


def _assigned(captured: CapturedAnimation) -> str:
    """Return the target of the assignment that made it, as ``anim`` in ``anim = FuncAnimation(…)``."""
    if captured.place is None:
        return ""
    try:
        tree = ast.parse(Path(captured.place.file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ""
    for node in ast.walk(tree):
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if not isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) or target is None:
            continue
        if node.lineno <= captured.place.line <= (node.end_lineno or node.lineno):
            text = ast.unparse(target)
            return text if re.fullmatch(r"[\w.]+", text) else ""
    return ""
