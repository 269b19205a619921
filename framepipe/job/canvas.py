"""How a figure becomes pixels: dpi, a tight box, transparency."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from framepipe.errors import UsageError
from framepipe.job.fingerprint import digest_value


@dataclass(frozen=True)
class Canvas:
    """How a figure becomes pixels.

    Attributes
    ----------
    dpi : float or None
        Dots per inch; None is what ``savefig`` would use (``savefig.dpi``, then the figure's).
    tight : bool
        Cut all frames to the tight box of the first.
    transparent : bool or None
        As in ``savefig``; None leaves it to rcParams.
    savefig : dict
        Further keywords of ``savefig``, as the script itself passes them.
    """

    dpi: float | None = None
    tight: bool = False
    transparent: bool | None = None
    savefig: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.dpi is not None and not 1 <= self.dpi <= 10_000:
            raise UsageError(f"dpi {self.dpi:g} is not within 1 to 10000")
        if self.dpi is not None:
            object.__setattr__(self, "dpi", float(self.dpi))  # numpy's numbers are not JSON's

    def to_dict(self) -> dict[str, Any]:
        """Convert for JSON and digests; keywords that JSON cannot hold are replaced by their digest."""
        plain = {"dpi": self.dpi, "tight": self.tight, "transparent": self.transparent}
        if not self.savefig:  # as framepipe 0.1 has it
            return plain
        options = dict(self.savefig)
        return {**plain, "savefig": plain_json(options) or {"digest": digest_value(options)}}


def plain_json(params: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return parameters as JSON holds them, None if it cannot."""
    try:
        return dict(params) if json.loads(json.dumps(dict(params))) == dict(params) else None
    except (TypeError, ValueError):
        return None
