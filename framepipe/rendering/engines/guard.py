"""Kills worker processes whose parent has died, even if they are busy in C and cannot notice it.

Started as ``python -I -S guard.py`` in a session of its own; imports nothing slow. Reads ``+PID`` and
``-PID`` from its standard input, and kills the remaining process groups when that closes.
"""

import contextlib
import os
import signal
import sys


def main() -> None:
    """Read until the parent has died, then kill the process groups that are left."""
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
