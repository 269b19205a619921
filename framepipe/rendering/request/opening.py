"""Open a request: its scene loaded, in this process or in one of its own, and its store found."""

from __future__ import annotations

import contextlib
import operator
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from framepipe.core.control import Control, Stop
from framepipe.errors import UsageError
from framepipe.job.job import Job
from framepipe.rendering.engines import Engine
from framepipe.rendering.large_inputs import read_large
from framepipe.rendering.request.folder import store_of
from framepipe.rendering.request.loading import load_here, load_in_stage
from framepipe.rendering.request.request import Request
from framepipe.scenes.loading import forget_script
from framepipe.scenes.open_figures import closing_figures
from framepipe.scenes.seeding import MAX_SEED, seeded
from framepipe.store.store import NO_SEED, Store


@contextmanager
def opened_job(
    request: Request,
    store: str | os.PathLike[str] | None,
    engine: Engine,
    seed: int | str | None,
    control: Control,
) -> Iterator[tuple[Job, Store]]:
    """Provide the requested job and its store; the process that has loaded the scene ends with the context.

    Parameters
    ----------
    request : Request
        Without a seed.
    store : path-like, optional
        Default: see `default_store`.
    engine : Engine
        If it draws in several processes, one of them loads a script.
    seed : int or "none", optional
        See `render`.
    control : Control
        It is told how far large input files are read.
    """
    with contextlib.ExitStack() as stack:
        if isinstance(request.scene, str):
            job_store = Store(store_of(request, store))
            digests = job_store.file_digests()
            read_large(request.inputs, digests, control)
            request = replace(
                request,
                seed=_seed(seed, job_store),
                store=str(job_store.path),
                remembered=digests.entries(),
            )
            stack.callback(job_store.forget_seed)
            if not engine.is_parallel:
                stack.enter_context(closing_figures())
                if request.seed not in (None, NO_SEED):
                    stack.enter_context(seeded(request.seed))
            job = _of_script(request, engine, control.stop)
        else:
            if seed is not None:
                raise UsageError("seed is for scripts: an object uses the random generators of your program")
            job = request.job()
            job_store = Store(store_of(request, store, job.scene))
            job = replace(job, digests=job_store.file_digests())
            read_large(job.inputs, job.digests, control)
        stack.callback(job.close)
        yield job, job_store


def _of_script(request: Request, engine: Engine, stop: Stop) -> Job:
    if engine.is_parallel or request.script is not None:
        return load_in_stage(request, stop)
    forget_script(str(request.scene))
    with stop.raising("the scene was loaded"):
        return load_here(request)


def _seed(seed: int | str | None, store: Store) -> int | None:
    """Return the requested seed, or else that of the store."""
    if seed is None:
        return store.seed()
    if seed == "none":
        return NO_SEED
    try:
        number = operator.index(int(seed) if isinstance(seed, str) else seed)
    except (TypeError, ValueError):
        number = -1
    if not 0 <= number < MAX_SEED:
        raise UsageError(f"seed is {seed!r}; give a whole number from 0 to {MAX_SEED - 1}, or none")
    return number
