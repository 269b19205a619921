"""Where the time of a render went."""

from __future__ import annotations

from dataclasses import astuple, dataclass


@dataclass(frozen=True)
class Costs:
    """Seconds of all workers together, on the clock.

    Attributes
    ----------
    update_s : float
        In the scene's own code for these frames; updates that only lead to a frame are not counted.
    draw_s : float
        In turning figures into pixels.
    png_s : float
        In encoding these.
    store_s : float
        In writing them safely to the disk, as far as their process waited for it.
    """

    update_s: float = 0.0
    draw_s: float = 0.0
    png_s: float = 0.0
    store_s: float = 0.0

    def __add__(self, other: Costs) -> Costs:
        return Costs(*(one + more for one, more in zip(astuple(self), astuple(other))))

    @property
    def total_s(self) -> float:
        """The sum."""
        return self.update_s + self.draw_s + self.png_s + self.store_s

    def table(self, workers: int, seconds: float) -> str:
        """Return the table of a render by so many workers in so many seconds on the clock."""
        at_all_s = workers * seconds
        rows = [
            ("update", self.update_s),
            ("draw", self.draw_s),
            ("PNG", self.png_s),
            ("store", self.store_s),
            ("start, compare, idle", at_all_s - self.total_s),
        ]
        lines = [f"  {name:<22}{each:8.2f} s{100 * each / max(at_all_s, 1e-9):5.0f} %" for name, each in rows]
        return "\n".join([f"{workers} workers for {seconds:.2f} s", *lines])
