"""Verify a movie's segments where they are encoded, and keep a report beside each in the segment cache.

A report has the key of its segment (settings and frames), the hashes of its packets, and how near each
picture is to its source. It counts only with our signature, as segments do. Whoever joins the segments then
need not read a frame, see `framepipe.formats.video.joined`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import groupby
from pathlib import Path

from framepipe.core import files
from framepipe.core.control import Control
from framepipe.core.process import Tool
from framepipe.errors import VerificationFailed
from framepipe.formats import measure_segment
from framepipe.formats.video.film import move_film
from framepipe.movie.plan import Assembly
from framepipe.store.checked import REPORT, checked_frames
from framepipe.store.segment_cache import Key, SegmentCache
from framepipe.store.status import FrameState
from framepipe.store.store import job_digest
from framepipe.timeline import Timeline
from framepipe.verification import Expected, VerifyReport
from framepipe.verification.evidence import SegmentEvidence

_MAX_BYTES = 10_000_000


class SegmentReports:
    """The reports of the segments of one movie.

    Parameters
    ----------
    plan : Assembly
    tool : Tool
        The ffmpeg that decodes.
    folder : Path
        The work folder.
    cache : SegmentCache or None
        None if segments are not worth keeping.
    """

    def __init__(self, plan: Assembly, tool: Tool, folder: Path, cache: SegmentCache | None) -> None:
        self._plan, self._tool, self._folder, self._cache = plan, tool, folder, cache

    def evidence(self, key: Key) -> SegmentEvidence | None:
        """Return what the report of a segment says; None without one."""
        path = self._folder / f"{key.stem}{REPORT}"
        try:
            if self._cache is None or not self._cache.get(_key_of_report(key), path):
                return None
            return SegmentEvidence.from_dict(json.loads(files.read_file(path, _MAX_BYTES)))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def verify(self, at: int, key: Key | None, control: Control) -> SegmentEvidence:
        """Verify the segment at a position, which is in the work folder, and keep its report.

        Raises
        ------
        VerificationFailed
            It does not show its frames, or they have changed.
        EncoderFailed
        """
        work = self._folder / f"check-{at:06d}"
        work.mkdir()
        try:
            return self._verify(at, key, work, control)
        finally:
            shutil.rmtree(work, ignore_errors=True)  # films would fill the disk

    def _verify(self, at: int, key: Key | None, work: Path, control: Control) -> SegmentEvidence:
        plan, segment = self._plan, self._plan.recipe.segments[at]
        move_film(self._folder, segment.output, work)
        movie, expected = self._folder / segment.output, self._expected(segment.numbers)
        report, evidence = measure_segment(movie, expected, self._tool, control, work)
        name = f"segment {at + 1} of {len(plan.recipe.segments)} of {plan.output.name}"
        states = {each: plan.frame_states[each] for each in segment.numbers if each in plan.frame_states}
        if plan.store.changed(states):
            raise VerificationFailed(
                f"frames in {plan.store.path} changed while {name} was encoded: run it again", report=report
            )
        if not report.passed or evidence is None:
            if self._cache and key:
                self._cache.drop([key])
            raise VerificationFailed(
                f"{name} failed verification and was not kept; the frames are, and other segments. "
                f"The same again encodes it anew.\n"
                f"{report.table()}",
                report=report,
            )
        if self._cache and key:
            self._keep(self._cache, key, report, evidence, states, work)
        return evidence

    def _keep(
        self,
        cache: SegmentCache,
        key: Key,
        report: VerifyReport,
        evidence: SegmentEvidence,
        states: Mapping[int, FrameState],
        work: Path,
    ) -> None:
        plan = self._plan
        text = {**evidence.to_dict(), "checks": [vars(check) for check in report.checks]}
        if plan.record is not None:
            text |= checked_frames(states, plan.expected.shape, job_digest(plan.record))
        path = work / "report.json"
        path.write_text(json.dumps(text), encoding="ascii")
        cache.add(_key_of_report(key), path)

    def _expected(self, ticks: Sequence[int]) -> Expected:
        """Return what a segment should be: a movie of its ticks."""
        whole = self._plan.expected
        rate = whole.timeline.video_fps
        runs = [(number, sum(1 for _ in run)) for number, run in groupby(ticks)]
        numbers = [number for number, _ in runs]
        timeline = Timeline(numbers, tuple(Fraction(count) / rate for _, count in runs), rate)
        sources = [self._plan.store.frame_path(number) for number in numbers]
        expected = self._plan.format.expected(
            timeline, sources, whole.shape, whole.background, whole.options, whole.exact
        )
        return replace(expected, digests=whole.digests)


def _key_of_report(key: Key) -> Key:
    return replace(key, suffix=REPORT)
