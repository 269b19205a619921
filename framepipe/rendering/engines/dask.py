"""Draws through dask's scheduler, on its workers."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import warnings
from concurrent import futures
from pathlib import Path
from typing import Any

from framepipe.errors import ToolMissing, UsageError
from framepipe.options import DrawOptions
from framepipe.rendering.engines.remote import CarrierLost
from framepipe.rendering.engines.site import close, draw_unit

_CONNECT_S = 15.0
_LOOK_S = 1.0
#: Filters of warnings are of the whole program: threads that change them must not overlap.
_QUIET = threading.Lock()


def is_of_dask(engine: object) -> bool:
    """True for a ``Client`` or a ``Cluster``, dask-jobqueue's too; imports nothing."""
    distributed = sys.modules.get("distributed")
    return distributed is not None and isinstance(
        engine, (distributed.Client, distributed.deploy.cluster.Cluster)
    )


def carrier_of(options: DrawOptions) -> DaskCarrier:
    """Return the carrier to the scheduler that the options name.

    Raises
    ------
    ToolMissing
        dask.distributed is not installed.
    UsageError
        None is named, or none answers.
    """
    if options.engine != "dask":
        return DaskCarrier(options.engine)
    try:
        import dask.config
        import distributed  # noqa: F401 (it may be missing)
    except ImportError as error:
        raise ToolMissing(
            f"engine dask needs dask.distributed ({error}): pip install 'framepipe[dask]'"
        ) from None
    file = options.scheduler_file
    if file is not None and not Path(file).is_file():
        raise UsageError(f"no such scheduler file: {os.fspath(file)}")
    address = options.address or (None if file else dask.config.get("scheduler-address", None))
    if address is None and file is None:
        raise UsageError(
            "engine dask: no scheduler is named. Give --address tcp://HOST:8786 or --scheduler-file FILE; on "
            "one machine use engine local"
        )
    place = {"address": address} if address else {"scheduler_file": os.fspath(file or "")}
    return DaskCarrier(place)


class DaskCarrier:
    """Sends units to the workers of a dask cluster, as many at once as they have threads.

    Workers may come and go meanwhile. A unit whose worker is lost is repeated by the scheduler itself
    (``distributed.scheduler.allowed-failures``).

    Parameters
    ----------
    target : Client, Cluster or dict
        A dict has the keywords of a client that is made for this, and closed when no render needs it.

    Raises
    ------
    UsageError
        No scheduler answers.
    """

    name = "dask"

    def __init__(self, target: Any) -> None:
        self._target, self._slots, self._looked_at = target, 0, -_LOOK_S
        self._client: Any = None
        self._connect()

    def _connect(self) -> Any:
        """Return the client."""
        import distributed

        if self._client is not None:
            return self._client
        if isinstance(self._target, distributed.Client):
            self._client = self._target
            return self._client
        place = self._target if isinstance(self._target, dict) else {"address": self._target}
        try:
            self._client = distributed.Client(**place, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError, TypeError, KeyError) as error:
            where = " ".join(map(str, place.values()))
            raise UsageError(
                f"no scheduler of dask answers at {where} ({type(error).__name__}: {error})"
            ) from None
        return self._client

    def slots(self) -> int:
        """See `Carrier`. While no worker is there, one unit waits: adaptive clusters then start some."""
        is_over = self._client is None and self._slots
        if not is_over and time.monotonic() - self._looked_at >= _LOOK_S:
            with contextlib.suppress(OSError):  # sending a unit will show it
                self._slots = sum(self._connect().nthreads().values())
            self._looked_at = time.monotonic()
        return max(1, self._slots)

    def submit(
        self, head: dict[str, Any], unit: bytes, commission: bytes | None, where: str | None
    ) -> futures.Future[dict[str, Any]]:
        """See `Carrier`."""
        client = self._connect()
        self._refuse_closed()
        place = {"workers": [where], "allow_other_workers": True} if where else {}
        with _QUIET, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of the size of a scene with large arrays
            return _UnitThere(client, client.submit(_draw_unit, head, unit, commission, pure=False, **place))

    def _refuse_closed(self) -> None:
        if self._client is None or self._client.status != "running":
            raise CarrierLost("the connection to its scheduler was closed")

    def is_loss(self, error: BaseException) -> bool:
        """See `Carrier`."""
        import distributed

        self._refuse_closed()
        return isinstance(error, (distributed.KilledWorker, futures.CancelledError, OSError))

    def close(self, job: str) -> None:
        """See `Carrier`."""
        import distributed

        client = self._connect()
        with contextlib.suppress(Exception):
            client.run(_close_soon, job, on_error="ignore")
        if not isinstance(self._target, distributed.Client):
            client.close()
            self._client = None


class _UnitThere(futures.Future[dict[str, Any]]):
    """A unit at the scheduler, as a future of the standard library."""

    def __init__(self, client: Any, sent: Any) -> None:
        super().__init__()
        self._client, self._sent = client, sent
        sent.add_done_callback(self._take)

    def _take(self, sent: Any) -> None:
        """Take the result over; called in a thread of dask."""
        with contextlib.suppress(futures.InvalidStateError):  # cancelled here meanwhile
            try:
                if sent.status == "cancelled":
                    raise futures.CancelledError(f"{sent.key} was cancelled")
                self.set_result(sent.result())
            except BaseException as error:
                self.set_exception(error)

    def cancel(self) -> bool:
        """Withdraw the unit if no worker has it; a worker that draws cannot be stopped."""
        with contextlib.suppress(Exception):  # the scheduler is gone, and the unit with it
            if any(self._sent.key in keys for keys in self._client.processing().values()):
                return False
            self._sent.cancel()
        return super().cancel()


def _draw_unit(head: dict[str, Any], unit: bytes, commission: bytes | None) -> dict[str, Any]:
    """Draw a unit in a dask worker, and say in which."""
    import distributed

    return {**draw_unit(head, unit, commission), "where": distributed.get_worker().address}


def _close_soon(job: str) -> None:
    """End a render's stages without keeping the worker's event loop waiting."""
    threading.Thread(target=close, args=(job,), daemon=True).start()
