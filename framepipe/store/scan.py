"""Determine the states of frames: from their PNGs alone, never from a recorded list."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from framepipe.core import files, png
from framepipe.core.shape import Shape
from framepipe.job.contents import FileDigests
from framepipe.job.fingerprint import digest_file
from framepipe.job.frames import file_name, number_of
from framepipe.job.record import JobRecord
from framepipe.job.stamp import RECORDED, Stamp, read_stamp, why_stale
from framepipe.store.looking import Known, Memory, look_at_all
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


class _Listing(NamedTuple):
    """The frames that a folder has: numbers of files, and of whatever else has the name of a frame."""

    files: set[int]
    others: set[int]

    @classmethod
    def of(cls, folder: Path) -> _Listing | None:
        """List a folder; None if it cannot be listed."""
        listing = cls(set(), set())
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if (number := number_of(entry.name)) is not None:
                        kind = listing.files if entry.is_file(follow_symlinks=False) else listing.others
                        kind.add(number)
        except FileNotFoundError:
            pass
        except OSError:
            return None
        return listing


class InputFiles:
    """The present digests of the files that frames were drawn from, each computed once."""

    def __init__(self, record: JobRecord, digests: FileDigests, strict: bool) -> None:
        self._base = os.path.dirname(next(iter(record.details["source"]), "")) or os.curdir
        self._digests, self._strict = digests, strict
        self._now: dict[str, str] = {}

    def changed(self, reads: Mapping[str, str]) -> dict[str, str]:
        """Return those that have changed since a frame was drawn, with their digests now."""
        changes = {}
        for name, digest in reads.items():
            now = self._of(name)
            if now != digest and (self._strict or now != "absent"):
                changes[name] = now
        return changes

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
        memory: Memory | None = None,
        keeps_states: bool = False,
    ) -> None:
        self._input_files, self._memory = input_files, memory
        self._path, self._record, self._values = path, record, values
        self._deep, self._before = deep, before
        self._done: dict[Shape, list[int]] = {}
        self._missing: list[int] = []
        self._broken: dict[int, str] = {}
        self._stale: dict[int, str] = {}
        self._size_bytes = 0
        self._states: dict[int, FrameState] | None = {} if keeps_states else None
        self._background: tuple[int, int, int] | None = None
        self._adopted = {**adopted_in(before), **adopted_in(record)}
        self._began_ns = time.time_ns()
        self.recorded = Recorded()

    def inspect(self, number: int) -> None:
        """Determine the state of one frame."""
        self._note(number, png.inspect(self._path / file_name(number), deep=self._deep))

    def inspect_all(self, numbers: Sequence[int]) -> None:
        """Determine the states of frames, with one listing of the folder."""
        listing = _Listing.of(self._path)
        for number, (info, version) in look_at_all(numbers, lambda number: self._look(number, listing)):
            if isinstance(info, Known) and not self._input_files.changed(info.reads):
                self._note_known(number, info, version)
                continue
            if isinstance(info, Known):
                info = png.inspect(self._path / file_name(number), deep=self._deep)
            if self._note(number, info) and version and isinstance(info, png.PngInfo):
                self._remember(number, info, version)
        if self._memory:
            self._memory.write()

    def _look(
        self, number: int, listing: _Listing | None
    ) -> tuple[png.PngInfo | Known | None, files.Version | None]:
        """Look at a frame's file, but not into it if it is remembered."""
        name = file_name(number)
        if listing is None:  # the folder cannot be listed
            return png.inspect(self._path / name, deep=self._deep), None
        is_file, version = number in listing.files, None
        if not is_file and number not in listing.others:
            return None, None
        if self._memory and is_file:
            try:
                version = files.version_of(os.lstat(f"{self._path}/{name}"))  # a `Path` takes as long again
            except OSError:
                return png.inspect(self._path / name, deep=self._deep), None
            if known := self._memory.recall(number, version):
                return known, version
        return png.inspect(self._path / name, deep=self._deep, kind_is_known=is_file), version

    def _note_known(self, number: int, known: Known, version: files.Version | None) -> None:
        width, height, mode, background = known.shape
        self._note_done(number, Shape(width, height, mode), known.size_bytes, background)
        if self._memory and version:
            self._memory.keep(number, version, known)
        if self._states is not None and known.state:
            self._states[number] = known.state

    def _note_done(
        self, number: int, shape: Shape, size_bytes: int, background: tuple[int, int, int] | None
    ) -> None:
        self._done.setdefault(shape, []).append(number)
        self._size_bytes += size_bytes
        self._background = self._background or background

    def _remember(self, number: int, info: png.PngInfo, version: files.Version) -> None:
        stamp = read_stamp(info.stamp)
        if stamp is not None and self._memory:  # an adopted picture would have to be read whole
            shape = (info.width, info.height, info.mode, info.background)
            self._memory.keep(number, version, Known(shape, stamp.reads, info.size_bytes))

    def _note(self, number: int, info: png.PngInfo | None) -> bool:
        """Note the state of a frame; return whether it is done."""
        if info is None:
            self._missing.append(number)
            return False
        stamp = read_stamp(info.stamp)
        adopted = not info.damage and not info.stamp and str(number) in self._adopted
        if damage := info.damage or ("" if adopted else _stamp_damage(number, info, stamp)):
            self._broken[number] = damage
            return False
        digest = digest_now(self._path / file_name(number)) if adopted else ""
        reason = self._reason_adopted(number, digest) if adopted else self._reason(number, stamp)
        if self._states is not None:
            reads = None if reason or stamp is None else stamp.reads
            self._states[number] = self._state(info, stamp.fingerprint if stamp else digest, reads)
        if reason:
            self._stale[number] = reason
            return False
        self.recorded.add(stamp[2].get(RECORDED, "") if stamp else "")
        self._note_done(number, Shape(info.width, info.height, info.mode), info.size_bytes, info.background)
        return True

    def _state(self, info: png.PngInfo, fingerprint: str, reads: Mapping[str, str] | None) -> FrameState:
        is_settled = info.version and files.is_settled(info.version, self._began_ns)
        version = info.version if is_settled else None
        return FrameState(fingerprint, info.identity, version, info.sha256, info.background, reads)

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
        files = self._input_files.changed(stamp.reads) if stamp else {}
        return why_stale(stamp.parts if stamp else {}, expected, self._before, self._record, files)

    def status(self) -> StoreStatus:
        """Return the states of all frames inspected so far."""
        shape = max(self._done, key=lambda each: len(self._done[each]), default=None)
        for other, numbers in self._done.items():
            if other != shape:
                self._broken |= dict.fromkeys(numbers, f"is {other}, the other frames are {shape}")
        return StoreStatus(
            path=self._path,
            done=tuple(self._done[shape]) if shape else (),
            missing=tuple(self._missing),
            broken=self._broken,
            stale=self._stale,
            shape=shape,
            background=self._background,
            size_bytes=self._size_bytes,
            frame_states=self._states or {},
        )
