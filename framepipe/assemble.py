"""From frames to a movie: check the frames, encode, measure, publish. Deletes no frame."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from framepipe import containers, files, png
from framepipe.control import Progress, ProgressCallback, Stop, ignore_progress
from framepipe.encoders import imagemagick, player
from framepipe.encoders.ffmpeg import find_ffmpeg, run_ffmpeg
from framepipe.encoders.tools import STALL_S, Tool
from framepipe.errors import (
    EncoderFailed,
    StoreError,
    ToolMissing,
    VerificationFailed,
)
from framepipe.fingerprint import digest_file
from framepipe.frames import file_name
from framepipe.notebook import mimebundle
from framepipe.plan import Assembly, plan_assembly
from framepipe.recipes import FRAMES, PICTURES, PLAYER_LIMIT_MB, Options, Recipe, recipe
from framepipe.render import RenderReport
from framepipe.store import Shape, Store
from framepipe.timeline import Timeline, Timing
from framepipe.verify import VerifyReport, measure

_TINY = Shape(64, 64, "RGB")  # SVT-AV1 takes no smaller ones


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
    stall_s: float = STALL_S,
    metadata: Mapping[str, str] | None = None,
    codec: str | None = None,
    quality: str = "good",
    chroma: str = "420",
    depth: int = 8,
    codec_options: Mapping[str, str] | None = None,
    labels: Any = "number",
    player_limit_mb: float = PLAYER_LIMIT_MB,
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
codec_options, labels, player_limit_mb
        See `Options`.
    missing : {"error", "hold", "skip"}
        For frames that are missing or broken: refuse, show the frame before for their time, or
        leave them out.
    stale : {"error", "keep"}
        For frames of another version of the job: refuse, or use them.
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
    timing, options = Timing.of(told), Options.of(told)
    plan = plan_assembly(store, output, timing, options=options, missing=missing, stale=stale)
    return carry_out(plan, progress=progress, stop=stop)


def check_tools(formats: Sequence[str], options: Options) -> None:
    """See that each format can be built here, before hours are spent on drawing.

    Raises
    ------
    ToolMissing
    """
    for format_ in dict.fromkeys(formats):
        made = recipe(format_, Timeline.of([0]), _TINY, None, options)
        _tool_for(made, options)


def _tool_for(made: Recipe, options: Options) -> Tool:
    if made.encoder == "imagemagick":
        found = imagemagick.find_imagemagick()
        if made.format == "webp" and (why := _lacks_webp(found)):  # it is an option when it is compiled
            raise ToolMissing(f"{found} writes no webp: use --encoder ffmpeg. It said: {why}")
        return found
    if made.encoder == "player":
        return player.find_pillow()
    asked = replace(
        Options(), **{name: getattr(options, name) for name in ("codec", "quality", "chroma", "depth")}
    )
    told = [f"{name} {value}" for name, value in vars(asked).items() if value != getattr(Options(), name)]
    what = f"{made.format} ({', '.join(told)})" if told else made.format
    if plays := made.spec.get("plays", 0) if made.format == "avif" else 0:
        what += " with a number of plays"  # which ffmpeg 5.1 cannot write
    return find_ffmpeg(what, lambda tool: _try_on_something_tiny(tool, made.format, asked, plays))


@cache
def _lacks_webp(tool: Tool) -> str:
    try:
        _try_on_something_tiny(tool, "webp", Options(encoder="imagemagick"), 0)
    except EncoderFailed as error:
        return str(error)
    return ""


def decoder(format_: str) -> Tool | None:
    """The ffmpeg that reads a format for verification; None where Pillow does."""
    if format_ in ("gif", "html", *PICTURES):
        return None
    options = Options()
    return _tool_for(recipe(format_, Timeline.of([0]), _TINY, None, options), options)


def _try_on_something_tiny(tool: Tool, format_: str, options: Options, plays: int) -> None:
    """Build a movie of two frames of 64x64: shows more than a list of codecs would."""
    import numpy as np

    timeline = Timeline.of([0, 1], loop=plays)
    made = recipe(format_, timeline, _TINY, None, options)
    with tempfile.TemporaryDirectory(prefix="framepipe-") as name:
        frames = Path(name) / FRAMES
        frames.mkdir()
        for number in timeline.numbers:
            pixels = np.full((_TINY.height, _TINY.width, 3), 100 * number, np.uint8)
            (frames / file_name(number)).write_bytes(png.encode(pixels))
        _encode(made, tool, Path(name), lambda _: None, 60.0, None)
        if plays:  # ffmpeg 5.1 takes the option and ignores it
            with contextlib.suppress(containers.Damage):
                if containers.inspect(Path(name) / made.output, format_).plays == plays:
                    return
            raise EncoderFailed("ffmpeg knows no number of plays and said that all was well")


def carry_out(
    plan: Assembly,
    *,
    progress: ProgressCallback | None = None,
    stop: Stop | None = None,
) -> Movie:
    """Build what was planned; see `assemble`."""
    tell = progress or ignore_progress
    tool = _tool_for(plan.recipe, plan.expected.options)
    reader = tool if tool.name == "ffmpeg" else None
    total, label = plan.recipe.frames, plan.output.name
    with _work_folder(plan) as folder:
        _encode(
            plan.recipe,
            tool,
            folder,
            lambda done: tell(Progress("encode", min(done, total), total, label=label)),
            plan.expected.options.stall_s,
            stop,
        )
        made = folder / plan.recipe.output
        tell(Progress("verify", 0, 1, label=label))
        report = measure(made, plan.expected, reader, stop, folder)
        _judge(plan, report, made)
        report = VerifyReport(plan.output, report.checks)
        tell(Progress("verify", 1, 1, label=label))
        movie = _movie(plan, tool, report, made)
        digest = digest_file(made)
        files.publish(made, plan.output)
    with contextlib.suppress(StoreError):  # a convenience: the movie is there without it
        plan.store.note_movie(plan.output, _about(plan, movie, digest))
    return movie


def _encode(
    made: Recipe,
    tool: Tool,
    folder: Path,
    on_frame: Callable[[int], None],
    stall_s: float,
    stop: Stop | None,
) -> None:
    for name, text in made.lists.items():
        (folder / name).write_text(text, encoding="ascii")
    if made.encoder == "imagemagick":
        (folder / "parts").mkdir()
        inside = {"output": str(folder / made.output), "work": str(folder / "parts")}
        inside["frames"] = [str(folder / name) for name in made.spec["frames"]]  # type: ignore[assignment]
        imagemagick.run_imagemagick(
            tool, {**made.spec, **inside}, cwd=folder, on_frame=on_frame, stall_s=stall_s, stop=stop
        )
    if made.encoder == "player":
        player.build(made.spec, folder / FRAMES, folder / made.output, on_frame, stop)
    for step in made.steps:
        watch = on_frame if step.shown else None
        run_ffmpeg(
            tool,
            step.args,
            cwd=folder,
            frames=step.frames,
            on_frame=watch,
            stall_s=stall_s,
            stop=stop,
        )
    if not (folder / made.output).is_file() or not (folder / made.output).stat().st_size:
        raise EncoderFailed(f"{tool.name} said that all was well and wrote no movie", tool=tool)
    if made.format == "webp" and made.encoder == "ffmpeg":
        try:
            containers.finish_webp(folder / made.output, **made.spec)
        except containers.Damage as error:
            raise EncoderFailed(f"{tool.name} said that all was well and wrote: {error}", tool=tool) from None


@contextlib.contextmanager
def _work_folder(plan: Assembly) -> Iterator[Path]:
    """A private folder beside the output, so that publishing is a rename; gone afterwards."""
    for leftover in files.leftover_temporaries(plan.output.parent, of=plan.output):
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


def _judge(plan: Assembly, report: VerifyReport, made: Path) -> None:
    if plan.store.look(plan.seen) != plan.seen:
        raise VerificationFailed(
            f"frames in {plan.store.path} changed while {plan.output.name} was built: run it again",
            report=report,
        )
    if report.passed:
        return
    rejected = plan.output.with_name(f"{plan.output.stem}.rejected{plan.output.suffix}")
    kept = ""
    with contextlib.suppress(OSError):
        os.replace(made, rejected)
        kept = f" What was built is kept as {rejected.name}, to look at."
    raise VerificationFailed(
        f"{plan.output.name} failed verification and was not published; the frames are kept.{kept}\n"
        f"{report.table()}",
        report=report,
    )


def _movie(plan: Assembly, tool: Tool, report: VerifyReport, made: Path) -> Movie:
    width, height = plan.expected.size
    return Movie(
        path=plan.output,
        format=plan.recipe.format,
        encoder=tool,
        frames=plan.recipe.frames,
        duration_s=float(plan.expected.duration_s),
        width=width,
        height=height,
        size_bytes=made.stat().st_size,
        report=report,
        notes=(*plan.notes, *tool.notes),
    )


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
        "encoder": str(movie.encoder),
        "passed": movie.report.passed,
    }
