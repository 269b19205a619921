"""Records of frames that failed, in the store's folder ``logs``: kept until the frame is drawn.

``frame_000137.json`` says when and where frame 137 failed, and how; ``error-….txt`` has the traceback, once
for all failures that are alike. Nothing depends on them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shlex
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from framepipe.core import files
from framepipe.job.frames import file_name, format_range, format_range_briefly, number_of

_MAX_BYTES = 1_000_000
_MAX_MESSAGE = 2_000
_MAX_KINDS = 8
_ERROR = re.compile(r"error-[0-9a-f]{12}\.txt")


def alike(*texts: str) -> str:
    """Return what is the same in texts about several frames: they may differ in numbers only.

    >>> alike("frame 3: index 3 is out of range") == alike("frame 12: index 12 is out of range")
    True
    """
    return "\n".join(re.sub(r"\d+(\.\d+)?", "#", text) for text in texts)


@dataclass(frozen=True)
class FailureRecord:
    """How a frame failed.

    Attributes
    ----------
    number : int
    kind : str
        See `Failed` in `framepipe.rendering.engines`.
    message : str
        One line.
    host, task : str
        Where; ``task`` is as in `Heartbeat.name`.
    time_s : float
        When, in seconds since 1970 by the host's clock.
    error : str
        Names the file in the folder that has the message and the traceback of the first failure like this.
    """

    number: int
    kind: str
    message: str
    host: str
    task: str
    time_s: float
    error: str


class FailureLog:
    """The records of failed frames in a store.

    Parameters
    ----------
    store : Path
        The store's folder.
    task : str
        Who writes, for people.
    """

    def __init__(self, store: Path, task: str = "") -> None:
        self.folder, self._task = store / "logs", task

    def numbers(self) -> set[int]:
        """Return the numbers of frames with a record, or with the output of a program that failed."""
        if os.path.islink(self.folder):  # a folder from elsewhere may point anywhere
            return set()
        with contextlib.suppress(OSError), os.scandir(self.folder) as entries:
            return {number for entry in entries if (number := number_of_log(entry.name)) is not None}
        return set()

    def add(self, number: int, kind: str, message: str, traceback: str) -> None:
        """Write a record. Nothing depends on it, so a failure is ignored."""
        digest = hashlib.sha256(alike(kind, message, traceback).encode("utf-8", "replace")).hexdigest()[:12]
        error = f"error-{digest}.txt"
        record = {
            "framepipe_failure": 1,
            "number": number,
            "kind": kind,
            "message": message[:_MAX_MESSAGE],
            "host": socket.gethostname(),
            "task": self._task,
            "time_s": time.time(),
            "error": error,
        }
        with contextlib.suppress(OSError):
            if os.path.islink(self.folder):
                return
            self.folder.mkdir(exist_ok=True)
            if not (self.folder / error).exists():
                text = f"frame {number}: {message}\n{traceback}\n"
                files.write_first(self.folder / error, text.encode("utf-8", "replace"))
            files.write_atomic(self._path(number), json.dumps(record).encode() + b"\n")

    def keep_output(self, number: int, data: bytes) -> None:
        """Keep the output of a program that failed to draw a frame. A failure to write it is ignored."""
        with contextlib.suppress(OSError):
            if not os.path.islink(self.folder):
                self.folder.mkdir(exist_ok=True)
                files.write_atomic(self._path(number).with_suffix(".log"), data)

    def drop(self, number: int) -> None:
        """Delete what is there about a frame, which is drawn now."""
        with contextlib.suppress(OSError):
            if not os.path.islink(self.folder):
                for path in (self._path(number), self._path(number).with_suffix(".log")):
                    path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete all that is framepipe's in the folder, and the folder if nothing else is in it."""
        for number in self.numbers():
            self.drop(number)
        self.tidy()

    def tidy(self) -> None:
        """Delete tracebacks that no record refers to, and the folder if nothing else is in it."""
        if os.path.islink(self.folder) or self.numbers():
            return
        with contextlib.suppress(OSError):
            for path in [*self.folder.glob("error-*.txt"), *files.leftover_temporaries(self.folder)]:
                path.unlink(missing_ok=True)
            self.folder.rmdir()

    def _path(self, number: int) -> Path:
        return self.folder / Path(file_name(number)).with_suffix(".json")

    def records(self, numbers: Iterable[int]) -> dict[int, FailureRecord]:
        """Read the records of these frames, as far as there are any."""
        records = {}
        for number in sorted(self.numbers().intersection(numbers)):
            if (record := self._read(number)) is not None:
                records[number] = record
        return records

    def traceback(self, record: FailureRecord) -> str:
        """Return the message and the traceback of the first failure like this one; empty without one."""
        return self._text(record.error) if _ERROR.fullmatch(record.error) else ""

    def output(self, number: int) -> str:
        """Return what the program printed that failed to draw a frame; empty without it."""
        return self._text(self._path(number).with_suffix(".log").name)

    def _text(self, name: str) -> str:
        if os.path.islink(self.folder):
            return ""
        with contextlib.suppress(OSError), files.open_file(self.folder / name, follow=False) as file:
            return file.read(_MAX_BYTES).decode("utf-8", "replace")
        return ""

    def _read(self, number: int) -> FailureRecord | None:
        try:
            data = json.loads(files.read_file(self._path(number), _MAX_BYTES))
            texts = [data[name] for name in ("kind", "message", "host", "task", "error")]
            time_s = float(data["time_s"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        if data["number"] != number or not all(isinstance(text, str) for text in texts):
            return None
        kind, message, host, task, error = texts
        return FailureRecord(number, kind, message, host, task, time_s, error)


def number_of_log(name: str) -> int | None:
    """Return the number of the frame that a file in the folder is about, None for any other name."""
    path = Path(name)
    return number_of(path.with_suffix(".png").name) if path.suffix in (".json", ".log") else None


def failure_lines(records: Iterable[FailureRecord]) -> list[str]:
    """Format failures for people: a line for all that are alike, with their numbers."""
    by_error: dict[str, list[FailureRecord]] = {}
    for record in records:
        by_error.setdefault(record.error, []).append(record)
    lines = []
    for error, group in list(by_error.items())[:_MAX_KINDS]:
        latest = max(group, key=lambda record: record.time_s)
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(latest.time_s))
        numbers = format_range_briefly(record.number for record in group)
        where = f"{latest.task or latest.host}, {when}"
        message = latest.message.partition("\n")[0]
        lines.append(f"failed: {numbers}: {message} ({where}; logs/{error})")
    if len(by_error) > _MAX_KINDS:
        others = [record.number for group in list(by_error.values())[_MAX_KINDS:] for record in group]
        lines.append(f"failed: {format_range(others)} in {len(by_error) - _MAX_KINDS} other ways (logs/)")
    return lines


def lone_frame_command(store: Path, number: int, resumable: bool) -> str:
    """Return the command, or the call, that draws one frame alone in one process, to look into it.

    Parameters
    ----------
    store : Path
    number : int
    resumable : bool
        ``framepipe resume`` can load the scene; else the program that gave it must.
    """
    if resumable:
        return f"framepipe resume {shlex.quote(str(store))} --only {number} --engine serial"
    return f'framepipe.render(…, only="{number}", engine="serial")'
