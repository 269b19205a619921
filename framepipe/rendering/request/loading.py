"""Load the scene of a request: in this process, or in one of its own from which workers are forked."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

from framepipe.core.control import Stop
from framepipe.job.contents import FileDigests
from framepipe.job.frames import Frames
from framepipe.job.job import Job
from framepipe.job.read_tracer import ReadTracer
from framepipe.rendering.engines import StageProcess
from framepipe.rendering.request.evidence import description_of, with_evidence
from framepipe.rendering.request.request import Request
from framepipe.rendering.request.script import FilmOfScript
from framepipe.scenes.address import split_address
from framepipe.scenes.base import Scene
from framepipe.scenes.staged import Description, StagedScene
from framepipe.store.store import NO_SEED


def load_here(request: Request) -> Job:
    """Return the job, with its scene loaded in this process, and what loading it has read."""
    tracer = _tracer(request)
    try:
        return with_evidence(request.job(), tracer, ())
    finally:
        tracer.close()


def load_in_stage(request: Request, stop: Stop) -> Job:
    """Return the job, with its scene loaded in a process of its own, from which workers are forked.

    Raises
    ------
    Interrupted
        A stop was requested; loading ends at once.
    UsageError
        The script cannot be loaded.
    """
    stage = StageProcess(_Load(request))
    try:
        description: Description = stage.load(stop)
    except BaseException:
        stage.close()
        raise
    inputs: Any = tuple(request.inputs)
    return Job(
        StagedScene(description, stage),
        description.frames(),
        description.canvas,
        inputs,
        fps=description.fps,
        extra_args=description.record.extra_args,
        env=tuple(request.env),
        seed=request.seed,
        loaded=description.record,
        labels=description.labels,
        metadata=description.metadata,
        notes=description.notes,
        digests=FileDigests.used(description.remembered),
        films=description.films,
    )


@dataclass(frozen=True)
class _Load:
    """What the process that will draw is sent: it loads the scene there."""

    request: Request

    def __call__(self, stage: Any) -> tuple[Scene, Frames, Description]:
        request = self.request
        stage.tracer = _tracer(request)
        if request.seed not in (None, NO_SEED):
            from framepipe.scenes.seeding import seed_generators

            seed_generators(request.seed)
        if request.script is not None:
            FilmOfScript(request, request.script, stage).run()
        from framepipe.scenes.scripts.exploring import importing

        sys.argv = [split_address(str(request.scene))[0], *request.script_args]
        with importing():
            return description_of(request.job(), stage.tracer)


def _tracer(request: Request) -> ReadTracer:
    """Observe what this process reads from now on."""
    script = split_address(str(request.scene))[0]
    base = os.path.dirname(os.path.abspath(script)) if script.endswith(".py") else os.getcwd()
    return ReadTracer(request.store, request.remembered, base)
