"""Carry a plan out: encode in a work folder, measure, publish. Deletes no frame."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from framepipe import assets, files
from framepipe.control import Progress, ProgressCallback, Stop, ignore_progress
from framepipe.encoders import gifsicle
from framepipe.encoders.tools import Tool
from framepipe.errors import EncoderFailed, StoreError, UsageError, VerificationFailed
from framepipe.fingerprint import digest_file
from framepipe.movie import Movie
from framepipe.plan import Assembly
from framepipe.recipes import FRAMES
from framepipe.segments import Encoding, join, keys, usual_jobs
from framepipe.shelf import Shelf
from framepipe.store import Store
from framepipe.trial import optimizer, prepare, run_recipe, tool_for
from framepipe.verify import VerifyReport, measure


def ignore_frames(_: int) -> None:
    """For a step whose progress nobody is shown."""


def jobs_of(workers: int | None) -> int:
    """How many encoders run at once.

    Raises
    ------
    UsageError
    """
    if workers is not None and workers < 1:
        raise UsageError(f"workers is {workers}; give 1 or more")
    return usual_jobs() if workers is None else workers


def segments_of(
    plan: Assembly, tool: Tool, folder: Path, jobs: int, on_frame: Callable[[int], None]
) -> Encoding:
    """The segments of a plan, ready to be encoded."""
    made = plan.recipe
    shelf = Shelf(plan.store) if made.kept else None
    named = keys(made, tool, folder, plan.seen)
    return Encoding(made, tool, folder, shelf, named, jobs, plan.expected.options.stall_s, on_frame)


def carry_out(
    plan: Assembly,
    *,
    workers: int | None = None,
    progress: ProgressCallback | None = None,
    stop: Stop | None = None,
) -> Movie:
    """Build what was planned; see `assemble`."""
    tell = progress or ignore_progress
    tool = tool_for(plan.recipe, plan.expected.options)
    shrinker = optimizer(plan.expected.options)
    total, label = plan.recipe.frames, plan.output.name

    def on_frame(done: int) -> None:
        tell(Progress("encode", min(done, total), total, label=label))

    with work_folder(plan) as folder:
        work = _encode(plan, tool, folder, jobs_of(workers), on_frame, stop)
        made = folder / plan.recipe.output
        tell(Progress("verify", 0, 1, label=label))
        report, said = _measured(plan, tool, shrinker, made, stop)
        _judge(plan, report, made, work)
        report = VerifyReport(plan.output, report.checks)
        tell(Progress("verify", 1, 1, label=label))
        movie = _movie(plan, tool, report, made, [*_notes_of(work), *said])
        digest = digest_file(made)
        assets.publish(made, plan.output)
    named = [key.stem for key in work.keys] if work and work.shelf else []
    with contextlib.suppress(StoreError):  # a convenience: the movie is there without it
        plan.store.note_movie(plan.output, {**_about(plan, movie, digest), "segments": named})
    if work and work.shelf:
        work.shelf.keep_only(work.keys, _used_by_movies(plan.store))
    return movie


def _used_by_movies(store: Store) -> list[str]:
    """Stems of the segments that known movies were joined from."""
    known = [noted.get("segments") for noted in store.read_movies().values() if isinstance(noted, dict)]
    return [str(stem) for stems in known if isinstance(stems, list) for stem in stems]


def _encode(
    plan: Assembly,
    tool: Tool,
    folder: Path,
    jobs: int,
    on_frame: Callable[[int], None],
    stop: Stop | None,
) -> Encoding | None:
    """Bring the movie into the work folder; what was done about its segments, if it has any."""
    made, stall_s = plan.recipe, plan.expected.options.stall_s
    if not made.segments:
        run_recipe(made, tool, folder, on_frame, stall_s, stop)
        return None
    prepare(made, tool, folder, ignore_frames, stall_s, stop)
    work = segments_of(plan, tool, folder, jobs, on_frame)
    work.run(stop)
    join(made, tool, folder, stall_s, stop)
    return work


def _measured(
    plan: Assembly, tool: Tool, shrinker: Tool | None, made: Path, stop: Stop | None
) -> tuple[VerifyReport, list[str]]:
    """What was measured of the movie, made smaller before if that is asked for; and what to say of that."""
    said = []
    if shrinker:
        report, note = _made_smaller(plan, shrinker, made, stop)
        said.append(note)
        if report:
            return report, said
    decoder = tool if tool.name == "ffmpeg" else None
    return measure(made, plan.expected, decoder, stop, made.parent), said


def _made_smaller(
    plan: Assembly, tool: Tool, made: Path, stop: Stop | None
) -> tuple[VerifyReport | None, str]:
    """Put a smaller GIF in the place of ``made``, if it proves to be the same; its report, what to say.

    Returns
    -------
    VerifyReport or None
        None if ``made`` is as it was, and still to be measured.
    str
    """
    small, name = made.with_name(f"smaller{made.suffix}"), f"gifsicle {tool.version}"
    try:
        gifsicle.optimize(tool, made, small, stall_s=plan.expected.options.stall_s, stop=stop)
    except EncoderFailed as error:
        return None, f"{name} failed, the GIF is as it was: {error}"
    before, after = made.stat().st_size, small.stat().st_size
    if after >= before:
        return None, f"{name} made it no smaller"
    if what := gifsicle.difference(made, small, stop):
        return None, f"{name} made another movie ({what}), the GIF is as it was"
    report = measure(small, plan.expected, None, stop)
    if not report.passed:
        return None, f"what {name} made failed verification, the GIF is as it was"
    os.replace(small, made)
    return report, f"{name}: {100 - 100 * after / before:.2g} % smaller"


@contextlib.contextmanager
def work_folder(plan: Assembly) -> Iterator[Path]:
    """A private folder beside the output, so that publishing is a rename; gone afterwards."""
    for leftover in files.leftover_temporaries(plan.output.parent, of=plan.output):
        assets.forget(leftover)
        shutil.rmtree(leftover, ignore_errors=True)
    folder = files.temporary_beside(plan.output)
    try:
        folder.mkdir()
        (folder / FRAMES).symlink_to(plan.store.path, target_is_directory=True)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise StoreError(f"cannot write beside {plan.output}: {error.strerror}") from None
    try:
        yield folder
    except OSError as error:
        raise EncoderFailed(
            f"{plan.output.name}: {error.strerror or error} in {plan.output.parent}. "
            "The frames are kept; mend that and run the same again"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _judge(plan: Assembly, report: VerifyReport, made: Path, work: Encoding | None) -> None:
    if plan.store.look(plan.seen) != plan.seen:
        raise VerificationFailed(
            f"frames in {plan.store.path} changed while {plan.output.name} was built: run it again",
            report=report,
        )
    if report.passed:
        return
    if work and work.shelf:
        work.shelf.drop(work.keys)  # one of them may be the reason
    rejected = plan.output.with_name(f"{plan.output.stem}.rejected{plan.output.suffix}")
    kept = ""
    with contextlib.suppress(OSError):
        assets.set_aside(made, rejected)
        kept = f" What was built is kept as {rejected.name}, to look at."
    raise VerificationFailed(
        f"{plan.output.name} failed verification and was not published; the frames are kept.{kept}\n"
        f"{report.table()}",
        report=report,
    )


def _movie(plan: Assembly, tool: Tool, report: VerifyReport, made: Path, said: list[str]) -> Movie:
    width, height = plan.expected.size
    return Movie(
        path=plan.output,
        format=plan.recipe.format,
        encoder=tool,
        frames=plan.recipe.frames,
        duration_s=float(plan.expected.duration_s),
        width=width,
        height=height,
        size_bytes=assets.size_bytes(made),
        report=report,
        notes=(*plan.notes, *tool.notes, *said),
    )


def _notes_of(work: Encoding | None) -> list[str]:
    if work is None or not work.taken:
        return []
    return [f"{len(work.taken)} of {len(work.keys)} segments were in the store, the others were encoded"]


def _about(plan: Assembly, movie: Movie, digest: str) -> dict[str, Any]:
    """What ``movies.json`` keeps: enough to verify again, and to allow cleaning."""
    timeline = plan.expected.timeline
    return {
        "sha256": digest,
        "numbers": list(timeline.numbers),
        "fingerprints": {str(number): seen.fingerprint for number, seen in plan.seen.items()},
        "durations_s": [str(duration) for duration in timeline.durations_s],
        "fps": str(timeline.fps),
        "loop": timeline.loop,
        "options": asdict(plan.expected.options),
        "exact": plan.expected.exact,
        "encoder": str(movie.encoder),
        "passed": movie.report.passed,
    }
