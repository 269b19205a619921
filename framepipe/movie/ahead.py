"""Encode the segments of videos while later frames are drawn, so that little is left to do at the end.

What is encoded goes into the store's segment cache, where `framepipe.movie.build` finds it. Nothing depends
on it: segments whose frames are drawn again later have another key. GIFs wait, since all frames have a say in
their palette; movies of one segment do too.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from framepipe.core.control import Control, Progress, Stop
from framepipe.core.shape import Shape
from framepipe.errors import FramepipeError
from framepipe.formats import WHITE, format_of, targets
from framepipe.formats.recipe import MovieSpec, Recipe
from framepipe.job.job import Job
from framepipe.movie.build import ignore_frames, segments_of, work_folder
from framepipe.movie.encode import prepare
from framepipe.movie.plan import Assembly
from framepipe.movie.probe import tool_for_recipe
from framepipe.options import EncodeOptions
from framepipe.store.status import FrameState, StoreStatus
from framepipe.store.store import Store
from framepipe.timeline import Timing

_LOOK_S = 0.5
_MIN_FRAMES = 100  # no segment is shorter


@contextlib.contextmanager
def encoding_ahead(
    store: Store,
    job: Job,
    outputs: Sequence[Path],
    timing: Timing,
    encode: EncodeOptions,
    jobs: int,
    control: Control,
) -> Iterator[Control]:
    """Encode segments of the outputs in a thread as their frames come, by one encoder that gives way.

    Parameters
    ----------
    store : Store
    job : Job
    outputs : sequence of Path
    timing : Timing
    encode : EncodeOptions
    jobs : int
        Encoders that will run at once at the end: their number of threads decides what they write.
    control : Control

    Yields
    ------
    Control
        For drawing, whose progress says when there may be enough frames.
    """
    videos = [path for path in outputs if format_of(path).is_video]
    if not videos or job.frames.extent != "fixed" or len(job.frames) <= _MIN_FRAMES:
        yield control
        return
    stop = Stop()
    movies = [_MovieAhead(store, job, path, timing, encode, jobs, Control(stop=stop)) for path in videos]
    thread = threading.Thread(target=_encode_all, args=(movies, stop), name="framepipe-ahead", daemon=True)

    def note(progress: Progress) -> None:
        if (
            progress.done >= _MIN_FRAMES and thread.ident is None
        ):  # not before: the program may be forked first
            thread.start()
        control.progress(progress)

    try:
        yield Control(note, control.stop)
    finally:
        stop.request()
        if thread.ident is not None:
            thread.join()


def _encode_all(movies: list[_MovieAhead], stop: Stop) -> None:
    """Encode what can be until a stop is requested; what goes wrong here will be reported at the end."""
    with contextlib.suppress(FramepipeError, OSError):
        while movies and not stop.requested:
            movies = [movie for movie in movies if not movie.is_complete]
            if not sum(movie.encode_next() for movie in movies):
                time.sleep(_LOOK_S)


class _MovieAhead:
    """One movie, of which segment after segment is encoded.

    Attributes
    ----------
    is_complete : bool
        True when nothing is left.
    """

    def __init__(
        self,
        store: Store,
        job: Job,
        output: Path,
        timing: Timing,
        encode: EncodeOptions,
        jobs: int,
        control: Control,
    ) -> None:
        self.is_complete, self._jobs = False, jobs
        self._store, self._output, self._control = store, output, control
        self._format = format_of(output)
        self._encode = targets.apply_target(encode, self._format)
        self._timing = timing.with_file_read()
        self._timeline = self._timing.timeline(job.frames.numbers, job.fps)
        self._states: dict[int, FrameState] = {}
        self._recipe: Recipe | None = None
        self._shape: Shape | None = None
        self._done = 0

    def encode_next(self) -> bool:
        """Encode the next segment if its frames are there; return whether it was."""
        if self._recipe is None:
            self._recipe = self._plan()
            self.is_complete = self._recipe is not None and len(self._recipe.segments) < 2
        if self._recipe is None or self.is_complete:
            return False
        status = self._look(self._recipe.segments[self._done].numbers)
        if status is None:
            return False
        self._states |= status.frame_states
        self._encode_segment(replace(self._recipe, segments=self._recipe.segments[: self._done + 1]))
        self._done += 1
        self.is_complete = self._done == len(self._recipe.segments)
        return True

    def _plan(self) -> Recipe | None:
        """Return the recipe, once a frame shows the shape."""
        status = self._look(self._timeline.numbers[:1])
        if status is None or status.shape is None:
            return None
        self._shape = status.shape
        background = status.background or WHITE
        spec = MovieSpec(self._timeline, status.shape, self._encode, background, jobs=self._jobs)
        return self._format.recipe(spec)

    def _look(self, numbers: Sequence[int]) -> StoreStatus | None:
        """Return the state of these frames if all are done."""
        wanted = list(dict.fromkeys(numbers))
        if not all(self._store.frame_path(number).exists() for number in reversed(wanted)):
            return None
        record = self._store.known_job()
        status = self._store.scan(record, numbers=wanted, deep=True) if record else None
        return status if status and len(status.done) == len(wanted) else None

    def _encode_segment(self, recipe: Recipe) -> None:
        """Encode the last segment of a recipe into the store's segment cache."""
        numbers = self._timeline.numbers
        sources = [self._store.frame_path(number) for number in numbers]
        tool = tool_for_recipe(recipe, self._encode)
        assert self._shape is not None
        expected = self._format.expected(self._timeline, sources, self._shape, WHITE, self._encode)
        plan = Assembly(self._store, self._output, recipe, expected, (), self._states, self._timing)
        with work_folder(plan) as folder:
            prepare(recipe, tool, folder, ignore_frames, self._encode.idle_timeout_s, self._control)
            encoding = segments_of(plan, tool, folder, self._jobs, ignore_frames)
            encoding.gives_way = True
            encoding.run(self._control, [len(recipe.segments) - 1])
