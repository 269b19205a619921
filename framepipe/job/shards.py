"""Shards: the parts of a job that the tasks of a job array draw."""

from __future__ import annotations

import re

from framepipe.errors import UsageError


def parse_shard(shard: str | tuple[int, int] | None) -> tuple[int, int]:
    """Parse ``"K/N"`` into (K, N), 1 <= K <= N; None is (1, 1).

    Raises
    ------
    UsageError
    """
    if shard is None:
        return 1, 1
    texts = shard.split("/") if isinstance(shard, str) else [str(part) for part in shard]
    if len(texts) == 2 and all(re.fullmatch("[0-9]{1,9}", text) for text in texts):
        k, n = map(int, texts)
        if 1 <= k <= n:
            return k, n
    raise UsageError(f"shard {shard} is not K/N with 1 <= K <= N. Example: 2/8")
