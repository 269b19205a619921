"""Encode a movie's segments side by side, each once: what is on the store's shelf is taken from there."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

import ffmpeg

from framepipe import gif
from framepipe.control import Stop
from framepipe.encoders.ffmpeg import GLOBAL_ARGS, PROGRESS_ARGS, run_ffmpeg
from framepipe.encoders.tools import Tool
from framepipe.engines.cpus import usable_cpus
from framepipe.errors import EncoderFailed, Interrupted
from framepipe.fingerprint import digest_file
from framepipe.recipes import PALETTE, Recipe, Segment
from framepipe.recipes.common import SAME
from framepipe.shelf import Key, Shelf
from framepipe.store import Seen

_MOST_JOBS = 8  # each may hold some dozens of frames
_TICK_S = 0.1


def usual_jobs() -> int:
    """How many encoders run at once: as many as there are processors, 8 at most."""
    return min(usable_cpus(), _MOST_JOBS)


def threads_each(jobs: int) -> int:
    """Threads of one encoder, so that all together use all processors."""
    return -(-usable_cpus() // jobs)


def keys(made: Recipe, tool: Tool, folder: Path, seen: Mapping[int, Seen]) -> list[Key]:
    """What decides each segment: the command, the encoder's version, the palette, and its frames.

    Parameters
    ----------
    made : Recipe
    tool : Tool
    folder : Path
        The work folder, with the palette if there is one.
    seen : mapping of int to Seen
        Frames by number.
    """
    palette = folder / PALETTE
    command = made.segments[0].step.args  # those of the others differ in names, and in a last delay
    rates = re.findall(r"option framerate (\S+)", str(made.lists[_list_of(command)]))
    settings = [made.format, tool.version, _nameless(command), sorted(set(rates))]
    settings += [digest_file(palette)] if palette.exists() else []
    told = _digest(settings)
    suffix = Path(made.output).suffix
    found = []
    for segment in made.segments:
        frames = [[seen[number].fingerprint, *seen[number].identity] for number in segment.numbers]
        # GIF: the first segment has no frame of the one before
        found.append(Key(told, _digest([segment is made.segments[0], frames]), suffix))
    return found


def _nameless(args: Sequence[str]) -> list[str]:
    """Arguments without what does not matter: joining sets delays and plays anew."""
    free = ("-final_delay", "-loop")
    return [each for at, each in enumerate(args) if at == 0 or args[at - 1] not in free]


def _list_of(args: Sequence[str]) -> str:
    return next(each for each in args if each.endswith(".ffconcat"))


def _digest(data: object) -> str:
    return hashlib.sha256(json.dumps(data).encode()).hexdigest()


@dataclass
class Encoding:
    """One go at the segments of a movie.

    Attributes
    ----------
    made : Recipe
    tool : Tool
    folder : Path
        The work folder: lists are read from it, segments come to lie in it.
    shelf : Shelf or None
        Where finished segments are kept; None where they are not worth it.
    keys : list of Key
    jobs : int
        Encoders at once.
    stall_s : float
    on_frame : callable
        Called in this thread with the number of frames done.
    """

    made: Recipe
    tool: Tool
    folder: Path
    shelf: Shelf | None
    keys: list[Key]
    jobs: int
    stall_s: float
    on_frame: Callable[[int], None]
    taken: list[int] = field(default_factory=list)
    _frames: dict[int, int] = field(default_factory=dict)
    _halt: Stop = field(default_factory=Stop)

    def run(self, stop: Stop | None, wanted: Sequence[int] | None = None) -> None:
        """Bring all segments, or those wanted, into the work folder.

        Raises
        ------
        EncoderFailed, Interrupted
            The segments that were finished stay on the shelf.
        """
        wanted = range(len(self.keys)) if wanted is None else wanted
        missing = [at for at in wanted if not self._take(at)]
        self.on_frame(sum(self._frames.values()))
        with ThreadPoolExecutor(max(1, min(self.jobs, len(missing)))) as pool:
            futures = [pool.submit(self._encode, at) for at in missing]
            try:
                self._watch(futures, stop)
            finally:
                self._halt.request(stop.signal_name if stop else "")
                for future in futures:
                    future.cancel()

    def _take(self, at: int) -> bool:
        segment = self.made.segments[at]
        if self.shelf is None or not self.shelf.take(self.keys[at], self.folder / segment.output):
            return False
        self.taken.append(at)
        self._frames[at] = len(segment.numbers)
        return True

    def _watch(self, futures: Sequence[Future[None]], stop: Stop | None) -> None:
        pending: set[Future[None]] = set(futures)
        while pending:
            done, pending = wait(pending, _TICK_S, FIRST_EXCEPTION)
            self.on_frame(sum(self._frames.values()))
            for future in done:
                future.result()
            if stop and stop.requested:
                raise Interrupted(
                    f"stopped{stop.by} while segments were encoded: the frames and the finished segments are "
                    "safe. Run the same again to go on",
                    signal_name=stop.signal_name,
                )

    def _encode(self, at: int) -> None:
        segment = self.made.segments[at]

        def count(frames: int) -> None:
            self._frames[at] = frames

        *before, output = segment.step.args
        threads = ("-threads", str(threads_each(self.jobs)))
        run_ffmpeg(
            self.tool,
            [*before, *threads, output],
            cwd=self.folder,
            frames=segment.step.frames,
            on_frame=count,
            stall_s=self.stall_s,
            stop=self._halt,
        )
        self._check(segment)
        if self.shelf is not None:
            self.shelf.put(self.keys[at], self.folder / segment.output)

    def _check(self, segment: Segment) -> None:
        """A segment that is kept must be whole: all of its frames decode without an error."""
        due = len(segment.numbers)
        if segment.output.endswith(".gif"):
            try:
                found = gif.inspect(self.folder / segment.output).frames
            except gif.GifDamage as damage:
                raise EncoderFailed(f"{segment.output}: {damage}", tool=self.tool) from None
            if found != due:
                raise EncoderFailed(f"{segment.output} has {found} of {due} frames", tool=self.tool)
            return
        source = ffmpeg.input(segment.output, err_detect="explode").video.output("-", format="null", **SAME)
        args = [*GLOBAL_ARGS, *PROGRESS_ARGS, *source.get_args()]
        run_ffmpeg(self.tool, args, cwd=self.folder, frames=due, stop=self._halt, stall_s=self.stall_s)


def join(made: Recipe, tool: Tool, folder: Path, stall_s: float, stop: Stop | None) -> None:
    """Make one movie of the segments in the work folder, without encoding again.

    Raises
    ------
    EncoderFailed
    """
    if made.join is not None:
        run_ffmpeg(tool, made.join.args, cwd=folder, frames=made.join.frames, stall_s=stall_s, stop=stop)
        return
    parts = [folder / segment.output for segment in made.segments]
    try:
        gif.splice(parts, folder / made.output, overlap=True, **made.spec)
    except (gif.GifDamage, ValueError) as error:
        raise EncoderFailed(f"the segments of {made.output} cannot be joined: {error}", tool=tool) from None
