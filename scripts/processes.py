"""What processes use, as the scripts that measure framepipe see it in /proc."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path


def peak_mb_of(process: subprocess.Popen) -> float:
    """Wait for a process; return the peak memory of it and its descendants, in MB, shared pages once."""
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, sum(map(proportional_mb, tree(process.pid))))
        time.sleep(0.2)
    return peak


def tree(pid: int) -> list[int]:
    children = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    family, waiting = [], [pid]
    while waiting:
        each = waiting.pop()
        family.append(each)
        waiting += children.get(each, [])
    return family


def proportional_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1e3


def processor_s_of(pid: int) -> float:
    """Processor seconds of a process so far, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
