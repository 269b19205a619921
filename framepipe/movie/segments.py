"""Encode the segments of a movie in parallel, each once: finished ones come from the segment cache."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from framepipe.core.control import Control
from framepipe.core.cpus import usable_cpus
from framepipe.core.process import Tool
from framepipe.encoders.ffmpeg import run_ffmpeg
from framepipe.errors import EncoderFailed
from framepipe.formats.gif import container
from framepipe.formats.recipe import PALETTE, Recipe, Segment
from framepipe.job.fingerprint import digest_file
from framepipe.movie.segment_reports import SegmentReports
from framepipe.store.segment_cache import Key, SegmentCache
from framepipe.store.status import FrameState
from framepipe.verification.evidence import SegmentEvidence

_MAX_JOBS = 8  # each may hold some dozens of frames
_TICK_S = 0.1


def usual_jobs() -> int:
    """Return how many encoders run at once: one per processor, at most 8."""
    return min(usable_cpus(), _MAX_JOBS)


def threads_each(jobs: int) -> int:
    """Return the threads of one encoder, so that all together use all processors."""
    return -(-usable_cpus() // jobs)


def keys(recipe: Recipe, tool: Tool, folder: Path, frame_states: Mapping[int, FrameState]) -> dict[int, Key]:
    """Return the cache keys of segments: their command, the encoder's version, the palette, their frames.

    Parameters
    ----------
    recipe : Recipe
    tool : Tool
    folder : Path
        The work folder, with the palette if there is one.
    frame_states : mapping of int to FrameState
        The state of each frame, by number.

    Returns
    -------
    dict of int to Key
        By position; without segments of which a frame's state is not known.
    """
    palette = folder / PALETTE
    command = recipe.segments[0].step.args  # those of the others differ in names, and in a last delay
    rates = re.findall(r"option framerate (\S+)", str(recipe.lists[_list_of(command)]))
    settings = [recipe.format, tool.version, _relevant_args(command), sorted(set(rates))]
    settings += [digest_file(palette)] if palette.exists() else []
    settings_digest = _digest(settings)
    suffix = Path(recipe.output).suffix
    cache_keys = {}
    for at, segment in enumerate(recipe.segments):
        if not all(number in frame_states for number in segment.numbers):
            continue
        frames = [
            [frame_states[number].fingerprint, *frame_states[number].identity] for number in segment.numbers
        ]
        # GIF: the first segment has no frame of the one before
        cache_keys[at] = Key(settings_digest, _digest([at == 0, frames]), suffix)
    return cache_keys


def _relevant_args(args: Sequence[str]) -> list[str]:
    """Return the command without arguments that joining overrides (delays, loop count)."""
    overridden = ("-final_delay", "-loop")
    return [each for at, each in enumerate(args) if at == 0 or args[at - 1] not in overridden]


def _list_of(args: Sequence[str]) -> str:
    return next(each for each in args if each.endswith(".ffconcat"))


def _digest(data: object) -> str:
    return hashlib.sha256(json.dumps(data).encode()).hexdigest()


@dataclass
class Encoding:
    """The encoding of a movie's segments.

    Attributes
    ----------
    recipe : Recipe
    tool : Tool
    folder : Path
        The work folder: lists are read from it, segments are written into it.
    cache : SegmentCache or None
        The cache of finished segments; None if they are not worth keeping.
    keys : dict of int to Key
        By position.
    jobs : int
        Encoders at once.
    idle_timeout_s : float
    on_frame : callable
        Called in this thread with the number of frames done.
    gives_way : bool
        Encode only with what other processes leave of the processors.
    reports : SegmentReports or None
        Segments are verified one by one, those of the cache too that have no report.
    ahead : callable, optional
        Waits while a segment, by position, is being encoded as frames are drawn; returns whether it was.
    evidence : dict of int to SegmentEvidence
        What is known of verified segments, by position.
    """

    recipe: Recipe
    tool: Tool
    folder: Path
    cache: SegmentCache | None
    keys: Mapping[int, Key]
    jobs: int
    idle_timeout_s: float
    on_frame: Callable[[int], None]
    gives_way: bool = False
    reports: SegmentReports | None = None
    ahead: Callable[[int, Control], bool] | None = None
    evidence: dict[int, SegmentEvidence] = field(default_factory=dict)
    cached: list[int] = field(default_factory=list)
    _frames: dict[int, int] = field(default_factory=dict)
    _present: set[int] = field(default_factory=set)
    _halt: Control = field(default_factory=Control)

    def run(self, control: Control, positions: Sequence[int] | None = None) -> None:
        """Bring all segments, or those at some positions, into the work folder.

        Raises
        ------
        EncoderFailed, Interrupted
            Finished segments stay in the cache.
        """
        positions = range(len(self.recipe.segments)) if positions is None else positions
        missing = [at for at in positions if not self._from_cache(at)]
        unverified = [at for at in positions if self.reports and at not in self.evidence]
        self.on_frame(sum(self._frames.values()))
        to_do = sorted({*missing, *unverified})
        with ThreadPoolExecutor(max(1, min(self.jobs, len(to_do)))) as pool:
            futures = [pool.submit(self._complete, at) for at in to_do]
            try:
                self._watch(futures, control)
            finally:
                self._halt.stop.request(control.stop.signal_name)
                for future in futures:
                    future.cancel()

    def _from_cache(self, at: int) -> bool:
        segment = self.recipe.segments[at]
        if self.cache is None or not self.cache.get(self.keys[at], self.folder / segment.output):
            return False
        self._present.add(at)
        if not (self.ahead and self.ahead(at, self._halt)):
            self.cached.append(at)
        self._frames[at] = len(segment.numbers)
        if self.reports and (evidence := self.reports.evidence(self.keys[at])) is not None:
            self.evidence[at] = evidence
        return True

    def _complete(self, at: int) -> None:
        """Encode a segment unless it was in the cache, and verify it where that is due."""
        if at not in self._present and self.ahead and self.ahead(at, self._halt):
            self._from_cache(at)
        is_new = at not in self._present
        if is_new:
            self._encode(at)
        if self.reports and at not in self.evidence:
            self.evidence[at] = self.reports.verify(at, self.keys.get(at), self._halt)
        if self.cache is not None and is_new:
            self.cache.add(self.keys[at], self.folder / self.recipe.segments[at].output)

    def _watch(self, futures: Sequence[Future[None]], control: Control) -> None:
        pending: set[Future[None]] = set(futures)
        while pending:
            finished, pending = wait(pending, _TICK_S, FIRST_EXCEPTION)
            self.on_frame(sum(self._frames.values()))
            for future in finished:
                future.result()
            control.check("encoding segments", "the frames and the finished segments are")

    def _encode(self, at: int) -> None:
        segment = self.recipe.segments[at]

        def count(frames: int) -> None:
            self._frames[at] = frames

        *before, output = (self.reports and segment.step.filmed) or segment.step.args
        threads = ("-threads", str(threads_each(self.jobs)))
        run_ffmpeg(
            self.tool,
            [*before, *threads, output],
            cwd=self.folder,
            frames=segment.step.frames,
            on_frame=count,
            idle_timeout_s=self.idle_timeout_s,
            control=self._halt,
            gives_way=self.gives_way,
        )
        if self.reports is None:
            self._check_gif(segment)

    def _check_gif(self, segment: Segment) -> None:
        """Check that a segment of a GIF has all of its frames; verifying decodes them."""
        try:
            count = container.inspect(self.folder / segment.output).frames
        except container.InvalidGif as damage:
            raise EncoderFailed(f"{segment.output}: {damage}", tool=self.tool) from None
        if count != len(segment.numbers):
            raise EncoderFailed(
                f"{segment.output} has {count} of {len(segment.numbers)} frames", tool=self.tool
            )


def join(recipe: Recipe, tool: Tool, folder: Path, idle_timeout_s: float, control: Control) -> None:
    """Join the segments in the work folder into one movie, without encoding again.

    Raises
    ------
    EncoderFailed
    """
    if recipe.join is not None:
        run_ffmpeg(
            tool,
            recipe.join.args,
            cwd=folder,
            frames=recipe.join.frames,
            idle_timeout_s=idle_timeout_s,
            control=control,
        )
        return
    parts = [folder / segment.output for segment in recipe.segments]
    try:
        container.splice(parts, folder / recipe.output, overlap=True, **recipe.spec)
    except (container.InvalidGif, ValueError) as error:
        raise EncoderFailed(f"the segments of {recipe.output} cannot be joined: {error}", tool=tool) from None
