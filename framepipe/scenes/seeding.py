"""Random numbers that a script draws without a seed are the same in every run of a job.

The global generators of ``random`` and ``numpy.random`` are seeded before the script is loaded, and so
is the entropy of ``numpy.random.default_rng()`` and ``SeedSequence()`` without a seed. A script that seeds
by itself does so afterwards, so its own seed counts.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

MAX_SEED = 2**32  # exclusive: the limit of numpy.random.seed


def seed_generators(seed: int) -> None:
    """Seed the random generators of this process; for framepipe's own processes, since it patches numpy.

    Parameters
    ----------
    seed : int
        0 to 2**32 - 1.
    """
    import numpy as np
    import numpy.random.bit_generator as bit_generator

    random.seed(seed)
    np.random.seed(seed)
    # SeedSequence() takes its entropy from this (numpy/random/bit_generator.pyx)
    bit_generator.randbits = random.Random(seed).getrandbits  # type: ignore[attr-defined]  # noqa: S311


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed for the block and restore the generators, in a process that is not framepipe's own."""
    import numpy as np
    import numpy.random.bit_generator as bit_generator

    previous = random.getstate(), np.random.get_state(), bit_generator.randbits  # type: ignore[attr-defined]
    seed_generators(seed)
    try:
        yield
    finally:
        random.setstate(previous[0])
        np.random.set_state(previous[1])
        bit_generator.randbits = previous[2]  # type: ignore[attr-defined]
