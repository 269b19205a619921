"""Kills worker processes whose parent is gone, even when they are busy in C and cannot notice it.

Started as ``python -I -S guard.py`` in a session of its own; imports nothing slow. Reads ``+PID`` and
``-PID`` from its standard input, and when that closes kills the process groups that are left.
"""

import contextlib
import os
import signal
import sys


def main() -> None:
    """Read until the parent is gone."""
    alive: set[int] = set()
    for line in sys.stdin:
        if line == "end\n":  # a forked child of our parent's may hold the other end open
            return
        number = int(line[1:])
        if line[0] == "+":
            alive.add(number)
        else:
            alive.discard(number)
    for group in alive:
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
