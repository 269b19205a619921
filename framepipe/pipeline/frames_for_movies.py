"""The two halves of `make`: frames are drawn, then movies are built from them."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from framepipe.core.control import Control
from framepipe.core.summary import short_path
from framepipe.errors import Interrupted
from framepipe.job.job import Job
from framepipe.job.record import JobRecord
from framepipe.movie.ahead import Ahead, encoding_ahead
from framepipe.movie.build import carry_out, jobs_of
from framepipe.movie.cleanup import delete_frames
from framepipe.movie.plan import Assembly, plan_assembly
from framepipe.options import DrawOptions, ShardOptions, UseOptions
from framepipe.pipeline.checks import check_before_drawing
from framepipe.pipeline.goal import MakeGoal
from framepipe.pipeline.report import MakeReport
from framepipe.rendering.api import render_job
from framepipe.rendering.engines import Engine
from framepipe.rendering.report import RenderReport
from framepipe.store.store import Store


@dataclass(frozen=True)
class FramesForMovies:
    """Frames that are drawn, and what is to be made of them.

    Attributes
    ----------
    store : Store
    report : RenderReport
    goal : MakeGoal
    draw : DrawOptions
    films : int
        See `MakeReport`.
    ahead : Ahead
        What encodes the movies meanwhile.
    end : ExitStack
        Ends that.
    """

    store: Store
    report: RenderReport
    goal: MakeGoal
    draw: DrawOptions
    films: int
    ahead: Ahead
    end: contextlib.ExitStack

    def make_movies(self, control: Control) -> MakeReport:
        """Do the second half of `make`: movies, verification, cleanup. Runs nothing of the user's.

        Raises
        ------
        FramepipeError
            See `assemble`.
        """
        report, jobs = self.report, jobs_of(self.draw.workers)
        assert report.record is not None
        with self.end:
            control.check("planning the movies")
            plans = _plans_of(self.store, report.record, self.goal, self.draw, jobs)
            movies = tuple(carry_out(plan, workers=jobs, control=control, ahead=self.ahead) for plan in plans)
        is_only_ours = report.record.owner == "make"  # frames that another verb drew here before stay
        done_with = _fingerprints(plans, None if is_only_ours else report.drawn)
        cleanup = None if self.goal.keep_frames else delete_frames(self.store, done_with)
        return MakeReport(report, movies, cleanup, self.films)


def draw_job(
    job: Job,
    store: Store,
    engine: Engine,
    goal: MakeGoal,
    draw: DrawOptions,
    control: Control,
    tools: Future[None],
) -> FramesForMovies:
    """Draw the frames of a job; its movies are encoded meanwhile, see `Ahead`.

    Parameters
    ----------
    tools : Future
        Ends when the encoders were tried.
    """
    goal = goal.completed_for(job)
    encode = goal.encode
    if job.metadata and not encode.metadata:
        encode = replace(encode, metadata=dict(job.metadata))
    check_before_drawing(goal.outputs, job, encode, goal.timing, with_tools=False)
    tools.result()
    jobs = jobs_of(draw.workers)
    with contextlib.ExitStack() as stack:
        ahead = stack.enter_context(
            encoding_ahead(store, job, goal.outputs, goal.timing, encode, jobs, control)
        )
        record, part = job.record(goal.for_json()), ShardOptions()
        with _saying_how_to_see_it(store, goal):
            report = render_job(
                job, store, engine, draw, part, control=ahead.drawing, record=record, owner="make"
            )
        ahead.finish()
        goal = replace(goal, encode=encode)
        return FramesForMovies(store, report, goal, draw, job.films, ahead, stack.pop_all())


def _plans_of(
    store: Store, record: JobRecord, goal: MakeGoal, draw: DrawOptions, jobs: int
) -> list[Assembly]:
    """Plan the movies, all of them from one look at the frames.

    The record is that of the render's end: the script may have been edited while its frames were drawn.
    """
    use = UseOptions(stale="keep" if draw.stale == "keep" else "error")
    status = store.scan(record, deep=True, digests=store.file_digests())
    return [
        plan_assembly(store, path, goal.timing, goal.encode, use, record=record, status=status, jobs=jobs)
        for path in goal.outputs
    ]


def _fingerprints(plans: Sequence[Assembly], numbers: Sequence[int] | None) -> dict[int, str]:
    """Return the fingerprints of the frames that the movies show, or of those among ``numbers``."""
    fingerprints = {
        number: state.fingerprint for plan in plans for number, state in plan.frame_states.items()
    }
    if numbers is None:
        return fingerprints
    return {number: fingerprints[number] for number in numbers if number in fingerprints}


@contextlib.contextmanager
def _saying_how_to_see_it(store: Store, goal: MakeGoal) -> Iterator[None]:
    """Add to the message of an interruption how to get the movie so far."""
    try:
        yield
    except Interrupted as error:
        if not goal.outputs or not store.numbers():
            raise
        command = ["framepipe", "assemble", short_path(store.path), "-o", short_path(goal.outputs[0])]
        command += ["--fps", str(goal.timing.fps)] if goal.timing.fps else []
        message = f"{error}. The movie so far: {shlex.join([*command, '--so-far'])}"
        report = getattr(error, "report", None)
        raise Interrupted(message, signal_name=error.signal_name, report=report) from None
