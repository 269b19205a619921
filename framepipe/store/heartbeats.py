"""Heartbeats: small files in which the processes that draw frames of a store say what they are doing.

They are in the folder ``tasks`` of the store, one a process, written whole. No frame depends on them: they
are for `status`, and so that tasks of one job notice each other. What the tasks have found out about the
order of frames is there too (`Findings`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from framepipe.core import files
from framepipe.job.fingerprint import combine
from framepipe.job.frames import format_range_briefly

#: Seconds between two heartbeats, and after which one from another host is stale: file attributes may be
#: cached for a minute there (``acregmax`` in nfs(5)), and a frame may keep a process busy.
BEAT_S = 10.0
STALE_S = 180.0
_MAX_BYTES = 16_000_000
_ORDERS = ("free", "replay", "serial")
_FULL_REDRAW, _FIRST_FRAME = "full-redraw", "first-frame"
_MAX_TASKS, _MAX_DETAILS = 12, 300

State = Literal["drawing", "ended", "stopped"]


@dataclass(frozen=True)
class Heartbeat:
    """What a process that draws says of itself.

    Attributes
    ----------
    host : str
        The host's name.
    processes : str
        Names the set of processes among which ``pid`` is unique, see `framepipe.core.files`.
    pid : int
    born : int
        Start of the process in clock ticks since its host was booted, so that another process with the same
        id is not taken for it; 0 if unknown.
    shard : str
        ``"3/64"``; empty if it draws all frames.
    array, task : str
        Job array and task, see `framepipe.core.allocation`; empty if it is none.
    requeues : int
        How often the scheduler has started the task again.
    since_s : float
        When it began, in seconds by the file system's clock.
    parts : dict
        Parts of the job's fingerprint, without what runs find out.
    details : dict
        Digests by name behind the parts, cut, to say what differs.
    shown : dict
        Values of the global variables among them, as text.
    state : {"drawing", "ended", "stopped"}
    order : {"free", "replay", "serial"}
        The order in which it draws.
    total, done, failed, helped : int
        Frames of its shard, those of them that are done, that failed; and frames of others that it drew.
    rate : float
        Frames that it draws in a second.
    drawn : str
        The newest frames that it has drawn, as a frame range.
    workers : int
        Processes that it has started and that run now, see `Usage`.
    processors : float
        Processors that it and they have used on average since the heartbeat before.
    memory_bytes : int
        Memory of all of them; what they share counts once.
    drawing : dict of int to float
        Frames being drawn now, and since when (s, clock of the host).
    error : str
        The message of its last failed frame.
    beat_s : float
        When it was written (s, clock of the host).
    age_s : float
        Seconds since then by the file system's clock, when it was read.
    """

    host: str = field(default_factory=socket.gethostname)
    processes: str = files.HOST
    pid: int = field(default_factory=os.getpid)
    born: int = 0
    shard: str = ""
    array: str = ""
    task: str = ""
    requeues: int = 0
    since_s: float = 0.0
    parts: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)
    state: State = "drawing"
    order: str = "free"
    total: int = 0
    done: int = 0
    failed: int = 0
    helped: int = 0
    rate: float = 0.0
    drawn: str = ""
    workers: int = 0
    processors: float = 0.0
    memory_bytes: int = 0
    drawing: Mapping[int, float] = field(default_factory=dict)
    error: str = ""
    beat_s: float = 0.0
    age_s: float = 0.0

    @property
    def name(self) -> str:
        """For people: ``task 7 on node3``, or ``process 4711 on node3``."""
        return f"task {self.task} on {self.host}" if self.task else f"process {self.pid} on {self.host}"

    @property
    def job(self) -> str:
        """The fingerprint of the job, which tasks of one job share."""
        return combine(self.parts)

    @property
    def is_alive(self) -> bool:
        """True if the process still draws, as far as can be seen from here."""
        if self.state != "drawing":
            return False
        if self.processes != files.HOST:
            return self.age_s < STALE_S
        born = born_at(self.pid)
        return files.is_alive(self.pid) and (not self.born or not born or born == self.born)

    def to_json(self) -> bytes:
        """Encode as the file's contents."""
        data = dataclasses.asdict(self)
        del data["age_s"]
        return json.dumps({"framepipe_task": 1, **data}).encode() + b"\n"

    @classmethod
    def from_json(cls, text: bytes, age_s: float) -> Heartbeat | None:
        """Decode a file's contents; None if it is no heartbeat."""
        try:
            data = json.loads(text)
            fields = {each.name: data[each.name] for each in dataclasses.fields(cls) if each.name in data}
            fields["drawing"] = {int(number): float(since) for number, since in fields["drawing"].items()}
            beat = cls(**{**fields, "age_s": age_s})
            texts = (beat.host, beat.processes, beat.shard, beat.array, beat.task, beat.error, beat.drawn)
            counts = (beat.pid, beat.born, beat.total, beat.done, beat.failed, beat.helped, beat.requeues)
            measured = (beat.workers, beat.memory_bytes)
            is_right = all(
                isinstance(each, str) for each in (*texts, beat.state, *beat.parts.values(), *beat.shown)
            )
            is_right &= all(type(each) is int for each in (*counts, *measured)) and beat.pid > 0
            times = (beat.since_s, beat.beat_s, beat.rate, beat.processors)
            return beat if is_right and all(isinstance(each, (int, float)) for each in times) else None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None


def born_at(pid: int) -> int:
    """Return when a process of this host started, in clock ticks since boot; 0 if unknown."""
    try:  # proc(5): field 22, after the name in parentheses
        return int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0


class Heartbeats:
    """The heartbeats in a store.

    Parameters
    ----------
    store : Path
        The store's folder.
    """

    def __init__(self, store: Path) -> None:
        self.folder = store / "tasks"
        self._read: dict[Path, tuple[tuple[int, ...], Heartbeat | None]] = {}

    def write(self, beat: Heartbeat) -> None:
        """Write a heartbeat; a failure is ignored."""
        with contextlib.suppress(OSError):
            self._create()
            beat = dataclasses.replace(beat, beat_s=time.time())
            files.write_atomic(self._path(beat), beat.to_json(), mode=0o600)  # it may show values of globals

    def clock_s(self) -> float:
        """Return the time by the file system's clock; by this host's if nothing can be written."""
        with contextlib.suppress(OSError):
            self._create()
        return files.clock_of(self.folder) or time.time()

    def _create(self) -> None:
        if os.path.islink(self.folder):  # a folder from elsewhere may point anywhere
            raise OSError("tasks is a link")
        self.folder.mkdir(exist_ok=True)

    def _path(self, beat: Heartbeat) -> Path:
        return self.folder / f"{beat.processes}-{beat.pid}.json"

    def all(self, now_s: float | None = None) -> list[Heartbeat]:
        """Read all heartbeats, those of dead processes too; sorted by shard and age.

        Parameters
        ----------
        now_s : float, optional
            The time in seconds since 1970. Default: the file system's clock is asked, which writes.
        """
        paths = self._paths()
        if now_s is None and paths:
            now_s = files.clock_of(self.folder)
        before, self._read = self._read, {}
        beats = []
        for path in paths:
            try:
                state = path.stat()
                identity = (state.st_ino, state.st_mtime_ns, state.st_size)
                known = before.get(path)
                if known is None or known[0] != identity:
                    known = identity, Heartbeat.from_json(files.read_file(path, _MAX_BYTES), 0.0)
            except OSError:
                continue
            self._read[path] = known
            beat = known[1]
            if beat is not None and path == self._path(beat):
                beats.append(dataclasses.replace(beat, age_s=(now_s or time.time()) - state.st_mtime))
        return sorted(beats, key=lambda beat: (_shard_key(beat.shard), beat.since_s))

    def _paths(self) -> list[Path]:
        if os.path.islink(self.folder):
            return []
        with contextlib.suppress(OSError), os.scandir(self.folder) as entries:
            return [Path(entry.path) for entry in entries if entry.name.endswith(".json")]
        return []

    def remove(self, beat: Heartbeat) -> None:
        """Remove a heartbeat, and the folder if it is empty now."""
        with contextlib.suppress(OSError):
            if not os.path.islink(self.folder):
                self._path(beat).unlink(missing_ok=True)
                self.folder.rmdir()

    def clear(self) -> None:
        """Remove all that is framepipe's in the folder, but not what living processes say."""
        beats = self.all()
        for beat in beats:
            if not beat.is_alive:
                self.remove(beat)
        if any(beat.is_alive for beat in beats) or os.path.islink(self.folder):
            return
        with contextlib.suppress(OSError):
            for path in [*self.folder.glob("order-*"), *files.leftover_temporaries(self.folder)]:
                path.unlink(missing_ok=True)
            files.remove_folder(self.folder)


def _shard_key(shard: str) -> tuple[int, ...]:
    return tuple(int(part) for part in shard.split("/") if part.isdigit())


class Findings:
    """What the tasks of one job have found out about how its frames must be drawn.

    Each finding is a file of its own that only the first finder writes, and none is ever taken back: the
    strictest order holds for all. So tasks need no lock to agree.

    Parameters
    ----------
    store : Path
    job : str
        The job's fingerprint: findings about another version of it do not count.
    """

    def __init__(self, store: Path, job: str) -> None:
        self._folder, self._job = store / "tasks", job[:16]

    def add(self, order: str, text: str) -> None:
        """Say that frames were found to need this order.

        Parameters
        ----------
        order : {"free", "replay", "serial"}
            "free": checked, and nothing stricter was found to be needed.
        text : str
            Why, for people.
        """
        if os.path.islink(self._folder):
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            data = {"order": order, "why": text, "host": socket.gethostname(), "pid": os.getpid()}
            files.write_first(self._path(order), json.dumps(data).encode() + b"\n")

    def add_full_redraw(self, number: int) -> None:
        """Say that this frame came out different when only what had changed in it was drawn."""
        self.add(_FULL_REDRAW, str(number))

    def full_redraw(self) -> int | None:
        """Return the frame for which any task has found that all must be drawn in full; None without one."""
        path = self._path(_FULL_REDRAW)
        why = self._why(path) if path.exists() else ""
        return int(why) if why.isdigit() else None

    def first_frame(self, pixels: str, files: str) -> str:
        """Return the digest of the pixels that the first task to draw the first frame has found.

        Parameters
        ----------
        pixels : str
            What this task has found; it is the answer if no task was before it, or that had other files.
        files : str
            A digest of the files that the frame was drawn from.
        """
        self.add(_FIRST_FRAME, f"{files} {pixels}")
        other_files, _, other = self._why(self._path(_FIRST_FRAME)).partition(" ")
        return other if other_files == files else pixels

    def strictest(self) -> tuple[str, str] | None:
        """Return the strictest order that was found to be needed, and why; None if nobody has checked it."""
        for order in reversed(_ORDERS):
            path = self._path(order)
            if path.exists():
                return order, self._why(path)
        return None

    def _path(self, order: str) -> Path:
        return self._folder / f"order-{self._job}-{order}"

    @staticmethod
    def _why(path: Path) -> str:
        try:
            why = json.loads(files.read_file(path, _MAX_BYTES))["why"]
        except (OSError, ValueError, KeyError, TypeError):
            return ""
        return why if isinstance(why, str) else ""


def details_of(details: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Return a record's details, cut: enough to see what differs."""
    return {
        name: {key: each[key][:40] for key in sorted(each)[:_MAX_DETAILS]} for name, each in details.items()
    }


def task_lines(beats: Sequence[Heartbeat], left: int) -> list[str]:
    """Format heartbeats for people: how many draw, how fast, until when, and the tasks themselves.

    Parameters
    ----------
    beats : sequence of Heartbeat
    left : int
        Frames that are not done.
    """
    if not beats:
        return []
    living = [beat for beat in beats if beat.is_alive]
    counts = Counter(as_dict(beat)["state"] for beat in beats)
    text = "tasks: " + ", ".join(f"{count} {state}" for state, count in counts.items())
    rate = sum(beat.rate for beat in living)
    if rate and left:
        text += f"; {rate:.3g} frames/s, about {duration_text(left / rate)} left"
    if again := sum(beat.requeues for beat in beats):
        text += f"; started again {again} times"
    lines = [text]
    told = [beat for beat in beats if beat.is_alive or beat.state != "ended"]
    lines += [f"  {_line(beat)}" for beat in told[:_MAX_TASKS]]
    if len(told) > _MAX_TASKS:
        lines.append(f"  and {len(told) - _MAX_TASKS} more: --json has all")
    errors = [beat for beat in beats if beat.error]
    if errors:
        last = max(errors, key=lambda beat: beat.beat_s)
        lines.append(f"last error: {last.error} ({last.name})")
    return lines


def _line(beat: Heartbeat) -> str:
    """Describe what one task does."""
    shard = f" ({beat.shard})" if beat.shard else ""
    text = f"{beat.name}{shard}: {beat.done} of {beat.total}"
    text += f", {beat.failed} failed" if beat.failed else ""
    text += f", {beat.helped} of other tasks" if beat.helped else ""
    if not beat.is_alive:
        verb = "stopped" if beat.state == "stopped" else "died, or has not said anything"
        return f"{text}; {verb} {duration_text(beat.age_s)} ago"
    text += f", {beat.rate:.3g} frames/s" if beat.rate else ""
    if beat.drawing:
        longest_s = beat.beat_s - min(beat.drawing.values()) + beat.age_s
        text += f", drawing {format_range_briefly(beat.drawing, 40)} since {duration_text(longest_s)}"
    return text


def duration_text(seconds: float) -> str:
    """Format a duration for people.

    >>> duration_text(42), duration_text(3661), duration_text(200_000)
    ('42 s', '1:01:01', '2 d 07:33')
    """
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, hours = whole // 60 % 60, whole // 3600
    if hours < 48:
        return f"{hours}:{minutes:02}:{whole % 60:02}"
    return f"{hours // 24} d {hours % 24:02}:{minutes:02}"


def as_dict(beat: Heartbeat) -> dict[str, Any]:
    """Convert for JSON: what is of use to people."""
    return {
        "task": beat.name,
        "shard": beat.shard or None,
        "state": beat.state if beat.state != "drawing" or beat.is_alive else "dead",
        "done": beat.done,
        "total": beat.total,
        "failed": beat.failed,
        "helped": beat.helped,
        "frames_per_s": round(beat.rate, 4),
        "workers": beat.workers,
        "processors": round(beat.processors, 2),
        "memory_bytes": beat.memory_bytes,
        "drawing": {str(number): round(since, 1) for number, since in beat.drawing.items()},
        "requeues": beat.requeues,
        "error": beat.error,
        "age_s": round(beat.age_s, 1),
    }
