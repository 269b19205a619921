"""From frames to a movie: check the frames, encode, measure, publish. Deletes no frame."""

from __future__ import annotations

import contextlib
import inspect
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from framepipe import assets, files
from framepipe.control import Progress, ProgressCallback, Stop, ignore_progress
from framepipe.encoders import gifsicle
from framepipe.encoders.tools import STALL_S, Tool
from framepipe.errors import EncoderFailed, StoreError, UsageError, VerificationFailed
from framepipe.fingerprint import digest_file
from framepipe.notebook import mimebundle
from framepipe.plan import Assembly, look_deep, open_store, plan_assembly
from framepipe.recipes import FRAMES, PLAYER_LIMIT_MB, Options, format_of
from framepipe.render import parse_shard
from framepipe.rendering import RenderReport
from framepipe.segments import Encoding, join, keys, usual_jobs
from framepipe.shelf import Shelf
from framepipe.store import Store
from framepipe.timeline import Timing
from framepipe.trial import optimizer, prepare, run_recipe, tool_for
from framepipe.verify import VerifyReport, measure


@dataclass(frozen=True)
class Movie:
    """A movie that passed verification and has its name.

    Attributes
    ----------
    path : Path
    format : str
    encoder : Tool
    frames : int
        Pictures in the file.
    duration_s : float
        Of one play.
    width, height : int
        In pixels.
    size_bytes : int
        With the pictures beside it, if it is a page that has them there.
    report : VerifyReport
    notes : tuple of str
        What the user should know: rounded times, missing frames, tools passed over.
    """

    path: Path
    format: str
    encoder: Tool
    frames: int
    duration_s: float
    width: int
    height: int
    size_bytes: int
    report: VerifyReport
    notes: tuple[str, ...] = ()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """How Jupyter shows it: as the movie."""
        return mimebundle(self.path, self.format, self.width, self.height, repr(self))

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "path": str(self.path),
            "format": self.format,
            "encoder": asdict(self.encoder),
            "frames": self.frames,
            "duration_s": self.duration_s,
            "width_px": self.width,
            "height_px": self.height,
            "size_bytes": self.size_bytes,
            "notes": list(self.notes),
            "verified": self.report.to_dict(),
        }


def assemble(
    store: Store | RenderReport | str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    fps: object | None = None,
    hold_first_s: float = 0,
    hold_last_s: float = 0,
    pause_s: float = 0,
    durations_s: Any = None,
    speed: float = 1,
    every: int = 1,
    part: str | None = None,
    reverse: bool = False,
    bounce: bool = False,
    loop: object = 0,
    encoder: str = "auto",
    palette: str = "global",
    colors: int = 256,
    dither: str = "none",
    layers: str = "auto",
    crf: int | None = None,
    preset: str = "medium",
    missing: str = "error",
    stale: str = "error",
    workers: int | None = None,
    stall_s: float = STALL_S,
    metadata: Mapping[str, str] | None = None,
    codec: str | None = None,
    quality: str = "good",
    chroma: str = "420",
    depth: int = 8,
    codec_options: Mapping[str, str] | None = None,
    labels: Any = "number",
    player_limit_mb: float = PLAYER_LIMIT_MB,
    html_assets: bool = False,
    optimize: bool = False,
    target: str | None = None,
    progress: ProgressCallback | None = None,
    stop: Stop | None = None,
) -> Movie:
    """Build a movie from a store's frames, prove that it is right, and only then name it.

    Parameters
    ----------
    store : Store, RenderReport or path-like
    output : path-like
        Its suffix is the format: ``.gif``, ``.mp4``. What stands there stays until the new movie
        has passed verification.
    fps, hold_first_s, hold_last_s, pause_s, durations_s, speed, every, part, reverse, bounce, loop
        When each frame is shown, see `Timing`.
    encoder, palette, colors, dither, layers, crf, preset, stall_s, metadata, codec, quality, chroma, depth, \
codec_options, labels, player_limit_mb, html_assets, optimize, target
        See `Options`.
    missing : {"error", "hold", "skip"}
        For frames that are missing or broken: refuse, show the frame before for their time, or
        leave them out.
    stale : {"error", "keep"}
        For frames of another version of the job: refuse, or use them.
    workers : int, optional
        Encoders that run at once, for GIF and for long videos. Default: a processor each, 8 at most.
    progress : callable, optional
    stop : Stop, optional

    Returns
    -------
    Movie

    Raises
    ------
    UsageError, IncompleteStore, ToolMissing, EncoderFailed, VerificationFailed, Interrupted
        In all cases the frames are kept, and so is what stood at ``output``.
    """
    told = locals()
    return assemble_several(told.pop("store"), [told.pop("output")], **told)[0]


def assemble_several(
    store: Store | RenderReport | str | os.PathLike[str],
    outputs: Sequence[str | os.PathLike[str]],
    *,
    missing: str = "error",
    stale: str = "error",
    workers: int | None = None,
    progress: ProgressCallback | None = None,
    stop: Stop | None = None,
    **keywords: Any,
) -> tuple[Movie, ...]:
    """`assemble` for several outputs, with one look at the frames.

    All are planned before the first is built, so that what one of them cannot do is said at once.
    """
    timing, options = _asked(keywords)
    jobs = jobs_of(workers)
    for path in outputs:
        format_of(Path(path))
    where = open_store(store)
    record, status = look_deep(where)
    plans = [
        plan_assembly(
            where,
            path,
            timing,
            options=options,
            missing=missing,
            stale=stale,
            record=record,
            status=status,
            jobs=jobs,
        )
        for path in outputs
    ]
    return tuple(carry_out(plan, workers=jobs, progress=progress, stop=stop) for plan in plans)


def _asked(keywords: Mapping[str, Any]) -> tuple[Timing, Options]:
    """Timing and options among keywords, which may not have others."""
    if unknown := set(keywords) - {*Timing.__dataclass_fields__, *Options.__dataclass_fields__}:
        raise UsageError(f"assembling knows no {', '.join(sorted(unknown))}")
    defaults = inspect.signature(assemble).parameters
    told = {name: each.default for name, each in defaults.items()} | dict(keywords)
    return Timing.of(told), Options.of(told)


def encode_share(
    store: Store | RenderReport | str | os.PathLike[str],
    output: str | os.PathLike[str],
    shard: str | tuple[int, int],
    *,
    missing: str = "error",
    stale: str = "error",
    workers: int | None = None,
    progress: ProgressCallback | None = None,
    stop: Stop | None = None,
    **keywords: Any,
) -> ShareReport:
    """Encode a share of a movie's segments, for one of several tasks; `assemble` then joins them.

    Parameters
    ----------
    store, output, missing, stale, workers, progress, stop
        See `assemble`.
    shard : str or tuple of int
        ``"2/8"`` or ``(2, 8)``: the second of eight shares; every eighth segment.
    **keywords
        Timing and encoding, as `assemble` is going to have them: segments of other settings are others.

    Returns
    -------
    ShareReport

    Raises
    ------
    UsageError, IncompleteStore, ToolMissing, EncoderFailed, Interrupted
        Segments that were finished stay in the store.
    """
    k, n = parse_shard(shard)
    timing, options = _asked(keywords)
    plan = plan_assembly(store, output, timing, options=options, missing=missing, stale=stale)
    made = plan.recipe
    if not made.kept:
        return ShareReport(plan.output, 0, (), 0)
    tell, total = progress or ignore_progress, len(made.segments)
    tool = tool_for(made, options)
    mine = range(k - 1, total, n)
    frames = sum(len(made.segments[at].numbers) for at in mine)
    with _work_folder(plan) as folder:
        prepare(made, tool, folder, ignore_frames, options.stall_s, stop)
        work = _segments(
            plan, tool, folder, jobs_of(workers), lambda done: tell(Progress("encode", done, frames))
        )
        work.run(stop, mine)
    return ShareReport(plan.output, total, tuple(mine), len(work.taken))


@dataclass(frozen=True)
class ShareReport:
    """What `encode_share` did.

    Attributes
    ----------
    output : Path
        The movie that the segments are for.
    segments : int
        Of the whole movie; 0 if it is too short, or of a format, that has none.
    mine : tuple of int
        Positions of those of this share.
    taken : int
        How many of them were in the store before.
    """

    output: Path
    segments: int
    mine: tuple[int, ...]
    taken: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "output": str(self.output), "mine": list(self.mine)}


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


def _segments(
    plan: Assembly, tool: Tool, folder: Path, jobs: int, on_frame: Callable[[int], None]
) -> Encoding:
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

    with _work_folder(plan) as folder:
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
        movies = plan.store.read_movies().values()
        work.shelf.keep_only(work.keys, [str(stem) for noted in movies for stem in noted.get("segments", ())])
    return movie


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
    work = _segments(plan, tool, folder, jobs, on_frame)
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
def _work_folder(plan: Assembly) -> Iterator[Path]:
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
