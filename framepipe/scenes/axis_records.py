"""What axes have drawn, by value: for figures that are made anew, or cleared, in each frame.

Half of the time of a plot goes into its axes: into ticks that are made, placed and labelled as in the frame
before. An Axis that is, by all that can be reached from it, equal to one that was drawn gives the same again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from framepipe.scenes import matplotlib_private
from framepipe.scenes.redraw import points_of
from framepipe.scenes.signature import signature_of, signature_of_surroundings

_MAX_BYTES = 64 << 20
#: An Axis that was another one so often in a row is looked at less and less.
_PATIENCE, _MAX_REST = 2, 64


@dataclass(eq=False)
class AxisRecord:
    """What an Axis gave.

    Attributes
    ----------
    primitives : list or None
        What it has drawn; None if only its box was asked for.
    boxes : dict
        What `get_tightbbox` gave, by its arguments.
    labels : tuple
        Where its label and its offset stand afterwards, and what the offset says: titles look at that.
    ticks : tuple
        What else drawing leaves in it, see `framepipe.scenes.matplotlib_private.ticks_of`.
    """

    primitives: list[Any] | None = None
    boxes: dict[Any, Any] = field(default_factory=dict)
    labels: tuple[Any, ...] = ()
    ticks: tuple[Any, ...] = ()


@dataclass
class _Luck:
    """How often the n-th Axis of a figure was another one in a row."""

    misses: int = 0
    rests_until: int = 0


class AxisRecords:
    """Records of all axes that were drawn in this process.

    Attributes
    ----------
    reused : int
        How often something kept was used.
    size_bytes : int
    """

    def __init__(self) -> None:
        self.reused = self.size_bytes = 0
        self._records: dict[Any, AxisRecord] = {}
        self._lucks: list[_Luck] = []
        self._frame = 0
        self._begun: dict[int, tuple[Any, _Luck, Any]] = {}  # axes of this frame: axis, luck, signature
        self._surroundings: dict[int, tuple[Any, Any]] = {}

    def begin_frame(self) -> None:
        """Begin a frame: nothing is known of its axes."""
        self._frame += 1
        self._begun.clear()
        self._surroundings.clear()

    def forget(self) -> None:
        """Forget all: the renderer, rcParams or the fonts have changed."""
        self._records.clear()
        self.size_bytes = 0

    def record_of(self, axis: Any) -> AxisRecord | None:
        """Return the record of an Axis, a new one if it is another one; None if that cannot be known."""
        if id(axis) not in self._begun:
            luck = self._luck(len(self._begun))
            is_resting = luck.rests_until > self._frame
            self._begun[id(axis)] = axis, luck, None if is_resting else _signature(axis)
        _, luck, own = self._begun[id(axis)]
        around = None if own is None else self._around(axis.axes)
        if around is None:
            return None
        key = (own, around)
        record = self._records.get(key)
        if record is None:
            record = self._records[key] = AxisRecord()
            self._add_bytes(16 * len(own) + 16 * len(around))
        return record

    def count(self, axis: Any, is_hit: bool) -> None:
        """Count whether the Axis that is drawn was known."""
        self.reused += is_hit
        luck = self._begun[id(axis)][1]
        luck.misses = 0 if is_hit else luck.misses + 1
        if luck.misses > _PATIENCE:
            luck.rests_until = self._frame + min(_MAX_REST, 2 ** (luck.misses - _PATIENCE))

    def keep(self, record: AxisRecord, axis: Any, primitives: list[Any], size_bytes: int) -> None:
        """Keep what an Axis has drawn."""
        record.primitives, record.labels = primitives, matplotlib_private.labels_of(axis)
        record.ticks = matplotlib_private.ticks_of(axis)
        self._add_bytes(size_bytes)

    def box(self, record: AxisRecord, axis: Any, asked: Any, measure: Callable[[], Any]) -> Any:
        """Return what `get_tightbbox` gives."""
        if asked in record.boxes:
            matplotlib_private.place_labels(axis, record.labels)
        else:
            record.boxes[asked] = measure()
            record.labels = matplotlib_private.labels_of(axis)
        return record.boxes[asked]

    def _luck(self, at: int) -> _Luck:
        while len(self._lucks) <= at:
            self._lucks.append(_Luck())
        return self._lucks[at]

    def _around(self, axes: Any) -> tuple[Any, ...] | None:
        """Return the signature of what is around: within a frame only a layout moves an Axes."""
        place = (points_of(axes.bbox), points_of(axes.viewLim))
        known = self._surroundings.get(id(axes))
        if known is None or known[0] != place:
            known = self._surroundings[id(axes)] = place, signature_of_surroundings(axes)
        return known[1]

    def _add_bytes(self, count: int) -> None:
        self.size_bytes += count
        if self.size_bytes > _MAX_BYTES:
            self.forget()


def _signature(axis: Any) -> tuple[Any, ...] | None:
    return None if matplotlib_private.stands_with_others(axis) else signature_of(axis)
