"""Determine the states of frames: from their PNGs alone, never from a recorded list."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from framepipe.core import png
from framepipe.core.shape import Shape
from framepipe.job.contents import FileDigests
from framepipe.job.fingerprint import digest_file
from framepipe.job.frames import file_name
from framepipe.job.record import JobRecord
from framepipe.job.stamp import RECORDED, Stamp, read_stamp, why_stale
from framepipe.store.looking import Known, StatusMemory, look_at_all
from framepipe.store.recorded import Recorded
from framepipe.store.status import FrameState, StoreStatus

#: In `JobRecord.details`: frame number -> SHA-256 of the picture that was adopted as this frame.
ADOPTED = "adopted"


def limited_to_recording(status: StoreStatus, recorded: set[int]) -> StoreStatus:
    """Limit a status to one recording: its frames in the store, and the earlier ones that their stamps list.

    Frames of another run do not belong to it.
    """
    present = {*status.done, *status.broken}
    missing = ({*status.missing} | recorded) - present
    return replace(
        status,
        missing=tuple(sorted(missing)),
        stale={},
        numbers=tuple(sorted(present | missing)),
        recorded=True,
    )


def adopted_in(record: JobRecord | None) -> Mapping[str, str]:
    """Return the digests of adopted pictures by frame number."""
    return record.details.get(ADOPTED, {}) if record else {}


def adopted_parts(record: JobRecord, number: int) -> dict[str, str]:
    """Return the parts of an adopted frame's fingerprint: of its own picture only."""
    parts = record.frame_parts(record.details[ADOPTED][str(number)])
    return {name: part for name, part in parts.items() if name != ADOPTED}


def digest_now(path: Path) -> str:
    """Return a file's SHA-256; empty if it cannot be read."""
    try:
        return digest_file(path)
    except OSError:
        return ""


def _stamp_damage(number: int, info: png.PngInfo, stamp: Stamp | None) -> str:
    if stamp is None:
        return "has a damaged stamp" if info.stamp else "was not drawn by framepipe"
    return f"is frame {stamp[0]} under another name" if stamp[0] != number else ""


def _entries_of(folder: Path) -> dict[str, os.DirEntry[str]] | None:
    """List a folder; None if it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry for entry in entries}
    except FileNotFoundError:
        return {}
    except OSError:
        return None


class InputFiles:
    """The present digests of the files that frames were drawn from, each computed once."""

    def __init__(self, record: JobRecord, digests: FileDigests, strict: bool) -> None:
        self._base = os.path.dirname(next(iter(record.details["source"]), "")) or os.curdir
        self._digests, self._strict = digests, strict
        self._now: dict[str, str] = {}

    def change(self, reads: Mapping[str, str]) -> str:
        """Describe a change since a frame was drawn; empty if nothing has changed."""
        for name, digest in reads.items():
            now = self._of(name)
            if now != digest and (self._strict or now != "absent"):
                return f"{Path(name).name} {'is missing' if now == 'absent' else 'changed'}"
        return ""

    def _of(self, name: str) -> str:
        if name not in self._now:
            self._now[name] = self._digests.of(os.path.join(self._base, name))
        return self._now[name]


class Scan:
    """Collects the states of many frames."""

    def __init__(
        self,
        path: Path,
        record: JobRecord,
        values: Mapping[int, Any] | None,
        deep: bool,
        before: JobRecord | None,
        input_files: InputFiles,
        memory: StatusMemory | None = None,
    ) -> None:
        self._input_files, self._memory = input_files, memory
        self._path, self._record, self._values = path, record, values
        self._deep, self._before = deep, before
        self._done: dict[int, Shape] = {}
        self._missing: list[int] = []
        self._broken: dict[int, str] = {}
        self._stale: dict[int, str] = {}
        self._size_bytes = 0
        self._states: dict[int, FrameState] = {}
        self._background: tuple[int, int, int] | None = None
        self._adopted = {**adopted_in(before), **adopted_in(record)}
        self.recorded = Recorded()

    def inspect(self, number: int) -> None:
        """Determine the state of one frame."""
        self._note(number, png.inspect(self._path / file_name(number), deep=self._deep))

    def inspect_all(self, numbers: Sequence[int]) -> None:
        """Determine the states of frames, with one listing of the folder."""
        entries = _entries_of(self._path)
        for number, (info, state) in look_at_all(numbers, lambda number: self._look(number, entries)):
            if isinstance(info, Known) and not self._input_files.change(info.reads):
                self._note_known(number, info)
                continue
            if isinstance(info, Known):
                info = png.inspect(self._path / file_name(number), deep=self._deep)
            self._note(number, info)
            if self._memory and state and number in self._done and isinstance(info, png.PngInfo):
                self._remember(number, info, state)
        if self._memory:
            self._memory.write()

    def _look(
        self, number: int, entries: Mapping[str, os.DirEntry[str]] | None
    ) -> tuple[png.PngInfo | Known | None, os.stat_result | None]:
        """Look at a frame's file, but not into it if it is remembered."""
        name = file_name(number)
        if entries is None:  # the folder cannot be listed
            return png.inspect(self._path / name, deep=self._deep), None
        entry = entries.get(name)
        if entry is None:
            return None, None
        is_file, state = entry.is_file(follow_symlinks=False), None
        if self._memory and is_file:
            try:
                state = entry.stat(follow_symlinks=False)
            except OSError:
                return png.inspect(self._path / name, deep=self._deep), None
            if known := self._memory.recall(number, state):
                return known, state
        return png.inspect(self._path / name, deep=self._deep, kind_is_known=is_file), state

    def _note_known(self, number: int, known: Known) -> None:
        width, height, mode, background = known.shape
        self._done[number] = Shape(width, height, mode)
        self._size_bytes += known.size_bytes
        self._background = self._background or background

    def _remember(self, number: int, info: png.PngInfo, state: os.stat_result) -> None:
        stamp = read_stamp(info.stamp)
        if stamp is not None and self._memory:  # an adopted picture would have to be read whole
            shape = (info.width, info.height, info.mode, info.background)
            self._memory.keep(number, state, Known(shape, stamp.reads, info.size_bytes))

    def _note(self, number: int, info: png.PngInfo | None) -> None:
        if info is None:
            self._missing.append(number)
            return
        stamp = read_stamp(info.stamp)
        adopted = not info.damage and not info.stamp and str(number) in self._adopted
        if damage := info.damage or ("" if adopted else _stamp_damage(number, info, stamp)):
            self._broken[number] = damage
            return
        digest = digest_now(self._path / file_name(number)) if adopted else ""
        self._states[number] = FrameState(stamp[1] if stamp else digest, info.identity)
        if reason := self._reason_adopted(number, digest) if adopted else self._reason(number, stamp):
            self._stale[number] = reason
        else:
            self.recorded.add(stamp[2].get(RECORDED, "") if stamp else "")
            self._done[number] = Shape(info.width, info.height, info.mode)
            self._size_bytes += info.size_bytes
            self._background = self._background or info.background

    def _reason_adopted(self, number: int, digest: str) -> str:
        digest_then = adopted_in(self._record).get(str(number))
        if digest_then is None:
            return "was adopted, not drawn by this job"
        return "" if digest == digest_then else "changed since it was adopted"

    def _reason(self, number: int, stamp: Stamp | None) -> str:
        if str(number) in adopted_in(self._record):
            expected = adopted_parts(self._record, number)
        elif self._values is not None:
            expected = self._record.frame_parts(self._values[number])
        elif self._record.values_are_numbers:
            expected = self._record.frame_parts(number)
        else:
            expected = dict(self._record.parts)
        reason = why_stale(stamp.parts if stamp else {}, expected, self._before, self._record)
        return reason or (self._input_files.change(stamp.reads) if stamp else "")

    def status(self) -> StoreStatus:
        """Return the states of all frames inspected so far."""
        shapes = Counter(self._done.values()).most_common(1)
        shape = shapes[0][0] if shapes else None
        for number, each in list(self._done.items()):
            if each != shape:
                del self._done[number]
                self._broken[number] = f"is {each}, the other frames are {shape}"
        return StoreStatus(
            path=self._path,
            done=tuple(self._done),
            missing=tuple(self._missing),
            broken=self._broken,
            stale=self._stale,
            shape=shape,
            background=self._background,
            size_bytes=self._size_bytes,
            frame_states=self._states,
        )
