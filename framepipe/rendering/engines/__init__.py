"""Engines: where drawing runs. An engine takes tasks and returns outcomes; it decides nothing else.

The processes that draw import this too, so what reaches processes elsewhere is imported when it is requested.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from framepipe.errors import UsageError
from framepipe.options import ENGINES, DrawOptions
from framepipe.rendering.engines.base import (
    Drawn,
    Ended,
    Engine,
    Failed,
    Outcome,
    Replace,
    Task,
    Tasks,
    Work,
    Worker,
    WorkerPool,
    draw_frame,
    position_after,
)
from framepipe.rendering.engines.local import LocalEngine
from framepipe.rendering.engines.original import Original
from framepipe.rendering.engines.process import CannotSend, StageProcess
from framepipe.rendering.engines.serial import SerialEngine

if TYPE_CHECKING:
    from framepipe.rendering.engines.remote import Carrier
    from framepipe.rendering.engines.slots import Slots

__all__ = [
    "CannotSend",
    "Drawn",
    "Ended",
    "Engine",
    "Failed",
    "LocalEngine",
    "Original",
    "Outcome",
    "Replace",
    "SerialEngine",
    "StageProcess",
    "Task",
    "Tasks",
    "Work",
    "Worker",
    "WorkerPool",
    "choose",
    "draw_frame",
    "position_after",
]


def choose(options: DrawOptions, slots: Slots | None = None) -> Engine:
    """Return the requested engine.

    Parameters
    ----------
    options : DrawOptions
    slots : Slots, optional
        Which it is to share with the engines of other renders; serial does not, nor does an object.

    Raises
    ------
    UsageError
        The engine is unknown, or does not support an option.
    """
    engine = options.engine
    if engine != "dask" and (options.address or options.scheduler_file):
        raise UsageError("address and scheduler_file are where dask's scheduler is: add --engine dask")
    if hasattr(engine, "pool"):
        return cast(Engine, engine)
    if engine in ("local", "serial"):
        return _of_this_machine(options, slots)
    from framepipe.rendering.engines.remote import RemoteEngine

    return RemoteEngine(
        _carrier_of(options),
        options.workers,
        frame_timeout_s=options.frame_timeout_s,
        max_frames_per_worker=options.max_frames_per_worker,
        shared_store=options.shared_store,
        slots=slots,
    )


def _of_this_machine(options: DrawOptions, slots: Slots | None) -> Engine:
    if not options.shared_store:
        raise UsageError(f"engine {options.engine} draws on this machine, which stores the frames itself")
    if options.engine == "local":
        return LocalEngine(
            options.workers,
            frame_timeout_s=options.frame_timeout_s,
            max_frames_per_worker=options.max_frames_per_worker,
            slots=slots,
        )
    if options.frame_timeout_s is not None:
        raise UsageError("engine serial does not support a frame timeout: use engine local")
    if options.workers not in (None, 1):
        raise UsageError(
            f"{options.workers} workers requested; engine serial has one: leave workers out, or use local"
        )
    return SerialEngine()


def _carrier_of(options: DrawOptions) -> Carrier:
    """Return what carries frames to processes elsewhere."""
    from framepipe.rendering.engines import dask, mpi
    from framepipe.rendering.engines.executor import ExecutorCarrier

    engine = options.engine
    if engine == "mpi":
        return mpi.carrier_of(options)
    if engine == "dask" or dask.is_of_dask(engine):
        return dask.carrier_of(options)
    if callable(getattr(engine, "submit", None)):
        return ExecutorCarrier(engine, options.workers)
    raise UsageError(
        f"engine {engine!r} is unknown; give one of {', '.join(ENGINES)}, or in Python a dask Client, an "
        "executor or an Engine"
    )
