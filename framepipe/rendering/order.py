"""Why frames must be drawn in another way than they are: findings of a run, with what the user is told."""

from __future__ import annotations

from collections.abc import Sequence

from framepipe.job.frames import format_range
from framepipe.job.record import Order


class OrderMatters(Exception):
    """Pictures differ that must be equal in this order, or another order is faster.

    Attributes
    ----------
    order : {"free", "replay", "serial"}
        The order to continue in.
    text : str
        For the user: which frames, what it means, what to do; empty if the user need not know.
    """

    def __init__(self, order: Order, text: str) -> None:
        super().__init__(text)
        self.order, self.text = order, text


class RedrawDiffers(Exception):
    """A frame of which only the changes were drawn differs from the same frame drawn in full."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(
            f"frame {number} came out different when only what had changed in it was drawn: so all frames "
            "are drawn in full (redraw full), those that were there too"
        )


class DiffersElsewhere(Exception):
    """A worker's picture of a frame differs from that of the program which handed the scene over."""


_IN_ORDER = (
    "So all updates run in order, and each worker is forked where its first frame begins (order replay)"
)


def stateful_frames(numbers: Sequence[int]) -> OrderMatters:
    """Return the finding that frames depend on the updates before them."""
    return OrderMatters(
        "replay",
        f"the scene keeps state: {_frames(numbers)} came out different when jumped to and when all frames "
        f"before it were run first. {_IN_ORDER}",
    )


def stateful_by_names(names: Sequence[str]) -> OrderMatters:
    """Return the finding that drawing a frame changes state of these names."""
    text = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
    return OrderMatters("replay", f"the scene keeps state: drawing a frame changes {text}. {_IN_ORDER}")


def random_frames(numbers: Sequence[int]) -> OrderMatters:
    """Return the finding that frames differ each time that they are drawn."""
    return OrderMatters(
        "serial",
        f"{_frames(numbers)} came out different each time, after the same updates. So all frames are "
        "drawn in one process, one after the other (order serial). What random and numpy.random give "
        "without a seed is the same in every run of a job, so this is something else: the time of day, "
        "os.urandom, a generator of another library (seed it), the network, or what drawing itself changes",
    )


def of_another_run(number: int) -> OrderMatters:
    """Return the finding that a frame of an earlier run comes out different now."""
    return OrderMatters(
        "serial",
        f"{_frames([number])} of an earlier run came out different now, so new frames would not continue it. "
        "So all frames are drawn again from the first one (order serial)",
    )


def _frames(numbers: Sequence[int]) -> str:
    return f"frame{'s' if len(numbers) > 1 else ''} {format_range(numbers)}"
