"""Engines: where drawing runs. An engine takes tasks and returns outcomes; it decides nothing else."""

from __future__ import annotations

from typing import cast

from framepipe.errors import UsageError
from framepipe.options import ENGINES, DrawOptions
from framepipe.rendering.engines.base import Drawn, Ended, Engine, Failed, Outcome, Task, Work, WorkerPool
from framepipe.rendering.engines.local import LocalEngine
from framepipe.rendering.engines.original import Original
from framepipe.rendering.engines.process import CannotSend, StageProcess
from framepipe.rendering.engines.serial import SerialEngine

__all__ = [
    "CannotSend",
    "Drawn",
    "Ended",
    "Engine",
    "Failed",
    "LocalEngine",
    "Original",
    "Outcome",
    "SerialEngine",
    "StageProcess",
    "Task",
    "Work",
    "WorkerPool",
    "choose",
]


def choose(options: DrawOptions) -> Engine:
    """Return the requested engine.

    Raises
    ------
    UsageError
        The engine is unknown, or does not support an option.
    """
    engine = options.engine
    if not isinstance(engine, str):
        return cast(Engine, engine)
    if engine == "serial":
        if options.frame_timeout_s is not None:
            raise UsageError("engine serial does not support a frame timeout: use engine local")
        if options.workers not in (None, 1):
            raise UsageError(
                f"{options.workers} workers requested; engine serial has one: leave workers out, or use local"
            )
        return SerialEngine()
    if engine == "local":
        return LocalEngine(
            options.workers,
            frame_timeout_s=options.frame_timeout_s,
            max_frames_per_worker=options.max_frames_per_worker,
        )
    raise UsageError(f"engine {engine!r} is unknown; give one of {', '.join(ENGINES)}")
