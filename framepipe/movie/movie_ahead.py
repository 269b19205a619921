"""One movie that is encoded while its frames are drawn: what is next, of which frames, whether it counts."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from framepipe.core.control import Control
from framepipe.core.process import Tool
from framepipe.encoders.ffmpeg import run_ffmpeg
from framepipe.errors import FramepipeError
from framepipe.formats import WHITE, format_of, targets
from framepipe.formats.frame_input import FRAMES
from framepipe.formats.recipe import MovieSpec, Recipe, Step
from framepipe.movie.build import ignore_frames, segments_of, work_folder
from framepipe.movie.encode import prepare, write_lists
from framepipe.movie.pipes import Pipes
from framepipe.movie.plan import Assembly, digests_of
from framepipe.movie.probe import tool_for_recipe
from framepipe.movie.segments import usual_jobs
from framepipe.options import EncodeOptions
from framepipe.store.status import FrameState, StoreStatus
from framepipe.store.store import Store
from framepipe.timeline import Timeline, Timing

_LOOK_S = 0.25
_WAIT_S = 0.05
_MAX_PIPES = 1000  # more of them would be slow to make on the file system of a cluster


class FrameNews:
    """What drawing tells the encoders.

    Attributes
    ----------
    is_over : bool
        There will be no further frame.
    """

    def __init__(self) -> None:
        self.is_over = False
        self._condition = threading.Condition()

    def tell(self) -> None:
        """Wake those who wait: there may be new frames."""
        with self._condition:
            self._condition.notify_all()

    def end(self) -> None:
        """Tell that there will be no further frame."""
        self.is_over = True
        self.tell()

    def wait(self, timeout_s: float) -> None:
        """Wait for news."""
        with self._condition:
            if not self.is_over:
                self._condition.wait(timeout_s)


class MovieAhead:
    """A movie that is encoded segment by segment, or in one go.

    Parameters
    ----------
    store : Store
    output : Path
    timing : Timing
    timeline : Timeline
    encode : EncodeOptions
    jobs : int
        See `framepipe.movie.ahead.encoding_ahead`.
    news : FrameNews

    Attributes
    ----------
    output : Path
    frames : int
        Frames that are encoded, of a movie without segments.
    """

    def __init__(
        self,
        store: Store,
        output: Path,
        timing: Timing,
        timeline: Timeline,
        encode: EncodeOptions,
        jobs: int,
        news: FrameNews,
    ) -> None:
        self.output, self.frames, self._jobs = output, 0, jobs
        self._store, self._news, self._control = store, news, Control()
        self._format = format_of(output)
        self._encode = targets.apply_target(encode, self._format)
        self._timing, self._timeline = timing, timeline
        self._numbers = {store.frame_path(number).name: number for number in timeline.numbers}
        self._thread = threading.Thread(target=self._run, name="framepipe-ahead", daemon=True)
        self._current: int | None = None  # position of a segment; 0 of a movie without segments
        self._encoded: set[int] = set()  # positions of segments
        self._states: dict[int, FrameState] = {}
        self._plan: Assembly | None = None
        self._whole = contextlib.ExitStack()  # keeps the folder of a movie without segments
        self._folder: Path | None = None
        self._look: Callable[[int], StoreStatus] | None = None
        self._look_until = 0.0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def has(self, at: int, control: Control) -> bool:
        """Wait while the segment at a position is being encoded; return whether it was.

        Raises
        ------
        Interrupted
        """
        while self.is_encoding(at):
            control.check("encoding segments", "the frames and the finished segments are")
        return at in self._encoded

    def is_encoding(self, at: int) -> bool:
        """Wait a moment if the segment at a position is being encoded; return whether it is."""
        if self._current == at and self._thread.is_alive():
            self._thread.join(_WAIT_S)
            return True
        return False

    def stop(self) -> None:
        """End the encoder."""
        self._control.stop.request()

    def close(self) -> None:
        """Wait for the end, and delete what was not handed over, also if the waiting is interrupted."""
        try:
            if self._thread.ident is not None:
                self._thread.join()
        finally:
            self._whole.close()

    def hand_over(self, plan: Assembly, tool: Tool, folder: Path) -> bool:
        """Move what was encoded in one go into a work folder; return whether it is what is planned."""
        if self._plan is None or self._folder is None or self._plan.recipe != plan.recipe:
            return False
        states = self._states
        has_same_frames = all(states.get(number) == state for number, state in plan.frame_states.items())
        if not has_same_frames or tool_for_recipe(plan.recipe, self._encode) != tool:
            return False
        for path in self._folder.iterdir():
            if path.name not in plan.recipe.lists:
                os.replace(path, folder / path.name)
        return True

    def _run(self) -> None:
        """Encode what can be; what goes wrong here will be reported at the end."""
        with contextlib.suppress(FramepipeError, OSError):
            while self._plan is None and not self._news.is_over:
                self._plan = self._planned()
                self._news.wait(_LOOK_S)
            if self._plan is None:
                return
            segments = self._plan.recipe.segments
            step = None if segments or self._news.is_over else _only_step(self._plan.recipe)
            if step and len(self._numbers) <= _MAX_PIPES:
                self._current = 0
                self._encode_whole(self._plan, step)
            # the last ones are encoded at the end, all at once: alone, one would leave processors idle
            for at in range(len(segments) - min(self._jobs, usual_jobs())):
                while not self._news.is_over and not self._are_done(segments[at].numbers):
                    self._news.wait(_LOOK_S)
                if self._news.is_over:
                    return
                self._current = at
                self._encode_segment(self._plan, at)
                self._encoded.add(at)

    def _planned(self) -> Assembly | None:
        """Return the plan of the movie, once a frame shows the shape; the states of its frames follow."""
        first = self._status_of(self._timeline.numbers[0])
        if first is None or first.shape is None:
            return None
        shape, background = first.shape, first.background or WHITE
        palette = self._format.palette(self._encode, (), shape)  # no frame has a say in it
        spec = MovieSpec(self._timeline, shape, self._encode, background, palette, jobs=self._jobs)
        recipe = self._format.recipe(spec)
        sources = [self._store.frame_path(number) for number in self._timeline.numbers]
        expected = self._format.expected(self._timeline, sources, shape, background, self._encode)
        return Assembly(self._store, self.output, recipe, expected, (), {}, self._timing)

    def _encode_segment(self, plan: Assembly, at: int) -> None:
        """Encode and verify a segment, for the store's segment cache."""
        tool = tool_for_recipe(plan.recipe, self._encode)
        expected = replace(plan.expected, digests=digests_of(self._store, self._states))
        plan = replace(plan, expected=expected, frame_states=self._states)
        with work_folder(plan) as folder:
            prepare(plan.recipe, tool, folder, ignore_frames, self._encode.idle_timeout_s, self._control)
            encoding = segments_of(plan, tool, folder, self._jobs, ignore_frames)
            encoding.gives_way = True
            encoding.run(self._control, [at])

    def _encode_whole(self, plan: Assembly, step: Step) -> None:
        """Encode a movie without segments, as its frames come, into a folder that stays."""
        tool = tool_for_recipe(plan.recipe, self._encode)
        folder = self._whole.enter_context(work_folder(plan))
        write_lists(plan.recipe, folder)
        (folder / FRAMES).unlink()
        text = str(next(plan.recipe.lists[name] for name in step.args if name in plan.recipe.lists))
        names = re.findall(rf"^file {FRAMES}/(.+)$", text, re.MULTILINE)
        pipes = Pipes(folder / FRAMES, self._store.path, names, self._frame, self._control.stop.request)
        with pipes.fed():
            run_ffmpeg(
                tool,
                step.filmed or step.args,
                cwd=folder,
                frames=step.frames,
                on_frame=self._count,
                idle_timeout_s=self._encode.idle_timeout_s,
                control=self._control,
                waits=pipes.waits,
            )
        self._folder = folder

    def _count(self, frames: int) -> None:
        self.frames = frames

    def _frame(self, name: str) -> bytes | None:
        """Wait for a frame, note its state, and return its file; None if it will not come."""
        number = self._numbers[name]
        while not self._control.stop.requested:
            is_last_look = self._news.is_over
            if self._are_done([number]):
                return self._store.frame_path(number).read_bytes()
            if is_last_look:
                break
            self._news.wait(_LOOK_S)
        return None

    def _are_done(self, numbers: Sequence[int]) -> bool:
        """True if these frames are; their states are noted."""
        wanted = dict.fromkeys(numbers)
        if not all(self._store.frame_path(number).exists() for number in reversed(wanted)):
            return False
        for number in wanted:
            status = self._status_of(number)
            if not status or not status.done:
                return False
            self._states[number] = status.frame_states[number]
        return True

    def _status_of(self, number: int) -> StoreStatus | None:
        """Look at a frame; the job as it is now is looked at a few times a second."""
        if (now := time.monotonic()) >= self._look_until:
            record = self._store.known_job()
            self._look = self._store.looker(record, deep=True) if record else None
            self._look_until = now + _LOOK_S
        return self._look(number) if self._look else None


def _only_step(recipe: Recipe) -> Step | None:
    """Return the one command that builds a movie from its frames; None if there is more to do."""
    is_one = recipe.encoder == "ffmpeg" and len(recipe.steps) == 1
    return recipe.steps[0] if is_one and recipe.steps[0].reports_progress else None
