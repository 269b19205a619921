"""Draws through any executor, as `concurrent.futures`, submitit, Parsl and mpi4py have them."""

from __future__ import annotations

from concurrent import futures
from concurrent.futures.thread import ThreadPoolExecutor
from typing import Any

from framepipe.errors import UsageError
from framepipe.rendering.engines.remote import CarrierLost
from framepipe.rendering.engines.site import draw_unit


class ExecutorCarrier:
    """Sends units by ``submit`` of an executor.

    Parameters
    ----------
    executor : object
        Its futures have ``result``, ``done`` and ``cancel``.
    workers : int, optional
        How many units at once. Default: as the executor says.

    Raises
    ------
    UsageError
        Its processes are threads of this one, or it does not say how many it has.
    """

    def __init__(self, executor: Any, workers: int | None) -> None:
        kind = type(executor).__name__
        if isinstance(executor, ThreadPoolExecutor):
            raise UsageError(
                f"engine is a {kind}: pyplot draws in one thread at a time, so its threads would wait for "
                "each other. Use engine='local', which draws in processes, or a ProcessPoolExecutor"
            )
        self.name = f"the {kind}"
        self._executor = executor
        self._slots = workers or _size_of(executor)
        if not self._slots:
            raise UsageError(
                f"a {kind} does not say how many processes it has: give workers, how many it may use at once"
            )

    def slots(self) -> int:
        """See `Carrier`."""
        return self._slots

    def submit(
        self, head: dict[str, Any], unit: bytes, commission: bytes | None, where: str | None
    ) -> futures.Future[dict[str, Any]]:
        """See `Carrier`."""
        try:
            return self._executor.submit(draw_unit, head, unit, commission)  # type: ignore[no-any-return]
        except RuntimeError as error:  # broken, or shut down
            raise CarrierLost(f"{type(error).__name__}: {error}") from None

    def is_loss(self, error: BaseException) -> bool:
        """See `Carrier`."""
        if isinstance(error, futures.BrokenExecutor):
            raise CarrierLost(f"{type(error).__name__}: {error}")
        return isinstance(error, (futures.CancelledError, ConnectionError, EOFError))

    def close(self, job: str) -> None:
        """See `Carrier`. It cannot be chosen which process gets it; the stages end by themselves."""


def _size_of(executor: Any) -> int:
    """Return how many processes an executor says that it has; 0 if it does not."""
    for name in ("_max_workers", "num_workers", "max_workers"):
        size = getattr(executor, name, None)
        if isinstance(size, int) and size > 0:
            return size
    return 0
