"""The stamp of a frame: what its PNG says of itself, and why that makes it stale."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from framepipe.job.fingerprint import Parts, combine
from framepipe.job.record import JobRecord

#: Parts that a frame may lack: the framepipe or the engine that drew it did not record them.
_OPTIONAL_PARTS = ("seed", "reads", "packages", "env")
#: In a recorded frame's stamp: the numbers recorded before it. It decides no pixel.
RECORDED = "recorded"
#: Parts that are files, by path.
_OF_FILES = ("source", "inputs", "reads")
_MODIFIED, _GONE = "changed", "is missing"
_CHANGED = {
    "scene": "the function changed",
    "source": "the source code changed",
    "inputs": "an input file changed",
    "params": "the parameters changed",
    "value": "the frame's value changed",
    "canvas": "dpi, tight or transparent changed",
    "style": "rcParams or style changed",
    "data": "data that the function uses changed",
    "matplotlib": "matplotlib's version changed",
    "packages": "a package that the script imports has another version",
    "reads": "a file that the script reads changed",
    "env": "an environment variable changed",
    "seed": "the seed changed",
    "redraw": "only what had changed was drawn, and that was found to differ",
    "order": "drawn by jumping to it, but the scene keeps state between frames",
}


def stamp(number: int, parts: Parts, reads: Mapping[str, str] | None = None) -> str:
    """Encode a frame's stamp: its number, its fingerprint and the parts of it.

    Parameters
    ----------
    number : int
    parts : Parts
    reads : mapping, optional
        Digests of the files that drawing this frame read.
    """
    fields: dict[str, Any] = {"number": number, "fingerprint": combine(parts), "parts": dict(parts)}
    return json.dumps({**fields, "reads": dict(reads)} if reads else fields)


class Stamp(NamedTuple):
    """The decoded stamp of a frame: number, fingerprint, its parts, and the files it was drawn from."""

    number: int
    fingerprint: str
    parts: Parts
    reads: Mapping[str, str]


def read_stamp(text: str) -> Stamp | None:
    """Decode a frame's stamp, None if it is invalid or its parts do not match its fingerprint."""
    try:
        data = json.loads(text)
        number, fingerprint, parts = data["number"], data["fingerprint"], data["parts"]
        reads = data.get("reads", {})
        plain = isinstance(reads, dict) and all(isinstance(each, str) for each in reads.values())
        if type(number) is int and plain and combine(parts) == fingerprint:
            return Stamp(number, fingerprint, parts, reads)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return None


def why_stale(
    actual: Parts,
    expected: Parts,
    before: JobRecord | None,
    now: JobRecord,
    files: Mapping[str, str] | None = None,
) -> str:
    """Say why a frame with the parts ``actual`` is not as ``expected``, with all reasons; empty if it is.

    Parameters
    ----------
    actual, expected : Parts
        ``expected`` may lack the frame's value, where only the scene knows it.
    before : JobRecord or None
        The record in ``job.json`` before this run, so that the reason can name the file or the variable.
    now : JobRecord
    files : mapping, optional
        Files that this frame was drawn from and that have changed, with their digests now.
    """
    reasons: list[str] = []
    changes: set[tuple[str, str]] = set()  # of files: the job and the frame may have read the same one
    for name in expected:
        if actual.get(name) == expected[name] or (name in _OPTIONAL_PARTS and name not in actual):
            continue
        items = _items(name, actual, before, now)
        if items and name in _OF_FILES:
            changes |= _changes(items)
        else:
            reasons.append(_reason(name, actual, expected, items))
    changes |= _changes(files or {})
    for what in (_MODIFIED, _GONE):
        if names := sorted(name for name, change in changes if change == what):
            reasons.append(f"{_listed(names)} {what}")
    return ", ".join(reasons)


def _changes(files: Mapping[str, str]) -> set[tuple[str, str]]:
    """Return the names of files, each with what has become of it."""
    return {(Path(file).name, _GONE if now == "absent" else _MODIFIED) for file, now in files.items()}


def _items(name: str, actual: Parts, before: JobRecord | None, now: JobRecord) -> dict[str, str]:
    """Return which files, variables … of a part have changed, with their digests now; empty if unknown."""
    old, new = (before.details.get(name) if before else None), now.details.get(name)
    if before is None or old is None or new is None or before.parts.get(name) != actual.get(name):
        return {}
    keys = sorted(old if name == "reads" else {*old, *new})
    return {key: new.get(key, "absent") for key in keys if old.get(key) != new.get(key)}


def _reason(name: str, actual: Parts, expected: Parts, items: Mapping[str, str]) -> str:
    if name == "matplotlib":
        return f"matplotlib was {actual.get(name, 'unknown')}, is {expected[name]}"
    plain = _CHANGED.get(name, f"{name} changed")
    return f"{plain} ({_listed([*items])})" if items and name != "scene" else plain


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:5])}{' …' if len(names) > 5 else ''}"
