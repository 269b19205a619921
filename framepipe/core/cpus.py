"""How many processors this process may use."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def usable_cpus() -> int:
    """Return the minimum of CPU affinity, cgroup quota (v1 and v2, rounded up), ``SLURM_CPUS_PER_TASK``."""
    limits = [len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1]
    limits += [limit for limit in (_cgroup_quota(), _slurm()) if limit]
    return max(1, min(limits))


def _slurm() -> int | None:
    text = os.environ.get("SLURM_CPUS_PER_TASK", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _cgroup_quota(root: Path = _CGROUP) -> int | None:
    try:
        if (root / "cpu.max").exists():
            quota, period = (root / "cpu.max").read_text().split()
        else:
            quota, period = (
                (root / "cpu" / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period")
            )
        return -(-int(quota) // int(period)) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):  # no cgroup, "max", or nonsense
        return None
