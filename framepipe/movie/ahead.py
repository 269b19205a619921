"""Encode the segments of movies while later frames are drawn, so that little is left to do at the end.

What is encoded is verified and goes into the store's segment cache, where `framepipe.movie.build` finds it;
a segment that is being encoded when the last frame is drawn is waited for. Nothing depends on it: segments
whose frames are drawn again later have another key. A GIF waits if all frames have a say in its palette;
movies of one segment do too.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from framepipe.core.control import Control, Progress, Stop
from framepipe.core.shape import Shape
from framepipe.errors import FramepipeError
from framepipe.formats import WHITE, format_of, targets
from framepipe.formats.recipe import Colour, MovieSpec, Recipe
from framepipe.job.job import Job
from framepipe.movie.build import ignore_frames, segments_of, work_folder
from framepipe.movie.encode import prepare
from framepipe.movie.plan import Assembly, digests_of
from framepipe.movie.probe import tool_for_recipe
from framepipe.options import EncodeOptions
from framepipe.store.segment_cache import Key
from framepipe.store.status import FrameState, StoreStatus
from framepipe.store.store import Store
from framepipe.timeline import Timeline, Timing

_LOOK_S = 0.25
_WAIT_S = 0.05
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
) -> Iterator[Ahead]:
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
    """
    stop = Stop()
    movies = []
    if job.frames.extent == "fixed":
        timing = timing.with_file_read()
        timeline = timing.timeline(job.frames.numbers, job.fps)
        for path in outputs:
            if _can_begin(path, timeline, encode):
                movies.append(_MovieAhead(store, path, timing, timeline, encode, jobs, Control(stop=stop)))
    ahead = Ahead(movies, control)
    try:
        yield ahead
    finally:
        stop.request()
        ahead.join()


def _can_begin(output: Path, timeline: Timeline, encode: EncodeOptions) -> bool:
    """True if a movie has segments of which each depends on its own frames alone."""
    format_ = format_of(output)
    depends_on_all = format_.needs_all_frames(targets.apply_target(encode, format_))
    return bool(format_.segment_frames(timeline)) and not depends_on_all


class Ahead:
    """The encoding of segments in a thread of its own, which begins when there may be enough frames.

    Attributes
    ----------
    drawing : Control
        For drawing, whose progress begins it.
    """

    def __init__(self, movies: Sequence[_MovieAhead], control: Control) -> None:
        self._movies, self._control = movies, control
        self._all_drawn = threading.Event()
        self._thread = threading.Thread(target=self._encode, name="framepipe-ahead", daemon=True)
        self.drawing = Control(self._note, control.stop)

    def finish(self) -> None:
        """Begin no other segment: whoever waits for the movie encodes the rest, with all processors."""
        self._all_drawn.set()

    def wait_for(self, key: Key, control: Control) -> bool:
        """Wait while the segment of a key is being encoded, and return whether it was.

        Raises
        ------
        Interrupted
        """
        while any(movie.current == key for movie in self._movies) and self._thread.is_alive():
            control.check("encoding segments", "the frames and the finished segments are")
            self._thread.join(_WAIT_S)
        return any(key in movie.encoded for movie in self._movies)

    def join(self) -> None:
        """Wait for the end of the thread."""
        self.finish()
        if self._thread.ident is not None:
            self._thread.join()

    def _note(self, progress: Progress) -> None:
        # not before: the program may be forked first
        if self._movies and progress.done >= _MIN_FRAMES and self._thread.ident is None:
            self._thread.start()
        self._control.progress(progress)

    def _encode(self) -> None:
        """Encode what can be; what goes wrong here will be reported at the end."""
        with contextlib.suppress(FramepipeError, OSError):
            movies = [*self._movies]
            while movies and not self._all_drawn.is_set():
                if not sum(movie.encode_next() for movie in movies):
                    self._all_drawn.wait(_LOOK_S)
                movies = [movie for movie in movies if not movie.is_complete]


class _MovieAhead:
    """One movie, of which segment after segment is encoded.

    Attributes
    ----------
    is_complete : bool
        True when nothing is left.
    current : Key or None
        The segment that is being encoded.
    encoded : set of Key
    """

    def __init__(
        self,
        store: Store,
        output: Path,
        timing: Timing,
        timeline: Timeline,
        encode: EncodeOptions,
        jobs: int,
        control: Control,
    ) -> None:
        self.is_complete, self._jobs = False, jobs
        self.current: Key | None = None
        self.encoded: set[Key] = set()
        self._store, self._output, self._control = store, output, control
        self._format = format_of(output)
        self._encode = targets.apply_target(encode, self._format)
        self._timing, self._timeline = timing, timeline
        self._states: dict[int, FrameState] = {}
        self._recipe: Recipe | None = None
        self._shape: Shape | None = None
        self._background: Colour = WHITE
        self._done = 0

    def encode_next(self) -> bool:
        """Encode the next segment if its frames are there; return whether it was."""
        self._recipe = self._recipe or self._plan()
        if self._recipe is None:
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
        self._shape, self._background = status.shape, status.background or WHITE
        palette = self._format.palette(self._encode, (), status.shape)  # no frame has a say in it
        spec = MovieSpec(
            self._timeline, status.shape, self._encode, self._background, palette, jobs=self._jobs
        )
        recipe = self._format.recipe(spec)
        self.is_complete = not recipe.segments  # ImageMagick's
        return recipe if recipe.segments else None

    def _look(self, numbers: Sequence[int]) -> StoreStatus | None:
        """Return the state of these frames if all are done."""
        wanted = list(dict.fromkeys(numbers))
        if not all(self._store.frame_path(number).exists() for number in reversed(wanted)):
            return None
        record = self._store.known_job()
        status = self._store.scan(record, numbers=wanted, deep=True) if record else None
        return status if status and len(status.done) == len(wanted) else None

    def _encode_segment(self, recipe: Recipe) -> None:
        """Encode and verify the last segment of a recipe, for the store's segment cache."""
        sources = [self._store.frame_path(number) for number in self._timeline.numbers]
        tool = tool_for_recipe(recipe, self._encode)
        assert self._shape is not None
        expected = self._format.expected(self._timeline, sources, self._shape, self._background, self._encode)
        expected = replace(expected, digests=digests_of(self._store, self._states))
        plan = Assembly(self._store, self._output, recipe, expected, (), self._states, self._timing)
        with work_folder(plan) as folder:
            prepare(recipe, tool, folder, ignore_frames, self._encode.idle_timeout_s, self._control)
            encoding = segments_of(plan, tool, folder, self._jobs, ignore_frames)
            encoding.gives_way = True
            self.current = encoding.keys[self._done]
            try:
                encoding.run(self._control, [self._done])
                self.encoded.add(self.current)
            finally:
                self.current = None
