"""Decide about a movie before anything runs: which frames, when, and how it will be built."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from framepipe import png
from framepipe.encoders import imagemagick
from framepipe.errors import IncompleteStore, UsageError
from framepipe.frames import format_range
from framepipe.job import JobRecord
from framepipe.palette import settle
from framepipe.recipes import Options, Recipe, format_of, gif, html, pictures, profiles, recipe
from framepipe.rendering import RenderReport
from framepipe.store import Seen, Shape, Store, StoreStatus
from framepipe.timeline import Timing
from framepipe.verify import Expected

MISSING = ("error", "hold", "skip")
STALE = ("error", "keep")
WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Assembly:
    """All that was decided about a movie before anything runs.

    Attributes
    ----------
    store : Store
    output : Path
    recipe : Recipe
    expected : Expected
    notes : tuple of str
    seen : dict of int to Seen
        The frames as they were when it was decided.
    """

    store: Store
    output: Path
    recipe: Recipe
    expected: Expected
    notes: tuple[str, ...]
    seen: Mapping[int, Seen]

    def commands(self) -> list[str]:
        """What would run, quoted for a shell, in a work folder beside the output."""
        if self.recipe.encoder == "imagemagick":
            return [shlex.join(["python", *imagemagick.command("spec.json")[1:]])]
        if self.recipe.encoder == "player":
            return ["# no program: framepipe writes the page itself, its pictures with Pillow"]
        steps = [*self.recipe.steps, *(segment.step for segment in self.recipe.segments)]
        steps += [self.recipe.join] if self.recipe.join else []
        return [shlex.join(["ffmpeg", *step.args]) for step in steps]


def open_store(store: Store | RenderReport | str | os.PathLike[str]) -> Store:
    """The store that is meant."""
    if isinstance(store, Store):
        return store
    return Store(store.store if isinstance(store, RenderReport) else store)


def plan_assembly(
    store: Store | RenderReport | str | os.PathLike[str],
    output: str | os.PathLike[str],
    timing: Timing | None = None,
    *,
    options: Options | None = None,
    missing: str = "error",
    stale: str = "error",
    record: JobRecord | None = None,
    status: StoreStatus | None = None,
    jobs: int = 1,
) -> Assembly:
    """Decide about a movie without running anything; parameters as in `assemble`.

    Parameters
    ----------
    record, status : JobRecord and StoreStatus, optional
        The job to hold the frames against, and a deep look at them, if one was just taken. Default:
        see `look_deep`.
    jobs : int
        Encoders that are going to run at once.
    """
    if missing not in MISSING or stale not in STALE:
        raise UsageError(
            f"missing is one of {', '.join(MISSING)}; stale of {', '.join(STALE)}; "
            f"got {missing!r} and {stale!r}"
        )
    path = Path(os.path.abspath(output))
    format_ = format_of(path)
    options = profiles.settle(options or Options(), format_)
    if path.is_dir():
        raise UsageError(f"output {path} is a folder")
    if not path.parent.is_dir():
        raise UsageError(f"the folder of {path} does not exist")
    where = open_store(store)
    if record is None or status is None:
        record, status = look_deep(where)
    if not status.numbers:
        raise IncompleteStore(f"{where.path} has no frame that can be used", status=status)
    timing = timing or Timing()
    asked = timing.timeline(status.numbers, record.fps)
    shown, notes = _usable(status, asked.numbers, missing, stale)
    timeline = timing.timeline(status.numbers, record.fps, shown)
    numbers = timeline.numbers
    if status.shape and not status.stale:
        shape, background = status.shape, status.background or WHITE
    else:
        shape, background = look_at(where, numbers)
    profiles.check(options, format_, timeline, shape)
    if format_ == "html":
        known = record.values_are_numbers
        options = html.settle(options, status.numbers, numbers, path.stem, values_are_numbers=known)
    sources = [where.frame_path(number) for number in numbers]
    palette = settle(options, sources, shape) if format_ == "gif" else None
    made = recipe(format_, timeline, shape, background, options, palette=palette, jobs=jobs)
    if format_ == "html":
        made = replace(made, output=path.name)  # a page's folder is named after it
    if format_ == "gif" and (note := timeline.gif_note()):
        notes.append(note)
    if format_ == "gif" and (note := gif.note(shape, options)):
        notes.append(note)
    if note := pictures.note(format_, timeline):
        notes.append(note)
    exact = palette is not None and palette.exact
    expected = Expected(format_, timeline, sources, shape, background, options, exact)
    seen = {number: status.seen[number] for number in dict.fromkeys(numbers)}
    return Assembly(where, path, made, expected, tuple(notes), seen)


def look_deep(store: Store) -> tuple[JobRecord, StoreStatus]:
    """The job as its sources are now, and its frames, every byte of them looked at."""
    before, _ = store.read_job()
    record = before.refreshed()
    return record, store.scan(record, deep=True, before=before)


def _usable(
    status: StoreStatus, asked: Sequence[int], missing: str, stale: str
) -> tuple[Mapping[int, int | None], list[str]]:
    """The frame to show for each frame that is asked for, None to leave it out; and what to say of it."""
    wanted = set(asked)
    planned = [number for number in status.numbers if number in wanted]
    good = {*status.done, *(status.stale if stale == "keep" else ())}
    bad = [number for number in planned if number not in good]
    unforgiven = [number for number in bad if missing == "error" or number in status.stale]
    if unforgiven:
        raise IncompleteStore(_incomplete(status, missing), status=status)
    notes = [f"{len(status.stale)} stale frames were used"] if status.stale else []
    if bad:
        what = "held" if missing == "hold" else "left out"
        notes.append(f"frames {format_range(bad)} are not there: {what}")
    shown: dict[int, int | None] = {}
    last = next((number for number in planned if number in good), None)
    for number in planned:
        last = number if number in good else last
        shown[number] = number if number in good else last if missing == "hold" else None
    if last is None:
        raise IncompleteStore(f"{status.path} has no frame that can be used", status=status)
    return shown, notes


def _incomplete(status: StoreStatus, missing: str) -> str:
    counts = ", ".join(
        f"{len(found)} {kind}"
        for kind, found in (
            ("missing", status.missing),
            ("broken", status.broken),
            ("stale", status.stale),
        )
        if found
    )
    ways = []
    if missing == "error" and (status.missing or status.broken):
        ways.append("build from what is there with --missing hold (or skip)")
    if status.stale:
        ways.append("use stale frames with --stale keep")
    return (
        f"{status.path}: of {status.total} frames {counts}\n  "
        + "\n  ".join(status.problems())
        + f"\nDraw them: framepipe resume {shlex.quote(str(status.path))}"
        + "".join(f"; or {way}" for way in ways)
    )


def look_at(store: Store, numbers: Sequence[int]) -> tuple[Shape, tuple[int, int, int]]:
    """Shape and ground of the frames to be shown, which must all be alike."""
    first, ground = None, None
    for number in dict.fromkeys(numbers):
        info = png.inspect(store.frame_path(number))
        if info is None or info.damage:
            raise IncompleteStore(f"frame {number} changed while it was looked at: run it again")
        shape = Shape(info.width, info.height, info.mode)
        first, ground = first or shape, ground or info.background
        if shape != first:
            raise IncompleteStore(
                f"frame {number} is {shape}, frame {numbers[0]} is {first}: draw all frames alike "
                "(--stale draw)"
            )
    if first is None:
        raise IncompleteStore(f"{store.path} has no frame that can be used")
    return first, ground or WHITE
