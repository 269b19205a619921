"""What loading a scene has read, which belongs to its job; and its description for another process."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from framepipe.job.frames import Frames
from framepipe.job.job import Evidence, Job
from framepipe.job.read_tracer import ReadTracer
from framepipe.job.sources import local_modules
from framepipe.scenes.base import Scene
from framepipe.scenes.staged import Description, describe


def description_of(job: Job, tracer: ReadTracer) -> tuple[Scene, Frames, Description]:
    """Return a job's scene and frames, and what the main process is told of them."""
    job = with_evidence(job, tracer, tuple(map(str, local_modules())))
    scene: Any = job.scene
    description = describe(
        scene,
        job.frames,
        job.record(),
        job.labels,
        fps=job.fps,
        metadata=job.metadata,
        notes=job.notes,
        remembered=tracer.remembered(),
        films=job.films,
    )
    return scene, job.frames, description


def with_evidence(job: Job, tracer: ReadTracer, modules: tuple[str, ...]) -> Job:
    """Return the job with what loading its scene has read, and a note of what no digest can tell."""
    files, imported = tracer.loaded()
    notes = job.notes
    if uses := tracer.uses():
        notes = (*notes, f"while loading, the script used {', '.join(uses)}: a change there is not detected")
    evidence = Evidence(files, (*modules, *imported))
    return replace(job, evidence=evidence, notes=notes, digests=tracer.digests)
