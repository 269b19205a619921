"""Where drawing runs. An engine takes tasks and gives outcomes; it decides nothing else."""

from __future__ import annotations

from framepipe.engines.base import Crew, Drawn, Ended, Engine, Failed, Outcome, Task, Work
from framepipe.engines.local import CannotSend, LocalEngine
from framepipe.engines.run import OrderMatters, Run, Shots
from framepipe.engines.serial import SerialEngine
from framepipe.errors import UsageError

__all__ = [
    "CannotSend",
    "Crew",
    "Drawn",
    "Ended",
    "Engine",
    "Failed",
    "LocalEngine",
    "OrderMatters",
    "Outcome",
    "Run",
    "SerialEngine",
    "Shots",
    "Task",
    "Work",
    "choose",
]

NAMES = ("local", "serial")


def choose(
    engine: str | Engine,
    *,
    workers: int | None = None,
    frame_timeout_s: float | None = None,
    recycle: int = 500,
) -> Engine:
    """The engine of a name; an engine is returned as it is.

    Raises
    ------
    UsageError
        No such engine, or an option that it cannot honour.
    """
    if not isinstance(engine, str):
        return engine
    if workers is not None and workers < 1:
        raise UsageError(f"workers is {workers}; give 1 or more")
    if recycle < 1:
        raise UsageError(f"recycle is {recycle}; give 1 frame or more")
    if frame_timeout_s is not None and not frame_timeout_s > 0:
        raise UsageError(f"frame_timeout_s is {frame_timeout_s:g}; give seconds above 0")
    if engine == "serial":
        if frame_timeout_s is not None:
            raise UsageError("engine serial cannot stop a frame that hangs: use engine local")
        return SerialEngine()
    if engine == "local":
        return LocalEngine(workers, frame_timeout_s=frame_timeout_s, recycle=recycle)
    raise UsageError(f"no engine {engine!r}; there are {', '.join(NAMES)}")
