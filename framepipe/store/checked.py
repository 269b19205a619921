"""Frames that a task has checked to the last byte, and that are the same files still.

Whoever verifies a segment of a movie writes down which files it was made from, with the segment's report
(`framepipe.movie.segment_reports`). Who joins the segments need not open these frames again: a change of one
shows in its file's version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from framepipe.core import files
from framepipe.core.shape import Shape
from framepipe.job.record import JobRecord
from framepipe.store.looking import Known
from framepipe.store.segment_cache import SegmentCache
from framepipe.store.status import FrameState
from framepipe.store.store import Store, job_digest

REPORT = ".json"
_FRAMES = "frames"


def checked_frames(states: Mapping[int, FrameState], shape: Shape, job: str) -> dict[str, Any]:
    """Return the part of a report about frames that are done; for JSON.

    Parameters
    ----------
    states : mapping of int to FrameState
    shape : Shape
        Of all of them.
    job : str
        See `framepipe.store.store.job_digest`.
    """
    reads: list[Mapping[str, str]] = []
    rows = []
    for number, state in states.items():
        if state.version is None or state.reads is None:
            continue
        if state.reads not in reads[-1:]:  # neighbours were drawn from the same files
            reads.append(state.reads)
        rows.append(
            [number, state.fingerprint, state.identity, state.version, state.background, len(reads) - 1]
        )
    size = [shape.width, shape.height, shape.mode]
    return {_FRAMES: {"job": job, "shape": size, "reads": [dict(each) for each in reads], "rows": rows}}


def frames_in_reports(store: Store, record: JobRecord) -> CheckedFrames | None:
    """Return the frames of the reports in a store; None if there are none, and each frame must be opened."""
    frames = CheckedFrames(SegmentCache(store), job_digest(record))
    return frames if len(frames) else None


class CheckedFrames:
    """The frames of the reports in a store, as a `Memory`.

    Parameters
    ----------
    cache : SegmentCache
    job : str
        Reports of another state of the job do not count.
    """

    def __init__(self, cache: SegmentCache, job: str) -> None:
        self._known: dict[int, tuple[files.Version, Known]] = {}
        for text in cache.contents(REPORT):
            try:
                frames = json.loads(text)[_FRAMES]
                if frames["job"] == job:
                    self._add(frames)
            except (ValueError, KeyError, TypeError, IndexError, RecursionError):
                continue

    def __len__(self) -> int:
        return len(self._known)

    def _add(self, frames: Mapping[str, Any]) -> None:
        for number, fingerprint, (size, checksum), (*version,), ground, reads_at in frames["rows"]:
            background = tuple(ground) if ground else None
            reads, version = frames["reads"][reads_at], tuple(version)
            state = FrameState(fingerprint, (size, checksum), version, b"", background, reads)
            known = Known((*frames["shape"], background), reads, version[0], state)
            self._known[number] = version, known

    def recall(self, number: int, version: files.Version) -> Known | None:
        """See `Memory`."""
        version_then, known = self._known.get(number, (None, None))
        return known if version_then == version else None

    def keep(self, number: int, version: files.Version, known: Known) -> None:
        """See `Memory`: reports are written with segments."""

    def write(self) -> None:
        """See `Memory`."""
