"""How long the tests may take: what `scripts/test` says of ``FRAMEPIPE_FAULTS`` and ``FRAMEPIPE_LONG``."""

from __future__ import annotations

import os

#: How many times the size of CI; scales the loops of the fault battery.
FAULTS = max(1, int(os.environ.get("FRAMEPIPE_FAULTS", "1")))
#: Whether the tests run that are marked `long`, which CI leaves out: each has a stronger twin there.
LONG = FAULTS > 1 or os.environ.get("FRAMEPIPE_LONG", "") not in ("", "0")
