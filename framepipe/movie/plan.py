"""Plan a movie before anything runs: its frames, their times, and how it will be built."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from framepipe.core import files, png
from framepipe.core.shape import Shape
from framepipe.encoders import imagemagick
from framepipe.errors import IncompleteStore, UsageError
from framepipe.formats import FORMATS, WHITE, Format, format_of, targets
from framepipe.formats.recipe import MovieSpec, Recipe
from framepipe.job.frames import format_range
from framepipe.job.record import JobRecord
from framepipe.options import EncodeOptions, UseOptions
from framepipe.store.checked import frames_in_reports
from framepipe.store.status import FrameState, StoreStatus
from framepipe.store.store import Store
from framepipe.timeline import Timeline, Timing
from framepipe.verification import Expected


class HasStore(Protocol):
    """An object that names its store, such as the report of a render."""

    @property
    def store(self) -> Path:
        """The folder."""


@dataclass(frozen=True)
class Assembly:
    """The plan of a movie.

    Attributes
    ----------
    store : Store
    output : Path
    recipe : Recipe
    expected : Expected
    notes : tuple of str
    frame_states : dict of int to FrameState
        The frames as they were when it was planned; for a share of the movie, its own only.
    timing : Timing
        The options of the timeline.
    record : JobRecord or None
        The job as it was when its frames were looked at.
    so_far : tuple of int, or None
        Of a movie so far, of which nothing is kept for later: the number of frames that are drawn, and of
        those that it is to have.
    """

    store: Store
    output: Path
    recipe: Recipe
    expected: Expected
    notes: tuple[str, ...]
    frame_states: Mapping[int, FrameState]
    timing: Timing
    record: JobRecord | None = None
    so_far: tuple[int, int] | None = None

    @property
    def format(self) -> Format:
        """The format of the output."""
        return FORMATS[self.recipe.format]

    def commands(self) -> list[str]:
        """Return the commands to run in the work folder, quoted for a shell."""
        if self.recipe.encoder == "imagemagick":
            return [shlex.join(["python", *imagemagick.command(self.recipe.child, "spec.json")[1:]])]
        if self.recipe.encoder == "player":
            return ["# no program: framepipe writes the page itself, its pictures with Pillow"]
        steps = [*self.recipe.steps, *(segment.step for segment in self.recipe.segments)]
        steps += [self.recipe.join] if self.recipe.join else []
        return [shlex.join(["ffmpeg", *step.args]) for step in steps]


def open_store(store: Store | HasStore | str | os.PathLike[str]) -> Store:
    """Return the store of a path or a report."""
    if isinstance(store, Store):
        return store
    return Store(store if isinstance(store, (str, os.PathLike)) else store.store)


def format_of_output(path: Path) -> Format:
    """Return the format of a movie to build at ``path``.

    Raises
    ------
    UsageError
        There is no such format, or no file can be there.
    """
    format_ = format_of(path)
    if noun := files.kind_of(path):
        raise UsageError(f"output {path} is {noun}, not a file")
    if not path.parent.is_dir():
        raise UsageError(f"output {path}: its folder does not exist")
    return format_


def plan_assembly(
    store: Store | HasStore | str | os.PathLike[str],
    output: str | os.PathLike[str],
    timing: Timing | None = None,
    options: EncodeOptions | None = None,
    use: UseOptions | None = None,
    *,
    record: JobRecord | None = None,
    status: StoreStatus | None = None,
    jobs: int = 1,
) -> Assembly:
    """Plan a movie without running anything; parameters as in `assemble`.

    Parameters
    ----------
    record, status : JobRecord and StoreStatus, optional
        The job and a deep scan of its frames, if they were just scanned. Default: see `scan_store`. A scan of
        some frames says that the others are done, and has no states of them.
    jobs : int
        Encoders that will run at once.
    """
    path, where = Path(os.path.abspath(output)), open_store(store)
    format_ = format_of_output(path)
    options = targets.apply_target(options or EncodeOptions(), format_)
    if record is None or status is None:
        record, status = scan_store(where)
    if not status.numbers:
        raise IncompleteStore(f"{where.path} has no frame that can be used", status=status)
    timing = (timing or Timing()).with_file_read()
    shown = _shown_frames(status, record, timing, use or UseOptions())
    timeline = shown.timeline
    shape, background = _shape_of(where, status, shown)
    targets.check(options, format_, timeline, shape)
    are_numbers = record.values_are_numbers
    options = format_.resolve_labels(
        options, status.numbers, timeline.numbers, path.stem, values_are_numbers=are_numbers
    )
    sources = [where.frame_path(number) for number in timeline.numbers]
    palette = format_.palette(options, sources, shape)
    recipe = format_.recipe(MovieSpec(timeline, shape, options, background, palette, jobs))
    if format_.names_itself:
        recipe = replace(recipe, output=path.name)
    exact = palette is not None and palette.exact
    expected = format_.expected(timeline, sources, shape, background, options, exact)
    expected = replace(expected, digests=digests_of(where, shown.states))
    notes = (*shown.notes, *format_.notes(timeline, shape, options))
    return Assembly(where, path, recipe, expected, notes, shown.states, timing, record, shown.so_far)


@dataclass(frozen=True)
class _ShownFrames:
    """The frames that a movie shows, at their times; the rest as in `Assembly`."""

    timeline: Timeline
    states: Mapping[int, FrameState]
    notes: tuple[str, ...]
    so_far: tuple[int, int] | None


def digests_of(store: Store, states: Mapping[int, FrameState]) -> dict[Path, bytes]:
    """Return the SHA-256 of the files that a scan has read to the last byte."""
    digests = {store.frame_path(number): state.sha256 for number, state in states.items()}
    return {path: digest for path, digest in digests.items() if digest}


def _shown_frames(status: StoreStatus, record: JobRecord, timing: Timing, use: UseOptions) -> _ShownFrames:
    requested = timing.timeline(status.numbers, record.fps)
    substitutes, notes = _substitutes(status, requested.numbers, use)
    timeline = timing.timeline(status.numbers, record.fps, substitutes)
    known = status.frame_states
    states = {number: known[number] for number in dict.fromkeys(timeline.numbers) if number in known}
    drawn, total = sum(number == shown for number, shown in substitutes.items()), len(substitutes)
    so_far = (drawn, total) if use.so_far and drawn < total else None
    return _ShownFrames(timeline, states, tuple(notes), so_far)


def _shape_of(store: Store, status: StoreStatus, shown: _ShownFrames) -> tuple[Shape, tuple[int, int, int]]:
    """Return shape and background of the movie: of the scan, or of the files if some are stale."""
    if status.shape and not status.stale:
        return status.shape, status.background or WHITE
    return common_shape(store, [*shown.states])


def scan_store(store: Store, numbers: Sequence[int] | None = None) -> tuple[JobRecord, StoreStatus]:
    """Return the job as its sources are now, and the state of its frames, checked to the last byte.

    Frames that were checked when a segment of a movie was verified are not opened again.

    Parameters
    ----------
    store : Store
    numbers : sequence of int, optional
        Look at these only: the status then says that the others are done, and has no states of them.
    """
    before, _ = store.read_job()
    record = before.refreshed(store.file_digests())
    memory = frames_in_reports(store, record) if numbers is None else None
    status = store.scan(record, numbers=numbers, deep=True, before=before, memory=memory)
    if numbers is None:
        return record, status
    undone = {*status.missing, *status.broken, *status.stale}
    return record, replace(status, done=tuple(each for each in status.numbers if each not in undone))


def _substitutes(
    status: StoreStatus, requested: Sequence[int], use: UseOptions
) -> tuple[Mapping[int, int | None], list[str]]:
    """Return the frame to show for each requested one, None to omit it; and notes."""
    missing = "hold" if use.so_far and use.missing == "error" else use.missing
    requested_set = set(requested)
    planned = [number for number in status.numbers if number in requested_set]
    good = {*status.done, *(status.stale if use.stale == "keep" else ())}
    bad = [number for number in planned if number not in good]
    unusable = [number for number in bad if missing == "error" or number in status.stale]
    if unusable:
        raise IncompleteStore(_incomplete(status, missing), status=status)
    usable = [at for at, number in enumerate(planned) if number in good]
    if not usable:
        raise IncompleteStore(f"{status.path} has no frame that can be used", status=status)
    end = usable[-1] + 1 if use.so_far else len(planned)
    last = planned[usable[0]]
    substitutes: dict[int, int | None] = {}
    for number in planned[:end]:
        last = number if number in good else last
        substitutes[number] = number if number in good else last if missing == "hold" else None
    substitutes |= dict.fromkeys(planned[end:])
    stale_count = len({*planned} & {*status.stale})
    notes = [f"{stale_count} stale frames were used"] if stale_count else []
    what = "neighbouring frame held" if missing == "hold" else "left out"
    if bad and use.so_far:
        notes.append(
            f"{len(bad)} frames are not drawn yet: it ends with frame {planned[end - 1]}, gaps: {what}"
        )
    elif bad:
        notes.append(f"frames {format_range(bad)} are missing: {what}")
    return substitutes, notes


def _incomplete(status: StoreStatus, missing: str) -> str:
    counts = ", ".join(
        f"{len(numbers)} {kind}"
        for kind, numbers in (
            ("missing", status.missing),
            ("broken", status.broken),
            ("stale", status.stale),
        )
        if numbers
    )
    ways = []
    if missing == "error" and (status.missing or status.broken):
        ways.append("build from the existing frames with --missing hold (or skip)")
    if status.stale:
        ways.append("use stale frames with --stale keep")
    draw = f"framepipe resume {shlex.quote(str(status.path))}"
    if status.recorded:
        draw = "run the program again that recorded them, from recorder.next_number on"
    return (
        f"{status.path}: of {status.total} frames {counts}\n  "
        + "\n  ".join(status.problems())
        + f"\nDraw them: {draw}"
        + "".join(f"; or {way}" for way in ways)
    )


def common_shape(store: Store, numbers: Sequence[int]) -> tuple[Shape, tuple[int, int, int]]:
    """Return shape and background of frames, which must all have the same shape."""
    first, background = None, None
    for number in dict.fromkeys(numbers):
        info = png.inspect(store.frame_path(number))
        if info is None or info.damage:
            raise IncompleteStore(f"frame {number} changed while it was scanned: run it again")
        shape = Shape(info.width, info.height, info.mode)
        first, background = first or shape, background or info.background
        if shape != first:
            raise IncompleteStore(
                f"frame {number} is {shape}, frame {numbers[0]} is {first}: draw all frames alike "
                "(--stale draw)"
            )
    if first is None:
        raise IncompleteStore(f"{store.path} has no frame that can be used")
    return first, background or WHITE
