"""Encode movies while their frames are drawn, so that little is left to do at the end.

A segment is encoded when its frames are there, verified, and put into the store's segment cache, where
`framepipe.movie.build` finds it. A movie without segments is encoded from the first frame on; its encoder
waits at each that is not drawn yet. What is being encoded when the last frame is drawn is waited for.
Nothing depends on it: what was made of frames that are drawn again later is not used. A GIF waits if all
frames have a say in its palette.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from framepipe.core.control import Control, Progress
from framepipe.core.process import Tool
from framepipe.formats import format_of, targets
from framepipe.job.job import Job
from framepipe.movie.movie_ahead import FrameNews, MovieAhead
from framepipe.movie.plan import Assembly
from framepipe.options import EncodeOptions
from framepipe.store.store import Store
from framepipe.timeline import Timing

_MIN_FRAMES = 8  # before, the program may be forked to compare the first ones


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
    """Encode the outputs, each in a thread, as their frames come.

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
    news = FrameNews()
    movies = []
    if job.frames.extent == "fixed":
        timing = timing.with_file_read()
        timeline = timing.timeline(job.frames.numbers, job.fps)
        movies = [
            MovieAhead(store, path, timing, timeline, encode, jobs, news)
            for path in outputs
            if _can_begin(path, encode)
        ]
    ahead = Ahead(movies, news, control)
    try:
        yield ahead
    finally:
        ahead.close()


def _can_begin(output: Path, encode: EncodeOptions) -> bool:
    """True for a movie of which no frame has a say in how the others are encoded."""
    format_ = format_of(output)
    return not format_.needs_all_frames(targets.apply_target(encode, format_))


class Ahead:
    """The encoding of movies, each in a thread of its own, which begins with the first frames.

    Attributes
    ----------
    drawing : Control
        For drawing, whose progress begins it.
    """

    def __init__(self, movies: Sequence[MovieAhead], news: FrameNews, control: Control) -> None:
        self._movies, self._news, self._control = movies, news, control
        self._has_begun = False
        self.drawing = Control(self._note, control.stop)

    def finish(self) -> None:
        """Begin nothing else: whoever waits for the movie encodes the rest, with all processors."""
        self._news.end()

    def wait_for(self, output: Path, at: int, control: Control) -> bool:
        """See `framepipe.movie.build.EncodingAhead`."""
        movie = self._movie(output)
        return movie is not None and movie.has(at, control)

    def take(
        self, plan: Assembly, tool: Tool, folder: Path, on_frame: Callable[[int], None], control: Control
    ) -> bool:
        """See `framepipe.movie.build.EncodingAhead`."""
        movie = self._movie(plan.output)
        if movie is None:
            return False
        while movie.is_encoding(0):
            control.check(f"encoding {plan.output.name}")
            on_frame(movie.frames)
        return movie.hand_over(plan, tool, folder)

    def close(self) -> None:
        """End the encoders, and wait for the end of the threads."""
        self.finish()
        with contextlib.ExitStack() as stack:  # all of them, also if one is interrupted
            for movie in self._movies:
                movie.stop()
                stack.callback(movie.close)

    def _movie(self, output: Path) -> MovieAhead | None:
        return next((movie for movie in self._movies if movie.output == output), None)

    def _note(self, progress: Progress) -> None:
        self._news.tell()
        if progress.done >= _MIN_FRAMES and not self._has_begun:
            self._has_begun = True
            for movie in self._movies:
                movie.start()
        self._control.progress(progress)
