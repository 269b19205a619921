"""A snapshot as the JSON document that the page shows. Texts in it are data, and never markup."""

from __future__ import annotations

import heapq
import math
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from framepipe.core.summary import short_path
from framepipe.job.frames import format_range_briefly
from framepipe.store.failures import FailureLog, FailureRecord, lone_frame_command
from framepipe.store.heartbeats import Heartbeat, as_dict
from framepipe.store.store import Store
from framepipe.watching.snapshot import Snapshot

NEWEST = 12
DEFAULT_FPS = 24.0
_MAX_KINDS, _MAX_TASKS, _MAX_MOVIES, _MAX_CHECKS = 20, 500, 20, 100
_MAX_TEXT = 2000
_DONE, _MISSING, _FAILED, _BROKEN, _STALE, _DRAWING = "dmfbsw"


def document(store: Store, snapshot: Snapshot, newest: Sequence[int]) -> dict[str, Any]:
    """Return what the page shows of a store.

    Parameters
    ----------
    store : Store
    snapshot : Snapshot
    newest : sequence of int
        Frames to show small pictures of, see `newest_frames`.
    """
    letters = letters_of(snapshot)
    counts = {letter: letters.count(letter) for letter in "dmfbsw"}
    record = snapshot.record
    return {
        "store": short_path(store.path),
        "name": _cut(record.name) if record else "",
        "phase": phase(snapshot),
        "problem": _cut(snapshot.problem),
        "counts": counts,
        "frames": runs_of_letters(letters),
        "numbers": runs_of_numbers(snapshot.numbers),
        "grows": bool(record and record.extent != "fixed"),
        "recorded": bool(record and record.extent == "recorded"),
        "rate": _finite(float(f"{snapshot.rate:.3g}")),
        "fps": _fps(snapshot),
        "width_px": snapshot.shape.width if snapshot.shape else 0,
        "height_px": snapshot.shape.height if snapshot.shape else 0,
        "background": list(snapshot.background) if snapshot.background else None,
        "size_bytes": sum(file.size_bytes for file in snapshot.files.values()),
        "newest_s": max(
            (snapshot.files[each].time_s for each in newest if each in snapshot.files), default=None
        ),
        "newest": [
            [str(number), snapshot.files[number].inode] for number in newest if number in snapshot.files
        ],
        "failures": _failures(store, snapshot),
        "reasons": _reasons(snapshot),
        "tasks": _tasks(snapshot.tasks),
        "movies": _movies(snapshot.movies),
        "outputs": _outputs(snapshot),
        "left": dict(snapshot.outputs),
        "go_on": f"framepipe resume {shlex.quote(short_path(store.path))}",
    }


def phase(snapshot: Snapshot) -> str:
    """Return what is going on: "waiting", "drawing", "complete", "failed", "stopped", "recorded" or "gone".

    Waiting: there is no job yet. Failed, stopped: nobody draws, and frames have failed or not. Recorded: by
    a program, which says nothing of itself.
    """
    if snapshot.record is None:
        return "gone" if snapshot.numbers else "waiting"
    if any(beat.is_alive for beat in snapshot.tasks):
        return "drawing"
    if snapshot.record.extent == "recorded":
        return "recorded"
    if snapshot.numbers and len(snapshot.done) >= len(snapshot.numbers):
        return "complete"
    return "failed" if snapshot.failed else "stopped"


def letters_of(snapshot: Snapshot) -> str:
    """Return the state of each frame of the plan as a letter; w for one that is drawn now."""
    letters = dict.fromkeys(snapshot.stale, _STALE)
    letters |= dict.fromkeys(snapshot.broken, _BROKEN)
    letters |= dict.fromkeys(snapshot.failed, _FAILED)
    letters |= dict.fromkeys(snapshot.drawing, _DRAWING)
    letters |= dict.fromkeys(snapshot.done, _DONE)
    return "".join([letters.get(number, _MISSING) for number in snapshot.numbers])


def runs_of_letters(letters: str) -> list[list[Any]]:
    """Cut letters into runs of equal ones.

    >>> runs_of_letters("ddm")
    [['d', 2], ['m', 1]]
    """
    return [[match[1], len(match[0])] for match in re.finditer(r"(.)\1*", letters)]


def runs_of_numbers(numbers: Sequence[int]) -> list[list[Any]]:
    """Cut the numbers of the plan into runs: first, count, step. The first is text: it may have 18 digits.

    >>> runs_of_numbers([0, 1, 2, 10, 20, 30])
    [['0', 3, 1], ['10', 3, 10]]
    """
    runs: list[list[Any]] = []
    at = 0
    while at < len(numbers):
        last = at + 1
        step = numbers[last] - numbers[at] if last < len(numbers) else 1
        while last < len(numbers) and numbers[last] - numbers[last - 1] == step:
            last += 1
        runs.append([str(numbers[at]), last - at, step if last - at > 1 else 1])
        at = last
    return runs


def newest_frames(snapshot: Snapshot, count: int = NEWEST) -> tuple[int, ...]:
    """Return the frames that were written last, the newest first."""
    files = snapshot.files
    known = (number for number in snapshot.done if number in files)
    return tuple(heapq.nlargest(count, known, key=lambda number: (files[number].time_s, number)))


def details(store: Store, snapshot: Snapshot, number: int, failure_log: FailureLog) -> dict[str, Any]:
    """Return what is known of one frame of the plan.

    Parameters
    ----------
    store : Store
    snapshot : Snapshot
    number : int
    failure_log : FailureLog
    """
    record = snapshot.record
    assert record is not None
    index = snapshot.numbers.index(number)
    file, failure = snapshot.files.get(number), snapshot.failed.get(number)
    drawer = snapshot.drawing.get(number) or _drawer_of(snapshot, number)
    names = {**dict.fromkeys(snapshot.broken, "broken"), **dict.fromkeys(snapshot.stale, "stale")}
    state = "done" if number in snapshot.done else "failed" if failure else names.get(number, "missing")
    facts: dict[str, Any] = {
        "number": str(number),
        "index": index,
        "state": "drawing" if number in snapshot.drawing else state,
        "why": _cut(snapshot.broken.get(number) or snapshot.stale.get(number) or ""),
        "value": _value(snapshot, number, index),
        "time_s": file.time_s if file else None,
        "size_bytes": file.size_bytes if file else None,
        "host": _cut(failure.host if failure else drawer.host if drawer else ""),
        "task": _cut(failure.task if failure else drawer.name if drawer else ""),
        "can_be_shown": snapshot.can_be_shown(number),
        "failure": None,
        "command": lone_frame_command(Path(short_path(store.path)), number, record.resumable),
    }
    if failure is not None:
        facts["failure"] = {
            "message": _cut(failure.message),
            "time_s": _finite(failure.time_s),
            "traceback": failure_log.traceback(failure),
            "output": failure_log.output(number),
        }
    return facts


def _drawer_of(snapshot: Snapshot, number: int) -> Heartbeat | None:
    """Return the task that has drawn a frame, as far as heartbeats say so; they are some seconds old."""
    for beat in snapshot.tasks:
        if _has_drawn(beat, number):
            return beat
    file, (alone, *others) = snapshot.files.get(number), [*snapshot.tasks, None]
    is_its = alone is not None and file is not None and not others[:-1] and file.time_s >= alone.since_s
    return alone if is_its else None


def _has_drawn(beat: Heartbeat, number: int) -> bool:
    """True if a heartbeat names this frame among those drawn; one from elsewhere may have any text."""
    for run in beat.drawn.split(","):
        first, _, rest = run.partition("-")
        last, _, step = rest.partition("x")
        if not all(each.isdecimal() and len(each) < 19 for each in (first, last or "0", step or "1")):
            continue
        if int(first) <= number <= int(last or first) and (number - int(first)) % (int(step or 1) or 1) == 0:
            return True
    return False


def _value(snapshot: Snapshot, number: int, index: int) -> str:
    """Return a frame's value as text, as far as the store has it: its number, or the label of a movie."""
    record = snapshot.record
    if record is None:
        return ""
    if record.values_are_numbers:
        return str(number)
    options = (record.goal or {}).get("options")
    labels = options.get("labels") if isinstance(options, dict) else None
    if isinstance(labels, list) and len(labels) == len(snapshot.numbers) and isinstance(labels[index], str):
        return _cut(labels[index])
    return ""


def _failures(store: Store, snapshot: Snapshot) -> list[dict[str, Any]]:
    groups: dict[str, list[FailureRecord]] = {}
    for number in snapshot.numbers if snapshot.failed else ():
        if (failure := snapshot.failed.get(number)) is not None:
            groups.setdefault(failure.error, []).append(failure)
    return [
        {
            "numbers": format_range_briefly((failure.number for failure in group), 60),
            "count": len(group),
            "first": str(group[0].number),
            "message": _cut(group[0].message.partition("\n")[0]),
            "where": _cut(group[0].task or group[0].host),
            "time_s": _finite(max(failure.time_s for failure in group)),
        }
        for group in list(groups.values())[:_MAX_KINDS]
    ]


def _reasons(snapshot: Snapshot) -> list[str]:
    lines = []
    for kind, frames in (("broken", snapshot.broken), ("stale", snapshot.stale)):
        by_reason: dict[str, list[int]] = {}
        for number, reason in frames.items():
            by_reason.setdefault(reason, []).append(number)
        for reason, numbers in list(by_reason.items())[:_MAX_KINDS]:
            lines.append(_cut(f"{kind}: {format_range_briefly(numbers, 60)}: {reason}"))
    return lines


def _tasks(beats: Iterable[Heartbeat]) -> list[dict[str, Any]]:
    tasks = []
    for beat in list(beats)[:_MAX_TASKS]:
        about = as_dict(beat)
        del about["age_s"]  # it changes all the time
        drawing = sorted(beat.drawing)
        about["drawing"] = format_range_briefly(drawing, 40) if drawing and beat.is_alive else ""
        about["since_s"] = _finite(min(beat.drawing.values())) if beat.drawing else None
        about["host"] = _cut(beat.host)
        about["beat_s"] = _finite(beat.beat_s)
        numbers = {name: _finite(about[name]) for name in ("frames_per_s", "processors")}
        tasks.append({**about, **numbers, "task": _cut(about["task"]), "error": _cut(beat.error)})
    return tasks


def _movies(movies: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        movie
        for path, facts in list(movies.items())[-_MAX_MOVIES:][::-1]
        if isinstance(facts, dict) and (movie := _movie(path, facts))
    ]


def _movie(path: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    about, checks = facts.get("about"), facts.get("checks")
    about = about if isinstance(about, dict) else {}
    numbers = {
        name: _finite(about[name])
        for name in ("frames", "duration_s", "width_px", "height_px", "size_bytes")
        if type(about.get(name)) in (int, float)
    }
    rows = [
        {"ok": each.get("ok") is True}
        | {name: _cut(str(each.get(name, ""))) for name in ("name", "expected", "seen")}
        for each in (checks if isinstance(checks, list) else [])[:_MAX_CHECKS]
        if isinstance(each, dict)
    ]
    return {
        "path": _cut(short_path(Path(path))),
        "name": _cut(Path(path).name),
        "encoder": _cut(str(facts.get("encoder", "")).partition(" (")[0]),
        "passed": facts.get("passed") is True,
        "checks": rows,
        **numbers,
    }


def _outputs(snapshot: Snapshot) -> list[str]:
    """Return the names of the movies that `make` will build."""
    outputs = (snapshot.record.goal or {}).get("outputs") if snapshot.record else None
    names = outputs if isinstance(outputs, list) else []
    return [_cut(Path(name).name) for name in names[:_MAX_MOVIES] if isinstance(name, str)]


def _fps(snapshot: Snapshot) -> float:
    record = snapshot.record
    timing = (record.goal or {}).get("timing") if record else None
    texts = [timing.get("fps") if isinstance(timing, dict) else None, record.fps if record else None]
    for text in texts:
        if isinstance(text, str) and (fps := _rate_of(text)):
            return fps
    return DEFAULT_FPS


def _rate_of(text: str) -> float:
    """Read ``30000/1001``; 0 if it is no rate that a page can play at."""
    above, _, below = text.partition("/")
    try:
        fps = float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        return 0.0
    return fps if 0.01 <= fps <= 1000 else 0.0


def _finite(number: float) -> float:
    """Return a number that JSON has: a store from elsewhere may hold others."""
    return number if math.isfinite(number) else 0.0


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + " …"
