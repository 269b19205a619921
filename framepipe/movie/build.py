"""Carry a plan out: encode in a work folder, measure, publish. Deletes no frame."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

from framepipe.core import files
from framepipe.core.control import NO_CONTROL, Control
from framepipe.core.process import Tool
from framepipe.errors import EncoderFailed, IncompleteStore, StoreError, UsageError, VerificationFailed
from framepipe.formats import measure, measure_joined
from framepipe.formats.frame_input import FRAMES
from framepipe.formats.gif import gifsicle
from framepipe.job.fingerprint import digest_file
from framepipe.movie.encode import prepare, run_recipe
from framepipe.movie.plan import Assembly
from framepipe.movie.probe import optimizer, tool_for_recipe
from framepipe.movie.result import Movie
from framepipe.movie.segment_reports import SegmentReports
from framepipe.movie.segments import Encoding, join, keys, usual_jobs
from framepipe.store.segment_cache import SegmentCache
from framepipe.store.store import Store
from framepipe.verification import VerifyReport


def ignore_frames(_: int) -> None:
    """Ignore progress, for a step whose progress is not shown."""


def jobs_of(workers: int | None) -> int:
    """Return how many encoders run at once.

    Raises
    ------
    UsageError
    """
    if workers is not None and workers < 1:
        raise UsageError(f"workers is {workers}; give 1 or more")
    return usual_jobs() if workers is None else workers


class EncodingAhead(Protocol):
    """What encodes movies while their frames are drawn, see `framepipe.movie.ahead`."""

    def wait_for(self, output: Path, at: int, control: Control) -> bool:
        """Wait while a segment of a movie is being encoded; return whether it was."""

    def take(
        self, plan: Assembly, tool: Tool, folder: Path, on_frame: Callable[[int], None], control: Control
    ) -> bool:
        """Wait while a movie without segments is being encoded; move what was written into a work folder.

        Returns
        -------
        bool
            False if it was not, or from other frames or in another way than planned.
        """


def segments_of(
    plan: Assembly, tool: Tool, folder: Path, jobs: int, on_frame: Callable[[int], None]
) -> Encoding:
    """Prepare the encoding of a plan's segments; those of a movie so far are not kept."""
    recipe = plan.recipe
    cache = SegmentCache(plan.store) if recipe.cache_segments and plan.so_far is None else None
    return Encoding(
        recipe,
        tool,
        folder,
        cache,
        keys(recipe, tool, folder, plan.frame_states),
        jobs,
        plan.expected.options.idle_timeout_s,
        on_frame,
        reports=SegmentReports(plan, tool, folder, cache) if plan.format.checks_segments else None,
    )


def carry_out(
    plan: Assembly,
    *,
    workers: int | None = None,
    control: Control = NO_CONTROL,
    ahead: EncodingAhead | None = None,
) -> Movie:
    """Build a planned movie, see `assemble`; what was encoded ahead of it is used."""
    tool = tool_for_recipe(plan.recipe, plan.expected.options)
    shrinker = optimizer(plan.expected.options)
    total, label = plan.recipe.frames, plan.output.name

    def on_frame(count: int) -> None:
        control.tell("encode", min(count, total), total, label=label)

    began = time.perf_counter()
    with work_folder(plan) as folder:
        encoding = _encode(plan, tool, folder, jobs_of(workers), on_frame, control, ahead)
        encoded = time.perf_counter()
        movie_path = folder / plan.recipe.output
        control.tell("verify", 0, 1, label=label)
        try:
            report, notes = _verify(plan, tool, shrinker, movie_path, encoding, control)
        except IncompleteStore:  # a frame cannot be read, which could be when the plan was made
            _require_unchanged(plan, VerifyReport(plan.output, ()))
            raise
        _require_passed(plan, report, movie_path, encoding)
        report = VerifyReport(plan.output, report.checks)
        control.tell("verify", 1, 1, label=label)
        movie = _movie(plan, tool, report, movie_path, [*_notes_of(encoding), *notes])
        movie = replace(movie, encode_s=encoded - began, verify_s=time.perf_counter() - encoded)
        digest = digest_file(movie_path)
        plan.format.publish(movie_path, plan.output)
    if plan.so_far is not None:
        return movie
    stems = [key.stem for key in encoding.keys.values()] if encoding and encoding.cache else []
    with contextlib.suppress(StoreError):  # a convenience: the movie exists without it
        plan.store.note_movie(plan.output, {**_facts(plan, movie, digest), "segments": stems})
    if encoding and encoding.cache:
        encoding.cache.prune(encoding.keys.values(), _used_by_movies(plan.store))
    return movie


def _used_by_movies(store: Store) -> list[str]:
    """Return the stems of the segments of all recorded movies."""
    stem_lists = [
        record.get("segments") for record in store.read_movies().values() if isinstance(record, dict)
    ]
    return [str(stem) for stems in stem_lists if isinstance(stems, list) for stem in stems]


def _encode(
    plan: Assembly,
    tool: Tool,
    folder: Path,
    jobs: int,
    on_frame: Callable[[int], None],
    control: Control,
    ahead: EncodingAhead | None,
) -> Encoding | None:
    """Encode into the work folder; returns the segments' encoding, or None for a movie without segments."""
    recipe, idle_timeout_s = plan.recipe, plan.expected.options.idle_timeout_s
    if not recipe.segments:
        is_encoded = ahead is not None and ahead.take(plan, tool, folder, on_frame, control)
        run_recipe(recipe, tool, folder, on_frame, idle_timeout_s, control, is_encoded=is_encoded)
        return None
    prepare(recipe, tool, folder, ignore_frames, idle_timeout_s, control)
    encoding = segments_of(plan, tool, folder, jobs, on_frame)
    if ahead is not None:
        encoding.ahead = functools.partial(ahead.wait_for, plan.output)
    encoding.run(control)
    join(recipe, tool, folder, idle_timeout_s, control)
    return encoding


def _verify(
    plan: Assembly,
    tool: Tool,
    shrinker: Tool | None,
    movie_path: Path,
    encoding: Encoding | None,
    control: Control,
) -> tuple[VerifyReport, list[str]]:
    """Optimise the movie if requested, then verify it; returns the report and notes."""
    notes: list[str] = []
    if encoding and encoding.reports:
        evidence = [encoding.evidence[at] for at in range(len(plan.recipe.segments))]
        joined = measure_joined(movie_path, plan.expected, evidence, tool, control, movie_path.parent)
        if joined.passed:  # else the frames themselves decide
            return joined, notes
    if shrinker:
        report, note = _optimise(plan, shrinker, movie_path, control)
        notes.append(note)
        if report:
            return report, notes
    decoder = tool if tool.name == "ffmpeg" else None
    return measure(movie_path, plan.expected, decoder, control, movie_path.parent), notes


def _optimise(
    plan: Assembly, tool: Tool, movie_path: Path, control: Control
) -> tuple[VerifyReport | None, str]:
    """Replace a GIF by a smaller one if both are verified to be equal.

    Returns
    -------
    VerifyReport or None
        None if the GIF is unchanged, and still to be verified.
    str
        A note for the user.
    """
    small, name = movie_path.with_name(f"smaller{movie_path.suffix}"), f"gifsicle {tool.version}"
    try:
        gifsicle.optimize(
            tool, movie_path, small, idle_timeout_s=plan.expected.options.idle_timeout_s, control=control
        )
    except EncoderFailed as error:
        return None, f"{name} failed, the GIF is unchanged: {error}"
    before, after = movie_path.stat().st_size, small.stat().st_size
    if after >= before:
        return None, f"{name} made it no smaller"
    if change := gifsicle.difference(movie_path, small, control):
        return None, f"{name} made another movie ({change}), the GIF is unchanged"
    report = measure(small, plan.expected, None, control)
    if not report.passed:
        return None, f"the output of {name} failed verification, the GIF is unchanged"
    os.replace(small, movie_path)
    return report, f"{name}: {100 - 100 * after / before:.2g} % smaller"


@contextlib.contextmanager
def work_folder(plan: Assembly) -> Iterator[Path]:
    """Make a private folder next to the output, so that publishing is a rename; removed afterwards."""
    for leftover in files.leftover_temporaries(plan.output.parent, of=plan.output):
        plan.format.forget(leftover)
        shutil.rmtree(leftover, ignore_errors=True)
    folder = files.temporary_beside(plan.output)
    try:
        folder.mkdir()
        (folder / FRAMES).symlink_to(plan.store.path, target_is_directory=True)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise StoreError(f"cannot write next to {plan.output}: {error.strerror}") from None
    try:
        yield folder
    except OSError as error:
        raise EncoderFailed(
            f"{plan.output.name}: {error.strerror or error} in {plan.output.parent}. "
            "The frames are kept; correct that and run the same again"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _require_passed(
    plan: Assembly, report: VerifyReport, movie_path: Path, encoding: Encoding | None
) -> None:
    _require_unchanged(plan, report)
    if report.passed:
        return
    if encoding and encoding.cache:
        encoding.cache.drop(encoding.keys.values())  # one of them may be the reason
    rejected = plan.output.with_name(f"{plan.output.stem}.rejected{plan.output.suffix}")
    hint = ""
    with contextlib.suppress(OSError):
        plan.format.set_aside(movie_path, rejected)
        hint = f" The rejected movie is kept as {rejected.name}."
    raise VerificationFailed(
        f"{plan.output.name} failed verification and was not published; the frames are kept.{hint}\n"
        f"{report.table()}",
        report=report,
    )


def _require_unchanged(plan: Assembly, report: VerifyReport) -> None:
    if plan.store.changed(plan.frame_states):
        raise VerificationFailed(
            f"frames in {plan.store.path} changed while {plan.output.name} was built: run it again",
            report=report,
        )


def _movie(plan: Assembly, tool: Tool, report: VerifyReport, movie_path: Path, notes: list[str]) -> Movie:
    width, height = plan.expected.size
    return Movie(
        path=plan.output,
        format=plan.recipe.format,
        encoder=tool,
        frames=plan.recipe.frames,
        duration_s=float(plan.expected.duration_s),
        width=width,
        height=height,
        size_bytes=plan.format.size_bytes(movie_path),
        report=report,
        notes=(*plan.notes, *tool.notes, *notes),
        so_far=plan.so_far,
    )


def _notes_of(encoding: Encoding | None) -> list[str]:
    if encoding is None or not encoding.cached:
        return []
    reused, total = len(encoding.cached), len(encoding.keys)
    rest = ", the others were encoded" if reused < total else ": none was encoded"
    return [f"{reused} of {total} segments were in the store{rest}"]


def _facts(plan: Assembly, movie: Movie, digest: str) -> dict[str, Any]:
    """Return the facts for ``movies.json``: enough to verify again, and to allow cleaning."""
    timeline = plan.expected.timeline
    return {
        "sha256": digest,
        "numbers": list(timeline.numbers),
        "fingerprints": {str(number): state.fingerprint for number, state in plan.frame_states.items()},
        "durations_s": [str(duration) for duration in timeline.durations_s],
        "fps": str(timeline.fps),
        "loop": timeline.loop,
        "timing": plan.timing.for_json(),
        "options": asdict(plan.expected.options),
        "exact": plan.expected.exact,
        "encoder": str(movie.encoder),
        "passed": movie.report.passed,
        "about": {
            "format": movie.format,
            "frames": movie.frames,
            "duration_s": round(movie.duration_s, 3),
            "width_px": movie.width,
            "height_px": movie.height,
            "size_bytes": movie.size_bytes,
        },
        "checks": [vars(check) for check in movie.report.checks],
    }
