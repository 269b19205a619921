"""What differs between the jobs of two tasks that draw frames of one store."""

from __future__ import annotations

from pathlib import Path

from framepipe.store.heartbeats import Heartbeat

#: Details that two tasks of one job may have more or fewer of: only what both have must be equal.
_PARTIAL = ("reads", "also_read", "values")
_NOUNS = {
    "data": "global variable",
    "source": "file",
    "inputs": "file",
    "reads": "file",
    "packages": "package",
    "env": "environment variable",
    "style": "rcParam",
    "scene": "code of",
    "values": "value of frame",
}
_MAX_DIFFERENCES = 5


def differences_between(own: Heartbeat, other: Heartbeat) -> list[str]:
    """Say what differs between the jobs of two tasks, a line each; empty if they draw the same pictures."""
    lines: list[str] = []
    for name in {**own.details, **other.details}:
        lines += _differing_details(name, own, other)
    explained = {name for name in own.details if name not in _PARTIAL}
    names = [name for name in {**own.parts, **other.parts} if name not in _PARTIAL]
    for name in names:
        here, there = own.parts.get(name, "none"), other.parts.get(name, "none")
        if here == there:
            continue
        if name in ("matplotlib", "seed"):
            lines.append(f"{name}: {here} here, {there} there")
        elif name not in explained or not lines:
            lines.append(f"{name} differ" if name.endswith("s") else f"{name} differs")
    return lines


def _differing_details(name: str, own: Heartbeat, other: Heartbeat) -> list[str]:
    here, there = own.details.get(name, {}), other.details.get(name, {})
    if name not in _PARTIAL and own.parts.get(name) == other.parts.get(name):
        return []  # paths may differ where files are the same
    keys = {*here} & {*there} if name in _PARTIAL else {*here} | {*there}
    lines = []
    for key in sorted(keys):
        if here.get(key) != there.get(key):
            noun = _NOUNS.get(name, name)
            lines.append(f"{noun} {key}: {_shown(own, name, key)} here, {_shown(other, name, key)} there")
    return lines


def _shown(beat: Heartbeat, name: str, key: str) -> str:
    """Return a value as text, or else a part of its digest."""
    detail = beat.details.get(name, {}).get(key)
    if detail is None:
        return "none"
    if name in ("packages", "style"):
        return detail
    return beat.shown.get(key, f"SHA-256 {detail[:8]}…") if name == "data" else f"SHA-256 {detail[:8]}…"


def refusal(store: Path, other: Heartbeat, differences: list[str]) -> str:
    """Return the message that refuses to draw beside another task."""
    more = len(differences) - _MAX_DIFFERENCES
    lines = [*differences[:_MAX_DIFFERENCES], *([f"and {more} more"] if more > 0 else [])]
    shard = f" (shard {other.shard})" if other.shard else ""
    verb = "draws" if other.is_alive else "has drawn"
    return (
        f"{other.name}{shard} {verb} other frames in {store} than this task would:\n  "
        + "\n  ".join(lines)
        + "\nNothing was drawn here. All tasks of a job must be the same: take what differs from --param, a "
        "file or a seed; if this is the new version, end the other tasks first, or choose another --store"
    )
